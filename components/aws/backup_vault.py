"""A vault of AWS Backup with a lock: its recovery points cannot be deleted early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

# The limits of AWS Backup (PutBackupVaultLockConfiguration): days of retention, and days until a lock is final.
_RETENTION_DAYS = range(1, 36501)
_COOLING_OFF_DAYS = range(3, 36501)

LONGEST_RETENTION_DAYS: Final = 90
"""The limit of the locks. It leaves room to keep single backups for longer than the plan asks, for an investigation for
example, and bounds the cost of a mistake, which a lock makes irrevocable."""


@dataclass(frozen=True, kw_only=True)
class VaultLockArgs:
    """The retention of recovery points, and whether the lock can be changed later.

    Raises:
        ValueError: a number is outside the limits of AWS Backup, or the minimum is above the maximum.
    """

    min_retention_days: int
    """A backup or copy with a shorter retention fails."""

    max_retention_days: int
    """A backup or copy with a longer retention fails."""

    cooling_off_days: int | None
    """Days until the lock is final, even for AWS: compliance mode.

    None for governance mode, in which a role with the permission can remove the lock.
    """

    def __post_init__(self) -> None:
        retentions = {"min_retention_days": self.min_retention_days, "max_retention_days": self.max_retention_days}
        for name, days in retentions.items():
            if days not in _RETENTION_DAYS:
                raise ValueError(f"{name} is {days}; AWS Backup accepts {_span(_RETENTION_DAYS)}")
        if self.min_retention_days > self.max_retention_days:
            least, most = self.min_retention_days, self.max_retention_days
            raise ValueError(f"min_retention_days is {least}, above max_retention_days, which is {most}")
        if self.cooling_off_days is not None and self.cooling_off_days not in _COOLING_OFF_DAYS:
            raise ValueError(
                f"cooling_off_days is {self.cooling_off_days}; AWS Backup accepts {_span(_COOLING_OFF_DAYS)}"
            )


@dataclass(frozen=True, kw_only=True)
class BackupVaultArgs:
    """The key and the lock of a vault."""

    kms_key_arn: pulumi.Input[str]
    """The key, in the vault's region, that encrypts the copies that arrive in the vault.

    A backup of an RDS database in the vault's own region keeps the key of the database, regardless of this one
    (AWS Backup Developer Guide, "Encryption for backups in AWS Backup").
    """

    lock: VaultLockArgs

    retain_on_delete: bool = False
    """Whether the vault and its lock stay in AWS when they are removed from their stack."""


class LockError(pulumi.RunError):
    """The declared retention differs from the existing lock. Pulumi shows the message, and no traceback."""


class BackupVault(pulumi.ComponentResource):
    """A vault of recovery points, with a lock. `name` is also the vault's name.

    An intruder with administrator permissions deletes the backups first. The lock prevents it.

    The provider replaces a lock to change it, which AWS refuses for a final lock. So changed numbers are not sent. If
    the retention changes, the program ends with an error.
    """

    vault_name: pulumi.Output[str]
    vault_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BackupVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:backup:BackupVault", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=args.retain_on_delete)

        vault = aws.backup.Vault(
            name,
            name=name,
            kms_key_arn=args.kms_key_arn,
            # AWS then refuses to delete a vault with recovery points.
            force_destroy=False,
            tags={"Name": name},
            opts=guarded,
        )
        lock = aws.backup.VaultLockConfiguration(
            name,
            backup_vault_name=vault.name,
            min_retention_days=args.lock.min_retention_days,
            max_retention_days=args.lock.max_retention_days,
            changeable_for_days=args.lock.cooling_off_days,
            opts=pulumi.ResourceOptions.merge(
                guarded,
                pulumi.ResourceOptions(ignore_changes=["minRetentionDays", "maxRetentionDays", "changeableForDays"]),
            ),
        )
        lock.min_retention_days.apply(lambda days: _check_retention(name, args.lock, days))

        self.vault_name = vault.name
        self.vault_arn = vault.arn
        self.register_outputs({"vaultName": self.vault_name, "vaultArn": self.vault_arn})


def _check_retention(name: str, declared: VaultLockArgs, found: float | None) -> None:
    """Refuse a retention for which AWS Backup would fail every job, or that the lock does not guarantee."""
    if found is not None and found != declared.min_retention_days:
        raise LockError(
            f"The lock of the backup vault {name!r} keeps recovery points for at least {found:.0f} days; declared are"
            f" {declared.min_retention_days}.\n    Allowed are {found:.0f}: a lock in compliance mode cannot be changed"
            " after its cooling-off period.\n    Restore the number in plan/plan.yaml. Before the lock is final, or in"
            " governance mode, change it with aws backup put-backup-vault-lock-configuration, and run `pulumi refresh`."
        )


def _span(accepted: range) -> str:
    return f"{accepted.start} to {accepted.stop - 1}"
