"""CloudWatch in the local AWS: the metrics of S3's replication."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.aws import routing
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, a_key, local_aws

DIMENSIONS = {"SourceBucket": "bucket-from", "DestinationBucket": "bucket-to-there", "RuleId": "everything"}


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """A bucket that is replicated to another region, with metrics."""
    with local_aws() as running:
        key = a_key(running, THERE)
        for bucket, region in (("from", HERE), ("to-there", THERE)):
            s3 = running.client("s3", region)
            s3.create_bucket(Bucket=f"bucket-{bucket}", CreateBucketConfiguration={"LocationConstraint": region})
            s3.put_bucket_versioning(Bucket=f"bucket-{bucket}", VersioningConfiguration={"Status": "Enabled"})
        rule = {
            "ID": "everything",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": "arn:aws:s3:::bucket-to-there",
                "EncryptionConfiguration": {"ReplicaKmsKeyID": key},
                "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
            },
        }
        running.client("s3").put_bucket_replication(
            Bucket="bucket-from", ReplicationConfiguration={"Role": "arn:aws:iam::123456789012:role/x", "Rules": [rule]}
        )
        yield running


def metric(aws: LocalAws, name: str, region: str, statistic: str = "Maximum") -> list[float]:
    found: Any = aws.client("cloudwatch", region).get_metric_statistics(
        Namespace="AWS/S3",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in DIMENSIONS.items()],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=3600,
        Statistics=[statistic],
    )["Datapoints"]
    return [each[statistic] for each in found]


def test_pending_replication_is_measured_at_its_destination(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "is_dead", lambda region: region == THERE)
    aws.client("s3").put_object(Bucket="bucket-from", Key="x", Body=b"x")
    assert metric(aws, "OperationsPendingReplication", THERE) == [1]
    assert metric(aws, "OperationsPendingReplication", HERE) == []
    assert metric(aws, "ReplicationLatency", THERE)[0] < 60
    assert metric(aws, "OperationsFailedReplication", HERE, "Sum") == []


def test_failed_replication_is_measured_at_its_source(aws: LocalAws) -> None:
    (key,) = [each["KeyArn"] for each in aws.client("kms", THERE).list_keys()["Keys"]]
    aws.client("kms", THERE).disable_key(KeyId=key)
    for name in ("x", "y"):
        aws.client("s3").put_object(Bucket="bucket-from", Key=name, Body=b"x")
    assert metric(aws, "OperationsFailedReplication", HERE, "Sum") == [2]
    assert metric(aws, "OperationsFailedReplication", THERE, "Sum") == []
    assert aws.client("s3").head_object(Bucket="bucket-from", Key="x")["ReplicationStatus"] == "FAILED"


def test_alarm_is_published_once_when_it_begins(aws: LocalAws) -> None:
    sns, cloudwatch = aws.client("sns"), aws.client("cloudwatch")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.com")
    sns.confirm_subscription(TopicArn=topic, Token=aws.application.mailbox.mails[0]["token"])
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=cloudwatch_policy(topic, "999999999999")
    )
    cloudwatch.put_metric_alarm(
        AlarmName="failed",
        AlarmDescription="objects are not copied",
        Namespace="AWS/S3",
        MetricName="OperationsFailedReplication",
        Dimensions=[{"Name": key, "Value": value} for key, value in DIMENSIONS.items()],
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=300,
        Statistic="Sum",
        Threshold=0,
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    (key,) = [each["KeyArn"] for each in aws.client("kms", THERE).list_keys()["Keys"]]
    aws.client("kms", THERE).disable_key(KeyId=key)
    aws.application.mailbox.mails.clear()
    aws.client("s3").put_object(Bucket="bucket-from", Key="x", Body=b"x")
    assert cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"
    # The condition names a different account.
    assert aws.application.mailbox.mails == []
    cloudwatch.set_alarm_state(AlarmName="failed", StateValue="OK", StateReason="try again")
    assert aws.application.mailbox.mails == []
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=cloudwatch_policy(topic))
    cloudwatch.set_alarm_state(AlarmName="failed", StateValue="OK", StateReason="try again")
    aws.client("s3").put_object(Bucket="bucket-from", Key="y", Body=b"x")
    assert [mail["text"] for mail in aws.application.mailbox.mails] == [
        f'ALARM: "failed" in {HERE}: objects are not copied'
    ]


def cloudwatch_policy(topic: str, account: str = "123456789012") -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
