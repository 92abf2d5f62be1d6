"""Backups of real databases, and the state after a restart."""

from __future__ import annotations

import json
from pathlib import Path

from tests.localcloud.aws.backup.harness import (
    FOR_BACKUP,
    TRUST,
    a_vault,
    available,
    connect,
    ended,
    run,
)
from tests.localcloud.aws_harness import THERE, a_database, a_network, local_aws


def test_what_is_brought_back_from_the_other_region_is_the_data(tmp_path: Path) -> None:
    """On real servers: a job takes as long as they do, and a copy stands without its source."""
    with local_aws(None, tmp_path) as aws:
        role = aws.client("iam").create_role(RoleName="backups", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        a_vault(aws, "near")
        far_vault, backup = a_vault(aws, "far", THERE), aws.client("backup")
        made = a_database(aws, "real", DBName="app", StorageEncrypted=True, BackupRetentionPeriod=0)
        early = run(aws, "near", made, role)
        assert early["State"] == "FAILED"
        assert "creating" in early["StatusMessage"]
        database = available(aws, "real")
        said = aws.client("secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
        secret = json.loads(said["SecretString"])["password"]
        with connect(database, secret) as connection:
            connection.execute("create table promises as select 7 as days")
        started = run(aws, "near", database, role)
        done = ended(lambda: backup.describe_backup_job(BackupJobId=started["BackupJobId"]))
        with connect(database, secret) as connection:
            connection.execute("update promises set days = 0")
        copy = backup.start_copy_job(
            RecoveryPointArn=done["RecoveryPointArn"],
            SourceBackupVaultName="near",
            DestinationBackupVaultArn=far_vault,
            IamRoleArn=role,
        )
        copied = ended(lambda: backup.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"])
        assert (done["State"], copied["State"]) == ("COMPLETED", "COMPLETED")
        backup.delete_recovery_point(BackupVaultName="near", RecoveryPointArn=done["RecoveryPointArn"])
        aws.client("rds").delete_db_instance(DBInstanceIdentifier="real", SkipFinalSnapshot=True)
        aws.client("rds", THERE).restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier="back", DBSnapshotIdentifier=copied["DestinationRecoveryPointArn"]
        )
        back = available(aws, "back", THERE)
        assert back["KmsKeyId"] == copied["DestinationEncryptionKeyArn"]
        with connect(back, secret) as connection:
            assert connection.execute("select days from promises").fetchall() == [(7,)]


def test_it_is_all_there_after_a_restart(tmp_path: Path) -> None:
    with local_aws(tmp_path) as first:
        role = first.client("iam").create_role(RoleName="backups", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        first.client("iam").attach_role_policy(RoleName="backups", PolicyArn=FOR_BACKUP)
        database = a_database(first, "prod", DBSubnetGroupName=a_network(first))
        near = first.client("backup")
        near.create_backup_vault(BackupVaultName="kept")  # under the account's own key, made for this
        rule = {"RuleName": "r", "TargetBackupVaultName": "kept"}
        plan = near.create_backup_plan(BackupPlan={"BackupPlanName": "kept", "Rules": [rule]})["BackupPlanId"]
        selected = {"SelectionName": "s", "IamRoleArn": role, "Resources": ["*"]}
        near.create_backup_selection(BackupPlanId=plan, BackupSelection=selected)
        job = run(first, "kept", database, role)
        far = first.client("backup", THERE)
        vault = far.create_backup_vault(BackupVaultName="far")["BackupVaultArn"]
        copy = near.start_copy_job(
            RecoveryPointArn=job["RecoveryPointArn"],
            SourceBackupVaultName="kept",
            DestinationBackupVaultArn=vault,
            IamRoleArn=role,
        )["CopyJobId"]
        key = near.describe_backup_vault(BackupVaultName="kept")["EncryptionKeyArn"]

    with local_aws(tmp_path) as second:
        near, far = second.client("backup"), second.client("backup", THERE)
        described = second.client("kms").describe_key(KeyId="alias/aws/backup")
        assert described["KeyMetadata"]["Arn"] == key
        found = near.describe_backup_job(BackupJobId=job["BackupJobId"])
        assert (found["State"], found["CompletionDate"]) == ("COMPLETED", job["CompletionDate"])
        point = near.describe_copy_job(CopyJobId=copy)["CopyJob"]["DestinationRecoveryPointArn"]
        assert far.describe_recovery_point(BackupVaultName="far", RecoveryPointArn=point)["Status"] == "COMPLETED"
        assert near.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"][0]["SelectionName"] == "s"
        attached = second.client("iam").list_attached_role_policies(RoleName="backups")["AttachedPolicies"]
        assert [policy["PolicyArn"] for policy in attached] == [FOR_BACKUP]
