"""Copy jobs of recovery points to another vault, in this or another region of the account.

A copy is a snapshot `awsbackup:copyjob-ID` in the region of its vault, and is encrypted with that vault's key.
"""

from __future__ import annotations

import re
import uuid
from typing import Any, Final

from moto.backup.models import BackupBackend, backup_backends
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import utcnow
from moto.rds.exceptions import RDSClientError
from moto.rds.models import rds_backends

from localcloud.aws.backup import job_progress, lifecycles, records, recovery_points, roles
from localcloud.aws.backup.errors import invalid, missing, refuse
from localcloud.aws.backup.filters import Filters, equal, narrowed
from localcloud.aws.backup.records import Job
from localcloud.aws.patching import add_methods
from localcloud.aws.rds import snapshots

_VAULT_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:backup:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):backup-vault:(?P<name>[a-zA-Z0-9_-]{2,50})"
)
_FILTERS: Final[Filters] = {
    **job_progress.FILTERS,
    "ByDestinationVaultArn": equal("DestinationBackupVaultArn"),
    "BySourceRecoveryPointArn": equal("SourceRecoveryPointArn"),
}


def patch() -> None:
    add_methods(BackupResponse, start_copy_job, describe_copy_job, list_copy_jobs)


def start_copy_job(self: BackupResponse) -> ActionResult:
    backend, asked = self.backup_backend, self.params
    job = job_progress.same(backend, "copy", asked.get("IdempotencyToken"))
    if job is None:
        job = _start(backend, asked)
        records.jobs(backend)[job.id] = job
    return ActionResult({"CopyJobId": job.id, "CreationDate": job.created, "IsParent": False})


def _start(backend: BackupBackend, asked: dict[str, Any]) -> Job:
    source = recovery_points.in_vault(backend, asked["SourceBackupVaultName"], asked["RecoveryPointArn"])
    destination = _destination(backend, asked["DestinationBackupVaultArn"])
    vault = records.vault_named(destination, asked["DestinationBackupVaultArn"].rsplit(":", 1)[1])
    roles.check(backend, asked["IamRoleArn"])
    lifecycle = asked.get("Lifecycle") or None
    wrong = lifecycles.wrong(lifecycle)
    if wrong is not None:
        invalid(wrong)
    if source.status != "COMPLETED":
        refuse("InvalidRequestException", f"The recovery point {source.arn} is {source.status}, not COMPLETED.")
    job = Job(
        kind="copy",
        id=str(uuid.uuid4()),
        token=asked.get("IdempotencyToken"),
        resource_arn=source.resource_arn,
        role_arn=asked["IamRoleArn"],
        vault_arn=vault.backup_vault_arn,
        lifecycle=lifecycle,
        created=utcnow(),
        source_arn=source.arn,
        source_vault_arn=backend.vaults[source.vault].backup_vault_arn,
    )
    refusal = lifecycles.outside_lock(vault, lifecycle)
    if refusal is not None:
        job.fail(refusal)
        return job
    rds = rds_backends[destination.account_id][destination.region_name]
    try:
        snapshot = snapshots.copy(rds, source.arn, f"awsbackup:copyjob-{job.id}", "awsbackup", vault.encryption_key_arn)
    except RDSClientError as error:  # the vault's key is disabled, for example: AWS reports it in the job
        job.fail(str(error))
        return job
    job_progress.keep(destination, job, snapshot.db_snapshot_arn)
    return job


def _destination(backend: BackupBackend, arn: str) -> BackupBackend:
    match = _VAULT_ARN.fullmatch(arn)
    if match is None:
        invalid(f"Invalid DestinationBackupVaultArn: {arn} is not the ARN of a backup vault")
    if match["account"] != backend.account_id:
        raise NotImplementedError(f"StartCopyJob to {arn}: it copies within the account {backend.account_id} only")
    if match["region"] not in backup_backends[backend.account_id].regions:
        missing(f"Backup vault {arn} does not exist")
    return backup_backends[backend.account_id][match["region"]]


def describe_copy_job(self: BackupResponse) -> ActionResult:
    job = job_progress.asked_for(self.backup_backend, "copy", self.params["CopyJobId"])
    return ActionResult({"CopyJob": job_progress.shown(job)})


def list_copy_jobs(self: BackupResponse) -> ActionResult:
    shown = job_progress.every(self.backup_backend, "copy")
    return PaginatedResult({"CopyJobs": narrowed(shown, _FILTERS, self.params)})
