"""Mail about events: an SNS topic with recipients, and EventBridge rules that publish to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_aws as aws

from components.aws.iam_documents import Arn, allow, document

# A rule sends within seconds. So a failure is noticed within this time.
_PERIOD_SECONDS: Final = 300


def topic_policy(topic: str) -> str:
    """Allow EventBridge and the account's CloudWatch alarms to publish to a topic.

    EventBridge supports no conditions in the policy of a topic (EventBridge User Guide, "Amazon SNS permissions"): with
    one, every event is dropped. So a rule of another account that knows the topic's ARN could send a mail as well.
    """
    own_alarms = {"StringEquals": {"aws:SourceAccount": Arn.parse(topic).account}}
    return document(
        [
            allow("RulesTell", "sns:Publish", topic, principal={"Service": "events.amazonaws.com"}),
            allow("AlarmsTell", "sns:Publish", topic, own_alarms, principal={"Service": "cloudwatch.amazonaws.com"}),
        ]
    )


def mail_topic(name: str, emails: Mapping[str, str], opts: pulumi.ResourceOptions) -> aws.sns.Topic:
    """Declare a topic that sends mail.

    Each recipient has to confirm their address once, by a link that AWS sends. Until then they receive no mail.

    Args:
        name: the name of the topic.
        emails: each recipient's address, by the name of their user.
        opts: the options of all resources.
    """
    topic = aws.sns.Topic(name, name=name, display_name="botBrains alarms", tags={"Name": name}, opts=opts)
    for person, email in emails.items():
        aws.sns.TopicSubscription(f"{name}-{person}", topic=topic.arn, protocol="email", endpoint=email, opts=opts)
    aws.sns.TopicPolicy(name, arn=topic.arn, policy=topic.arn.apply(topic_policy), opts=opts)
    return topic


@dataclass(frozen=True, kw_only=True)
class MailRuleArgs:
    """The events, and the mail about each of them."""

    description: str
    pattern: pulumi.Input[str]
    """The event pattern, as JSON."""

    text: str
    """The mail. EventBridge replaces each name in <> with the value at its path."""

    paths: Mapping[str, str] = field(default_factory=dict)
    """The paths in the event by the names in the text. `when` and `region` are always available.

    A path must lead to a short value without quotation marks: the text is a JSON string.
    """

    topic_arn: pulumi.Input[str]
    state: str = "ENABLED"


def mail_rule(name: str, args: MailRuleArgs, opts: pulumi.ResourceOptions) -> None:
    """Declare a rule that sends a mail for each event, and an alarm for the case that it cannot."""
    rule = aws.cloudwatch.EventRule(
        name,
        name=name,
        description=args.description,
        event_pattern=args.pattern,
        state=args.state,
        tags={"Name": name},
        opts=opts,
    )
    aws.cloudwatch.EventTarget(
        name,
        rule=rule.name,
        target_id="mail",
        arn=args.topic_arn,
        input_transformer=aws.cloudwatch.EventTargetInputTransformerArgs(
            input_paths={"when": "$.time", "region": "$.region", **args.paths}, input_template=json.dumps(args.text)
        ),
        opts=opts,
    )
    metric_alarm(
        f"{name}-failed",
        MetricAlarmArgs(
            description=f"EventBridge could not send the mail of the rule {name}. Read docs/access.md",
            namespace="AWS/Events",
            metric="FailedInvocations",
            statistic="Sum",
            dimensions={"RuleName": name},
            above=0,
            topic_arn=args.topic_arn,
        ),
        opts,
    )


@dataclass(frozen=True, kw_only=True)
class MetricAlarmArgs:
    """A metric, and the value that it must not exceed."""

    description: str
    namespace: str
    metric: str
    statistic: str
    dimensions: Mapping[str, pulumi.Input[str]]
    above: float
    topic_arn: pulumi.Input[str]
    """A topic in the region of the alarm."""

    region: str | None = None
    """The region of the metric. `None` for the region of the provider."""


def metric_alarm(name: str, args: MetricAlarmArgs, opts: pulumi.ResourceOptions) -> None:
    """Declare an alarm that sends a mail when a metric exceeds a value. No data means that nothing happened."""
    aws.cloudwatch.MetricAlarm(
        name,
        region=args.region,
        name=name,
        alarm_description=args.description,
        namespace=args.namespace,
        metric_name=args.metric,
        dimensions=args.dimensions,
        statistic=args.statistic,
        period=_PERIOD_SECONDS,
        evaluation_periods=1,
        comparison_operator="GreaterThanThreshold",
        threshold=args.above,
        treat_missing_data="notBreaching",
        alarm_actions=[args.topic_arn],
        tags={"Name": name},
        opts=opts,
    )
