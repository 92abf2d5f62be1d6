"""The resources that outlive production: the keys of its copies, their bucket and their backup vault."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.aws.backup_vault import LONGEST_RETENTION_DAYS, BackupVault, BackupVaultArgs, VaultLockArgs
from components.aws.durable_bucket import DurableBucket, DurableBucketArgs
from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs


@dataclass(frozen=True, kw_only=True)
class RecoveryVaultArgs:
    """The retentions from the plan, in days, and the region of the failback."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""

    object_version_days: int
    """`retention.object_version_days` of the plan."""

    object_lock_days: int
    """`retention.object_lock_days` of the plan."""

    vault_copy_days: int
    """`retention.vault_copy_days` of the plan. The backup vault accepts no shorter retention, and the lock is final."""

    vault_lock_cooling_off_days: int
    """`retention.vault_lock_cooling_off_days` of the plan. During these days the lock can be corrected."""

    home_region: str | None = None
    """The region of the failback, once it is available again: the vault then has a key there. `None` until then."""


class RecoveryVault(pulumi.ComponentResource):
    """The recovery region's keys, replica bucket and backup vault, in a separate stack.

    A database that is restored from replicated backups is encrypted with the key that the replication used: the restore
    call takes no other. Were that key owned by production or by the recovery stack, destroying either would destroy the
    backups with it. So it lives here, and everything here stays in AWS even if this stack forgets it.

    Each kind of copy has its own key. Disabling the key of the backups stops their replication permanently and without
    a message; a change for the objects must not cause that. The role that replicates objects cannot decrypt a database.
    The second copy of the database has a separate key, so that it is not lost together with the first.

    The backup vault's lock is in compliance mode. After the cooling-off period no role can delete a copy before its
    time. The irrevocable cost is bounded: the lock accepts copies that are kept for at least `vault_copy_days` and at
    most `LONGEST_RETENTION_DAYS`, so no copy can be stored for years by mistake.

    Failback needs one more key: the recovered database's backups are replicated to the home region with a key there
    that outlives both the recovery stack and the next production. It is created only on request, because nothing can be
    created in a region that is lost. An update that does not change the key does not call the home region.
    """

    database_key_arn: pulumi.Output[str]
    objects_key_arn: pulumi.Output[str]
    secrets_key_arn: pulumi.Output[str]
    copies_key_arn: pulumi.Output[str]
    """The key of the second copies, and of a database that is restored from one of them."""

    replica_bucket_name: pulumi.Output[str]
    replica_bucket_arn: pulumi.Output[str]
    backup_vault_name: pulumi.Output[str]
    backup_vault_arn: pulumi.Output[str]
    return_key_arn: pulumi.Output[str] | None
    """The key in the home region; `None` without `home_region`."""

    def __init__(self, name: str, args: RecoveryVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:vault:RecoveryVault", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        def key(purpose: str, description: str, region: str | None = None) -> EncryptionKey:
            return EncryptionKey(
                f"{name}-{purpose}",
                EncryptionKeyArgs(
                    description=description,
                    deletion_window_days=args.key_deletion_window_days,
                    retain_on_delete=True,
                    region=region,
                ),
                opts=guarded,
            )

        database_key = key("database", "Replicated database backups, and every database restored from them")
        objects_key = key("objects", "Replicas of the objects in object storage")
        secrets_key = key("secrets", "Replicas of the application's own secrets")
        copies_key = key("copies", "The second copies of the database, and every database restored from them")
        replica = DurableBucket(
            f"{name}-replica",
            DurableBucketArgs(
                kms_key_arn=objects_key.arn,
                version_days=args.object_version_days,
                lock_days=args.object_lock_days,
                retain_on_delete=True,
            ),
            opts=guarded,
        )
        backups = BackupVault(
            f"{name}-backups",
            BackupVaultArgs(
                kms_key_arn=copies_key.arn,
                lock=VaultLockArgs(
                    min_retention_days=args.vault_copy_days,
                    max_retention_days=LONGEST_RETENTION_DAYS,
                    cooling_off_days=args.vault_lock_cooling_off_days,
                ),
                retain_on_delete=True,
            ),
            opts=guarded,
        )

        self.database_key_arn = database_key.arn
        self.objects_key_arn = objects_key.arn
        self.secrets_key_arn = secrets_key.arn
        self.copies_key_arn = copies_key.arn
        self.replica_bucket_name = replica.bucket_name
        self.replica_bucket_arn = replica.bucket_arn
        self.backup_vault_name = backups.vault_name
        self.backup_vault_arn = backups.vault_arn
        self.return_key_arn = None
        if args.home_region is not None:
            description = "Database backups on their way back home, and every database restored from them"
            self.return_key_arn = key("return", description, args.home_region).arn
        self.register_outputs(
            {
                "databaseKeyArn": self.database_key_arn,
                "objectsKeyArn": self.objects_key_arn,
                "secretsKeyArn": self.secrets_key_arn,
                "copiesKeyArn": self.copies_key_arn,
                "replicaBucketName": self.replica_bucket_name,
                "replicaBucketArn": self.replica_bucket_arn,
                "backupVaultName": self.backup_vault_name,
                "backupVaultArn": self.backup_vault_arn,
                "returnKeyArn": self.return_key_arn,
            }
        )
