"""The alarm that emails every person when the emergency role is assumed, or when the alarm itself is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.alarms.mail import MailRuleArgs, mail_rule, mail_topic
from components.aws.durable_bucket import DurableBucket, DurableBucketArgs
from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.aws.iam_documents import AccountScope, Statement, allow, document
from plan.names import bucket_name

# CloudTrail classifies AssumeRole as a read event. EventBridge omits read events unless a rule's state includes them.
_WITH_READ_EVENTS: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_VIA_CLOUDTRAIL: Final = "AWS API Call via CloudTrail"
_CLOUDTRAIL: Final = {"Service": "cloudtrail.amazonaws.com"}
_TAMPERING: Final[Mapping[str, tuple[str, ...]]] = {
    # Tags decide on permissions.
    "events": ("DeleteRule", "DisableRule", "PutRule", "PutTargets", "RemoveTargets", "TagResource", "UntagResource"),
    "sns": (
        "AddPermission",
        "DeleteTopic",
        "RemovePermission",
        "SetSubscriptionAttributes",
        "SetTopicAttributes",
        "Unsubscribe",
    ),
    "cloudtrail": ("DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"),
}
_KEY_TAMPERING: Final = ("DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion")
# CloudTrail's names of S3's operations differ from the API's in places, so these are prefixes.
_BUCKET_TAMPERING: Final = ("DeleteBucket", "PutBucket", "PutObjectLockConfiguration")

_PATHS: Final = {
    "who": "$.detail.userIdentity.arn",
    "what": "$.detail.eventName",
    "address": "$.detail.sourceIPAddress",
}
_ASSUMPTION_EMAIL: Final = (
    "EMERGENCY ACCESS: <who> assumed, or tried to assume, the role with all permissions, at <when>, from <address>."
    " If you know of no emergency, read docs/access.md now."
)
_TAMPERING_EMAIL: Final = (
    "ALARM CHANGED: <who> called <what>, which changes the alarm for emergency access or its records, at <when>, from"
    " <address>. If you know of no deployment, read docs/access.md now."
)


@dataclass(frozen=True, kw_only=True)
class EmergencyAlarmArgs:
    """The role that the alarm watches, the recipients, and the retention of the records.

    Raises:
        ValueError: there are fewer than two recipients, so that one person could use the role unnoticed.
    """

    region: str
    """The region of the provider. The role can be assumed only through it."""

    break_glass_arn: pulumi.Input[str]
    emails: Mapping[str, str]
    """Each recipient's email address by the name of their user."""

    key_deletion_window_days: int
    record_days: int
    """`retention.object_version_days` of the plan: days for which a deleted record can be restored."""

    record_lock_days: int
    """`retention.object_lock_days` of the plan: days for which a record cannot be deleted."""

    def __post_init__(self) -> None:
        if len(set(self.emails.values())) < 2:
            raise ValueError(f"emails are {dict(self.emails)}; at least 2 different recipients are needed")


