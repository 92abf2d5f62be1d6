"""Git against the emulator: pushes, clones, and the ruleset that refuses a push."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.github import create_app
from tests.localcloud.github_harness import RULESET, TOKEN, Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(create_app(tmp_path / "github.json", token=TOKEN)) as running:
        running.request("POST", "orgs/acme/repos", {"name": "code", "private": True})
        yield running


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *author, *arguments]
    return subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0"}, capture_output=True, text=True, check=False
    )


def address(served: Served, token: str = TOKEN) -> str:
    return f"{served.base}acme/code.git".replace("//", f"//x:{token}@", 1)


def test_first_push_is_accepted_and_later_ones_need_a_pull_request(served: Served, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "work")
    work = tmp_path / "work"
    git(work, "commit", "--allow-empty", "--message", "first")
    assert git(work, "push", address(served), "main").returncode == 0
    [branch] = served.request("GET", "repos/acme/code/branches").json()
    assert branch["commit"]["sha"] == git(work, "rev-parse", "HEAD").stdout.strip()
    assert git(tmp_path, "clone", address(served), "again").returncode == 0

    assert served.request("POST", "repos/acme/code/rulesets", RULESET).status_code == 201
    git(work, "commit", "--allow-empty", "--message", "second")
    refused = git(work, "push", address(served), "main")
    assert "GH013: Repository rule violations found for refs/heads/main." in refused.stderr
    assert git(work, "push", address(served), "main:change").returncode == 0
    for token in (f"{TOKEN}_reading", "wrong"):
        assert git(work, "push", address(served, token), "main:other").returncode != 0
    assert git(tmp_path, "clone", address(served, f"{TOKEN}_reading"), "read").returncode == 0
