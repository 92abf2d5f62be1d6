"""Declarations of delivery: reviewers, permissions of workflows, and the copy of the repository."""

from __future__ import annotations

import json
from dataclasses import replace

import pulumi
import pytest

from components.access.github_oidc import RepositoryIdentity
from components.github.environments import Delivery, DeliveryArgs, EnvironmentArgs
from components.github.mirror import RepositoryMirror, RepositoryMirrorArgs
from components.github.repository import CodeRepository, CodeRepositoryArgs
from tests.components.recording import ACCOUNT, BUCKET, KEY, REPOSITORY, ROLE_POLICY, RULESET, Deployment, deploy

ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment"
POLICY = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
ENVIRONMENT_VARIABLE = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
PERMISSIONS = "github:index/actionsRepositoryPermissions:ActionsRepositoryPermissions"
WORKFLOWS = "github:index/workflowRepositoryPermissions:WorkflowRepositoryPermissions"
MEMBERSHIP = "github:index/membership:Membership"
ROLE = "aws:iam/role:Role"
ISSUER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"

ARGS = DeliveryArgs(
    repository="code",
    administrators=["ann", "bob"],
    reviewers=[11, 12],
    branch="trunk",
    environments=[
        EnvironmentArgs(name="prod", prevent_self_review=True, variables={"DEPLOY_ROLE_ARN": "arn:a"}),
        EnvironmentArgs(name="dr", prevent_self_review=False),
    ],
    actions=["a/b@*"],
    variables={"PREVIEW_ROLE_ARN": "arn:p"},
)


@pytest.fixture(scope="module")
def made() -> Deployment:
    def program() -> None:
        Delivery("delivery", ARGS)
        CodeRepository(
            "code",
            CodeRepositoryArgs(
                repository="code",
                description="",
                required_approvals=1,
                required_checks=["check"],
                secret_scanning=True,
            ),
        )
        mirror = RepositoryMirror(
            "mirror",
            RepositoryMirrorArgs(
                repository=RepositoryIdentity(owner="org", owner_id=1, name="code", repository_id=2, branch="trunk"),
                issuer_arn=ISSUER,
                role_boundary_arn="arn:boundary",
                version_days=21,
                lock_days=5,
                key_deletion_window_days=9,
            ),
        )
        pulumi.export("role", mirror.role_arn)

    return deploy(program)


def test_deployment_needs_a_reviewer_and_the_branch(made: Deployment) -> None:
    environments = {it.inputs["environment"]: it.inputs for it in made.all(ENVIRONMENT)}
    for environment in environments.values():
        assert environment["reviewers"] == [{"users": [11, 12]}]
        assert environment["canAdminsBypass"] is False
        assert environment["deploymentBranchPolicy"] == {"protectedBranches": False, "customBranchPolicies": True}
    # One person alone may approve a recovery.
    assert environments["prod"]["preventSelfReview"] is True
    assert environments["dr"]["preventSelfReview"] is False
    assert {(it.inputs["environment"], it.inputs["branchPattern"]) for it in made.all(POLICY)} == {
        ("prod", "trunk"),
        ("dr", "trunk"),
    }
    assert made.one(ENVIRONMENT_VARIABLE).inputs["value"] == "arn:a"


def test_both_people_own_the_organisation(made: Deployment) -> None:
    members = made.all(MEMBERSHIP)
    assert {(it.inputs["username"], it.inputs["role"]) for it in members} == {("ann", "admin"), ("bob", "admin")}
    assert all(it.protect and it.retain_on_delete for it in members)


def test_workflows_use_pinned_actions_and_only_read(made: Deployment) -> None:
    permissions = made.one(PERMISSIONS).inputs
    assert permissions["allowedActions"] == "selected"
    assert permissions["shaPinningRequired"] is True
    assert permissions["allowedActionsConfig"] == {
        "githubOwnedAllowed": False,
        "verifiedAllowed": False,
        "patternsAlloweds": ["a/b@*"],
    }
    workflows = made.one(WORKFLOWS).inputs
    assert workflows["defaultWorkflowPermissions"] == "read"
    assert workflows["canApprovePullRequestReviews"] is False


def test_only_workflows_report_required_checks(made: Deployment) -> None:
    checks = made.one(RULESET).inputs["rules"]["requiredStatusChecks"]
    assert checks["strictRequiredStatusChecksPolicy"] is True
    assert checks["requiredChecks"] == [{"context": "check", "integrationId": 15368}]
    security = made.one(REPOSITORY).inputs["securityAndAnalysis"]
    assert {switch["status"] for switch in security.values()} == {"enabled"}
    assert len(security) == 2


def test_mirror_role_only_adds_from_the_branch(made: Deployment) -> None:
    role = made.one(ROLE).inputs
    assert role["permissionsBoundary"] == "arn:boundary"
    [trusted] = json.loads(role["assumeRolePolicy"])["Statement"]
    subjects = trusted["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert subjects == ["repo:org@1/code@2:ref:refs/heads/trunk"]
    statements = json.loads(made.one(ROLE_POLICY).inputs["policy"])["Statement"]
    assert [(one["Effect"], one["Action"]) for one in statements] == [
        ("Allow", ["s3:PutObject"]),
        ("Allow", ["kms:Decrypt", "kms:GenerateDataKey"]),
    ]
    assert statements[0]["Resource"] == [f"arn:aws:s3:::mirror-{ACCOUNT}/*"]


def test_mirror_is_protected_and_retained(made: Deployment) -> None:
    for resource in (made.one(BUCKET), made.one(KEY), made.one(ROLE)):
        assert resource.protect
        assert resource.retain_on_delete


def test_one_person_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"administrators are .*; at least 2 people are needed"):
        replace(ARGS, administrators=["ann", "ann"])
    with pytest.raises(ValueError, match=r"reviewers are .*; at least 2 people are needed"):
        replace(ARGS, reviewers=[11])