class EmergencyAlarm(pulumi.ComponentResource):
    """A trail of the account's management events, and EventBridge rules that send an email for the critical ones.

    The trail covers every region and the global services. It writes its records to a bucket that locks them. A rule
    receives only the events of its region, so the trust policy of the role admits calls through this region only.

    Each recipient has to confirm their address once, by a link that AWS sends. Until then they receive no email, and
    `continuity access` reports it.
    """

    topic_arn: pulumi.Output[str]
    trail_name: pulumi.Output[str]

    def __init__(self, name: str, args: EmergencyAlarmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:EmergencyAlarm", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        key, records = self._records(name, args, guarded)
        trail = self._trail(name, key, records, guarded)
        topic = mail_topic(name, args.emails, guarded)
        mail_rule(
            f"{name}-taken",
            MailRuleArgs(
                description="The emergency role is assumed, or an attempt is refused",
                pattern=pulumi.Output.from_input(args.break_glass_arn).apply(_assumption_pattern),
                text=_ASSUMPTION_EMAIL,
                paths=_PATHS,
                topic_arn=topic.arn,
                state=_WITH_READ_EVENTS,
            ),
            guarded,
        )
        mail_rule(
            f"{name}-tampering",
            MailRuleArgs(
                description="The alarm for emergency access, or its records, are changed",
                pattern=pulumi.Output.all(key.arn, records.bucket_name).apply(lambda known: _tampering_pattern(*known)),
                text=_TAMPERING_EMAIL,
                paths=_PATHS,
                topic_arn=topic.arn,
                state=_WITH_READ_EVENTS,
            ),
            guarded,
        )

        self.topic_arn = topic.arn
        self.trail_name = trail.name
        self.register_outputs({"topicArn": self.topic_arn, "trailName": self.trail_name})

    def _records(
        self, name: str, args: EmergencyAlarmArgs, guarded: pulumi.ResourceOptions
    ) -> tuple[EncryptionKey, DurableBucket]:
        """Declare the key and the bucket of the trail's records."""
        scope = pulumi.Output.from_input(args.break_glass_arn).apply(lambda arn: AccountScope.of(arn, (args.region,)))
        trail_arn = scope.apply(lambda scope: scope.arn("cloudtrail", f"trail/{name}"))
        known = pulumi.Output.all(scope, trail_arn)
        key = EncryptionKey(
            f"{name}-records",
            EncryptionKeyArgs(
                description="The records of what is done in the account",
                deletion_window_days=args.key_deletion_window_days,
                retain_on_delete=True,
                policy=known.apply(lambda known: _key_policy(*known)),
            ),
            opts=guarded,
        )
        records = DurableBucket(
            f"{name}-records",
            DurableBucketArgs(
                kms_key_arn=key.arn,
                version_days=args.record_days,
                lock_days=args.record_lock_days,
                retain_on_delete=True,
                statements=known.apply(lambda known: _bucket_statements(f"{name}-records", *known)),
            ),
            opts=guarded,
        )
        return key, records

    def _trail(
        self, name: str, key: EncryptionKey, records: DurableBucket, guarded: pulumi.ResourceOptions
    ) -> aws.cloudtrail.Trail:
        return aws.cloudtrail.Trail(
            name,
            name=name,
            s3_bucket_name=records.bucket_name,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            kms_key_id=key.arn,
            tags={"Name": name},
            # CloudTrail checks its permission to write before it accepts the bucket.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[records])),
        )


def _assumption_pattern(role_arn: str) -> str:
    """Match each use of the role. CloudTrail omits a refused call's parameters: only the message names the role."""
    return json.dumps(
        {
            "source": ["aws.sts"],
            "detail-type": [_VIA_CLOUDTRAIL],
            "detail": {
                "eventSource": ["sts.amazonaws.com"],
                "eventName": ["AssumeRole"],
                "$or": [
                    {"requestParameters": {"roleArn": [role_arn]}},
                    {"errorMessage": [{"wildcard": f"*{role_arn}*"}]},
                ],
            },
        }
    )


def _tampering_pattern(key_arn: str, bucket: str) -> str:
    """Match each change of the rules, topics and trails of the region, and of the records' key and bucket."""
    key_id = key_arn.rpartition("/")[2]
    bucket_events = [{"prefix": prefix} for prefix in _BUCKET_TAMPERING]
    return json.dumps(
        {
            "source": [f"aws.{service}" for service in (*_TAMPERING, "kms", "s3")],
            "detail-type": [_VIA_CLOUDTRAIL],
            "detail": {
                "$or": [
                    *({"eventSource": [f"{name}.amazonaws.com"], "eventName": ev} for name, ev in _TAMPERING.items()),
                    # The caller names the key by its id or by its ARN.
                    {"eventName": _KEY_TAMPERING, "requestParameters": {"keyId": [{"wildcard": f"*{key_id}"}]}},
                    {"eventName": _KEY_TAMPERING, "errorMessage": [{"wildcard": f"*{key_id}*"}]},
                    {"eventName": bucket_events, "requestParameters": {"bucketName": [bucket]}},
                    {"eventName": bucket_events, "errorMessage": [{"wildcard": f"*{bucket}*"}]},
                ]
            },
        }
    )


def _key_policy(scope: AccountScope, trail_arn: str) -> str:
    """KMS's default policy, plus this trail (CloudTrail User Guide, "Configure KMS key policies")."""
    this_trail = {"StringEquals": {"aws:SourceArn": trail_arn}}
    return document(
        [
            allow("Account", "kms:*", "*", principal={"AWS": scope.root}),
            allow("Encrypt", "kms:GenerateDataKey*", "*", this_trail, principal=_CLOUDTRAIL),
            allow("Describe", "kms:DescribeKey", "*", this_trail, principal=_CLOUDTRAIL),
        ]
    )


def _bucket_statements(bucket: str, scope: AccountScope, trail_arn: str) -> list[Statement]:
    """Allow CloudTrail to write, for this trail only (CloudTrail User Guide, "Amazon S3 bucket policy")."""
    (bucket_arn,) = scope.buckets(bucket_name(bucket, scope.account))
    this_trail = {"StringEquals": {"aws:SourceArn": trail_arn}}
    return [
        allow("LookBeforeWriting", "s3:GetBucketAcl", bucket_arn, this_trail, principal=_CLOUDTRAIL),
        allow(
            "WriteRecords",
            "s3:PutObject",
            f"{bucket_arn}/AWSLogs/{scope.account}/*",
            this_trail,
            {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
            principal=_CLOUDTRAIL,
        ),
    ]
