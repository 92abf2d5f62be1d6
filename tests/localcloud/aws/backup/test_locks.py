"""Locks of vaults: which recovery points they accept and protect."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.backup.models import backup_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError
from tests.localcloud.aws.backup.harness import (
    a_vault,
    run,
    snapshot_of,
)
from tests.localcloud.aws_harness import HERE, LocalAws, Made


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
            with pytest.raises(GoneError):
                vault.read()
