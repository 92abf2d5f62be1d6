"""The progress of AWS Backup's jobs, and how the API describes it.

A job is `RUNNING` while its snapshot is being written. Its result is determined at the next read.
"""

from __future__ import annotations

from typing import Any, Final

from moto.backup.models import BackupBackend

from localcloud.aws.backup import records
from localcloud.aws.backup.errors import missing
from localcloud.aws.backup.filters import Filters, after, before, equal
from localcloud.aws.backup.records import Job, RecoveryPoint

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
"""The filters of the listings of both kinds of jobs."""


def shown(job: Job) -> dict[str, Any]:
    """The description that the API returns, with the names of the job's kind."""
    job.follow()
    snapshot = records.snapshot_of(job.arn) if job.arn is not None else None
    size = snapshot.allocated_storage * _GIBIBYTE if snapshot is not None else None
    key = snapshot.kms_key_id if snapshot is not None else None
    account, name = job.vault_arn.split(":")[4], job.vault_arn.split(":")[6]
    vault = records.vault_at(job.vault_arn)
    locked = "LOCKED" if vault is not None and vault.locked else "UNLOCKED"
    common = {
        "AccountId": account,
        "ResourceArn": job.resource_arn,
        "ResourceType": "RDS",
        "ResourceName": job.resource_arn.rsplit(":", 1)[1],
        "IamRoleArn": job.role_arn,
        "CreationDate": job.created,
        "CompletionDate": job.completed,
        "State": job.state,
        "StatusMessage": job.message,
        "MessageCategory": "SUCCESS" if job.state == "COMPLETED" else None,
        "BackupSizeInBytes": size,
        "IsParent": False,
    }
    if job.kind == "copy":
        return {
            **common,
            "CopyJobId": job.id,
            "SourceBackupVaultArn": job.source_vault_arn,
            "SourceRecoveryPointArn": job.source_arn,
            "DestinationBackupVaultArn": job.vault_arn,
            "DestinationVaultType": "BACKUP_VAULT",
            "DestinationVaultLockState": locked,
            "DestinationRecoveryPointArn": job.arn,
            "DestinationEncryptionKeyArn": key,
            "DestinationRecoveryPointLifecycle": job.lifecycle,
        }
    return {
        **common,
        "BackupJobId": job.id,
        "BackupVaultName": name,
        "BackupVaultArn": job.vault_arn,
        "VaultType": "BACKUP_VAULT",
        "VaultLockState": locked,
        "RecoveryPointArn": job.arn,
        "RecoveryPointLifecycle": job.lifecycle,
        "EncryptionKeyArn": key,
        "IsEncrypted": key is not None,
        "InitiationDate": job.created,
        "StartBy": job.start_by,
        "PercentDone": "100.0" if job.state == "COMPLETED" else "0.0",
    }


def same(backend: BackupBackend, kind: str, token: str | None) -> Job | None:
    """The job that an earlier call with the same IdempotencyToken started."""
    return next(
        (job for job in records.jobs(backend).values() if token and (job.kind, job.token) == (kind, token)), None
    )


def asked_for(backend: BackupBackend, kind: str, job_id: str) -> Job:
    job = records.jobs(backend).get(job_id)
    if job is None or job.kind != kind:
        missing(f"There is no {kind} job {job_id} in {backend.region_name}")
    return job


def every(backend: BackupBackend, kind: str) -> list[dict[str, Any]]:
    """Describe all jobs of a kind, the newest first."""
    found = [job for job in records.jobs(backend).values() if job.kind == kind]
    return [shown(job) for job in reversed(found)]


def keep(backend: BackupBackend, job: Job, arn: str) -> None:
    """Store the job's recovery point in its vault, in the vault's region, from the start of the job."""
    job.arn = arn
    vault = job.vault_arn.rsplit(":", 1)[1]
    records.points(backend)[arn] = RecoveryPoint(
        arn, vault, job.resource_arn, job.role_arn, job.created, job.lifecycle, job.source_vault_arn
    )
