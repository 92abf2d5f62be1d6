"""The workflows: checked by zizmor and actionlint, and compared with the repository's settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import plan
from components.access.github_oidc import DEPLOY_SECONDS
from components.database.instance import TIMEOUT_HOURS
from continuity.changes.report import LABEL
from tests.conftest import ROOT

FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
ACTIONS = sorted((FOLDER / "actions").glob("*/action.yml"))
SETTINGS = yaml.safe_load((ROOT / "Pulumi.github.yaml").read_text())["config"]["botbrains:repository"]
PINNED = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # v\d+\.\d+\.\d+$")


def read(file: Path) -> dict[str, Any]:
    """A workflow. YAML reads its key `on` as true."""
    content: dict[Any, Any] = yaml.safe_load(file.read_text())
    return {"on" if key is True else key: value for key, value in content.items()}


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    """The jobs of all workflows, each with the name of its workflow and its own."""
    return [(file.stem, name, job) for file in WORKFLOWS for name, job in read(file)["jobs"].items()]


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is built with Go, which is not on PATH")
def test_zizmor_and_actionlint_find_nothing() -> None:
    done = subprocess.run(["make", "lint-workflows"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ignored_findings_have_a_reason() -> None:
    for file in (*WORKFLOWS, *ACTIONS):
        for line in file.read_text().splitlines():
            _, ignoring, reason = line.partition("zizmor: ignore[")
            assert not ignoring or len(reason.partition("]")[2].strip()) > 5, line


def test_actions_are_pinned_and_allowed() -> None:
    used = set()
    for file in (*WORKFLOWS, *ACTIONS):
        for line in file.read_text().splitlines():
            if "uses:" in line and "uses: ./" not in line:
                found = PINNED.search(line)
                assert found is not None, f"{file.name}: {line.strip()}"
                used.add(f"{found['action']}@*")
    assert used == set(SETTINGS["actions"])


def test_required_checks_run_for_every_change() -> None:
    change = read(FOLDER / "workflows/change.yml")
    assert "paths" not in change["on"]["pull_request"]
    assert "branches" not in change["on"]["pull_request"]
    names = {job["name"] for job in change["jobs"].values()}
    assert set(SETTINGS["requiredChecks"]) <= names


def test_code_of_a_fork_runs_without_more_rights() -> None:
    for file in WORKFLOWS:
        workflow = read(file)
        assert "pull_request_target" not in workflow["on"]
        assert "workflow_run" not in workflow["on"]
        assert workflow["permissions"] == {}
    change = read(FOLDER / "workflows/change.yml")["jobs"]
    for name, job in change.items():
        secret = "secrets." in str(job) or "id-token" in job["permissions"]
        writing = "write" in {value for key, value in job["permissions"].items() if key != "id-token"}
        # A job with a secret or a right to write runs only for branches of this repository.
        assert not secret or "head.repo.full_name == github.repository" in job["if"], name
        assert not writing or job["needs"] == "preview", name
    # The job that writes runs the code of the base branch, not of the change.
    [checkout, *_] = change["comment"]["steps"]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_each_deployment_has_its_own_environment() -> None:
    placed = {(file, name): job["environment"] for file, name, job in jobs() if "environment" in job}
    assert placed == {("deploy", stack): stack for stack in ("vault", "prod", "github", "dr")}
    for (_, name), environment in placed.items():
        job = read(FOLDER / "workflows/deploy.yml")["jobs"][name]
        assert job["concurrency"] == {"group": f"stack-{environment}", "cancel-in-progress": False}
        [deploy] = [step for step in job["steps"] if step.get("uses") == "./.github/actions/deploy"]
        assert deploy["with"]["stack"] == environment


def test_aws_credentials_are_never_stored() -> None:
    for file in (*WORKFLOWS, *ACTIONS):
        text = file.read_text()
        assert "aws-secret-access-key" not in text
        assert "AWS_SECRET" not in text
        assert text.count("configure-aws-credentials@") == text.count("role-to-assume: ${{ ")


def test_label_is_the_one_that_the_comment_names() -> None:
    text = (FOLDER / "workflows/change.yml").read_text()
    assert set(re.findall(r"labels\.\*\.name, '([^']+)'", text)) == {LABEL}


def test_cli_has_the_version_of_the_sdk() -> None:
    """Run the line of the action that reads the version from pyproject.toml."""
    [step] = [
        step for step in read(FOLDER / "actions/set-up/action.yml")["runs"]["steps"] if step.get("id") == "pulumi"
    ]
    command = step["run"].partition(" >> ")[0]
    said = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"version=\d+\.\d+\.\d+\n", said)


def test_sessions_outlast_the_wait_for_a_database() -> None:
    hours = plan.load().access.emergency_session_hours
    assert hours > TIMEOUT_HOURS
    assert f"--duration-seconds {hours * 3600} " in (ROOT / "docs/access.md").read_text()

    assert DEPLOY_SECONDS > TIMEOUT_HOURS * 3600
    steps = read(ROOT / ".github/actions/deploy/action.yml")["runs"]["steps"]
    [session] = [step["with"] for step in steps if "configure-aws-credentials@" in step.get("uses", "")]
    assert session["role-duration-seconds"] == DEPLOY_SECONDS
    jobs = read(FOLDER / "workflows/deploy.yml")["jobs"]
    # GitHub's stack has no database to wait for.
    assert {job["timeout-minutes"] * 60 for name, job in jobs.items() if name != "github"} == {DEPLOY_SECONDS}
    assert jobs["github"]["timeout-minutes"] * 60 < DEPLOY_SECONDS
