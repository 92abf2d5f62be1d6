"""The tables of IAM, SNS, EventBridge and CloudTrail against the local AWS."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import THERE, LocalAws, Made, a_key

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def test_policy_keeps_five_versions(aws: LocalAws, cloud: Cloud) -> None:
    policy = Made.create(
        cloud, "aws:iam/policy:Policy", name="reading", description="looks", policy=json.dumps(READ), tags={"a": "1"}
    )
    user = Made.create(cloud, "aws:iam/user:User", name="ann", tags={"team": "ops"})
    given = Made.create(
        cloud, "aws:iam/userPolicyAttachment:UserPolicyAttachment", user="ann", policyArn=policy.identity
    )
    for number in range(7):
        READ["Statement"][0]["Sid"] = f"Version{number}"  # type: ignore[index]
        policy.change(policy=json.dumps(READ))
    assert len(aws.client("iam").list_policy_versions(PolicyArn=policy.identity)["Versions"]) == 5
    policy.change(tags={"b": "2"})
    user.change(tags={"team": "platform"})
    # A change by hand extends the policy.
    iam = aws.client("iam")
    old = next(
        it for it in iam.list_policy_versions(PolicyArn=policy.identity)["Versions"] if not it["IsDefaultVersion"]
    )
    iam.delete_policy_version(PolicyArn=policy.identity, VersionId=old["VersionId"])
    iam.create_policy_version(PolicyArn=policy.identity, PolicyDocument=json.dumps(ALL), SetAsDefault=True)
    assert policy.drift() == {"policy"}
    with pytest.raises(ClientError, match="DeleteConflict"):
        policy.delete()
    for made in (given, policy, user):
        made.delete()
        with pytest.raises(GoneError):
            made.read()


def test_user_with_access_key_needs_force(aws: LocalAws, cloud: Cloud) -> None:
    user = Made.create(cloud, "aws:iam/user:User", name="bob")
    aws.client("iam").create_access_key(UserName="bob")
    with pytest.raises(ClientError, match="DeleteConflict"):
        user.delete()
    user.inputs["forceDestroy"] = True
    user.delete()
    with pytest.raises(GoneError):
        user.read()


def test_oidc_provider_life(aws: LocalAws, cloud: Cloud) -> None:
    issuer = Made.create(
        cloud,
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        url="https://issuer.example.com/tokens",
        clientIdLists=["sts.amazonaws.com"],
        tags={"a": "1"},
    )
    assert issuer.identity.endswith(":oidc-provider/issuer.example.com/tokens")
    issuer.change(tags={"b": "1"})
    with pytest.raises(RefusedError, match="clientIdLists"):
        issuer.change(clientIdLists=["another"])
    aws.client("iam").tag_open_id_connect_provider(
        OpenIDConnectProviderArn=issuer.identity, Tags=[{"Key": "by", "Value": "hand"}]
    )
    assert issuer.drift() == {"tags"}
    issuer.delete()
    with pytest.raises(GoneError):
        issuer.read()


def test_event_rule_with_email_target(aws: LocalAws, cloud: Cloud) -> None:
    topic = Made.create(cloud, "aws:sns/topic:Topic", region=THERE, name="alarm", displayName="Alarm", tags={"a": "1"})
    assert topic.outputs["arn"].startswith(f"arn:aws:sns:{THERE}:")
    subscription = Made.create(
        cloud,
        "aws:sns/topicSubscription:TopicSubscription",
        region=THERE,
        topic=topic.identity,
        protocol="email",
        endpoint="ann@example.com",
    )
    rule = Made.create(
        cloud,
        "aws:cloudwatch/eventRule:EventRule",
        region=THERE,
        name="taken",
        description="a role is taken",
        eventPattern=json.dumps({"source": ["aws.sts"], "detail": {"eventName": ["AssumeRole"]}}),
        state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
        tags={"a": "1"},
    )
    policy = Made.create(
        cloud,
        "aws:sns/topicPolicy:TopicPolicy",
        region=THERE,
        arn=topic.identity,
        policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": topic.identity,
                        "Condition": {"ArnEquals": {"aws:SourceArn": [rule.outputs["arn"]]}},
                    }
                ],
            }
        ),
    )
    inputs = {"region": THERE, "rule": "taken", "targetId": "mail", "arn": topic.identity}
    target = Made.create(
        cloud,
        "aws:cloudwatch/eventTarget:EventTarget",
        **inputs,
        inputTransformer={"inputPaths": {"who": "$.detail.who"}, "inputTemplate": '"it was <who>"'},
    )
    topic.change(displayName="The alarm", tags={"b": "1"})
    rule.change(description="a role is assumed", tags={"b": "1"})
    target.change(inputTransformer={"inputPaths": {"who": "$.detail.who"}, "inputTemplate": '"<who> did it"'})

    aws.client("events", THERE).disable_rule(Name="taken")
    assert rule.drift() == {"state"}
    aws.client("events", THERE).remove_targets(Rule="taken", Ids=["mail"])
    with pytest.raises(GoneError):
        target.read()
    policy.delete()
    assert "events.amazonaws.com" not in policy.read()["policy"]
    for made in (subscription, rule, topic):
        made.delete()
        with pytest.raises(GoneError):
            made.read()


def test_metric_alarm_life(aws: LocalAws, cloud: Cloud) -> None:
    alarm = Made.create(
        cloud,
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        region=THERE,
        name="failed",
        alarmDescription="a rule could not send",
        namespace="AWS/Events",
        metricName="FailedInvocations",
        dimensions={"RuleName": "taken"},
        comparisonOperator="GreaterThanThreshold",
        evaluationPeriods=1,
        period=300,
        statistic="Sum",
        threshold=0,
        treatMissingData="notBreaching",
        alarmActions=[f"arn:aws:sns:{THERE}:123456789012:alarm"],
        tags={"a": "1"},
    )
    alarm.change(threshold=2, tags={"b": "1"})
    aws.client("cloudwatch", THERE).delete_alarms(AlarmNames=["failed"])
    with pytest.raises(GoneError):
        alarm.read()


def test_stopped_trail_is_drift(aws: LocalAws, cloud: Cloud) -> None:
    Made.create(cloud, "aws:s3/bucket:Bucket", bucket="records", region=THERE)
    trail = Made.create(
        cloud,
        "aws:cloudtrail/trail:Trail",
        region=THERE,
        name="calls",
        s3BucketName="records",
        isMultiRegionTrail=True,
        includeGlobalServiceEvents=True,
        enableLogFileValidation=True,
        kmsKeyId=a_key(aws, THERE),
        tags={"a": "1"},
    )
    trail.change(tags={"b": "1"}, enableLogFileValidation=False)
    aws.client("cloudtrail", THERE).stop_logging(Name="calls")
    assert trail.drift() == {"enableLogging"}
    trail.delete()
    with pytest.raises(GoneError):
        trail.read()


def test_user_boundary_change_refused(cloud: Cloud) -> None:
    user = Made.create(cloud, "aws:iam/user:User", name="eve")
    with pytest.raises(RefusedError, match="permissionsBoundary"):
        user.change(permissionsBoundary="arn:aws:iam::123456789012:policy/limit")
    user.delete()


def test_role_with_policies_needs_force(cloud: Cloud) -> None:
    role = Made.create(
        cloud, "aws:iam/role:Role", name="operator", assumeRolePolicy=TRUST, path="/ops/", tags={"a": "1"}
    )
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    policy = Made.create(
        cloud, "aws:iam/rolePolicy:RolePolicy", role="operator", name="read", policy=json.dumps(document)
    )
    assert policy.identity == "operator:read"
    role.change(
        description="who drills",
        maxSessionDuration=7200,
        assumeRolePolicy=TRUST.replace("s3.", "ec2."),
        tags={"b": "2"},
        permissionsBoundary="arn:aws:iam::123456789012:policy/limit",
    )
    role.change(permissionsBoundary=None, description=None)
    document["Statement"][0]["Action"] = "s3:*"  # type: ignore[index]
    policy.change(policy=json.dumps(document))
    with pytest.raises(ClientError, match="DeleteConflict"):
        role.delete()
    role.inputs["forceDetachPolicies"] = True
    role.delete()
    for gone in (policy, role):
        with pytest.raises(GoneError):
            gone.read()
