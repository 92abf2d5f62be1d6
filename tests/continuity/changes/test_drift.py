"""Drift is told in one issue: opened once, kept in step, closed when it is over, and never closed by not looking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from continuity.changes import drift
from continuity.changes.drift import Finding
from continuity.clouds.github import Repository
from continuity.engine.events import Heard, Property, Step
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError
from localcloud.github import create_app
from tests.localcloud.github_harness import TOKEN, Served, serving

LOWERED = Step("update", "aws:rds:Instance", "db", (Property("backupRetentionPeriod", 35, 7),))
DELETED = Step("delete", "hcloud:index:Server", "worker-1")
QUIET = [Finding(Stack.VAULT), Finding(Stack.PROD), Finding(Stack.DR, absent=True)]
DRIFTED = [Finding(Stack.VAULT), Finding(Stack.PROD, steps=(LOWERED, DELETED))]
UNSEEN = [Finding(Stack.VAULT), Finding(Stack.PROD, unseen="no credentials")]
HEARD = Heard(code=0, steps=(), policies=(), errors=(), notes=(), unchanged=1, unknown=0, finished=True, said="")


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_app(None, token=TOKEN)) as running:
        running.request("POST", "orgs/acme/repos", {"name": "code", "private": True, "auto_init": True})
        yield running


@pytest.fixture
def repository(served: Served) -> Repository:
    return Repository.of(
        {"GITHUB_BASE_URL": served.base, "GITHUB_REPOSITORY": "acme/code", "ISSUES_TOKEN": TOKEN, "GITHUB_TOKEN": "no"}
    )


def issues(repository: Repository) -> list[dict[str, Any]]:
    return list(repository.all("issues?state=all"))


def test_the_same_drift_is_reported_once_and_another_one_in_the_same_issue(repository: Repository) -> None:
    repository.ask("POST", "issues", {"title": "something else", "body": None})
    assert drift.report(QUIET, repository) == "nothing to report"
    assert drift.report(DRIFTED, repository).startswith("opened: ")
    assert drift.report(DRIFTED, repository).startswith("reported already: ")
    [issue, _] = issues(repository)
    assert issue["comments"] == 0
    for words in ("`backupRetentionPeriod` is `7`; declared is `35`", "`hcloud:index:Server worker-1` is gone"):
        assert words in issue["body"]

    more = [*DRIFTED, Finding(Stack.DR, steps=(DELETED,))]
    assert drift.report(more, repository).startswith("brought up to date: ")
    [again, _] = issues(repository)
    assert (again["number"], again["comments"]) == (issue["number"], 1)
    assert "`dr`" in again["body"]


def test_the_issue_is_closed_when_all_is_as_declared_and_a_later_drift_opens_another(repository: Repository) -> None:
    drift.report(DRIFTED, repository)
    assert drift.report(UNSEEN, repository).startswith("brought up to date: ")
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
def test_what_could_not_be_looked_at_is_red_whatever_else_was_found(findings: list[Finding], code: int) -> None:
    assert drift.code(findings) == code


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (replace(HEARD, code=255, errors=("the security token is expired",)), "token is expired"),
        (replace(HEARD, code=0, finished=False, said="interrupted"), "interrupted"),
        (replace(HEARD, code=1, finished=False, steps=(DELETED,)), "ended with 1"),
    ],
)
def test_a_look_that_did_not_come_to_its_end_is_no_look(heard: Heard, words: str) -> None:
    finding = drift.judged(Stack.PROD, heard)
    assert finding.unseen is not None
    assert words in finding.unseen
    assert not finding.steps


def test_a_comment_is_put_once_and_then_changed(repository: Repository) -> None:
    number = repository.ask("POST", "issues", {"title": "a change"})["number"]
    repository.ask("POST", f"issues/{number}/comments", {"body": "<!-- continuity preview: elsewhere --> other"})
    first = repository.say_once(number, "<!-- continuity preview: here -->", "<!-- continuity preview: here -->\none")
    again = repository.say_once(number, "<!-- continuity preview: here -->", "<!-- continuity preview: here -->\ntwo")
    assert first == again
    bodies = [one["body"] for one in repository.all(f"issues/{number}/comments")]
    assert len(bodies) == 2
    assert bodies[1].endswith("two")


def test_a_github_that_refuses_or_is_not_there_is_a_sentence(repository: Repository) -> None:
    with pytest.raises(ContinuityError, match="404 Not Found"):
        replace(repository, name="acme/none").open_issue("x")
    with pytest.raises(ContinuityError, match="does not answer"):
        replace(repository, api="http://127.0.0.1:9").open_issue("x")
    with pytest.raises(ContinuityError, match="set GITHUB_TOKEN"):
        Repository.of({})
