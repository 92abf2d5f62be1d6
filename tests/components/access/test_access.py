"""Access as declared: trust policies, boundaries, and the alarm.

`tests/scenarios/test_access.py` deploys with the policies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.access.access import Access, AccessArgs
from components.access.emergency_alarm import EmergencyAlarmArgs
from components.access.github_oidc import RepositoryIdentity
from components.access.people import PeopleAccessArgs
from components.aws.iam_documents import AccountScope, allow, document
from tests.components.recording import ACCOUNT, ROLE_POLICY, Deployment, deploy

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
HERE, THERE = "xx-here-1", "xx-there-1"
REPOSITORY = RepositoryIdentity(owner="org", owner_id=11, name="code", repository_id=22)


@pytest.fixture(scope="module")
def made() -> Deployment:
    def program() -> None:
        access = Access(
            "vault-access",
            AccessArgs(
                stack="vault",
                services=("prod", "dr"),
                outside_aws=("github",),
                region=HERE,
                regions=(THERE, HERE),
                people={"ann": "ann@example.com", "bob": "bob@example.com"},
                repository=REPOSITORY,
                state_bucket=None,
                emergency_role="botbrains-break-glass",
                emergency_session_hours=2,
                key_deletion_window_days=9,
                record_days=21,
                record_lock_days=5,
            ),
        )
        pulumi.export("roles", access.role_arns)

    return deploy(program)


def role(made: Deployment, name: str) -> Mapping[str, Any]:
    (found,) = [it for it in made.all(ROLE) if it.inputs["name"] == name]
    return found.inputs


def trust(made: Deployment, name: str) -> dict[str, Any]:
    (statement,) = json.loads(role(made, name)["assumeRolePolicy"])["Statement"]
    found: dict[str, Any] = statement
    return found


def test_workflows_assume_roles_by_the_exact_subjects_of_their_tokens(made: Deployment) -> None:
    issuer = "token.actions.githubusercontent.com"
    for stack in ("vault", "prod", "dr"):
        for name, subjects in (
            (f"botbrains-{stack}-deploy", [f"repo:org@11/code@22:environment:{stack}"]),
            (
                f"botbrains-{stack}-preview",
                ["repo:org@11/code@22:pull_request", "repo:org@11/code@22:ref:refs/heads/main"],
            ),
        ):
            statement = trust(made, name)
            assert statement["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}
            assert statement["Condition"] == {
                "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subjects}
            }
            assert role(made, name)["permissionsBoundary"].endswith(":policy/botbrains-deploy-boundary")
            hours = 6 if name.endswith("-deploy") else 1
            assert role(made, name)["maxSessionDuration"] == hours * 3600


def test_emergency_role_requires_recent_second_factor_and_region(made: Deployment) -> None:
    statement = trust(made, "botbrains-break-glass")
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{it}" for it in ("ann", "bob")]}
    assert statement["Condition"] == {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"},
        "StringEquals": {"aws:RequestedRegion": HERE},
        "StringLike": {"sts:RoleSessionName": "${aws:username}"},
    }
    assert role(made, "botbrains-break-glass")["maxSessionDuration"] == 7200


def test_only_the_emergency_role_has_every_permission(made: Deployment) -> None:
    attached = [
        it.inputs["role"]
        for it in made.all("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if it.inputs["policyArn"].endswith("/AdministratorAccess")
    ]
    assert attached == ["botbrains-break-glass"]
    for policy in (*made.all(POLICY), *made.all(ROLE_POLICY)):
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            if statement["Effect"] != "Allow":
                continue
            assert "*" not in statement["Action"], policy.name
            # A statement for every resource is limited to the plan's regions, except for services without a region.
            if statement["Resource"] == ["*"] and not all(
                it.startswith(("iam:", "sts:", "signin:")) for it in statement["Action"]
            ):
                assert statement["Condition"]["StringEquals"]["aws:RequestedRegion"] == [THERE, HERE], statement
            regions = {arn.split(":")[3] for arn in statement["Resource"] if arn != "*"}
            assert regions <= {"", HERE, THERE}


def test_no_access_key_or_password_is_declared(made: Deployment) -> None:
    types = {it.type for it in made.custom}
    assert {"aws:iam/accessKey:AccessKey", "aws:iam/userLoginProfile:UserLoginProfile"} & types == set()
    for policy in (*made.all(POLICY), *made.all(ROLE_POLICY)):
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            allowed = statement["Effect"] == "Allow"
            assert not (allowed and {"iam:CreateAccessKey", "iam:*"} & set(statement["Action"])), policy.name


def test_every_person_is_notified_by_one_alarm(made: Deployment) -> None:
    told = made.all("aws:sns/topicSubscription:TopicSubscription")
    assert {(it.inputs["protocol"], it.inputs["endpoint"]) for it in told} == {
        ("email", "ann@example.com"),
        ("email", "bob@example.com"),
    }
    rules = made.all("aws:cloudwatch/eventRule:EventRule")
    assert {it.inputs["state"] for it in rules} == {"ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}
    (taken,) = [json.loads(it.inputs["eventPattern"]) for it in rules if it.name.endswith("-taken")]
    assert {"requestParameters": {"roleArn": [f"arn:aws:iam::{ACCOUNT}:role/botbrains-break-glass"]}} in taken[
        "detail"
    ]["$or"]
    # EventBridge drops every event if the statement that lets it publish has a condition.
    policy = json.loads(made.one("aws:sns/topicPolicy:TopicPolicy").inputs["policy"])
    events = [it for it in policy["Statement"] if it["Principal"] == {"Service": "events.amazonaws.com"}]
    assert [set(it) for it in events] == [{"Sid", "Effect", "Principal", "Action", "Resource"}]
    trail = made.one("aws:cloudtrail/trail:Trail").inputs
    assert (trail["isMultiRegionTrail"], trail["includeGlobalServiceEvents"], trail["enableLogging"]) == (True,) * 3


def test_every_resource_is_protected_and_retained(made: Deployment) -> None:
    for resource in made.custom:
        assert resource.protect, resource.name
        assert resource.retain_on_delete, resource.name


def test_policy_above_the_size_limit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the policy with Much has \d+ characters; IAM accepts 300"):
        document([allow("Much", ["s3:GetObject"], ["x" * 300])], 300)


def test_arns_are_limited_to_the_account_and_the_regions() -> None:
    scope = AccountScope.of("arn:aws-eusc:iam::999999999999:user/ann", [HERE])
    assert scope.iam("role/x") == ["arn:aws-eusc:iam::999999999999:role/x"]
    assert scope.arns("rds", "db:x") == [f"arn:aws-eusc:rds:{HERE}:999999999999:db:x"]
    assert scope.in_allowed_regions == {"StringEquals": {"aws:RequestedRegion": [HERE]}}


def test_one_person_and_invalid_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 are needed"):
        PeopleAccessArgs(
            people=["ann"],
            scope=AccountScope.at(HERE, ACCOUNT),
            emergency_region=HERE,
            emergency_role="e",
            emergency_session_hours=1,
            reading_policy_arn="p",
        )
    with pytest.raises(ValueError, match="at least 2 different recipients are needed"):
        EmergencyAlarmArgs(
            region=HERE,
            break_glass_arn="a",
            emails={"ann": "a@example.com", "bob": "a@example.com"},
            key_deletion_window_days=7,
            record_days=1,
            record_lock_days=1,
        )
    with pytest.raises(ValueError, match="repository_id is 0"):
        RepositoryIdentity(owner="org", owner_id=1, name="code", repository_id=0)
