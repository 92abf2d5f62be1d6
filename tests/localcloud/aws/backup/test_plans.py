"""Vaults, plans, selections and roles of AWS Backup: their tables, and what AWS refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws.backup.harness import (
    FOR_BACKUP,
    FOR_RESTORES,
    TRUST,
    a_vault,
)
from tests.localcloud.aws_harness import TABLES, THERE, LocalAws, Made, a_key


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
    with pytest.raises(GoneError, match="is not locked"):
        lock.read()
    policy.delete()
    vault.delete()
    for gone in (policy, lock, vault):
        with pytest.raises(GoneError):
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
    with pytest.raises(RefusedError, match=r"no mapping for `rules\[0\].scanActions`"):
        plan.change(rules=[{**rule, "scanActions": [{"scanMode": "FULL_SCAN"}]}])
    with pytest.raises(ClientError, match="Related backup plan selections must be deleted prior"):
        plan.delete()
    selection.delete()
    plan.delete()
    for gone in (selection, plan):
        with pytest.raises(GoneError):
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
        with pytest.raises(GoneError):
            each.read()
    made.delete()


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"TargetBackupVaultName": "nowhere"}, "Backup vault nowhere does not exist"),
        ({"ScheduleExpression": "rate(1 day)"}, "is not a cron expression"),
        ({"ScheduleExpression": "cron(0 5 * * *)"}, "has 5 fields; it needs 6"),
        ({"ScheduleExpression": "cron(0 25 * * ? *)"}, "'25' is not a valid value of hours"),
        ({"ScheduleExpression": "cron(0 5 * * MON *)"}, "one of day-of-month and day-of-week must be"),
        ({"ScheduleExpressionTimezone": "Europe/Bonn"}, "Europe/Bonn is not a time zone"),
        ({"StartWindowMinutes": 30}, "30 is less than 60"),
        ({"StartWindowMinutes": 60, "CompletionWindowMinutes": 90}, "90 is not at least 60 minutes more"),
        ({"Lifecycle": {"DeleteAfterDays": 0}}, "DeleteAfterDays cannot be less than 1"),
        ({"Lifecycle": {"DeleteAfterDays": 100, "MoveToColdStorageAfterDays": 11}}, "less than 90 days apart"),
        ({"EnableContinuousBackup": True, "Lifecycle": {"DeleteAfterDays": 36}}, "more than 35 days"),
        ({"CopyActions": [{"DestinationBackupVaultArn": "copies"}]}, "is not the ARN of a backup vault"),
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
