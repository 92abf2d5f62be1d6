"""A change on its way: previewed, judged and mirrored; what somebody changes past it; and a start from a file alone.

Everything runs in a working copy of its own, as on a runner. The tests follow one another, in the order in which they
stand here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hcloud import Client as Hetzner

from continuity.clouds.github import Repository
from localcloud.engine.provide import Engine
from localcloud.runtime.environment import environment
from tests.conftest import ROOT, LocalCloud, a_local_cloud
from tests.scenarios.asking import HOME, PLAN, RECOVERY, aws, outputs

AS_SOMEBODY = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *AS_SOMEBODY, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in this folder now, committed as `main` of a repository of its own, with the environment of this one."""
    folder = tmp_path_factory.mktemp("copy") / "continuity"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "As it is")
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    return folder


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory, copy: Path) -> Iterator[LocalCloud]:
    """A local cloud with production in it, brought up from the copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALCLOUD_HOSTS", "off")
        with a_local_cloud(engine, tmp_path_factory.mktemp("cloud")) as made:
            led = replace(made, env={**environment(made.folder, made.running, engine), "LOCALCLOUD_HOSTS": "off"})
            assert continuity(led, copy, "up", "--yes").returncode == 0
            yield led


def continuity(cloud: LocalCloud, copy: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    told = replace(cloud, env={**cloud.env, **more})
    return told.run(str(copy / ".venv/bin/python"), "-m", "continuity", *arguments, cwd=copy)


def localcloud(cloud: LocalCloud, *arguments: str) -> None:
    assert cloud.run(str(ROOT / ".venv/bin/python"), "-m", "localcloud", *arguments).returncode == 0


def change(copy: Path, branch: str, old: str, new: str, file: str = "Pulumi.prod.yaml") -> None:
    """Something else on a branch of its own."""
    git(copy, "checkout", "--quiet", "-B", branch, "main")
    text = (copy / file).read_text()
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new))
    git(copy, "commit", "--quiet", "--all", "--message", branch)


@pytest.fixture
def main(copy: Path) -> Iterator[None]:
    """The branch that the next test finds."""
    yield
    git(copy, "checkout", "--quiet", "--force", "main")


# -- a change ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("main")
def test_the_script_previews_a_branch_and_writes_the_comment_without_an_account(copy: Path, tmp_path: Path) -> None:
    change(copy, "larger", "maxStorageGib: 400", "maxStorageGib: 500")
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
    assert "The policy pack refuses nothing" in text
    assert re.search(r"#### `vault`: no change", text)
    # Recovery is looked at as well, though it is not there: it has to come up any day.
    assert re.search(r"#### `dr`: \d+ to create", text)


@pytest.mark.usefixtures("main")
def test_a_change_that_breaks_a_policy_fails_with_the_violation_in_the_text(cloud: LocalCloud, copy: Path) -> None:
    change(copy, "forgetful", "    storageGib: 100", "    storageGib: 100\n    backupRetentionDays: 1")
    done = continuity(cloud, copy, "ci", "preview", "prod")
    assert done.returncode == 1
    days = PLAN.retention.database_backup_days
    assert "**The policy pack refuses this change**: 1 violation." in done.stdout
    assert "`database-backup-retention` on `aws:rds:Instance botbrains-prod-database`" in done.stdout
    assert f"backupRetentionPeriod is 1; allowed is {days} days or more" in done.stdout


@pytest.mark.usefixtures("main")
def test_a_change_that_replaces_the_database_needs_a_persons_label(cloud: LocalCloud, copy: Path) -> None:
    change(copy, "renamed", "    storageGib: 100", "    storageGib: 100\n    identifier: botbrains-prod-other")
    # While it is protected, Pulumi refuses as well, and a label changes nothing about that.
    protected = continuity(cloud, copy, "ci", "preview", "prod", DATA_MAY_END="true")
    assert protected.returncode == 1
    assert "protect" in protected.stdout
    assert cloud.run("pulumi", "state", "unprotect", "--all", "--yes", "--stack", "prod", cwd=copy).returncode == 0
    refused = continuity(cloud, copy, "ci", "preview", "prod")
    assert refused.returncode == 4
    assert "- `prod`: delete of `aws:rds:Instance botbrains-prod-database` loses a database" in refused.stdout
    agreed = continuity(cloud, copy, "ci", "preview", "prod", DATA_MAY_END="true")
    assert agreed.returncode == 0
    assert "The label `replaces-data` approves it" in agreed.stdout


def test_the_comment_is_put_on_the_pull_request_and_changed_there(
    cloud: LocalCloud, copy: Path, tmp_path: Path
) -> None:
    repository = Repository.from_environment(cloud.env)
    number = repository.ask("POST", "issues", {"title": "stands for a pull request"})["number"]
    for text in ("first", "second"):
        (tmp_path / "comment").write_text(f"<!-- continuity preview: x -->\n{text}\n")
        assert continuity(cloud, copy, "ci", "comment", str(number), str(tmp_path / "comment")).returncode == 0
    [comment] = repository.all(f"issues/{number}/comments")
    assert comment["body"].endswith("second\n")
    repository.ask("PATCH", f"issues/{number}", {"state": "closed"})


# -- what is changed past the code ------------------------------------------------------------------------------------


def drift_issues(cloud: LocalCloud) -> list[dict[str, Any]]:
    return [
        one
        for one in Repository.from_environment(cloud.env).all("issues?state=all")
        if "continuity drift" in (one["body"] or "")
    ]


def test_what_is_as_declared_is_no_drift_and_no_issue(cloud: LocalCloud, copy: Path) -> None:
    done = continuity(cloud, copy, "drift", "--report")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["vault: as declared", "prod: as declared", "dr: does not exist"]
    assert drift_issues(cloud) == []


def test_drift_by_hand_is_named_property_by_property_and_reported_once(cloud: LocalCloud, copy: Path) -> None:
    [database] = aws(cloud, "rds").describe_db_instances()["DBInstances"]
    aws(cloud, "rds").modify_db_instance(
        DBInstanceIdentifier=database["DBInstanceIdentifier"],
        BackupRetentionPeriod=7,
        DeletionProtection=False,
        ApplyImmediately=True,
    )
    hetzner = Hetzner(cloud.env["HCLOUD_TOKEN"], api_endpoint=cloud.env["HCLOUD_ENDPOINT"], poll_interval=0.05)
    worker = hetzner.servers.get_by_name("botbrains-prod-worker-1")
    assert worker is not None
    worker.change_protection(delete=False, rebuild=False).wait_until_finished()
    worker.delete()
    Repository.from_environment(cloud.env).ask("PUT", "environments/prod", {})

    found = continuity(cloud, copy, "drift", "--report")
    assert found.returncode == 7
    promised = PLAN.retention.database_backup_days
    for line in (
        "prod: aws:rds:Instance botbrains-prod-database was changed",
        f"prod:     backupRetentionPeriod is 7; declared is {promised}",
        "prod:     deletionProtection is false; declared is true",
        "prod: hcloud:index:Server botbrains-prod-worker-1 is gone",
        "prod: github:index:RepositoryEnvironment botbrains-prod-delivery-prod was changed",
        "prod:     canAdminsBypass is true; declared is false",
    ):
        assert line in found.stdout.splitlines()
    [issue] = drift_issues(cloud)
    assert f"`backupRetentionPeriod` is `7`; declared is `{promised}`" in issue["body"]

    again = continuity(cloud, copy, "drift", "--report")
    assert again.returncode == 7
    assert "reported already" in again.stderr
    [same] = drift_issues(cloud)
    assert (same["number"], same["comments"], same["updated_at"]) == (issue["number"], 0, issue["updated_at"])


def test_a_cloud_that_cannot_be_asked_is_red_and_not_quiet(cloud: LocalCloud, copy: Path) -> None:
    localcloud(cloud, "cut", HOME)
    try:
        done = continuity(cloud, copy, "drift", "prod")
        assert done.returncode == 1
        assert "prod: could not be read: " in done.stdout
        nothing = continuity(cloud, copy, "drift", "prod", PULUMI_BACKEND_URL="file:///nowhere-at-all")
        assert nothing.returncode == 1
    finally:
        localcloud(cloud, "restore", HOME)


def test_once_it_is_as_declared_again_the_issue_is_closed(cloud: LocalCloud, copy: Path) -> None:
    up = cloud.run(
        *("pulumi", "up", "--yes", "--skip-preview", "--refresh", "--stack", "prod", "--policy-pack", "policy_pack"),
        cwd=copy,
    )
    assert up.returncode == 0
    done = continuity(cloud, copy, "drift", "--report")
    assert done.returncode == 0
    assert "closed: " in done.stderr
    [issue] = drift_issues(cloud)
    assert issue["state"] == "closed"


# -- without GitHub ---------------------------------------------------------------------------------------------------


def test_production_comes_up_from_irelands_bundle_in_a_clean_room_with_github_cut_off(
    cloud: LocalCloud, copy: Path, tmp_path: Path
) -> None:
    pushed = continuity(cloud, copy, "bundle", "push")
    assert pushed.returncode == 0
    bucket = outputs(cloud, "vault")["bundle_bucket_name"]
    place = aws(cloud, "s3", RECOVERY).get_bucket_location(Bucket=bucket)["LocationConstraint"]
    assert place == RECOVERY

    # Germany and GitHub are gone; what is left is the bucket in Ireland.
    localcloud(cloud, "cut", HOME, "github")
    try:
        fetched = continuity(cloud, copy, "bundle", "fetch", str(tmp_path / "bundle"))
        assert fetched.returncode == 0
        assert git(copy, "rev-parse", "main") in fetched.stdout
    finally:
        localcloud(cloud, "restore", "--all")
    shown = subprocess.run(
        [copy / ".ci/clean-room", tmp_path / "bundle"],
        env={**_caches(), "PATH": os.environ["PATH"]},
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


def _caches() -> dict[str, str]:
    """Where this machine keeps packages and the engine: a test does not fetch them anew."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    packages = Path(os.environ.get("UV_CACHE_DIR") or home / "uv")
    return {"CLEAN_ROOM_CACHE": str(home), **({"CLEAN_ROOM_PACKAGES": str(packages)} if packages.is_dir() else {})}


def test_an_update_without_github_leaves_what_is_there_as_it_is(cloud: LocalCloud, copy: Path) -> None:
    before = json.loads(cloud.run("pulumi", "stack", "export", "--stack", "prod").stdout)["deployment"]["resources"]
    localcloud(cloud, "cut", "github")
    try:
        assert continuity(cloud, copy, "up", "--yes", "--without-github", "prod").returncode == 0
    finally:
        localcloud(cloud, "restore", "github")
    after = json.loads(cloud.run("pulumi", "stack", "export", "--stack", "prod").stdout)["deployment"]["resources"]
    assert {one["urn"] for one in before} == {one["urn"] for one in after}
    assert continuity(cloud, copy, "drift", "prod").returncode == 0
