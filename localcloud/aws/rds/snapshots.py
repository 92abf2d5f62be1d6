"""Snapshots of RDS instances: taken, copied within and between regions, and deleted, with the data that they hold.

A snapshot is `creating` until its data are in place. Kinds are RDS's own: `manual`, `automated`, and `awsbackup`, which
belong to AWS Backup and are deleted only by it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.core.utils import utcnow
from moto.rds.exceptions import DBSnapshotAlreadyExistsError, DBSnapshotNotFoundFault, InvalidParameterCombination
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from localcloud.aws.patching import wrap_method
from localcloud.aws.rds import lifecycle
from localcloud.aws.rds.automated_backups import every_backend
from localcloud.aws.rds.errors import refuse
from localcloud.aws.rds.servers import current_servers

log = logging.getLogger(__name__)


def patch() -> None:
    wrap_method(RDSBackend, "create_db_snapshot", _create)
    wrap_method(RDSBackend, "copy_db_snapshot", _copy)
    wrap_method(RDSBackend, "delete_db_snapshot", _delete)
    wrap_method(RDSResponse, "delete_db_snapshot", _asked_to_delete)
    wrap_method(DBInstance, "save_automated_backup", _save_automated_backup)


def take(backend: RDSBackend, identifier: str, name: str, kind: str) -> DBSnapshot:
    """Take a snapshot of an existing instance."""
    snapshot: DBSnapshot = backend.create_db_snapshot(identifier, name, snapshot_type=kind)
    return snapshot


def copy(backend: RDSBackend, source_arn: str, name: str, kind: str, kms_key_id: str | None) -> DBSnapshot:
    """Copy a snapshot of any region to this backend's region."""
    source = by_arn(backend.account_id, source_arn)
    if source.status != "available":
        refuse("InvalidDBSnapshotState", f"The snapshot {source_arn} is {source.status}, not available.")
    elsewhere = source.backend.region_name != backend.region_name
    if source.encrypted and elsewhere and not kms_key_id:
        raise InvalidParameterCombination(
            "A KmsKeyId of the destination region is required to copy an encrypted snapshot to another region."
        )
    if name in backend.database_snapshots:
        raise DBSnapshotAlreadyExistsError(name)
    key = backend._validate_kms_key(kms_key_id) if kms_key_id else source.kms_key_id
    made: Any = DBSnapshot(
        backend,
        source.database,
        name,
        snapshot_type=kind,
        tags=list(source.tags),
        original_created_at=source.original_snapshot_create_time,
        kms_key_id=key,
    )
    made.source_db_snapshot_identifier = source.arn if elsewhere else source.db_snapshot_identifier
    backend.database_snapshots[made.db_snapshot_identifier] = made
    servers = current_servers()
    if servers is not None:
        origin = servers.snapshot(source.backend.region_name, source.db_snapshot_identifier)
        _fill(backend, made, lambda into: _copy_folder(origin, into))
    copied: DBSnapshot = made
    return copied


def drop(backend: RDSBackend, name: str) -> None:
    """Delete a snapshot of any kind, with its data."""
    backend.delete_db_snapshot(name)


def by_arn(account: str, arn_or_name: str, backend: RDSBackend | None = None) -> Any:
    """The snapshot of this name in `backend`'s region, or of this ARN anywhere."""
    name = arn_or_name
    if arn_or_name.startswith("arn:"):
        parts = arn_or_name.split(":", 6)
        if len(parts) != 7 or parts[5] != "snapshot" or parts[4] != account:
            raise DBSnapshotNotFoundFault(arn_or_name)
        backend, name = rds_backends[account][parts[3]], parts[6]
    found = backend.database_snapshots.get(name.lower()) if backend is not None else None
    if found is None:
        raise DBSnapshotNotFoundFault(arn_or_name)
    return found


def _save_automated_backup(original: Callable[..., None], database: DBInstance) -> None:
    """The snapshot's name has the minute. An earlier instance may have left a snapshot with the same name."""
    taken = f"rds:{database.db_instance_identifier}-{utcnow():%Y-%m-%d-%H-%M}"
    if taken not in database.backend.database_snapshots:
        original(database)


# -- calls -----------------------------------------------------------------------------------------------------------


def _create(
    original: Callable[..., DBSnapshot],
    backend: RDSBackend,
    db_instance_identifier: str,
    db_snapshot_identifier: str,
    *rest: Any,
    **more: Any,
) -> DBSnapshot:
    database: Any = backend.databases.get(db_instance_identifier)
    servers = current_servers()
    if servers is not None and database is not None:
        lifecycle.must_be_available(database, "be copied")
    snapshot = original(backend, db_instance_identifier, db_snapshot_identifier, *rest, **more)
    if servers is not None and hasattr(database, "server_address"):
        cluster = servers.cluster(database)
        if not lifecycle.has_data(backend, snapshot):  # the data of a final snapshot exist before its record
            _fill(backend, snapshot, cluster.snapshot)
    return snapshot


def _fill(backend: RDSBackend, snapshot: DBSnapshot, write: Callable[[Path], None]) -> None:
    """Write a snapshot's data in the background. After a kill, `resume` marks an incomplete one as failed."""
    servers = current_servers()
    assert servers is not None  # noqa: S101 - callers have checked this
    snapshot.status = "creating"
    folder = servers.snapshot(backend.region_name, snapshot.db_snapshot_identifier)

    def fill() -> None:
        try:
            write(folder)
            status = "available"
        except Exception:
            if servers.ending.is_set():
                return
            log.exception("the snapshot %s", snapshot.db_snapshot_identifier)
            status = "failed"
        with servers.changing("rds"):
            snapshot.status = status

    servers.work(fill)


def resume() -> None:
    """After a restart, mark each unfinished snapshot as available or failed."""
    for backend in every_backend():
        for snapshot in backend.database_snapshots.values():
            if snapshot.status == "creating":
                snapshot.status = "available" if lifecycle.has_data(backend, snapshot) else "failed"


def _copy(original: Callable[..., DBSnapshot], backend: RDSBackend, *args: Any, **asked: Any) -> DBSnapshot:
    wanted = dict(zip(("source_db_snapshot_identifier", "target_db_snapshot_identifier"), args, strict=False)) | asked
    source = by_arn(backend.account_id, wanted["source_db_snapshot_identifier"], backend)
    made = copy(backend, source.arn, wanted["target_db_snapshot_identifier"], "manual", wanted.get("kms_key_id"))
    # Given tags replace those of the source. Those of the source are copied only on request.
    made.tags = wanted.get("tags") or (list(source.tags) if wanted.get("copy_tags") else [])
    return made


def _copy_folder(origin: Path, into: Path) -> None:
    """Copy a folder completely or not at all."""
    half = into.with_name(f".{into.name}")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(origin, half)
    half.rename(into)


def _asked_to_delete(original: Callable[..., Any], response: RDSResponse) -> Any:
    name = str(response.params["DBSnapshotIdentifier"]).lower()
    snapshot = response.backend.database_snapshots.get(name)
    if snapshot is not None and snapshot.snapshot_type != "manual":
        owner = "AWS Backup" if snapshot.snapshot_type == "awsbackup" else "automated backups"
        refuse("InvalidDBSnapshotState", f"The snapshot {name} belongs to {owner} and cannot be deleted here.")
    return original(response)


def _delete(original: Callable[..., DBSnapshot], backend: RDSBackend, name: str) -> DBSnapshot:
    deleted = original(backend, name)
    servers = current_servers()
    if servers is not None:
        shutil.rmtree(servers.snapshot(backend.region_name, deleted.db_snapshot_identifier), ignore_errors=True)
    return deleted
