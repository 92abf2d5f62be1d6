"""Production's object storage, copied to the vault's replica, and back again once production has been away."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.aws.durable_bucket import DurableBucket, DurableBucketArgs
from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.backup.object_replication import ObjectReplication, ObjectReplicationArgs, ReplicatedBucket


@dataclass(frozen=True, kw_only=True)
class ObjectStorageArgs:
    """Where the objects are, what is kept of them for how long, and where they are copied to."""

    region: str
    """The AWS region of the bucket."""

    version_days: int
    """`retention.object_version_days` of the plan."""

    lock_days: int
    """`retention.object_lock_days` of the plan."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""

    replica: ReplicatedBucket
    """The vault's bucket, which has the copies."""

    role_boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of every role that is made here: a deployment may make no role without one."""


class ObjectStorage(pulumi.ComponentResource):
    """A durable bucket with a key of its own, and the replication between it and the vault's replica, both ways.

    Recovery has no bucket: the service then works on the vault's replica itself, which has all that production had, so
    nothing has to be copied first. What it writes there is copied to production's bucket by S3, as soon as Germany is
    there again. That way back is production's, which it leads to: it is in place before it is needed, and destroying
    it takes nothing from the vault.

    The way back brings what was written to the replica, not what was copied there, since S3 does not copy copies. A
    bucket that had to be made anew is filled from the replica by S3 Batch Replication, which does.
    """

    bucket_name: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:storage:ObjectStorage", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        key = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The objects in object storage", deletion_window_days=args.key_deletion_window_days
            ),
            opts=guarded,
        )
        bucket = DurableBucket(
            name,
            DurableBucketArgs(kms_key_arn=key.arn, version_days=args.version_days, lock_days=args.lock_days),
            opts=guarded,
        )
        here = ReplicatedBucket(
            bucket_name=bucket.bucket_name, bucket_arn=bucket.bucket_arn, kms_key_arn=key.arn, region=args.region
        )
        for direction, source, destination in (("replication", here, args.replica), ("return", args.replica, here)):
            ObjectReplication(
                f"{name}-{direction}",
                ObjectReplicationArgs(
                    source=source,
                    destination=destination,
                    after=[bucket.versioning],
                    role_boundary_arn=args.role_boundary_arn,
                ),
                opts=guarded,
            )

        self.bucket_name = bucket.bucket_name
        self.register_outputs({"bucketName": self.bucket_name})
