"""Backup jobs, copy jobs and recovery points."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.backup.models import backup_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from localcloud.plugins.aws.connection import Cloud
from tests.localcloud.aws.backup.harness import (
    a_vault,
    run,
    snapshot_of,
    snapshots,
)
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, Made


def test_a_backup_is_a_snapshot_and_its_copy_is_under_the_vaults_key(
    aws: LocalAws, cloud: Cloud, role: str, database: Any
) -> None:
    vault = Made.create(cloud, "aws:backup/vault:Vault", name="source")
    far_vault = a_vault(aws, "destination", THERE)
    near, far = aws.client("backup"), aws.client("backup", THERE)
    job = run(aws, "source", database, role, RecoveryPointTags={"why": "drill"}, IdempotencyToken="once")
    assert (job["State"], job["ResourceType"], job["PercentDone"]) == ("COMPLETED", "RDS", "100.0")
    arn = job["RecoveryPointArn"]
    assert arn == f"arn:aws:rds:{HERE}:{DEFAULT_ACCOUNT_ID}:snapshot:awsbackup:job-{job['BackupJobId']}"
    assert run(aws, "source", database, role, IdempotencyToken="once")["BackupJobId"] == job["BackupJobId"]
    (snapshot,) = snapshots(aws, arn)
    assert (snapshot["SnapshotType"], snapshot["KmsKeyId"]) == ("awsbackup", database["KmsKeyId"])
    assert {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]} == {"tier": "1", "why": "drill"}
    with pytest.raises(ClientError, match="AWS Backup"):
        aws.client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])

    copy = near.start_copy_job(
        RecoveryPointArn=arn, SourceBackupVaultName="source", DestinationBackupVaultArn=far_vault, IamRoleArn=role
    )
    copied = near.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"]
    assert copied["State"] == "COMPLETED"
    assert copied["SourceRecoveryPointArn"] == arn
    destination = copied["DestinationRecoveryPointArn"]
    assert destination == f"arn:aws:rds:{THERE}:{DEFAULT_ACCOUNT_ID}:snapshot:awsbackup:copyjob-{copy['CopyJobId']}"
    point = far.describe_recovery_point(BackupVaultName="destination", RecoveryPointArn=destination)
    key = far.describe_backup_vault(BackupVaultName="destination")["EncryptionKeyArn"]
    assert (point["EncryptionKeyArn"], point["IsEncrypted"], point["Status"]) == (key, True, "COMPLETED")
    assert "DeleteAt" not in point["CalculatedLifecycle"]  # a copy's lifecycle is its own: this one is kept for ever
    assert point["ResourceArn"] == database["DBInstanceArn"]
    assert point["SourceBackupVaultArn"] == vault.outputs["arn"]
    listed = far.list_recovery_points_by_resource(ResourceArn=database["DBInstanceArn"])["RecoveryPoints"]
    assert [each["RecoveryPointArn"] for each in listed] == [destination]
    last = far.list_protected_resources()["Results"]
    assert [(each["ResourceArn"], each["LastRecoveryPointArn"]) for each in last] == [
        (database["DBInstanceArn"], destination)
    ]
    metadata = near.get_recovery_point_restore_metadata(BackupVaultName="source", RecoveryPointArn=arn)
    assert metadata["RestoreMetadata"]["DBSubnetGroupName"] == database["DBSubnetGroup"]["DBSubnetGroupName"]

    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for narrowed, found in (
        ({"ByState": "FAILED"}, 0),
        ({"ByCreatedAfter": tomorrow}, 0),
        ({"ByState": "COMPLETED"}, 1),
    ):
        jobs = near.list_backup_jobs(ByBackupVaultName="source", **narrowed)["BackupJobs"]
        assert len(jobs) == found, narrowed
    assert vault.read()["recoveryPoints"] == 1
    with pytest.raises(ClientError, match="cannot be deleted because it contains recovery points"):
        vault.delete()
    vault.inputs["forceDestroy"] = True
    vault.delete()
    assert snapshots(aws, arn) == []
    assert near.describe_backup_job(BackupJobId=job["BackupJobId"])["State"] == "COMPLETED"
    assert far.describe_recovery_point(BackupVaultName="destination", RecoveryPointArn=destination)


def test_a_job_is_as_far_as_its_snapshot(aws: LocalAws, role: str, database: Any) -> None:
    far_vault = a_vault(aws, "following-far", THERE)
    a_vault(aws, "following")
    backup = aws.client("backup")
    started = backup.start_backup_job(
        BackupVaultName="following", ResourceArn=database["DBInstanceArn"], IamRoleArn=role
    )
    arn, vault = started["RecoveryPointArn"], {"BackupVaultName": "following"}
    copy = {"SourceBackupVaultName": "following", "DestinationBackupVaultArn": far_vault, "IamRoleArn": role}
    snapshot = snapshot_of(arn)
    snapshot.status = "creating"
    assert backup.describe_backup_job(BackupJobId=started["BackupJobId"])["State"] == "RUNNING"
    assert backup.describe_recovery_point(**vault, RecoveryPointArn=arn)["Status"] == "CREATING"
    with pytest.raises(ClientError, match="InvalidResourceState"):
        backup.delete_recovery_point(**vault, RecoveryPointArn=arn)
    with pytest.raises(ClientError, match="is CREATING, not COMPLETED"):
        backup.start_copy_job(RecoveryPointArn=arn, **copy)
    snapshot.status = "available"
    copying = backup.start_copy_job(RecoveryPointArn=arn, **copy)["CopyJobId"]
    described = backup.list_copy_jobs(BySourceRecoveryPointArn=arn)["CopyJobs"][0]
    assert described["CopyJobId"] == copying

    second = backup.start_backup_job(
        BackupVaultName="following", ResourceArn=database["DBInstanceArn"], IamRoleArn=role
    )
    snapshot_of(second["RecoveryPointArn"]).status = "failed"
    failed = backup.describe_backup_job(BackupJobId=second["BackupJobId"])
    assert failed["State"] == "FAILED"
    assert "failed" in failed["StatusMessage"]
    third = backup.start_copy_job(RecoveryPointArn=arn, **copy)["CopyJobId"]
    running = snapshot_of(f"arn:aws:rds:{THERE}:{DEFAULT_ACCOUNT_ID}:snapshot:awsbackup:copyjob-{third}")
    running.status = "creating"
    with pytest.raises(ClientError, match="InvalidResourceState"):  # it is being read
        backup.delete_recovery_point(**vault, RecoveryPointArn=arn)
    running.status = "available"
    assert backup.describe_copy_job(CopyJobId=third)["CopyJob"]["State"] == "COMPLETED"
    backup.delete_recovery_point(**vault, RecoveryPointArn=arn)


def test_what_is_kept_long_enough_goes_by_itself(aws: LocalAws, role: str, database: Any) -> None:
    a_vault(aws, "short")
    backup = aws.client("backup")
    arn = run(aws, "short", database, role, days=3)["RecoveryPointArn"]
    changed = backup.update_recovery_point_lifecycle(
        BackupVaultName="short", RecoveryPointArn=arn, Lifecycle={"DeleteAfterDays": 10}
    )
    point = backup.describe_recovery_point(BackupVaultName="short", RecoveryPointArn=arn)
    assert changed["CalculatedLifecycle"]["DeleteAt"] == point["CreationDate"] + timedelta(days=10)
    kept = backup_backends[DEFAULT_ACCOUNT_ID][HERE].__dict__["recovery_points"][arn]
    kept.created -= timedelta(days=9)
    assert backup.describe_backup_vault(BackupVaultName="short")["NumberOfRecoveryPoints"] == 1
    kept.created -= timedelta(days=2)
    assert backup.describe_backup_vault(BackupVaultName="short")["NumberOfRecoveryPoints"] == 0
    assert snapshots(aws, arn) == []
