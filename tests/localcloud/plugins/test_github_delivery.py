"""The github tables for delivery: environments, Actions, memberships, and the issues of the emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.github import create_app
from localcloud.plugins.github import PLUGIN
from localcloud.plugins.github.cloud import Cloud, RequestError
from localcloud.plugins.table import Props, RefusedError
from localcloud.plugins.wire import from_wire
from tests.localcloud.github_harness import REPOSITORY, TABLES, TOKEN, Engine, Served, serving

BRANCHES: Props = {"protectedBranches": False, "customBranchPolicies": True}
ENVIRONMENT: Props = {
    "repository": "code",
    "environment": "prod",
    "reviewers": [{"users": [7, 5]}],
    "canAdminsBypass": False,
    "preventSelfReview": True,
    "deploymentBranchPolicy": BRANCHES,
}
CHOSEN: Props = {"githubOwnedAllowed": False, "patternsAlloweds": ["b/b@*", "a/a@*"]}
# Each type: its declaration, its id, a change by hand, and the inputs that a refresh then finds.
DECLARED: dict[str, tuple[Props, str, tuple[str, str, Props | None], Props]] = {
    "RepositoryEnvironment": (
        ENVIRONMENT,
        "code:prod",
        ("PUT", "repos/acme/code/environments/prod", {}),
        {"canAdminsBypass": True, "preventSelfReview": False},
    ),
    "ActionsRepositoryPermissions": (
        {
            "repository": "code",
            "allowedActions": "selected",
            "allowedActionsConfig": CHOSEN,
            "shaPinningRequired": True,
        },
        "code",
        ("PUT", "repos/acme/code/actions/permissions", {"enabled": True, "sha_pinning_required": False}),
        {"shaPinningRequired": False},
    ),
    "WorkflowRepositoryPermissions": (
        {"repository": "code", "defaultWorkflowPermissions": "read", "canApprovePullRequestReviews": False},
        "code",
        ("PUT", "repos/acme/code/actions/permissions/workflow", {"default_workflow_permissions": "write"}),
        {"defaultWorkflowPermissions": "write"},
    ),
    "ActionsRepositoryOidcSubjectClaimCustomizationTemplate": (
        {"repository": "code", "useDefault": True},
        "code",
        (
            "PUT",
            "repos/acme/code/actions/oidc/customization/sub",
            {"use_default": False, "include_claim_keys": ["actor"]},
        ),
        {"useDefault": False},
    ),
    "RepositoryDependabotSecurityUpdates": (
        {"repository": "code", "enabled": True},
        "code",
        ("DELETE", "repos/acme/code/automated-security-fixes", None),
        {"enabled": False},
    ),
    "ActionsVariable": (
        {"repository": "code", "variableName": "ROLE", "value": "a"},
        "code:ROLE",
        ("PATCH", "repos/acme/code/actions/variables/ROLE", {"value": "b"}),
        {"value": "b"},
    ),
    "Membership": (
        {"username": "liam", "role": "admin"},
        "acme:liam",
        ("PUT", "orgs/acme/memberships/liam", {"role": "member"}),
        {"role": "member"},
    ),
}


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_app(None, token=TOKEN, plan="enterprise")) as running:
        yield running


@pytest.fixture
def engine(served: Served) -> Engine:
    made = Engine(served)
    made.create("Repository", {**REPOSITORY, "vulnerabilityAlerts": True, "hasIssues": True})
    return made


@pytest.fixture
def cloud(served: Served) -> Cloud:
    connected: Cloud = PLUGIN.connect({"token": TOKEN, "owner": "acme", "baseUrl": served.base}, {})
    return connected


@pytest.mark.parametrize("kind", DECLARED)
def test_refresh_drift_and_repair(engine: Engine, served: Served, kind: str) -> None:
    inputs, identity, (method, path, body), drifted = DECLARED[kind]
    made, state = engine.create(kind, inputs)
    assert made == identity
    assert from_wire(engine.read(kind, made, state, inputs).inputs) == inputs
    imported = engine.read(kind, made, {}, {})
    assert engine.diff(kind, from_wire(imported.inputs), inputs) == ([], [])
    assert served.request(method, path, body).status_code < 300
    seen = from_wire(engine.read(kind, made, state, inputs).inputs)
    assert {name: seen[name] for name in drifted} == drifted
    assert sorted(engine.diff(kind, seen, inputs)[0]) != []
    state = engine.update(kind, made, state, seen, inputs)
    assert from_wire(engine.read(kind, made, state, inputs).inputs) == inputs
    engine.delete(kind, made, state)


def test_plan_refuses_protection_of_private_environment() -> None:
    with serving(create_app(None, token=TOKEN, plan="team")) as team:
        engine = Engine(team)
        engine.create("Repository", REPOSITORY)
        with pytest.raises(pytest.fail.Exception, match="the billing plan supports the required reviewers"):
            engine.create("RepositoryEnvironment", ENVIRONMENT)
        # Without reviewers, the client drops the refused values. They stay a difference.
        plain = {key: value for key, value in ENVIRONMENT.items() if key != "reviewers"}
        identity, state = engine.create("RepositoryEnvironment", plain)
        seen = from_wire(engine.read("RepositoryEnvironment", identity, state, plain).inputs)
        assert seen == {**plain, "canAdminsBypass": True, "preventSelfReview": False}
        secrets = {"secretScanning": {"status": "enabled"}}
        with pytest.raises(pytest.fail.Exception, match="Secret scanning is not available for this repository"):
            engine.create("Repository", {**REPOSITORY, "name": "other", "securityAndAnalysis": secrets})
    with serving(create_app(None, token=TOKEN, plan="free")) as free:
        engine = Engine(free)
        engine.create("Repository", REPOSITORY)
        assert free.request("PUT", "repos/acme/code/environments/prod", {}).status_code == 404
        ruleset = {"name": "r", "enforcement": "active", "rules": [{"type": "deletion"}]}
        assert free.request("POST", "repos/acme/code/rulesets", ruleset).status_code == 403
        # A public repository has all of it, on each plan.
        assert free.request("PATCH", "repos/acme/code", {"visibility": "public"}).status_code == 200
        assert free.request("POST", "repos/acme/code/rulesets", ruleset).status_code == 201


def test_environment_branches_and_variables(engine: Engine, served: Served, cloud: Cloud) -> None:
    environment, state = engine.create("RepositoryEnvironment", ENVIRONMENT)
    branch: Props = {"repository": "code", "environment": "prod", "branchPattern": "main"}
    policy, kept = engine.create("RepositoryEnvironmentDeploymentPolicy", branch)
    find = TABLES["RepositoryEnvironmentDeploymentPolicy"].find
    assert policy == f"code:prod:{kept['policyId']}"
    assert find is not None
    assert find(cloud, branch) == policy
    kept = engine.update(
        "RepositoryEnvironmentDeploymentPolicy", policy, kept, branch, {**branch, "branchPattern": "x"}
    )
    assert kept["branchPattern"] == "x"
    variable: Props = {"repository": "code", "environment": "prod", "variableName": "ROLE", "value": "a"}
    named, _ = engine.create("ActionsEnvironmentVariable", variable)
    assert named == "code:prod:ROLE"
    engine.delete("RepositoryEnvironment", environment, state)
    assert not engine.read("ActionsEnvironmentVariable", named, variable, variable).id
    assert not engine.read("RepositoryEnvironmentDeploymentPolicy", policy, kept, branch).id


def test_secret_scanning_after_creation(engine: Engine, served: Served) -> None:
    switched = {
        "secretScanning": {"status": "enabled"},
        "secretScanningPushProtection": {"status": "enabled"},
    }
    inputs = {**REPOSITORY, "name": "other", "securityAndAnalysis": switched}
    identity, state = engine.create("Repository", inputs)
    assert state["securityAndAnalysis"] == switched
    assert from_wire(engine.read("Repository", identity, state, inputs).inputs) == inputs
    off = {"security_and_analysis": {"secret_scanning": {"status": "disabled"}}}
    served.request("PATCH", "repos/acme/other", off)
    drifted = from_wire(engine.read("Repository", identity, state, inputs).inputs)
    assert drifted["securityAndAnalysis"]["secretScanningPushProtection"] == {"status": "disabled"}
    healed = engine.update("Repository", identity, state, drifted, inputs)
    assert healed["securityAndAnalysis"] == switched


@pytest.mark.parametrize(
    ("kind", "inputs", "words"),
    [
        ("RepositoryEnvironment", {**ENVIRONMENT, "reviewers": [{"teams": [1]}]}, r"no mapping for `reviewers\.teams`"),
        (
            "ActionsRepositoryPermissions",
            {"repository": "code", "allowedActions": "selected"},
            "needs `allowedActions: selected`",
        ),
        (
            "RepositoryEnvironmentDeploymentPolicy",
            {"repository": "code", "environment": "prod"},
            "needs one of `branchPattern` and `tagPattern`",
        ),
        (
            "Repository",
            {**REPOSITORY, "name": "x", "securityAndAnalysis": {"advancedSecurity": {"status": "enabled"}}},
            r"no mapping for `securityAndAnalysis\.advancedSecurity`",
        ),
        ("ActionsVariable", {"repository": "code", "variableName": "GITHUB_X", "value": "a"}, "GITHUB_ prefix"),
    ],
)
def test_wrong_input_refused(engine: Engine, cloud: Cloud, kind: str, inputs: Props, words: str) -> None:
    table = TABLES[kind]
    with pytest.raises((RefusedError, RequestError), match=words):
        identity = table.create(cloud, inputs)
        if table.settle is not None:
            table.settle(cloud, identity, inputs)


def test_members_and_account_types(engine: Engine, cloud: Cloud) -> None:
    assert cloud.get("/users/liam")[0]["type"] == "User"
    assert cloud.get("/users/acme")[0]["type"] == "Organization"
    engine.create("Membership", {"username": "liam", "role": "admin"})
    admins = list(cloud.all("/orgs/acme/members"))
    assert {one["login"] for one in admins} == {"localcloud", "liam"}


def test_issue_life(engine: Engine, served: Served) -> None:
    issue = served.request("POST", "repos/acme/code/issues", {"title": "Drift", "body": "<!-- a -->", "labels": ["x"]})
    assert issue.status_code == 201
    number = issue.json()["number"]
    comment = served.request("POST", f"repos/acme/code/issues/{number}/comments", {"body": "first"}).json()
    served.request("PATCH", f"repos/acme/code/issues/comments/{comment['id']}", {"body": "second"})
    assert [one["body"] for one in served.request("GET", f"repos/acme/code/issues/{number}/comments").json()] == [
        "second"
    ]
    assert [one["number"] for one in served.request("GET", "repos/acme/code/issues?labels=x").json()] == [number]
    assert served.request("PATCH", f"repos/acme/code/issues/{number}", {"state": "closed"}).json()["closed_at"]
    assert served.request("GET", "repos/acme/code/issues").json() == []
    assert served.request("POST", "repos/acme/code/issues", {"title": "x", "assignees": ["liam"]}).status_code == 422
