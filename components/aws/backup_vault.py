"""A vault of AWS Backup with a lock: its recovery points cannot be deleted early."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

# The limits of AWS Backup (PutBackupVaultLockConfiguration): days of retention, and days until a lock is final.
_RETENTION_DAYS = range(1, 36501)
_COOLING_OFF_DAYS = range(3, 36501)


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


class BackupVault(pulumi.ComponentResource):
    """A vault of recovery points, with a lock. `name` is also the vault's name.

    An intruder with administrator permissions deletes the backups first. The lock prevents it.
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
        aws.backup.VaultLockConfiguration(
            name,
            backup_vault_name=vault.name,
            min_retention_days=args.lock.min_retention_days,
            max_retention_days=args.lock.max_retention_days,
            changeable_for_days=args.lock.cooling_off_days,
            opts=guarded,
        )

        self.vault_name = vault.name
        self.vault_arn = vault.arn
        self.register_outputs({"vaultName": self.vault_name, "vaultArn": self.vault_arn})


def _span(accepted: range) -> str:
    return f"{accepted.start} to {accepted.stop - 1}"
