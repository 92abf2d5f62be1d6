"""Delivery of a change: preview, policies and mirror; drift made by hand; and production from the bundle alone.

Everything runs in a working copy, like on a runner. Each test restores what it changes.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from continuity.clouds.github import Repository
from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud, a_local_cloud
from tests.scenarios.harness import HOME, PACK, PLAN, RECOVERY, aws, hetzner, outputs, unreachable, working_copy

AUTHOR = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it printed."""
    done = subprocess.run(["git", "-C", str(folder), *AUTHOR, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working copy, committed as `main` of a new repository."""
    folder = tmp_path_factory.mktemp("copy") / "continuity"
    folder.mkdir()
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    working_copy(folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "As it is")
    return folder


@pytest.fixture
def copy(repository: Path) -> Iterator[Path]:
    """The repository with `main` checked out, as it is again after the test."""
    yield repository
    git(repository, "checkout", "--quiet", "--force", "main")


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[LocalCloud]:
    """A local cloud with production and GitHub in it, brought up from the repository."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud")) as made:
        assert continuity(made, repository, "up", "--yes", "prod", "github").returncode == 0
        yield made


def continuity(cloud: LocalCloud, copy: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the copy, with more environment variables."""
    command = (str(copy / ".venv/bin/python"), "-m", "continuity", *arguments)
    return replace(cloud, env={**cloud.env, **variables}).run(*command, cwd=copy)


def change(copy: Path, branch: str, old: str, new: str, file: str = "Pulumi.prod.yaml") -> None:
    """Commit one changed setting on a new branch."""
    git(copy, "checkout", "--quiet", "-B", branch, "main")
    text = (copy / file).read_text()
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new))
    git(copy, "commit", "--quiet", "--all", "--message", branch)


# -- a change ---------------------------------------------------------------------------------------------------------


def test_script_previews_a_branch_without_an_account(copy: Path, tmp_path: Path) -> None:
    change(copy, "larger", "storageGib: 100\n    maxStorageGib: 400", "storageGib: 150\n    maxStorageGib: 500")
    comment = tmp_path / "comment"
    done = subprocess.run(
        [copy / ".ci/preview-change", "main", comment], cwd=copy, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    text = comment.read_text()
    assert text in done.stdout + "\n"
    assert re.search(r"#### `prod`: 1 to update, \d+ unchanged", text)
    assert "! update  aws:rds:Instance botbrains-prod-database" in text
    assert "-     maxAllocatedStorage: 400" in text
    assert "+     maxAllocatedStorage: 500" in text
    assert re.search(
        r"a month, estimated:\*\* `prod` \+[0-9.]+ USD; `dr`, which does not exist, would cost .* EUR and", text
    )
    assert "The policy pack refuses nothing" in text
    assert re.search(r"#### `vault`: no change", text)
    # Recovery does not exist, but it has to come up any day: the preview includes it.
    assert re.search(r"#### `dr`: \d+ to create", text)


def test_change_that_breaks_a_policy_fails(cloud: LocalCloud, copy: Path) -> None:
    change(copy, "forgetful", "    storageGib: 100", "    storageGib: 100\n    backupRetentionDays: 1")
    done = continuity(cloud, copy, "ci", "preview", "prod")
    assert done.returncode == 1
    days = PLAN.retention.database_backup_days
    assert "**The policy pack refuses this change**: 1 violation." in done.stdout
    assert "`database-backup-retention` on `aws:rds:Instance botbrains-prod-database`" in done.stdout
    assert f"backupRetentionPeriod is 1; allowed is {days} days or more" in done.stdout


@contextmanager
def unprotected(cloud: LocalCloud, stack: str, state: Path) -> Iterator[None]:
    """Lift the protection in a stack's state, and import the exported state at the end."""
    assert cloud.run("pulumi", "stack", "export", "--stack", stack, "--file", str(state)).returncode == 0
    assert cloud.run("pulumi", "state", "unprotect", "--all", "--yes", "--stack", stack).returncode == 0
    try:
        yield
    finally:
        assert cloud.run("pulumi", "stack", "import", "--stack", stack, "--file", str(state)).returncode == 0


def test_change_that_replaces_the_database_needs_a_label(cloud: LocalCloud, copy: Path, tmp_path: Path) -> None:
    change(copy, "renamed", "    storageGib: 100", "    storageGib: 100\n    identifier: botbrains-prod-other")
    # While the database is protected, Pulumi refuses too, with or without the label.
    protected = continuity(cloud, copy, "ci", "preview", "prod", DATA_MAY_END="true")
    assert protected.returncode == 1
    assert "protect" in protected.stdout
    with unprotected(cloud, "prod", tmp_path / "state.json"):
        refused = continuity(cloud, copy, "ci", "preview", "prod")
        agreed = continuity(cloud, copy, "ci", "preview", "prod", DATA_MAY_END="true")
    assert refused.returncode == 4
    assert "- `prod`: delete of `aws:rds:Instance botbrains-prod-database` loses a database" in refused.stdout
    assert agreed.returncode == 0
    assert "The label `replaces-data` approves it" in agreed.stdout


def test_comment_is_created_once_and_then_edited(cloud: LocalCloud, copy: Path, tmp_path: Path) -> None:
    repository = Repository.from_environment(cloud.env)
    number = repository.ask("POST", "issues", {"title": "in place of a pull request"})["number"]
    for text in ("first", "second"):
        (tmp_path / "comment").write_text(f"<!-- continuity preview: x -->\n{text}\n")
        assert continuity(cloud, copy, "ci", "comment", str(number), str(tmp_path / "comment")).returncode == 0
    [comment] = repository.all(f"issues/{number}/comments")
    assert comment["body"].endswith("second\n")
    repository.ask("PATCH", f"issues/{number}", {"state": "closed"})


# -- drift ------------------------------------------------------------------------------------------------------------


def drift_issues(cloud: LocalCloud) -> list[dict[str, Any]]:
    """The issues that report drift, open and closed."""
    return [
        one
        for one in Repository.from_environment(cloud.env).all("issues?state=all")
        if "continuity drift" in (one["body"] or "")
    ]


def change_by_hand(cloud: LocalCloud) -> None:
    """Change two settings of the database and one at GitHub, and delete a host."""
    [database] = aws(cloud, "rds").describe_db_instances()["DBInstances"]
    aws(cloud, "rds").modify_db_instance(
        DBInstanceIdentifier=database["DBInstanceIdentifier"],
        BackupRetentionPeriod=7,
        DeletionProtection=False,
        ApplyImmediately=True,
    )
    worker = hetzner(cloud).servers.get_by_name("botbrains-prod-worker-1")
    worker.change_protection(delete=False, rebuild=False).wait_until_finished()
    worker.delete()
    Repository.from_environment(cloud.env).ask("PATCH", "actions/variables/AWS_REGION", {"value": "eu-south-1"})


def test_drift_is_reported_once_until_it_is_repaired(cloud: LocalCloud, copy: Path, subtests: pytest.Subtests) -> None:
    with subtests.test("no drift, no issue"):
        done = continuity(cloud, copy, "drift", "--report")
        assert done.returncode == 0
        assert done.stdout.splitlines() == [
            "vault: as declared",
            "prod: as declared",
            "github: as declared",
            "dr: does not exist",
        ]
        assert drift_issues(cloud) == []

    change_by_hand(cloud)
    promised = PLAN.retention.database_backup_days
    with subtests.test("the report names each changed property"):
        found = continuity(cloud, copy, "drift", "--report")
        assert found.returncode == 7
        for line in (
            "prod: aws:rds:Instance botbrains-prod-database was changed",
            f"prod:     backupRetentionPeriod is 7; declared is {promised}",
            "prod:     deletionProtection is false; declared is true",
            "prod: hcloud:index:Server botbrains-prod-worker-1 is gone",
            "github: github:index:ActionsVariable botbrains-github-delivery-aws-region was changed",
            "github:     value is eu-south-1; declared is eu-west-1",
        ):
            assert line in found.stdout.splitlines()
        [issue] = drift_issues(cloud)
        assert f"`backupRetentionPeriod` is `7`; declared is `{promised}`" in issue["body"]

    with subtests.test("the same drift is not reported again"):
        [issue] = drift_issues(cloud)
        again = continuity(cloud, copy, "drift", "--report")
        assert again.returncode == 7
        assert "reported already" in again.stderr
        [same] = drift_issues(cloud)
        assert (same["number"], same["comments"], same["updated_at"]) == (issue["number"], 0, issue["updated_at"])

    with subtests.test("a repair closes the issue"):
        for stack in ("prod", "github"):
            up = ("pulumi", "up", "--yes", "--skip-preview", "--refresh", "--stack", stack, *PACK)
            assert cloud.run(*up, cwd=copy).returncode == 0
        done = continuity(cloud, copy, "drift", "--report")
        assert done.returncode == 0
        assert "closed: " in done.stderr
        [issue] = drift_issues(cloud)
        assert issue["state"] == "closed"


def test_drift_fails_if_a_cloud_does_not_answer(cloud: LocalCloud, copy: Path) -> None:
    with unreachable(cloud, HOME):
        done = continuity(cloud, copy, "drift", "prod")
    assert done.returncode == 1
    assert "prod: could not be read: " in done.stdout


def test_drift_fails_if_the_state_backend_is_missing(cloud: LocalCloud, copy: Path) -> None:
    assert continuity(cloud, copy, "drift", "prod", PULUMI_BACKEND_URL="file:///nowhere-at-all").returncode == 1


# -- without GitHub ---------------------------------------------------------------------------------------------------


def test_production_comes_up_from_the_bundle_alone(cloud: LocalCloud, copy: Path, tmp_path: Path) -> None:
    pushed = continuity(cloud, copy, "bundle", "push")
    assert pushed.returncode == 0
    bucket = outputs(cloud, "vault")["bundle_bucket_name"]
    place = aws(cloud, "s3", RECOVERY).get_bucket_location(Bucket=bucket)["LocationConstraint"]
    assert place == RECOVERY

    # Germany and GitHub are gone. The bucket in Ireland is left.
    with unreachable(cloud, HOME, "github"):
        fetched = continuity(cloud, copy, "bundle", "fetch", str(tmp_path / "bundle"))
    assert fetched.returncode == 0
    assert git(copy, "rev-parse", "main") in fetched.stdout
    shown = subprocess.run(
        [copy / ".ci/clean-room", tmp_path / "bundle"],
        env={**caches(), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    print(shown.stdout, shown.stderr)
    assert shown.returncode == 0
    assert "production came up from the bundle alone, with GitHub cut off" in shown.stdout
    made = dict(re.findall(r"^(vault|prod): (\d+) create\b", shown.stdout, re.MULTILINE))
    assert set(made) == {"vault", "prod"}
    assert int(made["prod"]) > 50


def caches() -> dict[str, str]:
    """The caches of packages and of the engine, so that the test downloads nothing."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    packages = Path(os.environ.get("UV_CACHE_DIR") or home / "uv")
    return {"CLEAN_ROOM_CACHE": str(home), **({"CLEAN_ROOM_PACKAGES": str(packages)} if packages.is_dir() else {})}


def test_outage_of_github_stops_no_update_of_the_service(cloud: LocalCloud, copy: Path) -> None:
    with unreachable(cloud, "github"):
        assert continuity(cloud, copy, "up", "--yes").returncode == 0
        assert continuity(cloud, copy, "drift", "github").returncode == 1
    assert continuity(cloud, copy, "drift", "github").returncode == 0
