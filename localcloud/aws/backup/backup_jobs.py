"""Backup jobs on demand, of RDS instances only. The backup is a snapshot `awsbackup:job-ID`.

The snapshot is encrypted with the key of the database, and has the tags of the database and of the job.
"""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any, Final

from moto.backup.models import BackupBackend
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import utcnow
from moto.rds.exceptions import RDSClientError
from moto.rds.models import rds_backends

from localcloud.aws.backup import job_progress, lifecycles, records, roles
from localcloud.aws.backup.errors import invalid, missing
from localcloud.aws.backup.filters import Filters, equal, narrowed
from localcloud.aws.backup.records import Job
from localcloud.aws.patching import add_methods
from localcloud.aws.rds import snapshots

_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d*):(?P<resource>.+)"
)
_NOT_DONE: Final = ("LogicallyAirGappedBackupVaultArn", "Index", "BackupOptions")
# Minutes: the default and the minimum of the time in which AWS starts a job.
_START_WINDOW: Final = 480
_SHORTEST_WINDOW: Final = 60
_FILTERS: Final[Filters] = {**job_progress.FILTERS, "ByBackupVaultName": equal("BackupVaultName")}


def patch() -> None:
    add_methods(BackupResponse, start_backup_job, describe_backup_job, list_backup_jobs)


def start_backup_job(self: BackupResponse) -> ActionResult:
    backend, asked = self.backup_backend, self.params
    job = job_progress.same(backend, "backup", asked.get("IdempotencyToken"))
    if job is None:
        job = _start(backend, asked)
        records.jobs(backend)[job.id] = job
    return ActionResult(
        {"BackupJobId": job.id, "RecoveryPointArn": job.arn, "CreationDate": job.created, "IsParent": False}
    )


def _start(backend: BackupBackend, asked: dict[str, Any]) -> Job:
    for parameter in _NOT_DONE:
        if asked.get(parameter):
            raise NotImplementedError(f"StartBackupJob with {parameter}")
    vault = records.vault_named(backend, asked["BackupVaultName"])
    identifier = _database(backend, asked["ResourceArn"])
    roles.check(backend, asked["IamRoleArn"])
    lifecycle = asked.get("Lifecycle") or None
    wrong = lifecycles.wrong(lifecycle)
    if wrong is not None:
        invalid(wrong)
    window = asked.get("StartWindowMinutes") or _START_WINDOW
    if window < _SHORTEST_WINDOW:
        invalid(f"Invalid StartWindowMinutes. {window} is less than {_SHORTEST_WINDOW} minutes")
    now = utcnow()
    job = Job(
        kind="backup",
        id=str(uuid.uuid4()),
        token=asked.get("IdempotencyToken"),
        resource_arn=asked["ResourceArn"],
        role_arn=asked["IamRoleArn"],
        vault_arn=vault.backup_vault_arn,
        lifecycle=lifecycle,
        created=now,
        start_by=now + timedelta(minutes=window),
    )
    refusal = lifecycles.outside_lock(vault, lifecycle)
    if refusal is not None:
        job.fail(refusal)
        return job
    rds = rds_backends[backend.account_id][backend.region_name]
    try:
        snapshot: Any = snapshots.take(rds, identifier, f"awsbackup:job-{job.id}", "awsbackup")
    except RDSClientError as error:  # stopped, being changed, or too many snapshots: AWS says so in the job
        job.fail(str(error))
        return job
    own = {tag["Key"]: tag["Value"] for tag in rds.databases[identifier].tags or []}
    tags = {**own, **(asked.get("RecoveryPointTags") or {})}
    snapshot.tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    job_progress.keep(backend, job, snapshot.db_snapshot_arn)
    return job


def _database(backend: BackupBackend, arn: str) -> str:
    """The name of the instance that is to be backed up."""
    match = _ARN.fullmatch(arn)
    if match is None:
        invalid(f"Invalid ARN: {arn}")
    if match["service"] != "rds" or not match["resource"].startswith("db:"):
        raise NotImplementedError(
            f"StartBackupJob of {arn}: it backs up RDS instances only (arn:aws:rds:REGION:ACCOUNT:db:NAME)"
        )
    if match["region"] != backend.region_name:
        invalid(f"Invalid ARN: {arn} is not in {backend.region_name}")
    identifier = match["resource"].removeprefix("db:")
    known = rds_backends[backend.account_id][backend.region_name].databases
    if match["account"] != backend.account_id or identifier not in known:
        missing(f"DBInstance {arn} not found")
    if known[identifier].db_cluster_identifier is not None:
        raise NotImplementedError(f"StartBackupJob of {arn}: it is part of a cluster")
    return identifier


def describe_backup_job(self: BackupResponse) -> ActionResult:
    return ActionResult(
        job_progress.shown(job_progress.asked_for(self.backup_backend, "backup", self.params["BackupJobId"]))
    )


def list_backup_jobs(self: BackupResponse) -> ActionResult:
    shown = job_progress.every(self.backup_backend, "backup")
    return PaginatedResult({"BackupJobs": narrowed(shown, _FILTERS, self.params)})
