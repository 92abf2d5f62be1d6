"""The data of AWS Backup that moto lacks, and the look-ups that several calls share.

Recovery points, jobs and selections are stored as attributes of moto's backend, so that they are written to disk with
it. This module imports no other module of this package: each of them may import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from moto.backup.models import BackupBackend, Plan, Vault, backup_backends
from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow
from moto.rds.models import rds_backends

from localcloud.aws.notifications.delivery import put
from localcloud.aws.notifications.service_events import job_event
from localcloud.aws.rds import snapshots

_STATUS: Final = {"creating": "CREATING", "available": "COMPLETED", "failed": "PARTIAL"}


# -- vaults and plans -------------------------------------------------------------------------------------------------


def vault_named(backend: BackupBackend, name: str) -> Vault:
    vault = backend.vaults.get(name)
    if vault is None:
        raise JsonRESTError("ResourceNotFoundException", f"Backup vault {name} does not exist in {backend.region_name}")
    return vault


def vault_at(arn: str) -> Vault | None:
    """The vault with this ARN, in any region."""
    _, _, _, region, account, _, name = arn.split(":", 6)
    return backup_backends[account][region].vaults.get(name)


def plans(backend: BackupBackend) -> Iterator[Plan]:
    """The plans that are not deleted."""
    return (plan for plan in backend.plans.values() if plan.deletion_date is None)


# -- selections -------------------------------------------------------------------------------------------------------


@dataclass
class Selection:
    """What a plan is applied to. `document` is what the API calls BackupSelection."""

    id: str
    plan_id: str
    document: dict[str, Any]
    creator_request_id: str | None
    created: datetime


def selections(backend: BackupBackend) -> dict[str, Selection]:
    """The selections of all plans of this region, by id."""
    kept: dict[str, Selection] = backend.__dict__.setdefault("selections", {})
    return kept


def of_plan(backend: BackupBackend, plan_id: str) -> list[Selection]:
    return [selection for selection in selections(backend).values() if selection.plan_id == plan_id]


# -- jobs -------------------------------------------------------------------------------------------------------------


@dataclass
class Job:
    """A backup job or a copy job.

    `kind` is `backup` or `copy`. The job creates the recovery point `arn` in the vault `vault_arn`. A copy job reads
    the recovery point `source_arn` of the vault `source_vault_arn`.
    """

    kind: str
    id: str
    token: str | None
    resource_arn: str
    role_arn: str
    vault_arn: str
    lifecycle: dict[str, Any] | None
    created: datetime
    start_by: datetime | None = None
    source_arn: str | None = None
    source_vault_arn: str | None = None
    arn: str | None = None
    state: str = "RUNNING"
    message: str | None = None
    completed: datetime | None = None

    def follow(self) -> None:
        """Take the job's result from its snapshot, if the snapshot is finished."""
        if self.state != "RUNNING" or self.arn is None:
            return
        snapshot = snapshot_of(self.arn)
        if snapshot is not None and snapshot.status == "creating":
            return
        if snapshot is not None and snapshot.status == "available":
            self.state, self.completed = "COMPLETED", utcnow()
        else:
            self.fail(f"The snapshot {self.arn} {'failed' if snapshot is not None else 'is gone'}.")

    def fail(self, message: str) -> None:
        self.state, self.message, self.completed = "FAILED", message, utcnow()
        region = (self.source_vault_arn or self.vault_arn).split(":")[3]
        put(region, job_event(self.kind, self.id, self.state, self.resource_arn, self.vault_arn))


def jobs(backend: BackupBackend) -> dict[str, Job]:
    """The jobs of both kinds that were started in this region, by id."""
    kept: dict[str, Job] = backend.__dict__.setdefault("jobs", {})
    return kept


def creation_job(arn: str) -> Job | None:
    """The job that created this recovery point, with its present state."""
    job = next((job for job in _every_job(arn.split(":")[4]) if job.arn == arn), None)
    if job is not None:
        job.follow()
    return job


def is_copied(arn: str) -> bool:
    """Whether a copy job is reading this recovery point now."""
    reading = [job for job in _every_job(arn.split(":")[4]) if job.source_arn == arn]
    for job in reading:
        job.follow()
    return any(job.state == "RUNNING" for job in reading)


def _every_job(account: str) -> list[Job]:
    backends = backup_backends[account]
    return [job for region in list(backends) for job in jobs(backends[region]).values()]


# -- recovery points --------------------------------------------------------------------------------------------------


@dataclass
class RecoveryPoint:
    """A recovery point of an RDS instance.

    `vault` is a name. `resource_arn` is the instance, although copies are in other regions.
    """

    arn: str
    vault: str
    resource_arn: str
    role_arn: str
    created: datetime
    lifecycle: dict[str, Any] | None
    source_vault_arn: str | None = None

    @property
    def status(self) -> str:
        snapshot = snapshot_of(self.arn)
        return "EXPIRED" if snapshot is None else _STATUS[snapshot.status]

    @property
    def deletion_time(self) -> datetime | None:
        """When AWS deletes it under its lifecycle. `None` means never."""
        days = (self.lifecycle or {}).get("DeleteAfterDays")
        return None if days is None else self.created + timedelta(days=days)


def points(backend: BackupBackend) -> dict[str, RecoveryPoint]:
    """The recovery points of this region by ARN, after deleting those whose lifecycle is over."""
    kept: dict[str, RecoveryPoint] = backend.__dict__.setdefault("recovery_points", {})
    for point in list(kept.values()):
        end = point.deletion_time
        if end is not None and utcnow() > end and not is_copied(point.arn):
            delete_point(backend, point)
    return kept


def of_vault(backend: BackupBackend, name: str) -> list[RecoveryPoint]:
    return [point for point in points(backend).values() if point.vault == name]


def snapshot_of(arn: str) -> Any:
    """The snapshot of a recovery point, or `None` if it is gone."""
    _, _, _, region, account, _, name = arn.split(":", 6)
    return rds_backends[account][region].database_snapshots.get(name)


def delete_point(backend: BackupBackend, point: RecoveryPoint) -> None:
    """Delete a recovery point with its snapshot."""
    creation_job(point.arn)  # while the snapshot still shows how its job ended
    if snapshot_of(point.arn) is not None:
        name = point.arn.split(":", 6)[6]
        snapshots.drop(rds_backends[backend.account_id][backend.region_name], name)
    del backend.__dict__["recovery_points"][point.arn]
