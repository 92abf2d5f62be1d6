"""AWS Backup in the local AWS: what the stand-in's tables do with it, and what a vault's lock protects from whom."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError
from moto.backup.models import backup_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds.models import rds_backends

from localcloud.aws.rds.servers import current_servers
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Gone, Refused
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, a_database, a_key, a_network, local_aws

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


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    created = aws.client("iam").create_role(RoleName="backups", AssumeRolePolicyDocument=TRUST)
    return str(created["Role"]["Arn"])


@pytest.fixture(scope="module")
def database(aws: LocalAws) -> Any:
    return a_database(
        aws,
        "prod",
        DBSubnetGroupName=a_network(aws),
        StorageEncrypted=True,
        KmsKeyId=a_key(aws),
        Tags=[{"Key": "tier", "Value": "1"}],
    )


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
    """What RDS says of a recovery point."""
    shown = aws.client("rds").describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"]
    return [snapshot for snapshot in shown if snapshot["DBSnapshotArn"] == arn]


def snapshot_of(arn: str) -> Any:
    """RDS's own object, to make it what it would be while or after its data are written."""
    return rds_backends[DEFAULT_ACCOUNT_ID][arn.split(":")[3]].database_snapshots[arn.split(":", 6)[6]]


# -- tables -----------------------------------------------------------------------------------------------------------


def test_a_vault_its_lock_and_its_policy(aws: LocalAws, cloud: Cloud) -> None:
    key = a_key(aws, THERE)
    vault = Made.create(cloud, "aws:backup/vault:Vault", name="far", kmsKeyArn=key, region=THERE, tags={"tier": "1"})
    assert vault.outputs["arn"] == f"arn:aws:backup:{THERE}:{DEFAULT_ACCOUNT_ID}:backup-vault:far"
    assert vault.outputs["tagsAll"] == {"owner": "platform", "tier": "1"}
    assert vault.outputs["recoveryPoints"] == 0
    vault.change(tags={"tier": "2"})
    lock = Made.create(
        cloud,
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        backupVaultName="far",
        minRetentionDays=7,
        region=THERE,
    )
    statement = {"Effect": "Deny", "Principal": "*", "Action": ["backup:DeleteRecoveryPoint"], "Resource": "*"}
    policy = Made.create(
        cloud,
        "aws:backup/vaultPolicy:VaultPolicy",
        backupVaultName="far",
        policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        region=THERE,
    )
    policy.change(
        policy=json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Action": "backup:StartCopyJob"}]})
    )

    backup = aws.client("backup", THERE)
    backup.put_backup_vault_lock_configuration(BackupVaultName="far", MinRetentionDays=1, MaxRetentionDays=2)
    backup.tag_resource(ResourceArn=vault.outputs["arn"], Tags={"by": "hand"})
    assert lock.drift() == {"minRetentionDays", "maxRetentionDays"}
    assert vault.drift() == {"tags"}
    lock.delete()
    with pytest.raises(Gone, match="is not locked"):
        lock.read()
    policy.delete()
    vault.delete()
    for gone in (policy, lock, vault):
        with pytest.raises(Gone):
            gone.read()


def test_a_plan_and_what_it_selects(aws: LocalAws, cloud: Cloud, role: str, database: Any) -> None:
    far = a_vault(aws, "copies", THERE)
    Made.create(cloud, "aws:backup/vault:Vault", name="daily")
    rule: dict[str, Any] = {
        "ruleName": "daily",
        "targetVaultName": "daily",
        "schedule": "cron(0 5 ? * MON-FRI *)",
        "scheduleExpressionTimezone": "Etc/UTC",
        "startWindow": 90,
        "completionWindow": 240,
        "lifecycle": {"deleteAfter": 35},
        "copyActions": [{"destinationVaultArn": far, "lifecycle": {"deleteAfter": 400, "coldStorageAfter": 300}}],
        "recoveryPointTags": {"kept": "daily"},
    }
    brief = {"ruleName": "brief", "targetVaultName": "daily"}
    plan = Made.create(cloud, "aws:backup/plan:Plan", name="prod", rules=[rule, brief], tags={"tier": "1"})
    version = plan.outputs["version"]
    assert plan.outputs["rules"][1]["startWindow"] == 60
    assert plan.outputs["rules"][1]["completionWindow"] == 180
    same = plan.table.properties["rules"].same
    assert same is not None
    assert same([brief, rule], plan.outputs["rules"])
    selection = Made.create(
        cloud,
        "aws:backup/selection:Selection",
        planId=plan.identity,
        name="databases",
        iamRoleArn=role,
        resources=[database["DBInstanceArn"]],
        notResources=["arn:aws:rds:*:*:db:scratch-*"],
    )
    imported = selection.table.read(cloud, f"{plan.identity}|{selection.identity}", {})
    assert (imported["id"], imported["planId"]) == (selection.identity, plan.identity)

    plan.change(rules=[{**rule, "lifecycle": {"deleteAfter": 30}}], tags={"tier": "2"})
    assert plan.outputs["version"] != version
    backup = aws.client("backup")
    document = backup.get_backup_plan(BackupPlanId=plan.identity)["BackupPlan"]
    assert [each["Lifecycle"] for each in document["Rules"]] == [{"DeleteAfterDays": 30}]
    document["Rules"][0].pop("RuleId")
    document["Rules"][0]["Lifecycle"]["DeleteAfterDays"] = 1
    backup.update_backup_plan(BackupPlanId=plan.identity, BackupPlan=document)
    assert plan.drift() == {"rules"}
    with pytest.raises(Refused, match=r"no mapping for `rules\[0\].scanActions`"):
        plan.change(rules=[{**rule, "scanActions": [{"scanMode": "FULL_SCAN"}]}])
    with pytest.raises(ClientError, match="Related backup plan selections must be deleted prior"):
        plan.delete()
    selection.delete()
    plan.delete()
    for gone in (selection, plan):
        with pytest.raises(Gone):
            gone.read()


