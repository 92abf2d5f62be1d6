"""The replication of one bucket's objects to another bucket, in another region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.iam_documents import INLINE_POLICY_LIMIT, Condition, allow, document, trust

# The one time that S3 offers for replication with a promise (S3 Replication Time Control).
_REPLICATION_TIME_MINUTES = 15


@dataclass(frozen=True, kw_only=True)
class ReplicatedBucket:
    """A bucket at one end of a replication. It has versions and an object lock, as a `DurableBucket` does."""

    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str]
    """The key, in the bucket's region, that its objects are encrypted with."""

    region: str
    """The bucket's region. An S3 ARN does not say it."""


@dataclass(frozen=True, kw_only=True)
class ObjectReplicationArgs:
    """From where to where.

    Raises:
        ValueError: both are in the same region, so that the copies would be lost with what they are copies of.
    """

    source: ReplicatedBucket
    destination: ReplicatedBucket
    after: Sequence[pulumi.Resource]
    """What has to be there first: S3 refuses to copy from a bucket without versions, and to one."""

    role_boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of every role that is made here: a deployment may make no role without one."""

    def __post_init__(self) -> None:
        if self.source.region == self.destination.region:
            raise ValueError(f"source and destination are both in {self.source.region}; copy to another region")


class ObjectReplication(pulumi.ComponentResource):
    """Everything that S3 needs to copy each object of one bucket to another: a role, what it may do, and the order.

    A bucket has one such order at most, which is replaced as a whole. S3 never copies what is itself a copy, so two
    buckets can copy to each other without a loop.

    Deletions are copied too, but only as markers: S3 never copies the deletion of a version. So what is deleted by
    mistake or by an attacker can be brought back on both sides for as long as the plan says, and what has to be erased
    does not live on in the replica for ever.
    """

    def __init__(self, name: str, args: ObjectReplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:storage:ObjectReplication", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        role = aws.iam.Role(
            name,
            name=name,
            description=f"S3 copies objects from {args.source.region} to {args.destination.region}",
            assume_role_policy=trust({"Service": "s3.amazonaws.com"}),
            permissions_boundary=args.role_boundary_arn,
            opts=guarded,
        )
        permissions = aws.iam.RolePolicy(
            name, name=name, role=role.name, policy=_policy(args.source, args.destination), opts=guarded
        )
        aws.s3.BucketReplicationConfig(
            name,
            region=args.source.region,
            bucket=args.source.bucket_name,
            role=role.arn,
            rules=[_everything_to(args.destination)],
            # An object that is written before S3 may copy it counts as failed, and S3 does not try it again.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[*args.after, permissions])),
        )
        self.register_outputs({})


def _everything_to(destination: ReplicatedBucket) -> aws.s3.BucketReplicationConfigRuleArgs:
    """The order to copy every object, and every deletion, within the time that S3 promises."""
    return aws.s3.BucketReplicationConfigRuleArgs(
        id="everything",
        status="Enabled",
        priority=1,
        # An empty filter is every object. Without a filter S3 takes the rule for one of its first version, in which
        # deletions cannot be configured.
        filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
        delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status="Enabled"),
        # Without this, S3 leaves out every object that is encrypted with a KMS key, which here is all.
        source_selection_criteria=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
            sse_kms_encrypted_objects=(
                aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(status="Enabled")
            )
        ),
        destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(
            bucket=destination.bucket_arn,
            storage_class="STANDARD",
            encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                replica_kms_key_id=destination.kms_key_arn
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


def _policy(source: ReplicatedBucket, destination: ReplicatedBucket) -> pulumi.Output[str]:
    """What S3 needs to copy from one bucket to the other, and nothing else.

    After "Setting up permissions for live replication", "Replicating encrypted objects" and, for what is locked,
    "Using Object Lock with S3 Replication" in the S3 user guide. Each key may be used through S3 in its own region
    only, so the role opens nothing that is encrypted with it elsewhere.
    """

    def written(arns: Sequence[str]) -> str:
        source_arn, source_key_arn, destination_arn, destination_key_arn = arns
        return document(
            [
                allow("ReadTheOrder", ["s3:GetReplicationConfiguration", "s3:ListBucket"], source_arn),
                allow(
                    "ReadObjects",
                    [
                        "s3:GetObjectVersionForReplication",
                        "s3:GetObjectVersionAcl",
                        "s3:GetObjectVersionTagging",
                        "s3:GetObjectRetention",
                        "s3:GetObjectLegalHold",
                    ],
                    f"{source_arn}/*",
                ),
                allow(
                    "WriteCopies",
                    ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                    f"{destination_arn}/*",
                ),
                allow("DecryptObjects", "kms:Decrypt", source_key_arn, _through_s3(source.region)),
                allow(
                    "EncryptCopies",
                    ["kms:Encrypt", "kms:GenerateDataKey"],
                    destination_key_arn,
                    _through_s3(destination.region),
                ),
            ],
            INLINE_POLICY_LIMIT,
        )

    return pulumi.Output.all(
        source.bucket_arn, source.kms_key_arn, destination.bucket_arn, destination.kms_key_arn
    ).apply(written)


def _through_s3(region: str) -> Condition:
    return {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
