"""The first days of the repository: it exists, with its history, before its stack takes it over."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud, a_local_cloud
from tests.scenarios.harness import CONTINUITY, github

OWNER, NAME = "botbrains", "continuity"


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The vault, and an empty private repository that a person created."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud")) as made:
        github(made).rest.repos.create_in_org(OWNER, name=NAME, private=True)
        assert made.run(*CONTINUITY, "up", "--yes", "vault", timeout=900).returncode == 0
        yield made


def push(cloud: LocalCloud, folder: Path, branch: str) -> subprocess.CompletedProcess[str]:
    """Commit once more, and push to a branch."""
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    address = f"{cloud.env['GITHUB_BASE_URL']}{OWNER}/{NAME}.git".replace("//", f"//x:{cloud.env['GITHUB_TOKEN']}@", 1)
    if not folder.exists():
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    commit = ["git", "-C", str(folder), *author, "commit", "--quiet", "--allow-empty", "--message", branch]
    subprocess.run(commit, check=True)
    return cloud.run("git", "-C", str(folder), "push", address, f"HEAD:refs/heads/{branch}")


def test_existing_repository_is_imported_and_then_configured(cloud: LocalCloud, tmp_path: Path) -> None:
    repos = github(cloud).rest.repos
    created = repos.get(OWNER, NAME).parsed_data
    assert push(cloud, tmp_path / "clone", "main").returncode == 0

    refused = cloud.run(*CONTINUITY, "up", "--yes", "github")
    assert refused.returncode != 0
    assert "name already exists on this account" in refused.stdout
    [command] = [line for line in refused.stderr.splitlines() if line.startswith("pulumi import")]
    assert cloud.run(*shlex.split(command), "--yes").returncode == 0
    imported = repos.get(OWNER, NAME).parsed_data
    assert (imported.id, imported.has_wiki, imported.allow_merge_commit) == (created.id, True, True)

    assert cloud.run(*CONTINUITY, "up", "--yes", "github").returncode == 0
    configured = repos.get(OWNER, NAME).parsed_data
    assert (configured.id, configured.has_wiki, configured.allow_merge_commit) == (created.id, False, False)
    [ruleset] = repos.get_repo_rulesets(OWNER, NAME).parsed_data
    assert ruleset.enforcement == "active"
    refused = push(cloud, tmp_path / "clone", "main")
    assert refused.returncode != 0
    assert "GH013: Repository rule violations found for refs/heads/main." in refused.stderr
    assert push(cloud, tmp_path / "clone", "change").returncode == 0
    assert "github: no change" in cloud.run(*CONTINUITY, "up", "--yes", "github").stdout
