"""The github tables against the emulator: create, read, change, find and delete each type."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi_github
import pytest

from localcloud.github import create_app
from localcloud.plugins.github import PLUGIN
from localcloud.plugins.github.cloud import Cloud, RequestError
from localcloud.plugins.table import GoneError, Props, RefusedError
from localcloud.plugins.wire import from_wire
from tests.localcloud.github_harness import REPOSITORY, TABLES, TOKEN, Engine, Served, serving

# Inputs of the SDK that are refused by name. The tables give the reasons.
UNMAPPED = {
    "Repository": {
        *("etag", "fork", "gitignoreTemplate", "hasDownloads", "licenseTemplate", "pages"),
        *("sourceOwner", "sourceRepo", "template"),
    },
    "BranchDefault": {"etag"},
}
RULESET: Props = {
    "name": "rules",
    "repository": "code",
    "target": "branch",
    "enforcement": "active",
    "conditions": {"refName": {"includes": ["~DEFAULT_BRANCH"], "excludes": []}},
    "bypassActors": [{"actorType": "OrganizationAdmin", "actorId": 1, "bypassMode": "pull_request"}],
    "rules": {
        "deletion": True,
        "update": True,
        "pullRequest": {"requiredApprovingReviewCount": 1, "requireLastPushApproval": True},
        "requiredStatusChecks": {"requiredChecks": [{"context": "b", "integrationId": 7}, {"context": "a"}]},
        "requiredCodeScanning": {
            "requiredCodeScanningTools": [
                {"tool": "CodeQL", "alertsThreshold": "errors", "securityAlertsThreshold": "all"}
            ]
        },
        "mergeQueue": {"maxEntriesToMerge": 3},
    },
}


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_app(None, token=TOKEN)) as running:
        yield running


@pytest.fixture
def cloud(served: Served) -> Cloud:
    connected: Cloud = PLUGIN.connect({"token": TOKEN, "owner": "acme", "baseUrl": served.base}, {})
    return connected


@pytest.fixture
def engine(served: Served) -> Engine:
    return Engine(served)


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_sdk_inputs_mapped_or_listed(kind: str) -> None:
    sdk = getattr(pulumi_github, kind)
    names = set(inspect.signature(sdk._internal_init).parameters) - {"__self__", "resource_name", "opts", "__props__"}
    inputs = {_camel(name) for name in names}
    mapped = set(TABLES[kind].properties)
    assert mapped <= inputs
    assert inputs - mapped == UNMAPPED.get(kind, set())
    outputs = {_camel(name) for name, value in vars(sdk).items() if isinstance(value, property)}
    assert outputs - inputs <= set(TABLES[kind].computed)
    assert set(TABLES[kind].computed) <= outputs


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def test_repository_refresh_and_drift(engine: Engine, served: Served) -> None:
    inputs = {**REPOSITORY, "topics": ["b", "a"], "vulnerabilityAlerts": True, "hasIssues": True}
    identity, state = engine.create("Repository", inputs)
    assert identity == "code"
    assert state["repoId"] > 0
    assert state["htmlUrl"] == f"{served.base}acme/code"
    # The provider sends an undeclared switch as off, although GitHub's default is on.
    assert (state["hasIssues"], state["hasWiki"], state["defaultBranch"]) == (True, False, "main")
    assert from_wire(engine.read("Repository", identity, state, inputs).inputs) == inputs
    served.request("PATCH", "repos/acme/code", {"has_wiki": True})
    served.request("DELETE", "repos/acme/code/vulnerability-alerts")
    drifted = from_wire(engine.read("Repository", identity, state, inputs).inputs)
    assert drifted == {**inputs, "hasWiki": True, "vulnerabilityAlerts": False}
    healed = engine.update("Repository", identity, state, drifted, inputs)
    assert (healed["hasWiki"], healed["vulnerabilityAlerts"]) == (False, True)


def test_token_that_only_reads_sees_no_merge_settings(engine: Engine, served: Served) -> None:
    identity, state = engine.create("Repository", {**REPOSITORY, "deleteBranchOnMerge": True})
    reading: Cloud = PLUGIN.connect({"token": f"{TOKEN}_reading", "owner": "acme", "baseUrl": served.base}, {})
    seen = TABLES["Repository"].read(reading, identity, from_wire(state) if not isinstance(state, dict) else state)
    assert (seen["allowSquashMerge"], seen["deleteBranchOnMerge"], seen["visibility"]) == (False, False, "private")
    with pytest.raises(RequestError, match="403 Resource not accessible by personal access token"):
        reading.request("PATCH", "/repos/acme/code", {"has_wiki": True})


def test_repository_changes_in_place(engine: Engine, served: Served) -> None:
    identity, state = engine.create("Repository", REPOSITORY)
    renamed = {**REPOSITORY, "name": "moved"}
    assert engine.diff("Repository", REPOSITORY, renamed) == (["name"], [])
    state = engine.update("Repository", identity, state, REPOSITORY, renamed)
    # The engine keeps the old id, which still means this repository after a new one takes the old name.
    served.request("POST", "orgs/acme/repos", {"name": "code"})
    public = {**renamed, "visibility": "public", "topics": ["a"]}
    state = engine.update("Repository", identity, state, renamed, public)
    assert (state["name"], state["private"], state["topics"]) == ("moved", False, ["a"])
    assert engine.read("Repository", identity, state, public).id == "moved"
    archived = {**public, "archived": True}
    state = engine.update("Repository", identity, state, public, archived)
    assert from_wire(engine.read("Repository", identity, state, archived).inputs) == archived
    state = engine.update("Repository", identity, state, archived, public)
    assert state["archived"] is False
    engine.delete("Repository", identity, {**state, "archiveOnDestroy": True})
    assert served.request("GET", "repos/acme/moved").json()["archived"] is True
    engine.delete("Repository", identity, {**state, "archiveOnDestroy": True})
    engine.delete("Repository", identity, state)
    assert served.request("GET", "repos/acme/moved").status_code == 404
    assert served.request("GET", "repos/acme/code").status_code == 200


def test_update_completes_interrupted_creation(cloud: Cloud, engine: Engine) -> None:
    inputs = {**REPOSITORY, "topics": ["a"], "vulnerabilityAlerts": True}
    table = TABLES["Repository"]
    assert table.find is not None
    assert table.find(cloud, inputs) is None
    table.create(cloud, inputs)
    assert table.find(cloud, inputs) == "code"
    state = engine.update("Repository", "code", inputs, inputs, inputs)
    assert (state["topics"], state["vulnerabilityAlerts"]) == (["a"], True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"private": True}, "exclude each other"),
        ({"defaultBranch": "trunk"}, "can only be 'main'"),
        ({"visibility": "internal"}, "belongs to an enterprise"),
        ({"mergeCommitTitle": "PR_TITLE"}, "cannot be combined"),
    ],
)
def test_repository_wrong_input_refused(cloud: Cloud, wrong: Props, words: str) -> None:
    with pytest.raises((RefusedError, RequestError), match=words):
        TABLES["Repository"].create(cloud, {**REPOSITORY, **wrong})
    assert list(cloud.all("/orgs/acme/repos")) == []


def test_ruleset_refresh_import_and_drift(engine: Engine, cloud: Cloud, served: Served) -> None:
    engine.create("Repository", REPOSITORY)
    identity, state = engine.create("RepositoryRuleset", RULESET)
    assert identity == str(state["rulesetId"])
    assert from_wire(engine.read("RepositoryRuleset", identity, state, RULESET).inputs) == RULESET
    imported = engine.read("RepositoryRuleset", f"code:{identity}", {}, {})
    assert imported.id == identity
    assert engine.diff("RepositoryRuleset", from_wire(imported.inputs), RULESET) == ([], [])
    find = TABLES["RepositoryRuleset"].find
    assert find is not None
    assert find(cloud, RULESET) == f"code:{identity}"

    weaker = {**RULESET, "rules": {**RULESET["rules"], "pullRequest": {"requiredApprovingReviewCount": 0}}}
    assert engine.diff("RepositoryRuleset", RULESET, weaker) == (["rules"], [])
    engine.update("RepositoryRuleset", identity, state, RULESET, weaker)
    seen = from_wire(engine.read("RepositoryRuleset", identity, state, RULESET).inputs)
    assert seen["rules"]["pullRequest"]["requiredApprovingReviewCount"] == 0
    assert seen["rules"]["creation"] is False

    served.request("PATCH", "repos/acme/code", {"name": "moved"})
    moved = {**RULESET, "repository": "moved"}
    assert engine.diff("RepositoryRuleset", RULESET, moved) == (["repository"], [])
    state = engine.update("RepositoryRuleset", identity, state, RULESET, moved)
    engine.delete("RepositoryRuleset", identity, state)
    assert not engine.read("RepositoryRuleset", identity, state, moved).id


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("bypassActors", [{"actorType": "OrganizationAdmin", "bypassMode": "pull_request"}], True),
        ("bypassActors", [{"actorType": "OrganizationAdmin", "bypassMode": "always"}], False),
        ("rules", {**RULESET["rules"], "creation": False}, True),
        ("rules", {**RULESET["rules"], "nonFastForward": True}, False),
        (
            "rules",
            {
                **RULESET["rules"],
                "requiredStatusChecks": {
                    "requiredChecks": [{"context": "a", "integrationId": 0}, {"context": "b", "integrationId": 7}],
                    "doNotEnforceOnCreate": False,
                },
            },
            True,
        ),
    ],
)
def test_ruleset_equivalent_inputs(engine: Engine, key: str, value: Any, same: bool) -> None:
    assert engine.diff("RepositoryRuleset", RULESET, {**RULESET, key: value}) == ([] if same else [key], [])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"workflows": {}}, r"no mapping for `rules\.workflows`"),
        ({"pullRequest": {"reviewers": 2}}, r"no mapping for `rules\.pullRequest\.reviewers`"),
        ({"requiredStatusChecks": {}}, r"`rules\.requiredStatusChecks` .* needs `requiredChecks`"),
        ({"tagNamePattern": {"operator": "contains", "pattern": "v"}}, "only with GitHub Enterprise"),
    ],
)
def test_ruleset_wrong_rule_refused(cloud: Cloud, engine: Engine, rules: Props, words: str) -> None:
    engine.create("Repository", REPOSITORY)
    with pytest.raises((RefusedError, RequestError), match=words):
        TABLES["RepositoryRuleset"].create(cloud, {**RULESET, "rules": rules})


def test_archived_repository_parts_stay(engine: Engine, served: Served) -> None:
    engine.create("Repository", REPOSITORY)
    identity, state = engine.create("RepositoryRuleset", RULESET)
    alerts, alerting = engine.create("RepositoryVulnerabilityAlerts", {"repository": "code"})
    served.request("PATCH", "repos/acme/code", {"archived": True})
    engine.update("RepositoryRuleset", identity, state, RULESET, {**RULESET, "rules": {}})
    engine.delete("RepositoryRuleset", identity, state)
    engine.delete("RepositoryVulnerabilityAlerts", alerts, alerting)
    assert served.request("GET", f"repos/acme/code/rulesets/{identity}").json()["name"] == "rules"


def test_default_branch_switch_and_rename(engine: Engine, cloud: Cloud, served: Served) -> None:
    engine.create("Repository", REPOSITORY)
    sha = served.request("GET", "repos/acme/code/git/ref/heads/main").json()["object"]["sha"]
    served.request("POST", "repos/acme/code/git/refs", {"ref": "refs/heads/next", "sha": sha})
    switched = {"repository": "code", "branch": "next"}
    find = TABLES["BranchDefault"].find
    assert find is not None
    assert find(cloud, switched) is None
    identity, state = engine.create("BranchDefault", switched)
    assert identity == "code" == find(cloud, switched)
    assert state["repositoryId"] > 0
    renamed = {"repository": "code", "branch": "trunk", "rename": True}
    state = engine.update("BranchDefault", identity, state, switched, renamed)
    assert from_wire(engine.read("BranchDefault", identity, state, renamed).inputs) == renamed
    engine.delete("BranchDefault", identity, state)
    assert [one["name"] for one in served.request("GET", "repos/acme/code/branches").json()] == ["main", "trunk"]
    assert served.request("GET", "repos/acme/code").json()["default_branch"] == "trunk"
    with pytest.raises(RequestError, match="The branch none was not found"):
        TABLES["BranchDefault"].create(cloud, {"repository": "code", "branch": "none"})


def test_vulnerability_alerts_id(engine: Engine, cloud: Cloud) -> None:
    _, repository = engine.create("Repository", REPOSITORY)
    inputs = {"repository": "code"}
    find = TABLES["RepositoryVulnerabilityAlerts"].find
    assert find is not None
    assert find(cloud, inputs) is None
    identity, state = engine.create("RepositoryVulnerabilityAlerts", inputs)
    assert identity == str(repository["repoId"])
    assert state["enabled"] is True
    found = find(cloud, inputs)
    assert found is not None
    assert engine.read("RepositoryVulnerabilityAlerts", found, {}, {}).id == identity
    off = {"repository": "code", "enabled": False}
    assert engine.update("RepositoryVulnerabilityAlerts", identity, state, inputs, off)["enabled"] is False
    engine.update("RepositoryVulnerabilityAlerts", identity, state, off, inputs)
    engine.delete("RepositoryVulnerabilityAlerts", identity, state)
    assert not cloud.is_enabled("/repos/acme/code/vulnerability-alerts")


def test_parallel_requests_share_client(cloud: Cloud) -> None:
    def life(number: int) -> None:
        inputs = {"name": f"r{number}", "topics": [f"t{number}"]}
        table = TABLES["Repository"]
        identity = table.create(cloud, inputs)
        assert table.settle is not None
        table.settle(cloud, identity, inputs)
        assert table.read(cloud, identity, inputs)["topics"] == [f"t{number}"]
        table.delete(cloud, identity, inputs)
        with pytest.raises(GoneError):
            table.delete(cloud, identity, inputs)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(life, range(30)))
    assert list(cloud.all("/orgs/acme/repos")) == []


def test_user_owns_repositories(served: Served) -> None:
    cloud: Cloud = PLUGIN.connect({}, {"GITHUB_TOKEN": TOKEN, "GITHUB_BASE_URL": f"{served.base}api/v3"})
    assert cloud.owner == "localcloud"
    assert TABLES["Repository"].create(cloud, {"name": "mine"}) == "mine"
    assert served.request("GET", "repos/localcloud/mine").json()["owner"]["type"] == "User"


def test_owner_setting_order(served: Served) -> None:
    settings = {"token": TOKEN, "baseUrl": served.base, "owner": "third"}
    environment = {"GITHUB_OWNER": "second"}
    assert PLUGIN.connect({**settings, "organization": "first"}, environment).owner == "first"
    assert PLUGIN.connect(settings, environment).owner == "second"
    assert PLUGIN.connect(settings, {}).owner == "third"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"token": TOKEN}, "needs a base URL"),
        ({"baseUrl": "http://127.0.0.1:1/"}, "token is missing"),
        *[
            ({"token": TOKEN, "baseUrl": url}, "only to loopback")
            for url in ("https://api.github.com/", "http://127.0.0.1.example.com/", "http://10.0.0.1/", "127.0.0.1:1")
        ],
    ],
)
def test_connection_refused(settings: Props, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        PLUGIN.connect(settings, {})
