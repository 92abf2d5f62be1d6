"""Restores: to a point in time of an instance or of its automated backups, here or from another region; from snapshots.

moto copies the whole source. RDS takes over the settings in `inherited.py`, and the others get their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    DBInstanceNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
)
from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.aws.patching import wrap_method
from localcloud.aws.rds.automated_backups import AutomatedBackup, up_to_date
from localcloud.aws.rds.errors import refuse
from localcloud.aws.rds.inherited import carried
from localcloud.aws.rds.servers import Origin, aware
from localcloud.aws.rds.snapshots import by_arn

_SOURCES: Final = ("SourceDBInstanceIdentifier", "SourceDbiResourceId", "SourceDBInstanceAutomatedBackupsArn")
# Parameters that name the source or the target, and are not settings of the instance.
_MODIFIERS: Final = frozenset(
    {
        "source_db_instance_identifier",
        "source_dbi_resource_id",
        "source_db_instance_automated_backups_arn",
        "target_db_instance_identifier",
        "db_snapshot_identifier",
        "db_cluster_snapshot_identifier",
        "restore_time",
        "use_latest_restorable_time",
        # "Applies to RDS for Oracle only" (API reference): for PostgreSQL it is changed after the restore.
        "manage_master_user_password",
        "master_user_secret_kms_key_id",
    }
)


def patch() -> None:
    wrap_method(RDSResponse, "restore_db_instance_to_point_in_time", _to_point_in_time)
    wrap_method(RDSResponse, "restore_db_instance_from_db_snapshot", _from_snapshot)


def _to_point_in_time(original: Callable[..., ActionResult], response: RDSResponse) -> ActionResult:
    asked, backend = response.params, response.backend
    given = [name for name in _SOURCES if asked.get(name)]
    if len(given) != 1:
        raise InvalidParameterCombination(f"Exactly one of {', '.join(_SOURCES)} must be specified.")
    moment, latest = asked.get("RestoreTime"), bool(asked.get("UseLatestRestorableTime"))
    if (moment is None) is not latest:
        raise InvalidParameterCombination("Either RestoreTime or UseLatestRestorableTime must be specified, not both.")
    backup = _backup(backend, given[0], str(asked[given[0]]))
    _check_window(backup, moment)
    origin = Origin("archive", backup.region, backup.dbi_resource_id, None if moment is None else aware(moment))
    return _restored(backend, asked, asked["TargetDBInstanceIdentifier"], backup.carried, origin)


def _backup(backend: RDSBackend, by: str, value: str) -> AutomatedBackup:
    """Return the requested automated backup of this region."""
    backups = up_to_date(backend)
    if by == "SourceDBInstanceAutomatedBackupsArn":
        found = [backup for backup in backups if backup.arn.lower() == value.lower()]
        if not found:
            refuse("DBInstanceAutomatedBackupNotFound", f"DBInstanceAutomatedBackup {value} not found.")
        return found[0]
    databases = [
        database
        for database in backend.databases.values()
        if value.lower() in (database.db_instance_identifier, database.dbi_resource_id.lower())
    ]
    # An existing instance is the source. A deleted one has a resource id and retained backups.
    resource_id = databases[0].dbi_resource_id if databases else value
    found = [
        backup for backup in backups if not backup.replica and backup.dbi_resource_id.lower() == resource_id.lower()
    ]
    if found and (databases or by == "SourceDbiResourceId"):
        return found[0]
    if databases:
        refuse("PointInTimeRestoreNotEnabled", f"{value} keeps no automated backups.")
    raise DBInstanceNotFoundError(value)


def _check_window(backup: AutomatedBackup, moment: datetime | None) -> None:
    window = backup.window()
    if window is None:
        refuse("InvalidDBInstanceAutomatedBackupState", f"Nothing can be restored from {backup.arn} yet.")
    if moment is not None and not window[0] <= moment <= window[1]:
        raise InvalidParameterValue(
            f"The specified instance cannot be restored to {moment.isoformat()}Z: it can be restored to a time from "
            f"{window[0].isoformat()}Z to {window[1].isoformat()}Z."
        )


def _from_snapshot(original: Callable[..., ActionResult], response: RDSResponse) -> ActionResult:
    asked, backend = response.params, response.backend
    if not asked.get("DBSnapshotIdentifier"):
        raise InvalidParameterValue("The parameter DBSnapshotIdentifier must be provided and must not be blank.")
    snapshot = by_arn(backend.account_id, asked["DBSnapshotIdentifier"], backend)
    if snapshot.backend is not backend:
        raise InvalidParameterValue(f"The snapshot {snapshot.arn} is in another region: copy it here first.")
    if snapshot.status != "available":
        refuse("InvalidDBSnapshotState", f"The snapshot {snapshot.arn} is {snapshot.status}, not available.")
    takes = {
        **carried(snapshot.database),
        "allocated_storage": snapshot.allocated_storage,
        "kms_key_id": snapshot.kms_key_id,
        "storage_encrypted": bool(snapshot.encrypted),
        "tags": [dict(tag) for tag in snapshot.tags],
    }
    origin = Origin("snapshot", backend.region_name, snapshot.db_snapshot_identifier)
    return _restored(backend, asked, asked["DBInstanceIdentifier"], takes, origin)


def _restored(
    backend: RDSBackend, asked: Mapping[str, Any], identifier: str, takes: dict[str, Any], origin: Origin
) -> ActionResult:
    if identifier in backend.databases:
        raise DBInstanceAlreadyExists()
    said = {name: value for name, value in dict(asked).items() if name not in _MODIFIERS and value is not None}
    if said.get("engine") and said["engine"] != takes["engine"]:
        raise InvalidParameterCombination(f"The source's engine is {takes['engine']}, not {said['engine']}.")
    if said.get("allocated_storage", takes["allocated_storage"]) < takes["allocated_storage"]:
        raise InvalidParameterValue("Allocated storage size can't be less than the source instance size.")
    if said.get("storage_type", takes.get("storage_type")) != takes.get("storage_type"):
        takes = {name: value for name, value in takes.items() if name not in ("iops", "storage_throughput")}
    wanted = {**takes, **said, "db_instance_identifier": identifier, "origin": origin}
    if not wanted.get("storage_encrypted"):
        wanted.pop("kms_key_id", None)
    database: DBInstance = backend.create_db_instance(wanted)
    return ActionResult({"DBInstance": database})
