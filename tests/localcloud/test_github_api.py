"""The GitHub emulator under githubkit, and under the requests that the official provider makes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from githubkit import GitHub
from githubkit.exception import RequestFailed
from werkzeug.serving import make_server

from localcloud.github import create_app
from localcloud.plugins.github import PLUGIN, Cloud, connect
from localcloud.plugins.table import Gone, Props, Refused, ResourceType

TOKEN = "ghp_only_for_this_test"
TYPES = {entry.token.rpartition(":")[2]: entry for entry in PLUGIN.resources}


@dataclass
class Served:
    url: str
    store: Path

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        sent = {"Authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return requests.request(method, f"{self.url}/{path}", json=body, headers=sent, timeout=10)

    def cloud(self) -> Cloud:
        return connect({"token": TOKEN, "owner": "acme", "baseUrl": self.url}, {})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    store = tmp_path / "github.json"
    server = make_server("127.0.0.1", 0, create_app(store, token=TOKEN), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Served(f"http://127.0.0.1:{server.port}", store)
    server.shutdown()


def test_githubkit_makes_reads_changes_and_removes_a_repository(served: Served) -> None:
    github = GitHub(TOKEN, base_url=f"{served.url}/api/v3/")
    made = github.rest.repos.create_in_org("acme", name="code", private=True, auto_init=True).parsed_data
    assert (made.full_name, made.private, made.default_branch) == ("acme/code", True, "main")
    changed = github.rest.repos.update("acme", "code", has_wiki=False, description="ours").parsed_data
    assert (changed.has_wiki, changed.description) == (False, "ours")
    assert github.rest.repos.get_branch("acme", "code", "main").json()["name"] == "main"
    assert [one.name for one in github.rest.repos.list_for_org("acme").parsed_data] == ["code"]
    ruleset = github.rest.repos.create_repo_ruleset(
        "acme", "code", name="main", enforcement="active", rules=[{"type": "deletion"}]
    ).parsed_data
    assert github.rest.repos.get_repo_ruleset("acme", "code", ruleset.id).parsed_data.name == "main"
    github.rest.repos.delete("acme", "code")
    with pytest.raises(RequestFailed) as gone:
        github.rest.repos.get("acme", "code")
    assert gone.value.response.status_code == 404


def test_the_official_providers_requests_in_their_order(served: Served) -> None:
    """Creation of a repository with a ruleset, its later reads with the ETag of the first, and its archiving."""
    assert served.ask("GET", "api/v3/orgs/acme").json()["login"] == "acme"
    whole = {
        "name": "code", "description": "", "homepage": "", "private": True, "visibility": "private",
        "has_issues": True, "has_projects": False, "has_wiki": False, "has_downloads": False, "has_discussions": False,
        "is_template": False,
        "license_template": "", "gitignore_template": "", "auto_init": True, "allow_squash_merge": True,
        "allow_merge_commit": False, "allow_rebase_merge": False, "allow_auto_merge": False, "archived": False,
        "allow_update_branch": False, "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
        "squash_merge_commit_message": "COMMIT_MESSAGES", "delete_branch_on_merge": True, "topics": [],
        "web_commit_signoff_required": False,
    }  # fmt: skip
    assert served.ask("POST", "api/v3/orgs/acme/repos", whole).status_code == 201
    assert served.ask("DELETE", "api/v3/repos/acme/code/vulnerability-alerts").status_code == 204
    edit = {key: value for key, value in whole.items() if key not in ("visibility", "private")}
    assert served.ask("PATCH", "api/v3/repos/acme/code", edit).status_code == 200
    read = served.ask("GET", "api/v3/repos/acme/code")
    assert read.json()["visibility"] == "private" and read.json()["archived"] is False
    assert served.ask("GET", "api/v3/repos/acme/code/vulnerability-alerts").status_code == 404
    again = served.ask("GET", "api/v3/repos/acme/code", If_None_Match=read.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")

    ruleset = {"name": "main", "target": "branch", "source": "code", "source_type": "Repository",
               "enforcement": "active", "bypass_actors": [], "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
               "rules": [{"type": "deletion"}, {"type": "non_fast_forward"}]}  # fmt: skip
    number = served.ask("POST", "api/v3/repos/acme/code/rulesets", ruleset).json()["id"]
    shown = served.ask("GET", f"api/v3/repos/acme/code/rulesets/{number}?includes_parents=false").json()
    assert [rule["type"] for rule in shown["rules"]] == ["deletion", "non_fast_forward"]

    assert served.ask("PATCH", "api/v3/repos/acme/code", {**edit, "archived": True}).status_code == 200
    refused = served.ask("PATCH", "api/v3/repos/acme/code", {"description": "late"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Repository was archived so is read-only.")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("GET", "repos/acme/none", None, 404, "Not Found"),
        ("POST", "orgs/acme/repos", {}, 422, "name is missing"),
        ("POST", "orgs/acme/repos", {"name": "a b"}, 422, "must match"),
        ("POST", "orgs/acme/repos", {"name": "x", "visibility": "secret"}, 422, "'public', 'private', 'internal'"),
        ("POST", "orgs/acme/repos", {"name": "taken"}, 422, "name already exists on this account"),
        ("POST", "orgs/acme/repos", {"name": "x", "colour": "red"}, 422, "no field 'colour'"),
        ("POST", "repos/acme/taken/rulesets", {"name": "r", "enforcement": "active", "rules": [{"type": "magic"}]}, 422,
         "there is no rule 'magic'"),
        ("PATCH", "repos/acme/taken", {"default_branch": "none"}, 422, "was not found"),
        ("GET", "repos/acme/taken/issues", None, 501, "has no GET /repos/acme/taken/issues"),
        ("DELETE", "user", None, 405, "DELETE is not for /user"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_not_there_is_refused_in_githubs_form(
    served: Served, method: str, path: str, body: Any, status: int, word: str
) -> None:
    served.ask("POST", "orgs/acme/repos", {"name": "taken"})
    before = served.store.read_text()
    answer = served.ask(method, path, body)
    assert answer.status_code == status
    assert word in answer.text and "documentation_url" in answer.json()
    assert '"magic"' not in served.store.read_text() and served.store.read_text().count("acme/") == before.count(
        "acme/"
    )


def test_a_wrong_token_is_let_in_nowhere(served: Served) -> None:
    assert served.ask("GET", "user", Authorization="Bearer wrong").json()["message"] == "Bad credentials"
    assert requests.get(f"{served.url}/user", timeout=10).status_code == 401


def test_lists_come_in_pages(served: Served) -> None:
    for number in range(5):
        served.ask("POST", "orgs/acme/repos", {"name": f"r{number}"})
    first = served.ask("GET", "orgs/acme/repos?per_page=2")
    assert [one["name"] for one in first.json()] == ["r0", "r1"]
    last = requests.get(first.links["last"]["url"], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert [one["name"] for one in last.json()] == ["r4"]


def test_it_remembers_across_a_restart(served: Served) -> None:
    served.ask("POST", "orgs/acme/repos", {"name": "kept"})
    server = make_server("127.0.0.1", 0, create_app(served.store, token=TOKEN), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        again = Served(f"http://127.0.0.1:{server.port}", served.store)
        assert again.ask("GET", "repos/acme/kept").status_code == 200
    finally:
        server.shutdown()


def make(cloud: Cloud, entry: ResourceType, inputs: Props) -> str:
    identity = entry.create(cloud, inputs)
    if entry.settle is not None:
        entry.settle(cloud, identity, inputs)
    return identity


def test_a_repository_through_its_table(served: Served) -> None:
    cloud, entry = served.cloud(), TYPES["Repository"]
    inputs: Props = {
        "name": "code", "visibility": "private", "autoInit": True, "hasWiki": False, "allowMergeCommit": False,
        "topics": ["b", "a"], "vulnerabilityAlerts": True,
        "securityAndAnalysis": {"secretScanning": {"status": "enabled"}},
    }  # fmt: skip
    assert entry.find is not None and entry.update is not None
    assert entry.find(cloud, inputs) is None
    identity = make(cloud, entry, inputs)
    assert identity == "code" == entry.find(cloud, inputs)
    read = entry.read(cloud, identity, {})
    assert read["hasWiki"] is False and read["vulnerabilityAlerts"] is True and read["topics"] == ["a", "b"]
    assert read["securityAndAnalysis"]["secretScanning"] == {"status": "enabled"}
    assert read["htmlUrl"] == "https://github.com/acme/code" and isinstance(read["repoId"], int)
    with pytest.raises(Refused, match="name already exists on this account"):
        entry.create(cloud, inputs)
    changed = {**inputs, "visibility": "public", "topics": ["c"], "vulnerabilityAlerts": False}
    del changed["allowMergeCommit"]  # back to its default
    names = frozenset({"visibility", "topics", "vulnerabilityAlerts", "allowMergeCommit"})
    entry.update(cloud, identity, {**read, **inputs}, changed, names)
    read = entry.read(cloud, identity, read)
    assert (read["visibility"], read["topics"], read["vulnerabilityAlerts"], read["allowMergeCommit"]) == (
        "public", ["c"], False, True
    )  # fmt: skip
    entry.delete(cloud, identity, {**read, "archiveOnDestroy": True})
    assert entry.read(cloud, identity, {})["archived"] is True
    entry.delete(cloud, identity, {})
    with pytest.raises(Gone):
        entry.read(cloud, identity, {})


def test_a_ruleset_through_its_table(served: Served) -> None:
    cloud, entry = served.cloud(), TYPES["RepositoryRuleset"]
    make(cloud, TYPES["Repository"], {"name": "code", "autoInit": True})
    inputs: Props = {
        "name": "main", "repository": "code", "target": "branch", "enforcement": "active",
        "conditions": {"refName": {"includes": ["~DEFAULT_BRANCH"], "excludes": []}},
        "bypassActors": [{"actorType": "OrganizationAdmin", "bypassMode": "pull_request"}],
        "rules": {
            "deletion": True, "creation": False,
            "pullRequest": {"requiredApprovingReviewCount": 1},
            "requiredStatusChecks": {"requiredChecks": [{"context": "test"}]},
        },
    }  # fmt: skip
    assert entry.find is not None and entry.update is not None
    identity = make(cloud, entry, inputs)
    assert entry.find(cloud, inputs) == f"code:{identity}"
    read = entry.read(cloud, f"code:{identity}", {})  # as an import names it
    same = entry.properties["rules"].same
    assert same is not None and same(inputs["rules"], read["rules"])
    assert {key: read[key] for key in inputs if key != "rules"} == {k: v for k, v in inputs.items() if k != "rules"}
    weaker = {**inputs, "rules": {"pullRequest": {"requiredApprovingReviewCount": 0}}}
    assert not same(weaker["rules"], read["rules"])
    entry.update(cloud, identity, read, weaker, frozenset({"rules"}))
    assert set(entry.read(cloud, identity, weaker)["rules"]) == {"pullRequest"}
    with pytest.raises(Refused, match=r"no mapping for `rules\.mergeQueue`"):
        entry.create(cloud, {**inputs, "rules": {"mergeQueue": {}}})
    entry.delete(cloud, identity, inputs)
    with pytest.raises(Gone):
        entry.read(cloud, identity, inputs)


def test_a_default_branch_and_the_alerts_through_their_tables(served: Served) -> None:
    cloud = served.cloud()
    make(cloud, TYPES["Repository"], {"name": "code", "autoInit": True})
    branch = TYPES["BranchDefault"]
    identity = make(cloud, branch, {"repository": "code", "branch": "trunk", "rename": True})
    assert branch.read(cloud, identity, {})["branch"] == "trunk"
    with pytest.raises(Refused, match="The branch none was not found"):
        branch.create(cloud, {"repository": "code", "branch": "none"})
    alerts = TYPES["RepositoryVulnerabilityAlerts"]
    identity = make(cloud, alerts, {"repository": "code"})
    assert alerts.read(cloud, identity, {})["enabled"] is True
    alerts.delete(cloud, identity, {})
    assert alerts.read(cloud, identity, {})["enabled"] is False


def test_it_never_speaks_to_the_internet() -> None:
    for settings in ({"token": "t", "owner": "o"}, {"token": "t", "owner": "o", "baseUrl": "https://api.github.com/"}):
        with pytest.raises(Refused, match="on loopback alone"):
            connect(settings, {})
    for missing in ("token", "owner"):
        settings = {"token": "t", "owner": "o", "baseUrl": "http://127.0.0.1:1/"}
        del settings[missing]
        with pytest.raises(Refused, match=f"no `{missing}`"):
            connect(settings, {})
