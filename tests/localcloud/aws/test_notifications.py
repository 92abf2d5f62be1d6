"""Events in the local AWS: CloudTrail, EventBridge's rules and targets, SNS's subscriptions, and mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws_harness import THERE, LocalAws, local_aws

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/emergency"
EVENTS = {"Service": "events.amazonaws.com"}
ALL_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """A local AWS with a trail, a topic with a confirmed subscription, and a role that trusts its own account."""
    with local_aws() as running:
        running.client("s3", THERE).create_bucket(
            Bucket="trail", CreateBucketConfiguration={"LocationConstraint": THERE}
        )
        cloudtrail = running.client("cloudtrail", THERE)
        cloudtrail.create_trail(Name="calls", S3BucketName="trail", IsMultiRegionTrail=True)
        cloudtrail.start_logging(Name="calls")
        topic = running.client("sns", THERE).create_topic(Name="alarm")["TopicArn"]
        subscribe(running, topic)
        confirm(running)
        running.client("iam").create_role(RoleName="emergency", AssumeRolePolicyDocument=policy({"AWS": "*"}))
        running.application.mailbox.mails.clear()
        yield running


def policy(principal: dict[str, str], action: str = "sts:AssumeRole", **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def subscribe(aws: LocalAws, topic: str, email: str = "ann@example.com") -> str:
    return str(
        aws.client("sns", THERE).subscribe(
            TopicArn=topic, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
    )


def confirm(aws: LocalAws) -> None:
    for mail in aws.application.mailbox.mails:
        if "token" in mail:
            aws.client("sns", THERE).confirm_subscription(TopicArn=mail["topic"], Token=mail["token"])


def arn(topic: str = "alarm") -> str:
    return f"arn:aws:sns:{THERE}:{ACCOUNT}:{topic}"


def admit(aws: LocalAws, **more: Any) -> None:
    """Set the topic's policy: it allows EventBridge to publish."""
    aws.client("sns", THERE).set_topic_attributes(
        TopicArn=arn(), AttributeName="Policy", AttributeValue=policy(EVENTS, "sns:Publish", Resource=arn(), **more)
    )


def rule(aws: LocalAws, pattern: dict[str, Any], state: str = ALL_EVENTS, **target: str) -> None:
    events = aws.client("events", THERE)
    events.put_rule(Name="taken", State=state, EventPattern=json.dumps(pattern))
    transformer = {"InputPathsMap": {"what": "$.detail.eventName"}, "InputTemplate": '"call of <what>"'}
    events.put_targets(Rule="taken", Targets=[{"Id": "1", "Arn": arn(), "InputTransformer": transformer, **target}])


def failed_invocations(aws: LocalAws) -> list[float]:
    points: Any = aws.client("cloudwatch", THERE).get_metric_statistics(
        Namespace="AWS/Events",
        MetricName="FailedInvocations",
        Dimensions=[{"Name": "RuleName", "Value": "taken"}],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return [point["Sum"] for point in points]


def assume(aws: LocalAws) -> None:
    aws.client("sts", THERE).assume_role(RoleArn=ROLE, RoleSessionName="ann")


def texts(aws: LocalAws) -> list[str]:
    return [mail["text"] for mail in aws.application.mailbox.mails]


TAKEN = {"source": ["aws.sts"], "detail": {"requestParameters": {"roleArn": [ROLE]}}}


def test_rule_publishes_to_topic_that_admits_eventbridge(aws: LocalAws) -> None:
    rule(aws, TAKEN)
    assume(aws)
    # The policy of a new topic admits its own account only.
    assert texts(aws) == []
    admit(aws)
    assume(aws)
    assert texts(aws) == ["call of AssumeRole"]
    aws.client("events", THERE).disable_rule(Name="taken")
    assume(aws)
    assert len(texts(aws)) == 1


def test_condition_in_topic_policy_ends_delivery(aws: LocalAws) -> None:
    rule(aws, TAKEN)
    admit(aws, Condition={"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{THERE}:{ACCOUNT}:rule/taken"}})
    assume(aws)
    assert texts(aws) == []
    assert failed_invocations(aws) == [1]


