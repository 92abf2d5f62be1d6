"""Both are told when somebody takes the emergency's role, and when somebody tampers with what tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

# Each from the file that it is in: their packages as wholes take a tenth to a quarter of a second of every run.
from pulumi_aws.cloudtrail.trail import Trail
from pulumi_aws.cloudwatch._inputs import EventTargetInputTransformerArgs
from pulumi_aws.cloudwatch.event_rule import EventRule
from pulumi_aws.cloudwatch.event_target import EventTarget

from components.aws.durable_bucket import DurableBucket, DurableBucketArgs
from components.aws.encryption_key import EncryptionKey, EncryptionKeyArgs
from components.aws.iam_documents import Place, Statement, allow, document

# CloudTrail counts the taking of a role as reading, and EventBridge leaves reading out unless a rule asks for it.
_WITH_READING: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_VIA_CLOUDTRAIL: Final = "AWS API Call via CloudTrail"
_CLOUDTRAIL: Final = {"Service": "cloudtrail.amazonaws.com"}
_TAMPERING: Final[Mapping[str, tuple[str, ...]]] = {
    "events": ("DeleteRule", "DisableRule", "PutRule", "PutTargets", "RemoveTargets"),
    "sns": ("AddPermission", "DeleteTopic", "SetSubscriptionAttributes", "SetTopicAttributes", "Unsubscribe"),
    "cloudtrail": ("DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"),
}


@dataclass(frozen=True, kw_only=True)
class EmergencyAlarmArgs:
    """Whom it tells, and of what.

    Raises:
        ValueError: fewer than two are told, so that somebody could be alone with it.
    """

    region: str
    """The region of the provider, through which alone the role can be taken."""

    break_glass_arn: pulumi.Input[str]
    emails: Mapping[str, str]
    """Where each person is told, by the names of their accounts."""

    key_deletion_window_days: int
    record_days: int
    """`retention.object_version_days` of the plan: for so long a record that was deleted can be brought back."""

    record_lock_days: int
    """`retention.object_lock_days` of the plan: for so long no record can be deleted."""

    def __post_init__(self) -> None:
        if len(set(self.emails.values())) < 2:
            raise ValueError(f"emails are {dict(self.emails)}; at least 2 people are told")


class EmergencyAlarm(pulumi.ComponentResource):
    """A trail of what is done in the account, and rules that send mail of what must not pass unseen.

    The trail takes in every region, and the calls that are in none. Its records go to a bucket that locks them. Rules
    see only what happens in their own region, so the role lets itself be taken through this region alone.

    Each person has to confirm their address once: AWS sends them a link. Until then they are not told, and
    `continuity access` says so.
    """

    topic_arn: pulumi.Output[str]
    trail_name: pulumi.Output[str]

    def __init__(self, name: str, args: EmergencyAlarmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:EmergencyAlarm", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        place = pulumi.Output.from_input(args.break_glass_arn).apply(lambda arn: Place.of(arn, (args.region,)))
        trail_arn = place.apply(lambda place: place.arn("cloudtrail", f"trail/{name}"))

        key = EncryptionKey(
            f"{name}-records",
            EncryptionKeyArgs(
                description="The records of what is done in the account",
                deletion_window_days=args.key_deletion_window_days,
                retain_on_delete=True,
                policy=pulumi.Output.all(place, trail_arn).apply(lambda known: _key_policy(*known)),
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
                statements=pulumi.Output.all(place, trail_arn).apply(
                    lambda known: _writing_records(f"{name}-records", *known)
                ),
            ),
            opts=guarded,
        )
        trail = Trail(
            name,
            name=name,
            s3_bucket_name=records.bucket_name,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            kms_key_id=key.arn,
            tags={"Name": name},
            # CloudTrail looks whether it may write there before it accepts the bucket.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[records])),
        )

        topic = aws.sns.Topic(
            name, name=name, display_name="botBrains emergency access", tags={"Name": name}, opts=guarded
        )
        for person, email in args.emails.items():
            aws.sns.TopicSubscription(
                f"{name}-{person}", topic=topic.arn, protocol="email", endpoint=email, opts=guarded
            )
        rules = [
            self._rule(
                f"{name}-taken",
                "Somebody takes the emergency's role, or tries to",
                pulumi.Output.json_dumps(
                    {
                        "source": ["aws.sts"],
                        "detail-type": [_VIA_CLOUDTRAIL],
                        "detail": {
                            "eventSource": ["sts.amazonaws.com"],
                            "eventName": ["AssumeRole"],
                            "requestParameters": {"roleArn": [args.break_glass_arn]},
                        },
                    }
                ),
                "EMERGENCY ACCESS: <who> took, or tried to take, the role that may do everything, at <when>, from"
                " <address>. If this is not an emergency that you know of, read docs/access.md now.",
                topic,
                guarded,
            ),
            self._rule(
                f"{name}-tampering",
                "Somebody changes what tells of emergencies",
                json.dumps(
                    {
                        "source": [f"aws.{service}" for service in _TAMPERING],
                        "detail-type": [_VIA_CLOUDTRAIL],
                        "detail": {
                            "eventSource": [f"{service}.amazonaws.com" for service in _TAMPERING],
                            "eventName": [event for events in _TAMPERING.values() for event in events],
                        },
                    }
                ),
                "ALARM CHANGED: <who> changed what tells of emergency access, at <when>, from <address>. If this is"
                " not a deployment that you know of, read docs/access.md now.",
                topic,
                guarded,
            ),
        ]
        aws.sns.TopicPolicy(
            name,
            arn=topic.arn,
            policy=pulumi.Output.all(topic.arn, *(rule.arn for rule in rules)).apply(
                lambda arns: document(
                    [
                        allow(
                            "RulesTell",
                            "sns:Publish",
                            arns[0],
                            {"ArnEquals": {"aws:SourceArn": arns[1:]}},
                            principal={"Service": "events.amazonaws.com"},
                        )
                    ]
                )
            ),
            opts=guarded,
        )
        self.topic_arn = topic.arn
        self.trail_name = trail.name
        self.register_outputs({"topicArn": self.topic_arn, "trailName": self.trail_name})

    @staticmethod
    def _rule(
        name: str,
        description: str,
        pattern: pulumi.Input[str],
        sentence: str,
        topic: aws.sns.Topic,
        opts: pulumi.ResourceOptions,
    ) -> EventRule:
        """A rule that sends a sentence; what stands in <> in it is taken from the event."""
        rule = EventRule(
            name,
            name=name,
            description=description,
            event_pattern=pattern,
            state=_WITH_READING,
            tags={"Name": name},
            opts=opts,
        )
        EventTarget(
            name,
            rule=rule.name,
            target_id="mail",
            arn=topic.arn,
            input_transformer=EventTargetInputTransformerArgs(
                input_paths={
                    "who": "$.detail.userIdentity.arn",
                    "when": "$.time",
                    "address": "$.detail.sourceIPAddress",
                },
                input_template=json.dumps(sentence),
            ),
            opts=opts,
        )
        return rule


def _key_policy(place: Place, trail_arn: str) -> str:
    """KMS's own default, and CloudTrail, for this trail alone (CloudTrail User Guide, "Configure KMS key policies")."""
    this_trail = {"StringEquals": {"aws:SourceArn": trail_arn}}
    return document(
        [
            allow("Account", "kms:*", "*", principal={"AWS": place.root}),
            allow("Encrypt", "kms:GenerateDataKey*", "*", this_trail, principal=_CLOUDTRAIL),
            allow("Describe", "kms:DescribeKey", "*", this_trail, principal=_CLOUDTRAIL),
        ]
    )


def _writing_records(bucket: str, place: Place, trail_arn: str) -> list[Statement]:
    """What lets CloudTrail write, for this trail alone (CloudTrail User Guide, "Amazon S3 bucket policy")."""
    (bucket_arn,) = place.buckets(bucket)
    this_trail = {"StringEquals": {"aws:SourceArn": trail_arn}}
    return [
        allow("LookBeforeWriting", "s3:GetBucketAcl", bucket_arn, this_trail, principal=_CLOUDTRAIL),
        allow(
            "WriteRecords",
            "s3:PutObject",
            f"{bucket_arn}/AWSLogs/{place.account}/*",
            this_trail,
            {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
            principal=_CLOUDTRAIL,
        ),
    ]
