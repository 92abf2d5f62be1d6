"""A vault of AWS Backup, locked so that nobody takes a recovery point out of it before its time."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

# What AWS Backup accepts (PutBackupVaultLockConfiguration): days of retention, and days until a lock is final.
_RETENTION_DAYS = range(1, 36501)
_COOLING_OFF_DAYS = range(3, 36501)


@dataclass(frozen=True, kw_only=True)
class VaultLockArgs:
    """How long recovery points stay, and whether that can be changed later.

    Raises:
        ValueError: a number is outside what AWS Backup accepts, or the least retention is above the most.
    """

    min_retention_days: int
    """A backup or copy that would be kept for less fails."""

    max_retention_days: int
    """A backup or copy that would be kept for longer fails."""

    cooling_off_days: int | None
    """Days until nobody can change or lift the lock any more, not even AWS: compliance mode.

    None for governance mode, in which somebody with the permission to do so can lift it.
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
    """How a vault is encrypted and locked."""

    kms_key_arn: pulumi.Input[str]
    """The key, in the vault's region, that copies which arrive in the vault are encrypted with.

    A backup of an RDS database that is made in the vault's own region keeps the database's key, whatever this one is
    (AWS Backup Developer Guide, "Encryption for backups in AWS Backup").
    """

    lock: VaultLockArgs

    retain_on_delete: bool = False
    """Whether the vault and its lock stay in AWS when their stack forgets them."""


class BackupVault(pulumi.ComponentResource):
    """Where recovery points are kept, under a lock. `name` is also the vault's name.

    Without the lock, whoever has the account's administration, rightly or not, deletes the backups first.
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
            # With this, deleting the vault would delete what is in it; without, AWS refuses.
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
