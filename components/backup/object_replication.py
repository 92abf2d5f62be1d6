"""The replication of one bucket's objects to another bucket, in another region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.alarms.mail import MetricAlarmArgs, metric_alarm
from components.aws.iam_documents import INLINE_POLICY_LIMIT, Condition, allow, document, trust

# The only time that S3 promises (S3 Replication Time Control). The promise is for objects, not for delete markers.
_REPLICATION_TIME_MINUTES = 15
_RULE = "everything"


@dataclass(frozen=True, kw_only=True)
class ReplicatedBucket:
    """A bucket at one end of a replication. It has versions and an object lock, like a `DurableBucket`."""

    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str]
    """The key, in the bucket's region, that encrypts its objects."""

    region: str
    """The bucket's region, which an S3 ARN does not have."""

    alarm_topic_arn: pulumi.Input[str]
    """The topic in the bucket's region that sends mail about the replication."""


@dataclass(frozen=True, kw_only=True)
class ObjectReplicationArgs:
    """The two buckets.

    Raises:
        ValueError: both are in the same region. The replicas would be lost together with the objects.
    """

    source: ReplicatedBucket
    destination: ReplicatedBucket
    after: Sequence[pulumi.Resource]
    """Resources that must exist first: S3 refuses to replicate from or to a bucket without versions."""

    role_boundary_arn: pulumi.Input[str] | None = None
    """The permissions boundary of the role. A deployment may create only roles that have it."""

    def __post_init__(self) -> None:
        if self.source.region == self.destination.region:
            raise ValueError(f"source and destination are both in {self.source.region}; copy to another region")


class ObjectReplication(pulumi.ComponentResource):
    """The replication of all objects of a bucket: a role, its permissions, and the replication configuration.

    A bucket has at most one replication configuration, which is replaced as a whole. S3 never replicates a replica, so
    two buckets can replicate to each other without a loop. It does replicate changes of a replica's metadata.

    A deletion is replicated as a delete marker. S3 never replicates the deletion of a version. So an object that was
    deleted by mistake or by an attacker can be restored on both sides for the plan's time, and an object that must be
    erased does not stay in the replica.
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
            # S3 does not retry an object that was written before the role had its permissions.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[*args.after, permissions])),
        )
        self._alarms(name, args)
        self.register_outputs({})

    def _alarms(self, name: str, args: ObjectReplicationArgs) -> None:
        """Declare the alarms about failed and late objects.

        S3 publishes failures in the region of the source, and delays in the region of the destination (S3 User Guide,
        "Using S3 Replication metrics"). S3 does not try a failed object again.
        """
        source, destination = args.source, args.destination
        for purpose, metric, statistic, above, bucket, problem in (
            ("failed", "OperationsFailedReplication", "Sum", 0, source, "S3 failed to copy objects"),
            ("late", "ReplicationLatency", "Maximum", _REPLICATION_TIME_MINUTES * 60, destination, "S3 copies late"),
        ):
            metric_alarm(
                f"{name}-{purpose}",
                MetricAlarmArgs(
                    description=f"{problem} from {source.region} to {destination.region}. Run `continuity copies`",
                    namespace="AWS/S3",
                    metric=metric,
                    statistic=statistic,
                    dimensions={
                        "SourceBucket": source.bucket_name,
                        "DestinationBucket": destination.bucket_name,
                        "RuleId": _RULE,
                    },
                    above=above,
                    topic_arn=bucket.alarm_topic_arn,
                    region=bucket.region,
                ),
                pulumi.ResourceOptions(parent=self),
            )


def _everything_to(destination: ReplicatedBucket) -> aws.s3.BucketReplicationConfigRuleArgs:
    """The rule that replicates every object and every delete marker."""
    return aws.s3.BucketReplicationConfigRuleArgs(
        id=_RULE,
        status="Enabled",
        priority=1,
        # An empty prefix selects every object. Without a filter, S3 uses the first version of its rules, which cannot
        # replicate delete markers.
        filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
        delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status="Enabled"),
        source_selection_criteria=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
            # Without this, a change of a replica's tags, retention or legal hold stays in the replica's bucket. S3's
            # user guide demands it in both directions of a two-way replication.
            replica_modifications=(
                aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaReplicaModificationsArgs(status="Enabled")
            ),
            # Without this, S3 leaves out objects that a KMS key encrypts. All of these are.
            sse_kms_encrypted_objects=(
                aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(status="Enabled")
            ),
        ),
        destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(
            bucket=destination.bucket_arn,
            storage_class="STANDARD",
            encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                replica_kms_key_id=destination.kms_key_arn
            ),
            # Without replication time control, S3 promises no time and reports no delay.
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
    """The permissions that S3 needs to replicate from one bucket to the other.

    Source: "Setting up permissions for live replication", "Replicating encrypted objects" and, for locked objects,
    "Using Object Lock with S3 Replication" in the S3 user guide. The role may use each key only through S3 in the key's
    region, so it decrypts nothing else.
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
