"""The second copy: what is backed up, when, by whom, and where it goes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pulumi
import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from components.aws.backup_vault import (
    LONGEST_RETENTION_DAYS,
    BackupVault,
    BackupVaultArgs,
    LockError,
    VaultLockArgs,
)
from components.backup.daily_backups import (
    DailyBackups,
    DailyBackupsArgs,
    ExistingRoleArgs,
    ExistingVaultArgs,
    OwnRoleArgs,
    OwnVaultArgs,
)
from components.database import instance
from tests.components.recording import KEY, Deployment, deploy

BACKUP_VAULT = "aws:backup/vault:Vault"
VAULT_LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
ROLE = "aws:iam/role:Role"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

DATABASE_ARN = "arn:aws:rds:xx-near-1:123456789012:db:database"
ONWARD = "arn:aws:backup:xx-far-1:123456789012:backup-vault:far"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def second_copy(
    vault: OwnVaultArgs | ExistingVaultArgs | None = None,
    onward: str | None = ONWARD,
    *,
    role: OwnRoleArgs | ExistingRoleArgs | None = None,
    preview: bool = False,
) -> Deployment:
    def program() -> None:
        made = DailyBackups(
            "second-copy",
            DailyBackupsArgs(
                region="xx-near-1",
                database_arn=DATABASE_ARN,
                retention_days=17,
                vault=vault or OwnVaultArgs(kms_key_arn="arn:of-the-database"),
                onward_vault_arn=onward,
                role=role or OwnRoleArgs(),
            ),
        )
        pulumi.export("vault", made.vault_name)

    return deploy(program, preview=preview)


def rule_of(deployment: Deployment) -> dict[str, Any]:
    (rule,) = deployment.one(PLAN).inputs["rules"]
    return dict(rule)


@pytest.mark.parametrize("preview", [False, True])
def test_the_database_is_backed_up_into_a_locked_vault_and_copied_to_another(preview: bool) -> None:
    deployment = second_copy(preview=preview)
    vault, lock, rule = deployment.one(BACKUP_VAULT), deployment.one(VAULT_LOCK), rule_of(deployment)

    assert deployment.one(SELECTION).inputs["resources"] == [DATABASE_ARN]
    assert rule["targetVaultName"] == lock.inputs["backupVaultName"] == vault.inputs["name"]
    assert rule["lifecycle"] == {"deleteAfter": 17}
    assert rule["copyActions"] == [{"destinationVaultArn": ONWARD, "lifecycle": {"deleteAfter": 17}}]
    # Else AWS Backup would set the retention of the automated backups, and RDS's own setting would mean nothing.
    assert rule["enableContinuousBackup"] is False
    # Without a date from which it is final, the lock is in governance mode.
    assert "changeableForDays" not in lock.inputs
    assert (lock.inputs["minRetentionDays"], lock.inputs["maxRetentionDays"]) == (17, LONGEST_RETENTION_DAYS)
    assert vault.inputs["kmsKeyArn"] == "arn:of-the-database"
    for resource in deployment.custom:
        assert resource.protect, resource.name


def test_changed_retention_of_a_locked_vault_is_refused() -> None:
    def program() -> None:
        BackupVault(
            "vault",
            BackupVaultArgs(
                kms_key_arn="arn:key",
                lock=VaultLockArgs(min_retention_days=30, max_retention_days=60, cooling_off_days=14),
            ),
        )

    lock = deploy(program).one(VAULT_LOCK)
    # The provider would replace the lock for a change of any of them.
    assert lock.ignore_changes == {"minRetentionDays", "maxRetentionDays", "changeableForDays"}
    with pytest.raises(LockError, match="at least 35 days; declared are 30"):
        deploy(program, answers={VAULT_LOCK: {"minRetentionDays": 35}})


def test_recovery_backs_up_into_the_vaults_own() -> None:
    role = ExistingRoleArgs(arn="arn:of-the-vault")
    deployment = second_copy(ExistingVaultArgs(name="vault-backups"), onward=None, role=role)

    assert deployment.all(ROLE) == deployment.all(ATTACHMENT) == []
    assert deployment.one(SELECTION).inputs["iamRoleArn"] == "arn:of-the-vault"
    assert rule_of(deployment)["targetVaultName"] == deployment.outputs["vault"] == "vault-backups"
    assert not rule_of(deployment).get("copyActions")
    assert deployment.all(BACKUP_VAULT) == deployment.all(VAULT_LOCK) == deployment.all(KEY) == []


def test_aws_backup_and_nobody_else_may_do_the_work() -> None:
    deployment = second_copy()
    role, attachment, selection = deployment.one(ROLE), deployment.one(ATTACHMENT), deployment.one(SELECTION)
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]

    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    assert trust["Principal"] == {"Service": "backup.amazonaws.com"}
    assert attachment.inputs["role"] == role.inputs["name"]
    assert selection.inputs["iamRoleArn"].endswith(f":role/{role.inputs['name']}")
    assert selection.depends_on >= {attachment.urn}


def test_the_policy_is_one_of_awss_and_permits_backups_and_copies() -> None:
    _, _, path_and_name = second_copy().one(ATTACHMENT).inputs["policyArn"].partition(":policy")
    path, _, name = path_and_name.rpartition("/")
    policy = json.loads(aws_managed_policies_data)[name]
    assert policy["Path"] == f"{path}/"
    permitted = {
        action
        for statement in policy["Document"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert permitted >= {"rds:CreateDBSnapshot", "rds:CopyDBSnapshot", "backup:CopyIntoBackupVault"}


def test_a_backup_starts_neither_in_rdss_windows_nor_in_the_hour_before() -> None:
    """AWS Backup Developer Guide, "Plan options and configuration": such a job fails."""
    rule = rule_of(second_copy())
    assert rule["scheduleExpressionTimezone"] == "Etc/UTC"
    # Every day of every month of every year, once.
    schedule = re.fullmatch(r"cron\((\d+) (\d+) \* \* \? \*\)", rule["schedule"])
    assert schedule is not None
    minute, hour = map(int, schedule.groups())
    starts = [
        (MONDAY + timedelta(days=day, hours=hour, minutes=minute), timedelta(minutes=rule["startWindow"]))
        for day in range(14)
    ]
    backups = [f"{day}:" + instance._BACKUP_WINDOW.replace("-", f"-{day}:") for day in DAYS]
    for window in (*backups, instance._MAINTENANCE_WINDOW):
        begin, end = (moment(text) for text in window.split("-"))
        assert begin < end, "the test knows no window that goes past midnight of Sunday"
        for week in (timedelta(), timedelta(days=7), timedelta(days=14)):
            for earliest, within in starts:
                closed = begin + week - timedelta(hours=1), end + week
                assert earliest + within <= closed[0] or earliest >= closed[1], (window, earliest)


def moment(text: str) -> datetime:
    """`sun:03:00` in the first week."""
    day, hour, minute = text.split(":")
    return MONDAY + timedelta(days=DAYS.index(day), hours=int(hour), minutes=int(minute))


def test_aws_backup_has_time_to_finish() -> None:
    """AWS Backup refuses a start window of less than an hour, and an end less than an hour after it."""
    rule = rule_of(second_copy())
    assert rule["startWindow"] >= 60
    assert rule["completionWindow"] >= rule["startWindow"] + 60


def test_a_retention_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="retention_days is 0"):
        DailyBackupsArgs(
            region="xx-near-1",
            database_arn=DATABASE_ARN,
            retention_days=0,
            vault=ExistingVaultArgs(name="v"),
            onward_vault_arn=None,
            role=OwnRoleArgs(),
        )
