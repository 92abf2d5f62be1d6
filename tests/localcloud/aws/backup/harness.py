"""Vaults, jobs and databases for the tests of AWS Backup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import psycopg
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds.models import rds_backends

from localcloud.aws.rds.servers import current_servers
from tests.localcloud.aws_harness import HERE, LocalAws, a_key

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "backup.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
FOR_BACKUP = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
FOR_RESTORES = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores"
PATIENCE = 60.0


def a_vault(aws: LocalAws, name: str, region: str = HERE, **lock: int) -> str:
    """Its ARN."""
    backup = aws.client("backup", region)
    created = backup.create_backup_vault(BackupVaultName=name, EncryptionKeyArn=a_key(aws, region))
    if lock:
        backup.put_backup_vault_lock_configuration(BackupVaultName=name, **lock)
    return str(created["BackupVaultArn"])


def run(aws: LocalAws, vault: str, database: Any, role: str, days: int | None = 35, **asked: Any) -> Any:
    """A backup on demand, as it is described."""
    backup = aws.client("backup")
    started = backup.start_backup_job(
        BackupVaultName=vault,
        ResourceArn=database["DBInstanceArn"],
        IamRoleArn=role,
        **({"Lifecycle": {"DeleteAfterDays": days}} if days else {}),
        **asked,
    )
    return backup.describe_backup_job(BackupJobId=started["BackupJobId"])


def snapshots(aws: LocalAws, arn: str) -> list[Any]:
    """RDS's description of a recovery point."""
    shown = aws.client("rds").describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"]
    return [snapshot for snapshot in shown if snapshot["DBSnapshotArn"] == arn]


def snapshot_of(arn: str) -> Any:
    """RDS's own object, to make it what it would be while or after its data are written."""
    return rds_backends[DEFAULT_ACCOUNT_ID][arn.split(":")[3]].database_snapshots[arn.split(":", 6)[6]]


def ended(describe: Callable[[], Any]) -> Any:
    """Wait for a job's end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        job = describe()
        if job["State"] != "RUNNING":
            return job
        time.sleep(0.05)
    raise AssertionError(f"{job} still runs after {PATIENCE} s")


def available(aws: LocalAws, identifier: str, region: str = HERE) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = aws.client("rds", region).describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        if found["DBInstanceStatus"] != "creating":
            assert found["DBInstanceStatus"] == "available"
            return found
        time.sleep(0.05)
    raise AssertionError(f"{identifier} is still being made after {PATIENCE} s")


def connect(database: Any, secret: str) -> psycopg.Connection:
    servers = current_servers()
    assert servers is not None
    endpoint = database["Endpoint"]
    return psycopg.connect(
        host=endpoint["Address"],
        port=endpoint["Port"],
        dbname="app",
        user="root",
        password=secret,
        sslmode="verify-full",
        sslrootcert=str(servers.site.ca),
        autocommit=True,
    )
