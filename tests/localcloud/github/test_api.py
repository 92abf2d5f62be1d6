"""The GitHub emulator, with the requests of the official provider and of githubkit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from githubkit import GitHub
from githubkit.exception import RequestFailed

from localcloud.github import create_app
from tests.localcloud.github_harness import PULL_REQUEST, RULESET, TOKEN, Served, serving

# The body that go-github sends for a repository with a declared name and visibility: in a creation, and the whole
# object in a change.
CREATION: dict[str, Any] = {
    "name": "code",
    "description": "",
    "homepage": "",
    "private": True,
    "visibility": "private",
    "has_issues": False,
    "has_projects": False,
    "has_wiki": False,
    "has_discussions": False,
    "is_template": False,
    "auto_init": True,
    "gitignore_template": "",
    "license_template": "",
    "allow_squash_merge": True,
    "allow_merge_commit": True,
    "allow_rebase_merge": True,
    "allow_update_branch": False,
    "allow_auto_merge": False,
    "delete_branch_on_merge": False,
    "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
    "squash_merge_commit_message": "COMMIT_MESSAGES",
    "merge_commit_title": "MERGE_MESSAGE",
    "merge_commit_message": "PR_TITLE",
}
CHANGE: dict[str, Any] = {
    **{key: value for key, value in CREATION.items() if key not in ("visibility", "private")},
    "has_downloads": False,
    "web_commit_signoff_required": False,
    "archived": False,
}
ONLY_ON_CREATION = ("auto_init", "gitignore_template", "license_template")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_app(None, token=TOKEN)) as running:
        yield running


@pytest.fixture
def code(served: Served) -> Served:
    """Serve the emulator with the repository `acme/code`."""
    assert served.request("POST", "orgs/acme/repos", CREATION).status_code == 201
    return served


def test_provider_requests_repository(served: Served) -> None:
    assert served.request("GET", "orgs/acme").json()["type"] == "Organization"
    made = served.request("POST", "orgs/acme/repos", CREATION)
    assert (made.status_code, made.json()["full_name"]) == (201, "acme/code")
    assert served.request("PUT", "repos/acme/code/topics", {"names": ["b", "a"]}).json() == {"names": ["a", "b"]}
    assert served.request("DELETE", "repos/acme/code/vulnerability-alerts").status_code == 204
    assert served.request("PATCH", "repos/acme/code", CHANGE).status_code == 200
    again = served.request("PATCH", "repos/acme/code", {**CHANGE, "visibility": "private"})
    assert (again.status_code, again.json()["message"]) == (422, "Visibility is already private.")

    found = served.request("GET", "repos/acme/code")
    stated = {key: value for key, value in CHANGE.items() if key not in ONLY_ON_CREATION}
    assert {key: found.json()[key] for key in stated} == stated
    assert served.request("GET", "repos/acme/code/vulnerability-alerts").status_code == 404
    unchanged = served.request("GET", "repos/acme/code", If_None_Match=found.headers["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    served.request("PATCH", "repos/acme/code", {"has_wiki": True})
    assert served.request("GET", "repos/acme/code", If_None_Match=found.headers["ETag"]).json()["has_wiki"] is True

    archived = served.request("PATCH", "repos/acme/code", {**CHANGE, "archived": True})
    assert archived.json()["archived"] is True
    assert "allow_squash_merge" not in archived.json()
    assert served.request("PATCH", "repos/acme/code", CHANGE).json()["archived"] is False
    assert served.request("DELETE", "repos/acme/code").status_code == 204
    assert served.request("GET", "repos/acme/code").status_code == 404


def test_provider_requests_ruleset(code: Served) -> None:
    made = code.request("POST", "repos/acme/code/rulesets", RULESET)
    path = f"repos/acme/code/rulesets/{made.json()['id']}"
    found = code.request("GET", f"{path}?includes_parents=false")
    assert found.json() == made.json()
    assert found.json()["source"] == "acme/code"
    assert found.json()["conditions"] == RULESET["conditions"]
    # GitHub drops the id of OrganizationAdmin. A field that is left out has its default.
    [actor] = found.json()["bypass_actors"]
    assert actor["actor_id"] is None
    assert found.json()["current_user_can_bypass"] == "pull_requests_only"
    [deletion, pull_request] = found.json()["rules"]
    assert deletion == {"type": "deletion"}
    assert pull_request["parameters"] == {
        **PULL_REQUEST,
        "allowed_merge_methods": ["merge", "squash", "rebase"],
        "required_reviewers": [],
    }
    assert code.request("GET", path, If_None_Match=made.headers["ETag"]).status_code == 304
    assert code.request("PUT", path, {**RULESET, "rules": []}).json()["rules"] == []
    [listed] = code.request("GET", "repos/acme/code/rulesets").json()
    assert listed["id"] == made.json()["id"]
    assert "rules" not in listed
    assert code.request("DELETE", path).status_code == 204
    assert code.request("GET", path).status_code == 404


def test_provider_requests_default_branch(code: Served) -> None:
    sha = code.request("GET", "repos/acme/code/git/ref/heads/main").json()["object"]["sha"]
    made = code.request("POST", "repos/acme/code/git/refs", {"ref": "refs/heads/release/1", "sha": sha})
    assert (made.status_code, made.json()["ref"]) == (201, "refs/heads/release/1")
    assert code.request("PATCH", "repos/acme/code", {"default_branch": "release/1"}).status_code == 200
    renamed = code.request("POST", "repos/acme/code/branches/release%2F1/rename", {"new_name": "trunk"})
    assert (renamed.status_code, renamed.json()["name"]) == (201, "trunk")
    assert code.request("GET", "repos/acme/code").json()["default_branch"] == "trunk"
    assert [one["name"] for one in code.request("GET", "repos/acme/code/branches").json()] == ["main", "trunk"]
    assert (
        code.request("PATCH", "repos/acme/code", {}).status_code == 200
    )  # the provider's deletion of the default branch


def test_renamed_repository_redirects(code: Served) -> None:
    assert code.request("PATCH", "repos/acme/code", {"name": "moved"}).json()["name"] == "moved"
    sent_on = code.request("GET", "repos/ACME/code/topics?page=1")
    assert sent_on.status_code == 301
    assert sent_on.headers["Location"].endswith("/topics?page=1")
    followed = requests.get(sent_on.headers["Location"], headers={"Authorization": f"token {TOKEN}"}, timeout=30)
    assert followed.json() == {"names": []}
    assert code.request("PATCH", "repos/acme/code", {}).status_code == 307
    assert code.request("POST", "orgs/acme/repos", {"name": "code"}).status_code == 201
    assert code.request("GET", "repos/acme/code").json()["name"] == "code"


def test_githubkit_parses_every_answer(served: Served) -> None:
    github = GitHub(TOKEN, base_url=f"{served.base}api/v3/", auto_retry=False, http_cache=False)
    repos = github.rest.repos
    assert github.rest.users.get_authenticated().parsed_data.type == "User"
    assert github.rest.orgs.get("acme").parsed_data.login == "acme"
    made = repos.create_in_org("acme", name="code", private=True, auto_init=True).parsed_data
    assert (made.full_name, made.private, made.default_branch) == ("acme/code", True, "main")
    assert repos.update("acme", "code", description="ours").parsed_data.description == "ours"
    assert repos.replace_all_topics("acme", "code", names=["a"]).parsed_data.names == ["a"]
    assert repos.enable_vulnerability_alerts("acme", "code").status_code == 204
    assert repos.enable_automated_security_fixes("acme", "code").status_code == 204
    assert repos.check_automated_security_fixes("acme", "code").parsed_data.enabled is True
    commit = repos.get_branch("acme", "code", "main").parsed_data.commit.sha
    assert github.rest.git.get_ref("acme", "code", "heads/main").parsed_data.object_.sha == commit
    assert repos.rename_branch("acme", "code", "main", new_name="trunk").parsed_data.name == "trunk"
    ruleset = repos.create_repo_ruleset("acme", "code", name="r", enforcement="active", rules=[{"type": "deletion"}])
    assert repos.get_repo_ruleset("acme", "code", ruleset.parsed_data.id).parsed_data.name == "r"
    names = [one.name for one in github.rest.paginate(repos.list_for_org, org="acme", per_page=1)]
    assert names == ["code"]
    repos.delete("acme", "code")
    with pytest.raises(RequestFailed) as gone:
        repos.get("acme", "code")
    assert gone.value.response.status_code == 404


RULE = {"name": "other", "enforcement": "active"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "orgs/acme/repos", {}, 422, '"name" wasn\'t supplied'),
        ("POST", "orgs/acme/repos", {"name": "CODE"}, 422, "name already exists on this account"),
        ("POST", "orgs/acme/repos", {"name": "x", "visibility": "secret"}, 422, "public, private, internal"),
        ("POST", "orgs/acme/repos", {"name": "x", "visibility": "internal"}, 422, "belongs to an enterprise"),
        ("POST", "orgs/acme/repos", {"name": "x", "has_wiki": "yes"}, 422, "/has_wiki: `yes` is not of type"),
        ("POST", "orgs/acme/repos", {"name": "x", "colour": 1}, 422, '"colour" is not a permitted key'),
        ("POST", "orgs/acme/repos", {"name": "x", "gitignore_template": "Go"}, 422, "local cloud does not support"),
        ("POST", "orgs/acme/repos", [1], 400, "Body should be a JSON object"),
        ("PATCH", "repos/acme/code", {"default_branch": "none"}, 422, "The branch none was not found"),
        ("PATCH", "repos/acme/empty", {"default_branch": "b"}, 422, "default branch for an empty repository"),
        ("PATCH", "repos/acme/code", {"name": "empty"}, 422, "name already exists on this account"),
        ("PATCH", "repos/acme/code", {"merge_commit_message": "BLANK"}, 422, "cannot be combined"),
        (
            "PATCH",
            "repos/acme/code",
            {"allow_squash_merge": False, "allow_merge_commit": False, "allow_rebase_merge": False},
            422,
            "no_merge_method",
        ),
        ("PATCH", "repos/acme/empty", {"allow_forking": True}, 422, "Allow forks"),
        ("PUT", "repos/acme/code/topics", {"names": ["Big"]}, 422, "Topics must start with a lowercase letter"),
        ("PUT", "repos/acme/code/automated-security-fixes", None, 422, "Vulnerability alerts must be enabled"),
        ("POST", "repos/acme/code/git/refs", {"ref": "refs/heads/b", "sha": "0" * 40}, 422, "Object does not exist"),
        ("POST", "repos/acme/code/branches/main/rename", {"new_name": "main"}, 422, "already exists"),
        ("POST", "repos/acme/code/rulesets", {"name": "x"}, 422, '"enforcement" wasn\'t supplied'),
        ("POST", "repos/acme/code/rulesets", {**RULE, "name": "taken"}, 422, "Name must be unique"),
        ("POST", "repos/acme/code/rulesets", {**RULE, "enforcement": "evaluate"}, 422, "GitHub Enterprise"),
        (
            "POST",
            "repos/acme/code/rulesets",
            {**RULE, "bypass_actors": None},
            422,
            "/bypass_actors: data cannot be null",
        ),
        ("POST", "repos/acme/code/rulesets", {**RULE, "bypass_actors": [{"actor_type": "Team"}]}, 422, "actor_id"),
        (
            "POST",
            "repos/acme/code/rulesets",
            {**RULE, "conditions": {"ref_name": {"include": ["main"]}}},
            422,
            "Invalid target patterns: 'main'",
        ),
        ("POST", "repos/acme/code/rulesets", {**RULE, "rules": [{"type": "max_file_size"}]}, 422, "does not apply"),
        ("POST", "repos/acme/code/rulesets", {**RULE, "rules": [{"type": "workflows"}]}, 501, "'workflows'"),
        ("POST", "repos/acme/code/rulesets", {**RULE, "rules": [{"type": "tag_name_pattern"}]}, 422, "Enterprise"),
        ("POST", "repos/acme/code/rulesets", {**RULE, "rules": [{"type": "deletion"}] * 2}, 422, "different types"),
        (
            "POST",
            "repos/acme/code/rulesets",
            {
                **RULE,
                "rules": [
                    {"type": "pull_request", "parameters": {**PULL_REQUEST, "required_approving_review_count": 11}}
                ],
            },
            422,
            "/rules/0/parameters/required_approving_review_count: `11` must be between 0 and 10",
        ),
        ("PATCH", "repos/acme/old", {"has_wiki": True}, 403, "Repository was archived so is read-only."),
        ("PUT", "repos/acme/old/topics", {"names": []}, 403, "archived"),
        ("PUT", "repos/acme/old/vulnerability-alerts", None, 403, "archived"),
        ("POST", "repos/acme/old/rulesets", RULE, 403, "archived"),
        ("GET", "repos/acme/none", None, 404, "Not Found"),
        ("GET", "orgs/localcloud", None, 404, "Not Found"),
        ("GET", "repos/acme/code/pages", None, 501, "GET /repos/acme/code/pages"),
        ("DELETE", "user", None, 501, "DELETE /user"),
    ],
)
def test_wrong_request_refused_unchanged(
    tmp_path: Path, method: str, path: str, body: Any, status: int, words: str
) -> None:
    store = tmp_path / "github.json"
    with serving(create_app(store, token=TOKEN)) as served:
        served.request("POST", "orgs/acme/repos", CREATION)
        for name in ("empty", "old"):
            served.request("POST", "orgs/acme/repos", {"name": name})
        served.request("POST", "repos/acme/code/rulesets", {**RULE, "name": "taken"})
        served.request("PATCH", "repos/acme/old", {"archived": True})
        before = store.read_text()
        answer = served.request(method, path, body)
        assert (answer.status_code, answer.json()["status"]) == (status, str(status))
        assert words in answer.text.replace('\\"', '"')
        assert answer.json()["documentation_url"].startswith("https://docs.github.com/rest")
        assert store.read_text() == before


def test_token_subject_has_numbers_until_opted_out(served: Served) -> None:
    made = served.request("POST", "orgs/acme/repos", {**CREATION, "name": "subjects"}).json()
    path = "repos/acme/subjects/actions/oidc/customization/sub"
    numbered = f"repo:acme@{made['owner']['id']}/subjects@{made['id']}"
    assert served.request("GET", path).json()["sub_claim_prefix"] == numbered
    served.request("PUT", path, {"use_default": True, "use_immutable_subject": False})
    found = served.request("GET", path).json()
    assert (found["use_immutable_subject"], found["sub_claim_prefix"]) == (False, "repo:acme/subjects")


def test_missing_token_refused(served: Served) -> None:
    assert served.request("GET", "user", Authorization="Bearer wrong").json()["message"] == "Bad credentials"
    nothing = requests.get(f"{served.base}user", timeout=30)
    assert (nothing.status_code, nothing.json()["message"]) == (401, "Requires authentication")
    assert requests.get(f"{served.base}user", auth=("anybody", TOKEN), timeout=30).status_code == 200
    assert served.request("GET", "user", X_GitHub_Api_Version="1999-01-01").status_code == 400


def test_listed_organisations_only() -> None:
    with serving(create_app(None, owners=["Acme"])) as served:
        assert served.request("GET", "orgs/acme").json()["login"] == "Acme"
        assert served.request("GET", "orgs/other").status_code == 404
        assert served.request("POST", "orgs/other/repos", {"name": "x"}).status_code == 404


def test_list_pages_keep_query(served: Served) -> None:
    for number in range(5):
        served.request("POST", "orgs/acme/repos", {"name": f"r{number}"})
    first = served.request("GET", "orgs/acme/repos?sort=full_name&per_page=2")
    assert [one["name"] for one in first.json()] == ["r0", "r1"]
    last = requests.get(first.links["last"]["url"], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    assert [one["name"] for one in last.json()] == ["r4"]
    assert set(last.links) == {"first", "prev"}


def test_state_survives_restart(tmp_path: Path) -> None:
    store = tmp_path / "github.json"
    with serving(create_app(store, token=TOKEN)) as served:
        served.request("POST", "orgs/acme/repos", CREATION)
        made = served.request("POST", "repos/acme/code/rulesets", RULESET).json()["id"]
        served.request("PATCH", "repos/acme/code", {"name": "moved"})
    with serving(create_app(store, token=TOKEN)) as served:
        assert served.request("GET", f"repos/acme/moved/rulesets/{made}").json()["name"] == "default-branch"
        assert served.request("GET", "repos/acme/code").status_code == 301
        assert served.request("POST", "orgs/acme/repos", {"name": "next"}).json()["id"] > made