def test_a_role_is_given_the_policies_of_aws(aws: LocalAws, cloud: Cloud) -> None:
    made = Made.create(cloud, "aws:iam/role:Role", name="given", assumeRolePolicy=TRUST)
    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    given = [Made.create(cloud, token, role="given", policyArn=arn) for arn in (FOR_BACKUP, FOR_RESTORES)]
    iam = aws.client("iam")
    version = iam.get_policy(PolicyArn=FOR_BACKUP)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=FOR_BACKUP, VersionId=version)["PolicyVersion"]["Document"]
    assert "rds:CreateDBSnapshot" in json.dumps(document)
    with pytest.raises(ClientError, match="does not exist or is not attachable"):
        TABLES[token].create(cloud, {"role": "given", "policyArn": f"{FOR_BACKUP}s"})
    with pytest.raises(ClientError, match="DeleteConflict"):
        made.delete()
    for each in given:
        each.delete()
        with pytest.raises(Gone):
            each.read()
    made.delete()


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"TargetBackupVaultName": "nowhere"}, "Backup vault nowhere does not exist"),
        ({"ScheduleExpression": "rate(1 day)"}, "is no cron expression"),
        ({"ScheduleExpression": "cron(0 5 * * *)"}, "has 5 fields; it needs 6"),
        ({"ScheduleExpression": "cron(0 25 * * ? *)"}, "'25' is no hours"),
        ({"ScheduleExpression": "cron(0 5 * * MON *)"}, "one of day-of-month and day-of-week must be"),
        ({"ScheduleExpressionTimezone": "Europe/Bonn"}, "Europe/Bonn is no time zone"),
        ({"StartWindowMinutes": 30}, "30 is less than 60"),
        ({"StartWindowMinutes": 60, "CompletionWindowMinutes": 90}, "90 is not at least 60 minutes more"),
        ({"Lifecycle": {"DeleteAfterDays": 0}}, "DeleteAfterDays cannot be less than 1"),
        ({"Lifecycle": {"DeleteAfterDays": 100, "MoveToColdStorageAfterDays": 11}}, "less than 90 days apart"),
        ({"EnableContinuousBackup": True, "Lifecycle": {"DeleteAfterDays": 36}}, "more than 35 days"),
        ({"CopyActions": [{"DestinationBackupVaultArn": "copies"}]}, "is no ARN of a backup vault"),
        ({"RuleName": "two words"}, "Invalid RuleName"),
    ],
)
def test_a_plan_is_checked(aws: LocalAws, changed: dict[str, Any], reason: str) -> None:
    backup = aws.client("backup")
    rule = {"RuleName": "r", "TargetBackupVaultName": "checked"}
    if "checked" not in {vault["BackupVaultName"] for vault in backup.list_backup_vaults()["BackupVaultList"]}:
        a_vault(aws, "checked")
    with pytest.raises(ClientError, match=reason) as refusal:
        backup.create_backup_plan(BackupPlan={"BackupPlanName": "wrong", "Rules": [{**rule, **changed}]})
    assert refusal.value.response["Error"]["Code"] == "InvalidParameterValueException"


@pytest.mark.parametrize(
    "schedule", ["0 5 ? * * *", "0/30 5-7 L * ? *", "15 10 ? JAN,JUL 6L 2026-2030", "0 8 1W * ? *"]
)
def test_schedules_that_aws_takes(aws: LocalAws, schedule: str) -> None:
    backup, name = aws.client("backup"), f"v{abs(hash(schedule))}"
    a_vault(aws, name)
    rule = {"RuleName": "r", "TargetBackupVaultName": name, "ScheduleExpression": f"cron({schedule})"}
    backup.create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": [rule]})


