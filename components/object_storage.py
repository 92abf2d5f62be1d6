"""Object storage, and its replica in the vault."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.durable_bucket import DurableBucket, DurableBucketArgs
from components.encryption_key import EncryptionKey, EncryptionKeyArgs

# The one time that S3 offers for replication with a promise (S3 Replication Time Control).
_REPLICATION_TIME_MINUTES = 15


@dataclass(frozen=True, kw_only=True)
class ReplicaArgs:
    """The bucket that receives the copies, in another region."""

    bucket_arn: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str]
    """The key, in the replica's region, that the copies are encrypted with."""

    region: str
    """The replica's region. An S3 ARN does not say it."""


@dataclass(frozen=True, kw_only=True)
class ReplicatedArgs:
    """Objects are encrypted with a key of this component's own, and copied to a replica."""

    key_deletion_window_days: int
    """`retention.key_deletion_window_days` of the plan."""

    replica: ReplicaArgs


@dataclass(frozen=True, kw_only=True)
class InRecoveryArgs:
    """Objects are encrypted with the vault's key, and not copied.

    The vault's replica is by then the only copy of what production had. A bucket that is still filling up must not
    write to it.
    """

    kms_key_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class ObjectStorageArgs:
    """Where the objects are, and for how long what is no longer current is kept."""

    region: str
    """The AWS region of the bucket."""

    version_days: int
    """`retention.object_version_days` of the plan."""

    durability: ReplicatedArgs | InRecoveryArgs


class ObjectStorage(pulumi.ComponentResource):
    """A durable bucket and, in production, everything that S3 needs to copy each object to the vault's.

    Deletions are copied too, but only as markers: S3 never copies the deletion of a version. So what is deleted by
    mistake or by an attacker can be brought back on both sides for as long as the plan says, and what has to be erased
    does not live on in the replica for ever.
    """

    bucket_name: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:storage:ObjectStorage", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        match args.durability:
            case InRecoveryArgs(kms_key_arn=kms_key_arn):
                bucket = self._bucket(name, kms_key_arn, args.version_days, guarded)
            case ReplicatedArgs(replica=replica, key_deletion_window_days=days):
                key = EncryptionKey(
                    name,
                    EncryptionKeyArgs(description="The objects in object storage", deletion_window_days=days),
                    opts=guarded,
                )
                bucket = self._bucket(name, key.arn, args.version_days, guarded)
                self._replicate(name, args.region, bucket, key.arn, replica, guarded)

        self.bucket_name = bucket.bucket_name
        self.register_outputs({"bucketName": self.bucket_name})

    @staticmethod
    def _bucket(
        name: str, kms_key_arn: pulumi.Input[str], version_days: int, opts: pulumi.ResourceOptions
    ) -> DurableBucket:
        return DurableBucket(name, DurableBucketArgs(kms_key_arn=kms_key_arn, version_days=version_days), opts=opts)

    @staticmethod
    def _replicate(
        name: str,
        region: str,
        bucket: DurableBucket,
        kms_key_arn: pulumi.Output[str],
        replica: ReplicaArgs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """The role that S3 copies with, what it may do, and the order to copy."""
        role = aws.iam.Role(
            f"{name}-replication",
            name=f"{name}-replication",
            description="S3 copies objects to their replica",
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "s3.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
            opts=opts,
        )
        permissions = aws.iam.RolePolicy(
            f"{name}-replication",
            name=f"{name}-replication",
            role=role.name,
            policy=_replication_policy(region, bucket.bucket_arn, kms_key_arn, replica),
            opts=opts,
        )
        aws.s3.BucketReplicationConfig(
            name,
            bucket=bucket.bucket_name,
            role=role.arn,
            rules=[
                aws.s3.BucketReplicationConfigRuleArgs(
                    id="everything-to-the-vault",
                    status="Enabled",
                    priority=1,
                    # An empty filter is every object. Without a filter S3 takes the rule for one of its first version,
                    # in which deletions cannot be configured.
                    filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
                    delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(
                        status="Enabled"
                    ),
                    # Without this, S3 leaves out every object that is encrypted with a KMS key, which here is all.
                    source_selection_criteria=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
                        sse_kms_encrypted_objects=(
                            aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
                                status="Enabled"
                            )
                        )
                    ),
                    destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(
                        bucket=replica.bucket_arn,
                        storage_class="STANDARD",
                        encryption_configuration=(
                            aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                                replica_kms_key_id=replica.kms_key_arn
                            )
                        ),
                        # Without replication time control, S3 promises no time at all, and reports no delay either.
                        replication_time=aws.s3.BucketReplicationConfigRuleDestinationReplicationTimeArgs(
                            status="Enabled",
                            time=aws.s3.BucketReplicationConfigRuleDestinationReplicationTimeTimeArgs(
                                minutes=_REPLICATION_TIME_MINUTES
                            ),
                        ),
                        metrics=aws.s3.BucketReplicationConfigRuleDestinationMetricsArgs(
                            status="Enabled",
                            event_threshold=aws.s3.BucketReplicationConfigRuleDestinationMetricsEventThresholdArgs(
                                minutes=_REPLICATION_TIME_MINUTES
                            ),
                        ),
                    ),
                )
            ],
            # An object that is written before S3 may copy it counts as failed, and S3 does not try it again.
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(depends_on=[bucket.versioning, permissions])
            ),
        )


def _replication_policy(
    region: str, bucket_arn: pulumi.Output[str], kms_key_arn: pulumi.Output[str], replica: ReplicaArgs
) -> pulumi.Output[str]:
    """What S3 needs to copy from this bucket to that replica, and nothing else.

    After "Setting up permissions for live replication" and "Replicating encrypted objects" in the S3 user guide. Each
    key may be used through S3 in its own region only, so the role opens nothing that is encrypted with it elsewhere.
    """
    every_object = pulumi.Output.concat(bucket_arn, "/*")
    every_copy = pulumi.Output.concat(replica.bucket_arn, "/*")
    return pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ReadTheOrder",
                    "Effect": "Allow",
                    "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
                    "Resource": bucket_arn,
                },
                {
                    "Sid": "ReadObjects",
                    "Effect": "Allow",
                    "Action": [
                        "s3:GetObjectVersionForReplication",
                        "s3:GetObjectVersionAcl",
                        "s3:GetObjectVersionTagging",
                    ],
                    "Resource": every_object,
                },
                {
                    "Sid": "WriteCopies",
                    "Effect": "Allow",
                    "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                    "Resource": every_copy,
                },
                {
                    "Sid": "DecryptObjects",
                    "Effect": "Allow",
                    "Action": "kms:Decrypt",
                    "Resource": kms_key_arn,
                    "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
                },
                {
                    "Sid": "EncryptCopies",
                    "Effect": "Allow",
                    "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
                    "Resource": replica.kms_key_arn,
                    "Condition": {"StringEquals": {"kms:ViaService": f"s3.{replica.region}.amazonaws.com"}},
                },
            ],
        }
    )
