"""Delivery as declared: who agrees to what, what workflows may do, and where the repository is kept a second time."""

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
        EnvironmentArgs(name="prod", agreed_by_another=True, variables={"DEPLOY_ROLE_ARN": "arn:a"}),
        EnvironmentArgs(name="dr", agreed_by_another=False),
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
            CodeRepositoryArgs(repository="code", description="", required_approvals=1, required_checks=["check"]),
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


def test_a_deployment_is_agreed_to_by_a_person_and_comes_from_the_one_branch(made: Deployment) -> None:
    environments = {it.inputs["environment"]: it.inputs for it in made.all(ENVIRONMENT)}
    for environment in environments.values():
        assert environment["reviewers"] == [{"users": [11, 12]}]
        assert environment["canAdminsBypass"] is False
        assert environment["deploymentBranchPolicy"] == {"protectedBranches": False, "customBranchPolicies": True}
    # By the other one; but what has to be possible for one person alone is, by an approval of their own.
    assert environments["prod"]["preventSelfReview"] is True
    assert environments["dr"]["preventSelfReview"] is False
    assert {(it.inputs["environment"], it.inputs["branchPattern"]) for it in made.all(POLICY)} == {
        ("prod", "trunk"),
        ("dr", "trunk"),
    }
    assert made.one(ENVIRONMENT_VARIABLE).inputs["value"] == "arn:a"


def test_both_own_the_organisation_and_no_deployment_takes_that_away(made: Deployment) -> None:
    members = made.all(MEMBERSHIP)
    assert {(it.inputs["username"], it.inputs["role"]) for it in members} == {("ann", "admin"), ("bob", "admin")}
    assert all(it.protect and it.retain_on_delete for it in members)


def test_workflows_use_what_is_named_by_commit_and_read_unless_they_say_otherwise(made: Deployment) -> None:
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


def test_only_a_workflow_can_report_a_check_that_a_change_has_to_pass(made: Deployment) -> None:
    checks = made.one(RULESET).inputs["rules"]["requiredStatusChecks"]
    assert checks["strictRequiredStatusChecksPolicy"] is True
    assert checks["requiredChecks"] == [{"context": "check", "integrationId": 15368}]
    security = made.one(REPOSITORY).inputs["securityAndAnalysis"]
    assert {switch["status"] for switch in security.values()} == {"enabled"}
    assert len(security) == 2


def test_the_mirrors_role_adds_from_the_one_branch_and_can_neither_read_nor_delete(made: Deployment) -> None:
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


def test_the_mirror_outlives_its_stack(made: Deployment) -> None:
    for resource in (made.one(BUCKET), made.one(KEY), made.one(ROLE)):
        assert resource.protect
        assert resource.retain_on_delete


def test_one_person_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"administrators are .*; at least 2 people are needed"):
        replace(ARGS, administrators=["ann", "ann"])
    with pytest.raises(ValueError, match=r"reviewers are .*; at least 2 people are needed"):
        replace(ARGS, reviewers=[11])
