"""What must outlive production: the keys of its copies and the bucket that holds them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.durable_bucket import DurableBucket, DurableBucketArgs
from components.encryption_key import EncryptionKey, EncryptionKeyArgs


@dataclass(frozen=True, kw_only=True)
class RecoveryVaultArgs:
    """The two retentions of the plan that the vault keeps, in days."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""

    object_version_days: int
    """`retention.object_version_days` of the plan."""


class RecoveryVault(pulumi.ComponentResource):
    """The recovery region's keys and replica bucket, owned by a stack of their own.

    A database that is restored from replicated backups is encrypted with the key that the replication used: the restore
    call takes no other. Were that key owned by production or by the recovery stack, destroying either would destroy the
    backups with it. So it lives here, and everything here stays in AWS even if this stack forgets it.

    There are two keys, not one. Disabling the key of the backups stops their replication, silently and for good; that
    must not be a side effect of something done to the objects. And the role that replicates objects is thereby given
    nothing that opens a database.
    """

    database_key_arn: pulumi.Output[str]
    objects_key_arn: pulumi.Output[str]
    replica_bucket_name: pulumi.Output[str]
    replica_bucket_arn: pulumi.Output[str]

    def __init__(self, name: str, args: RecoveryVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:vault:RecoveryVault", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        database_key = EncryptionKey(
            f"{name}-database",
            EncryptionKeyArgs(
                description="Replicated database backups, and every database restored from them",
                deletion_window_days=args.key_deletion_window_days,
                retain_on_delete=True,
            ),
            opts=guarded,
        )
        objects_key = EncryptionKey(
            f"{name}-objects",
            EncryptionKeyArgs(
                description="Replicas of the objects in object storage",
                deletion_window_days=args.key_deletion_window_days,
                retain_on_delete=True,
            ),
            opts=guarded,
        )
        replica = DurableBucket(
            f"{name}-replica",
            DurableBucketArgs(
                kms_key_arn=objects_key.arn,
                version_days=args.object_version_days,
                retain_on_delete=True,
            ),
            opts=guarded,
        )

        self.database_key_arn = database_key.arn
        self.objects_key_arn = objects_key.arn
        self.replica_bucket_name = replica.bucket_name
        self.replica_bucket_arn = replica.bucket_arn
        self.register_outputs(
            {
                "databaseKeyArn": self.database_key_arn,
                "objectsKeyArn": self.objects_key_arn,
                "replicaBucketName": self.replica_bucket_name,
                "replicaBucketArn": self.replica_bucket_arn,
            }
        )
