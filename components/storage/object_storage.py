"""Production's object storage, with replication to the vault's replica and back."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.aws.durable_bucket import DurableBucket, DurableBucketArgs
from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.backup.object_replication import ObjectReplication, ObjectReplicationArgs, ReplicatedBucket


@dataclass(frozen=True, kw_only=True)
class ObjectStorageArgs:
    """The bucket's region, the retention of its versions, and the bucket that it is replicated to."""

    region: str
    """The AWS region of the bucket."""

    version_days: int
    """`retention.object_version_days` of the plan."""

    lock_days: int
    """`retention.object_lock_days` of the plan."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""

    replica: ReplicatedBucket
    """The vault's bucket, which has the replicas."""

    alarm_topic_arn: pulumi.Input[str]
    """The topic in `region` that sends mail about the replication."""

    role_boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of the replication's roles. A deployment may create only roles that have it."""

    existing_key_arn: str | None = None
    existing_bucket: str | None = None
    """The name of the bucket, if AWS has it already. Pulumi imports it and the key."""


class ObjectStorage(pulumi.ComponentResource):
    """A durable bucket with its own key, and replication between it and the vault's replica in both directions.

    Recovery has no bucket: the service then uses the vault's replica, which has all of production's objects. S3
    replicates what the service writes there to production's bucket, as soon as Germany is available again. The return
    direction belongs to production, because it leads there: it exists before it is needed, and destroying it takes
    nothing from the vault.

    S3 does not replicate replicas. So a new bucket of production's needs S3 Batch Replication to get the objects back.
    Destroying the stack leaves the bucket and its key in AWS, because S3 deletes neither a bucket with objects nor a
    locked version. The next update imports both.
    """

    bucket_name: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:storage:ObjectStorage", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        key = EncryptionKey(
            name,
            EncryptionKeyArgs(
                description="The objects in object storage",
                deletion_window_days=args.key_deletion_window_days,
                retain_on_delete=True,
                existing_arn=args.existing_key_arn,
            ),
            opts=guarded,
        )
        bucket = DurableBucket(
            name,
            DurableBucketArgs(
                kms_key_arn=key.arn,
                version_days=args.version_days,
                lock_days=args.lock_days,
                retain_on_delete=True,
                existing_name=args.existing_bucket,
            ),
            opts=guarded,
        )
        here = ReplicatedBucket(
            bucket_name=bucket.bucket_name,
            bucket_arn=bucket.bucket_arn,
            kms_key_arn=key.arn,
            region=args.region,
            alarm_topic_arn=args.alarm_topic_arn,
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
