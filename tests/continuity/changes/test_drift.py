"""Drift is reported in one issue: opened once, updated, and closed only after every stack could be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from continuity.changes import drift
from continuity.changes.drift import Finding
from continuity.clouds.github import Repository
from continuity.engine.events import EngineRun, PropertyChange, Step
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError
from localcloud.github import create_app
from tests.localcloud.github_harness import TOKEN, Served, serving

LOWERED = Step("update", "aws:rds:Instance", "db", (PropertyChange("backupRetentionPeriod", 35, 7),))
DELETED = Step("delete", "hcloud:index:Server", "worker-1")
QUIET = [Finding(Stack.VAULT), Finding(Stack.PROD), Finding(Stack.DR, absent=True)]
DRIFTED = [Finding(Stack.VAULT), Finding(Stack.PROD, steps=(LOWERED, DELETED))]
UNSEEN = [Finding(Stack.VAULT), Finding(Stack.PROD, unseen="no credentials")]
RUN = EngineRun(code=0, steps=(), policies=(), errors=(), notes=(), unchanged=1, unknown=0, finished=True, output="")


def test_settings_that_github_hides_are_no_drift() -> None:
    hidden = (PropertyChange("allowSquashMerge", True, False), PropertyChange("deleteBranchOnMerge", True, False))
    repository = Step("update", "github:index:Repository", "code", hidden)
    wiki = PropertyChange("hasWiki", False, True)
    changed = replace(repository, properties=(*hidden, wiki))
    by_hand = replace(repository, properties=(hidden[0], PropertyChange("allowMergeCommit", False, True)))
    found = drift.evaluate(Stack.GITHUB, replace(RUN, steps=(repository, changed, by_hand)))
    assert found.steps == (replace(repository, properties=(wiki,)), by_hand)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_app(None, token=TOKEN)) as running:
        running.request("POST", "orgs/acme/repos", {"name": "code", "private": True, "auto_init": True})
        yield running


@pytest.fixture
def repository(served: Served) -> Repository:
    return Repository.from_environment(
        {"GITHUB_BASE_URL": served.base, "GITHUB_REPOSITORY": "acme/code", "ISSUES_TOKEN": TOKEN, "GITHUB_TOKEN": "no"}
    )


def issues(repository: Repository) -> list[dict[str, Any]]:
    return list(repository.all("issues?state=all"))


def test_same_drift_is_reported_once(repository: Repository) -> None:
    repository.ask("POST", "issues", {"title": "something else", "body": None})
    assert drift.report(QUIET, repository) == "nothing to report"
    assert drift.report(DRIFTED, repository).startswith("opened: ")
    assert drift.report(DRIFTED, repository).startswith("reported already: ")
    [issue, _] = issues(repository)
    assert issue["comments"] == 0
    for words in ("`backupRetentionPeriod` is `7`; declared is `35`", "`hcloud:index:Server worker-1` is gone"):
        assert words in issue["body"]

    more = [*DRIFTED, Finding(Stack.DR, steps=(DELETED,))]
    assert drift.report(more, repository).startswith("updated: ")
    [again, _] = issues(repository)
    assert (again["number"], again["comments"]) == (issue["number"], 1)
    assert "`dr`" in again["body"]


def test_issue_closes_without_drift_and_reopens_as_new(repository: Repository) -> None:
    drift.report(DRIFTED, repository)
    assert drift.report(UNSEEN, repository).startswith("updated: ")
    [issue] = issues(repository)
    assert issue["state"] == "open"
    assert "no credentials" in issue["body"]
    assert drift.report(QUIET, repository).startswith("closed: ")
    assert [one["state"] for one in issues(repository)] == ["closed"]
    assert drift.report(DRIFTED, repository).startswith("opened: ")
    assert sorted(one["state"] for one in issues(repository)) == ["closed", "open"]


@pytest.mark.parametrize(
    ("findings", "code"),
    [(QUIET, 0), (DRIFTED, drift.DRIFTED), (UNSEEN, 1), ([*DRIFTED, *UNSEEN], 1)],
)
def test_unreadable_stack_decides_the_exit_code(findings: list[Finding], code: int) -> None:
    assert drift.code(findings) == code


@pytest.mark.parametrize(
    ("engine_run", "words"),
    [
        (replace(RUN, code=255, errors=("the security token is expired",)), "token is expired"),
        (replace(RUN, code=0, finished=False, output="interrupted"), "interrupted"),
        (replace(RUN, code=1, finished=False, steps=(DELETED,)), "ended with 1"),
    ],
)
def test_incomplete_refresh_is_unreadable(engine_run: EngineRun, words: str) -> None:
    finding = drift.evaluate(Stack.PROD, engine_run)
    assert finding.unseen is not None
    assert words in finding.unseen
    assert not finding.steps


def test_comment_is_created_once_then_updated(repository: Repository) -> None:
    number = repository.ask("POST", "issues", {"title": "a change"})["number"]
    repository.ask("POST", f"issues/{number}/comments", {"body": "<!-- continuity preview: elsewhere --> other"})
    first = repository.upsert_comment(
        number, "<!-- continuity preview: here -->", "<!-- continuity preview: here -->\none"
    )
    again = repository.upsert_comment(
        number, "<!-- continuity preview: here -->", "<!-- continuity preview: here -->\ntwo"
    )
    assert first == again
    bodies = [one["body"] for one in repository.all(f"issues/{number}/comments")]
    assert len(bodies) == 2
    assert bodies[1].endswith("two")


def test_github_errors_are_messages(repository: Repository) -> None:
    with pytest.raises(ContinuityError, match="404 Not Found"):
        replace(repository, name="acme/none").open_issue("x")
    with pytest.raises(ContinuityError, match="does not answer"):
        replace(repository, api="http://127.0.0.1:9").open_issue("x")
    with pytest.raises(ContinuityError, match="set GITHUB_TOKEN"):
        Repository.from_environment({})
