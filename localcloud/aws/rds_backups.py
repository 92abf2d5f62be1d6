"""RDS's automated backups: one for each instance that keeps some, in its own region and wherever it is replicated to.

    active        of an instance that is there        replicating   a copy of one, in another region
    retained      of one that was deleted, or a copy that is no longer fed; it ends with its retention period

An `AutomatedBackup` describes; what it contains, and restoring from it, belongs to whoever puts a database behind RDS.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import utcnow
from moto.rds.models import DBInstance, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from localcloud.aws import rds_replication
from localcloud.aws.amend import add, mend
from localcloud.aws.rds_faults import refuse


@dataclass
class AutomatedBackup:
    """`described` is what the API shows of the instance, as it was when the backup last followed it."""

    arn: str
    dbi_resource_id: str
    source_arn: str
    source_region: str
    status: str
    earliest: datetime
    latest: datetime | None
    retention_period: int
    kms_key_id: str | None
    described: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    ended: datetime | None = None

    @property
    def replica(self) -> bool:
        """Whether it is kept in another region than its instance."""
        return self.arn.split(":")[3] != self.source_region

    def follow(self, database: DBInstance) -> None:
        """Take over what has become of the instance."""
        window = database.latest_restorable_time
        if window is not None:
            self.latest = window
            self.earliest = max(self.earliest, window - timedelta(days=self.retention_period))
        if not self.replica:
            self.retention_period = database.backup_retention_period
        shown: Any = database
        self.described = {
            "DBInstanceIdentifier": shown.db_instance_identifier,
            "AllocatedStorage": shown.allocated_storage,
            "Port": shown.port,
            "AvailabilityZone": shown.availability_zone,
            "VpcId": shown.db_subnet_group.vpc_id,
            "InstanceCreateTime": shown.created,
            "MasterUsername": shown.master_username,
            "Engine": shown.engine,
            "EngineVersion": shown.engine_version,
            "LicenseModel": shown.license_model,
            "Iops": shown.iops,
            "StorageThroughput": shown.storage_throughput,
            "OptionGroupName": shown.option_group_name,
            "Encrypted": bool(shown.storage_encrypted),
            "StorageType": shown.storage_type,
            "IAMDatabaseAuthenticationEnabled": bool(shown.enable_iam_database_authentication),
            "PreferredBackupWindow": shown.preferred_backup_window,
            "BackupTarget": "region",
        }

    def end(self) -> None:
        """It is fed no longer."""
        self.status = "retained"
        self.ended = utcnow()

    @property
    def expired(self) -> bool:
        return self.ended is not None and utcnow() > self.ended + timedelta(days=self.retention_period)

    def shown(self) -> dict[str, Any]:
        """As DescribeDBInstanceAutomatedBackups shows it."""
        replications = [] if self.replica else rds_replication.copies(self.source_arn, self.dbi_resource_id)
        return {
            **self.described,
            "DBInstanceArn": self.source_arn,
            "DbiResourceId": self.dbi_resource_id,
            "Region": self.source_region,
            "Status": self.status,
            "RestoreWindow": {"EarliestTime": self.earliest, "LatestTime": self.latest} if self.latest else {},
            "KmsKeyId": self.kms_key_id,
            "BackupRetentionPeriod": self.retention_period,
            "DBInstanceAutomatedBackupsArn": self.arn,
            "DBInstanceAutomatedBackupsReplications": replications,
            "TagList": self.tags,
        }


def amend() -> None:
    mend(RDSBackend, "create_db_instance", _create_db_instance)
    mend(RDSBackend, "modify_db_instance", _modify_db_instance)
    mend(RDSBackend, "delete_db_instance", _delete_db_instance)
    mend(RDSResponse, "describe_db_instance_automated_backups", _describe)
    add(RDSResponse, delete_db_instance_automated_backup)
    rds_replication.amend()


def backups(backend: RDSBackend) -> dict[str, AutomatedBackup]:
    """The automated backups that are kept in this backend's region, by ARN."""
    kept: dict[str, AutomatedBackup] = backend.__dict__.setdefault("automated_backups", {})
    return kept


def up_to_date(backend: RDSBackend) -> list[AutomatedBackup]:
    """The same, following the instances that are there, without those whose time is over."""
    kept = backups(backend)
    for arn, backup in list(kept.items()):
        if backup.expired:
            del kept[arn]
        elif backup.ended is None:
            source = source_of(backup, backend.account_id)
            if source is not None:
                backup.follow(source)
    return list(kept.values())


def source_of(backup: AutomatedBackup, account: str) -> DBInstance | None:
    """The instance that it backs up; one of the same name that was made later is another."""
    database = rds_backends[account][backup.source_region].databases.get(backup.source_arn.rsplit(":", 1)[1])
    return database if database is not None and database.dbi_resource_id == backup.dbi_resource_id else None


def new_arn(backend: RDSBackend) -> str:
    suffix = "".join(secrets.choice(string.ascii_lowercase + "234567") for _ in range(26))
    return f"arn:{backend.partition}:rds:{backend.region_name}:{backend.account_id}:auto-backup:ab-{suffix}"


# -- an instance's own backup comes, changes and goes with it ---------------------------------------------------------


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
            del backups(backend)[own.arn]
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
        backups(backend)[backup.arn] = backup
    else:
        own.follow(database)


def _own(backend: RDSBackend, database: DBInstance) -> AutomatedBackup | None:
    return next(
        (
            backup
            for backup in backups(backend).values()
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
        for region in every:  # the last look while the instance is there
            up_to_date(region)
    deleted = original(
        backend, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, delete_automated_backups
    )
    for region in every:
        for backup in list(backups(region).values()):
            if backup.dbi_resource_id != deleted.dbi_resource_id or backup.ended is not None:
                continue
            # Copies in other regions stay, whatever happens to the instance's own backup.
            if backup.replica or delete_automated_backups is False:
                backup.end()
            else:
                del backups(region)[backup.arn]
    return deleted


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
    """DeleteDBInstanceAutomatedBackup: a retained backup, or a copy that is no longer fed."""
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
    for backup in found:
        del backups(self.backend)[backup.arn]
    return ActionResult({"DBInstanceAutomatedBackup": {**found[0].shown(), "Status": "deleting"}})


def _not_found(what: str) -> None:
    refuse("DBInstanceAutomatedBackupNotFound", f"DBInstanceAutomatedBackup {what} not found.")