def test_role_of_target_replaces_topic_policy(aws: LocalAws) -> None:
    iam = aws.client("iam")
    role = iam.create_role(RoleName="publisher", AssumeRolePolicyDocument=policy(EVENTS))["Role"]["Arn"]
    rule(aws, TAKEN, RoleArn=role)
    assume(aws)
    assert texts(aws) == []
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": arn()}]}
    iam.put_role_policy(RoleName="publisher", PolicyName="publish", PolicyDocument=json.dumps(allowed))
    assume(aws)
    assert texts(aws) == ["call of AssumeRole"]


def test_reading_call_needs_rule_for_all_events(aws: LocalAws) -> None:
    admit(aws)
    rule(aws, TAKEN, state="ENABLED")
    assume(aws)
    assert texts(aws) == []


def test_stopped_trail_records_nothing(aws: LocalAws) -> None:
    admit(aws)
    rule(aws, TAKEN)
    aws.client("cloudtrail", THERE).stop_logging(Name="calls")
    assume(aws)
    assert texts(aws) == []


def test_pending_subscription_receives_no_message(aws: LocalAws) -> None:
    sns = aws.client("sns", THERE)
    pending = subscribe(aws, arn(), "bob@example.com")
    assert [mail["to"] for mail in aws.application.mailbox.mails] == ["bob@example.com"]
    admit(aws)
    rule(aws, TAKEN)
    assume(aws)
    assert [mail["to"] for mail in aws.application.mailbox.mails[1:]] == ["ann@example.com"]
    shown = {
        each["Endpoint"]: each["SubscriptionArn"]
        for each in sns.list_subscriptions_by_topic(TopicArn=arn())["Subscriptions"]
    }
    assert shown["bob@example.com"] == "PendingConfirmation"
    assert shown["ann@example.com"].startswith(f"{arn()}:")
    assert sns.get_subscription_attributes(SubscriptionArn=pending)["Attributes"]["PendingConfirmation"] == "true"
    with pytest.raises(ClientError, match="Token"):
        sns.confirm_subscription(TopicArn=arn(), Token="wrong")
    confirm(aws)
    assert sns.get_subscription_attributes(SubscriptionArn=pending)["Attributes"]["PendingConfirmation"] == "false"
    assume(aws)
    assert [mail["to"] for mail in aws.application.mailbox.mails[2:]] == ["ann@example.com", "bob@example.com"]


def test_refused_call_records_message_without_parameters() -> None:
    """IAM's refusal names the role in its message only."""
    with local_aws(enforce_iam=True) as aws:
        aws.client("s3", THERE).create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": THERE})
        aws.client("cloudtrail", THERE).create_trail(Name="calls", S3BucketName="trail")
        aws.client("cloudtrail", THERE).start_logging(Name="calls")
        aws.client("sns", THERE).create_topic(Name="alarm")
        subscribe(aws, arn())
        confirm(aws)
        admit(aws)
        aws.application.mailbox.mails.clear()
        iam = aws.client("iam")
        iam.create_user(UserName="eve")
        key = iam.create_access_key(UserName="eve")["AccessKey"]
        eve = aws.connect(accessKey=key["AccessKeyId"], secretKey=key["SecretAccessKey"]).client("sts", THERE)
        for pattern, expected in (
            (TAKEN, 0),
            ({"detail": {"errorMessage": [{"wildcard": f"*{ROLE}*"}]}}, 1),
            (
                {
                    "detail": {
                        "$or": [
                            {"requestParameters": {"roleArn": [ROLE]}},
                            {"errorMessage": [{"wildcard": f"*{ROLE}*"}]},
                        ]
                    }
                },
                2,
            ),
        ):
            rule(aws, pattern)
            with pytest.raises(ClientError, match="AccessDenied"):
                eve.assume_role(RoleArn=ROLE, RoleSessionName="eve")
            assert len(texts(aws)) == expected
