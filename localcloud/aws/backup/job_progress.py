"""AWS Backup's jobs: what they are told, how far they have come, and how they ended.

A job is `RUNNING` while its snapshot is being written; how it ended is found out when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from moto.backup.models import BackupBackend, Vault, backup_backends
from moto.core.utils import utcnow

from localcloud.aws.backup import recovery_points
from localcloud.aws.backup.errors import missing
from localcloud.aws.backup.filters import Filters, after, before, equal

_GIBIBYTE: Final = 1 << 30

FILTERS: Final[Filters] = {
    "ByResourceArn": equal("ResourceArn"),
    "ByResourceType": equal("ResourceType"),
    "ByState": equal("State"),
    "ByAccountId": equal("AccountId"),
    "ByParentJobId": equal("ParentJobId"),
    "ByMessageCategory": equal("MessageCategory"),
    "ByCreatedBefore": before("CreationDate"),
    "ByCreatedAfter": after("CreationDate"),
    "ByCompleteBefore": before("CompletionDate"),
    "ByCompleteAfter": after("CompletionDate"),
}
"""What the listings of both kinds of jobs can be narrowed to."""


@dataclass
class Job:
    """`kind` is `backup` or `copy`; its recovery point `arn` goes to `vault_arn`, a copy comes from `source_…`."""

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
        """Find out how it ended, if it has."""
        if self.state != "RUNNING" or self.arn is None:
            return
        snapshot = recovery_points.snapshot_of(self.arn)
        if snapshot is not None and snapshot.status == "creating":
            return
        if snapshot is not None and snapshot.status == "available":
            self.state, self.completed = "COMPLETED", utcnow()
        else:
            self.fail(f"The snapshot {self.arn} {'failed' if snapshot is not None else 'is gone'}.")

    def fail(self, message: str) -> None:
        self.state, self.message, self.completed = "FAILED", message, utcnow()

    def shown(self) -> dict[str, Any]:
        """As the API shows it, under the names of both kinds."""
        self.follow()
        snapshot = recovery_points.snapshot_of(self.arn) if self.arn is not None else None
        size = snapshot.allocated_storage * _GIBIBYTE if snapshot is not None else None
        key = snapshot.kms_key_id if snapshot is not None else None
        account, name = self.vault_arn.split(":")[4], self.vault_arn.split(":")[6]
        vault = vault_at(self.vault_arn)
        locked = "LOCKED" if vault is not None and vault.locked else "UNLOCKED"
        common = {
            "AccountId": account,
            "ResourceArn": self.resource_arn,
            "ResourceType": "RDS",
            "ResourceName": self.resource_arn.rsplit(":", 1)[1],
            "IamRoleArn": self.role_arn,
            "CreationDate": self.created,
            "CompletionDate": self.completed,
            "State": self.state,
            "StatusMessage": self.message,
            "MessageCategory": "SUCCESS" if self.state == "COMPLETED" else None,
            "BackupSizeInBytes": size,
            "IsParent": False,
        }
        if self.kind == "copy":
            return {
                **common,
                "CopyJobId": self.id,
                "SourceBackupVaultArn": self.source_vault_arn,
                "SourceRecoveryPointArn": self.source_arn,
                "DestinationBackupVaultArn": self.vault_arn,
                "DestinationVaultType": "BACKUP_VAULT",
                "DestinationVaultLockState": locked,
                "DestinationRecoveryPointArn": self.arn,
                "DestinationEncryptionKeyArn": key,
                "DestinationRecoveryPointLifecycle": self.lifecycle,
            }
        return {
            **common,
            "BackupJobId": self.id,
            "BackupVaultName": name,
            "BackupVaultArn": self.vault_arn,
            "VaultType": "BACKUP_VAULT",
            "VaultLockState": locked,
            "RecoveryPointArn": self.arn,
            "RecoveryPointLifecycle": self.lifecycle,
            "EncryptionKeyArn": key,
            "IsEncrypted": key is not None,
            "InitiationDate": self.created,
            "StartBy": self.start_by,
            "PercentDone": "100.0" if self.state == "COMPLETED" else "0.0",
        }


def jobs(backend: BackupBackend) -> dict[str, Job]:
    """Of both kinds, by their ids, where they were started."""
    kept: dict[str, Job] = backend.__dict__.setdefault("jobs", {})
    return kept


def same(backend: BackupBackend, kind: str, token: str | None) -> Job | None:
    """The job that an earlier call with the same IdempotencyToken has started."""
    return next((job for job in jobs(backend).values() if token and (job.kind, job.token) == (kind, token)), None)


def asked_for(backend: BackupBackend, kind: str, job_id: str) -> Job:
    job = jobs(backend).get(job_id)
    if job is None or job.kind != kind:
        missing(f"There is no {kind} job {job_id} in {backend.region_name}")
    return job


def shown(backend: BackupBackend, kind: str) -> list[dict[str, Any]]:
    """The newest first."""
    found = [job for job in jobs(backend).values() if job.kind == kind]
    return [job.shown() for job in reversed(found)]


def keep(backend: BackupBackend, job: Job, arn: str) -> None:
    """What a job makes is a recovery point of its vault, in the vault's region, from the start."""
    job.arn = arn
    vault = job.vault_arn.rsplit(":", 1)[1]
    recovery_points.points(backend)[arn] = recovery_points.RecoveryPoint(
        arn, vault, job.resource_arn, job.role_arn, job.created, job.lifecycle, job.source_vault_arn
    )


def vault_at(arn: str) -> Vault | None:
    """The vault of this ARN, in whichever region it is."""
    _, _, _, region, account, _, name = arn.split(":", 6)
    return backup_backends[account][region].vaults.get(name)


def _every(account: str) -> list[Job]:
    backends = backup_backends[account]
    return [job for region in list(backends) for job in jobs(backends[region]).values()]


def follow(arn: str) -> Job | None:
    """The job that made this recovery point, as far as it has come."""
    job = next((job for job in _every(arn.split(":")[4]) if job.arn == arn), None)
    if job is not None:
        job.follow()
    return job


def completion(arn: str) -> datetime | None:
    job = follow(arn)
    return job.completed if job is not None and job.state == "COMPLETED" else None


def is_copied(arn: str) -> bool:
    """Whether a recovery point is being read by a copy now."""
    reading = [job for job in _every(arn.split(":")[4]) if job.source_arn == arn]
    for job in reading:
        job.follow()
    return any(job.state == "RUNNING" for job in reading)
