"""Automated backups follow the creation, changes and deletion of their instance. Calls describe and delete them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import utcnow
from moto.rds.models import DBInstance, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from localcloud.aws.patching import add_methods, wrap_method
from localcloud.aws.rds import lifecycle, uploads
from localcloud.aws.rds.automated_backups import AutomatedBackup, copies_of, forget, kept, new_arn, up_to_date
from localcloud.aws.rds.errors import refuse
from localcloud.aws.rds.servers import current_servers


def patch() -> None:
    wrap_method(RDSBackend, "create_db_instance", _create_db_instance)
    wrap_method(RDSBackend, "modify_db_instance", _modify_db_instance)
    wrap_method(RDSBackend, "delete_db_instance", _delete_db_instance)
    wrap_method(RDSResponse, "describe_db_instance_automated_backups", _describe)
    add_methods(RDSResponse, delete_db_instance_automated_backup)


# -- the backup of an instance in its own region ----------------------------------------------------------------------


def _create_db_instance(original: Callable[..., DBInstance], backend: RDSBackend, asked: Any) -> DBInstance:
    database = original(backend, asked)
    _keep_if_wanted(backend, database)
    return database


def _modify_db_instance(
    original: Callable[..., DBInstance], backend: RDSBackend, identifier: str, asked: Any
) -> DBInstance:
    database = original(backend, identifier, asked)
    _keep_if_wanted(backend, database)
    return database


def _keep_if_wanted(backend: RDSBackend, database: DBInstance) -> None:
    if database.db_cluster_identifier is not None or database.is_replica:
        return
    own = _own(backend, database)
    if not database.backup_retention_period:
        if own is not None:  # switching backups off deletes them at once
            forget(backend, own)
    elif own is None:
        backup = AutomatedBackup(
            arn=new_arn(backend),
            dbi_resource_id=database.dbi_resource_id,
            source_arn=database.db_instance_arn,
            source_region=backend.region_name,
            status="active",
            earliest=utcnow(),
            latest=None,
            retention_period=database.backup_retention_period,
            kms_key_id=database.kms_key_id,
        )
        backup.follow(database)
        kept(backend)[backup.arn] = backup
    else:
        own.follow(database)


def _own(backend: RDSBackend, database: DBInstance) -> AutomatedBackup | None:
    return next(
        (
            backup
            for backup in kept(backend).values()
            if backup.dbi_resource_id == database.dbi_resource_id and not backup.replica
        ),
        None,
    )


def _delete_db_instance(
    original: Callable[..., DBInstance],
    backend: RDSBackend,
    db_instance_identifier: str,
    final_db_snapshot_identifier: str | None = None,
    skip_final_snapshot: bool | None = False,
    delete_automated_backups: bool | None = True,
) -> DBInstance:
    database = backend.databases.get(db_instance_identifier)
    every = [rds_backends[backend.account_id][region] for region in list(rds_backends[backend.account_id])]
    if database is not None:
        if not database.deletion_protection:
            lifecycle.must_be_available(database, "be deleted")
            lifecycle.last_words(backend, database, None if skip_final_snapshot else final_db_snapshot_identifier)
            for copy in copies_of(backend.account_id, database.dbi_resource_id):
                _copy_on(database, copy)
        for region in every:  # the last update while the instance exists
            up_to_date(region)
    deleted = original(
        backend, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, delete_automated_backups
    )
    for region in every:
        for backup in list(kept(region).values()):
            if backup.dbi_resource_id != deleted.dbi_resource_id or backup.ended is not None:
                continue
            # Copies in other regions stay, regardless of the instance's own backup.
            if backup.replica or delete_automated_backups is False:
                backup.end()
            else:
                forget(region, backup)
    lifecycle.gone(deleted)
    return deleted


def _copy_on(database: DBInstance, copy: AutomatedBackup) -> None:
    """Copy the last uploads too, unless the copy's region is dead."""
    servers = current_servers()
    if servers is not None and not servers.is_dead(copy.region):
        uploads.replicate(servers, database, copy)


# -- calls ------------------------------------------------------------------------------------------------------------


def _describe(original: Callable[..., ActionResult], response: RDSResponse) -> ActionResult:
    asked = response.params
    names = [asked.get(name) for name in ("DbiResourceId", "DBInstanceIdentifier", "DBInstanceAutomatedBackupsArn")]
    found = _matching(up_to_date(response.backend), *names)
    if any(names) and not found:
        _not_found(", ".join(filter(None, names)))
    for condition in asked.get("Filters", []):
        values = {value.lower() for value in condition["Values"]}
        match condition["Name"]:
            case "status":
                found = [backup for backup in found if backup.status in values]
            case "db-instance-id":
                found = [
                    backup
                    for backup in found
                    if values & {backup.source_arn.lower(), backup.described["DBInstanceIdentifier"].lower()}
                ]
            case "dbi-resource-id":
                found = [
                    backup for backup in found if values & {backup.dbi_resource_id.lower(), backup.source_arn.lower()}
                ]
            case unknown:
                refuse("InvalidParameterValue", f"Unrecognized filter name: {unknown}")
    return PaginatedResult({"DBInstanceAutomatedBackups": [backup.shown() for backup in found]})


def _matching(
    kept: Iterable[AutomatedBackup], resource_id: str | None, identifier: str | None, arn: str | None
) -> list[AutomatedBackup]:
    return [
        backup
        for backup in kept
        if (resource_id is None or backup.dbi_resource_id.lower() == resource_id.lower())
        and (identifier is None or backup.described["DBInstanceIdentifier"].lower() == identifier.lower())
        and (arn is None or backup.arn.lower() == arn.lower())
    ]


def delete_db_instance_automated_backup(self: RDSResponse) -> ActionResult:
    """DeleteDBInstanceAutomatedBackup: a retained backup, or a copy whose replication has ended."""
    resource_id, arn = self.params.get("DbiResourceId"), self.params.get("DBInstanceAutomatedBackupsArn")
    if not resource_id and not arn:
        refuse(
            "InvalidParameterCombination", "Either DbiResourceId or DBInstanceAutomatedBackupsArn must be specified."
        )
    found = _matching(up_to_date(self.backend), resource_id, None, arn)
    if not found:
        _not_found(arn or resource_id or "")
    if any(backup.ended is None for backup in found):
        refuse(
            "InvalidDBInstanceAutomatedBackupState",
            f"The automated backup {found[0].arn} is {found[0].status}; only a retained one can be deleted.",
        )
    shown = {**found[0].shown(), "Status": "deleting"}
    for backup in found:
        forget(self.backend, backup)
    return ActionResult({"DBInstanceAutomatedBackup": shown})


def _not_found(what: str) -> None:
    refuse("DBInstanceAutomatedBackupNotFound", f"DBInstanceAutomatedBackup {what} not found.")