def test_what_cannot_be_done_is_refused_by_name(aws: LocalAws, role: str, database: Any) -> None:
    near, far = aws.client("backup"), aws.client("backup", THERE)
    a_vault(aws, "refusing")
    key = a_key(aws)
    aws.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    table = "arn:aws:dynamodb:eu-central-1:123456789012:table/t"
    job = {"BackupVaultName": "refusing", "ResourceArn": database["DBInstanceArn"], "IamRoleArn": role}
    stranger = aws.client("iam").create_role(RoleName="stranger", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    for call, asked, reason in (
        (near.create_backup_vault, {"BackupVaultName": "a b"}, "Invalid backup vault name"),
        (near.create_backup_vault, {"BackupVaultName": "gone", "EncryptionKeyArn": key}, "is PendingDeletion"),
        (far.create_backup_vault, {"BackupVaultName": "away", "EncryptionKeyArn": key}, f"a KMS key in {THERE}"),
        (near.delete_backup_vault, {"BackupVaultName": "nowhere"}, "ResourceNotFound"),
        (near.start_backup_job, {**job, "ResourceArn": table}, "NotImplemented.*backs up RDS instances only"),
        (near.start_backup_job, {**job, "ResourceArn": f"{database['DBInstanceArn']}-2"}, "ResourceNotFound"),
        (near.start_backup_job, {**job, "IamRoleArn": stranger}, "cannot be assumed by AWS Backup"),
        (near.start_backup_job, {**job, "StartWindowMinutes": 5}, "5 is less than 60"),
        (near.start_restore_job, {"RecoveryPointArn": table, "Metadata": {}}, "NotImplemented"),
        (near.tag_resource, {"ResourceArn": table, "Tags": {"a": "b"}}, "ResourceNotFound"),
        (near.put_backup_vault_access_policy, {"BackupVaultName": "refusing", "Policy": "{}"}, "not valid JSON"),
    ):
        with pytest.raises(ClientError, match=reason):
            call(**asked)


# -- jobs and recovery points -----------------------------------------------------------------------------------------


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


# -- locks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "state", "reason"),
    [
        (6, "FAILED", "shorter than the minimum of 7 days"),
        (7, "COMPLETED", None),
        (30, "COMPLETED", None),
        (31, "FAILED", "longer than the maximum of 30 days"),
        (None, "FAILED", "unlimited days is longer than the maximum"),
    ],
)
def test_a_locked_vault_takes_only_what_is_kept_long_enough(
    aws: LocalAws, role: str, database: Any, days: int | None, state: str, reason: str | None
) -> None:
    name = f"bounded-{days}"
    vault = a_vault(aws, name, MinRetentionDays=7, MaxRetentionDays=30)
    job = run(aws, name, database, role, days=days)
    assert (job["State"], job["VaultLockState"]) == (state, "LOCKED")
    assert (reason is None) == ("StatusMessage" not in job)
    assert (reason or "") in job.get("StatusMessage", "")
    a_vault(aws, f"{name}-from")
    source = run(aws, f"{name}-from", database, role)["RecoveryPointArn"]
    backup = aws.client("backup")
    copy = backup.start_copy_job(
        RecoveryPointArn=source,
        SourceBackupVaultName=f"{name}-from",
        DestinationBackupVaultArn=vault,
        IamRoleArn=role,
        **({"Lifecycle": {"DeleteAfterDays": days}} if days else {}),
    )
    assert backup.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"]["State"] == state
    held = backup.describe_backup_vault(BackupVaultName=name)["NumberOfRecoveryPoints"]
    assert held == (2 if state == "COMPLETED" else 0)


def test_nobody_deletes_from_a_locked_vault_and_one_mode_can_be_unlocked(
    aws: LocalAws, cloud: Cloud, role: str, database: Any
) -> None:
    backup = aws.client("backup")
    for name, lock in (("governed", {}), ("complying", {"ChangeableForDays": 3})):
        vault = Made.create(cloud, "aws:backup/vault:Vault", name=name, forceDestroy=True)
        arn = run(aws, name, database, role)["RecoveryPointArn"]
        held = {"BackupVaultName": name, "RecoveryPointArn": arn}
        backup.put_backup_vault_lock_configuration(BackupVaultName=name, MinRetentionDays=7, **lock)
        assert ("LockDate" in backup.describe_backup_vault(BackupVaultName=name)) == bool(lock)
        for call in (
            lambda held=held: backup.delete_recovery_point(**held),
            lambda held=held: backup.update_recovery_point_lifecycle(**held, Lifecycle={"DeleteAfterDays": 1}),
            vault.delete,
        ):
            with pytest.raises(ClientError, match=f"InvalidRequestException.*backup vault {name} is locked"):
                call()
        assert snapshot_of(arn).status == "available"
        if lock:  # its days of grace go by
            kept = backup_backends[DEFAULT_ACCOUNT_ID][HERE].vaults[name]
            assert kept.lock_date is not None
            kept.lock_date -= 3 * 24 * 3600
            for call in (
                lambda name=name: backup.delete_backup_vault_lock_configuration(BackupVaultName=name),
                lambda name=name: backup.put_backup_vault_lock_configuration(BackupVaultName=name, MinRetentionDays=1),
            ):
                with pytest.raises(ClientError, match=r"InvalidRequestException.*immutable"):
                    call()
        else:
            backup.delete_backup_vault_lock_configuration(BackupVaultName=name)
            vault.delete()
            with pytest.raises(Gone):
                vault.read()


# -- local clouds of their own: with each, the one before it ends, so these come last ---------------------------------


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
