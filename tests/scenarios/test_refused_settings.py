"""An empty cloud: production can be previewed, and settings that break the plan are refused before anything exists."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, LocalCloud
from tests.scenarios.harness import (
    CONTINUITY,
    HOME,
    PACK,
    PLAN,
    RECOVERY,
    aws,
    changing_requests,
    configure,
    github,
    hetzner,
    outputs,
    requests,
    working_copy,
)


def nothing_exists(cloud: LocalCloud) -> bool:
    """Whether the clouds contain none of production's resources."""
    return not (
        hetzner(cloud).servers.get_all()
        or hetzner(cloud).networks.get_all()
        or aws(cloud, "rds").describe_db_instances()["DBInstances"]
        or [b for b in aws(cloud, "s3").list_buckets()["Buckets"] if "prod" in b["Name"]]
        or aws(cloud, "iam").list_roles()["Roles"]
        or github(cloud).rest.repos.list_for_org("botbrains").parsed_data
    )


@pytest.fixture(scope="module")
def empty_stacks(local_cloud: LocalCloud) -> LocalCloud:
    """A cloud with empty stacks: with `--config-file`, the engine creates none."""
    for stack in ("vault", "prod"):
        assert local_cloud.run("pulumi", "stack", "init", stack).returncode == 0
    return local_cloud


def changed_settings(into: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Production's settings, changed, in a new file."""
    file = Path(shutil.copy(ROOT / "Pulumi.prod.yaml", into))
    configure(file, change)
    return str(file)


def test_preview_of_an_empty_cloud_only_reads(local_cloud: LocalCloud) -> None:
    before = len(requests(local_cloud))
    done = local_cloud.run(*CONTINUITY, "preview")
    assert done.returncode == 0
    assert len(re.findall(r"\+ \d+ to create", done.stdout)) == 2
    # The preview reads whether the database and the hosts exist, and which server types are available.
    asked = requests(local_cloud)[before:]
    assert {(line["cloud"], line["region"]) for line in asked} == {("aws", HOME), ("hetzner", None)}
    looked = {(line["method"], line["path"]) for line in asked if line["cloud"] == "hetzner"}
    assert looked == {("GET", "/v1/servers"), ("GET", "/v1/server_types")}
    assert nothing_exists(local_cloud)


@pytest.mark.parametrize(
    ("change", "policy", "words"),
    [
        pytest.param(
            lambda config: config["botbrains:database"].update(backupRetentionDays=1),
            "database-backup-retention",
            (str(PLAN.retention.database_backup_days), "1"),
            id="retention of one day",
        ),
        pytest.param(
            lambda config: config["botbrains:database"].update(backupRetentionDays=0),
            "database-backup-retention",
            (str(PLAN.retention.database_backup_days),),
            id="no backups",
        ),
        pytest.param(
            lambda config: config.update({"botbrains:region": "us-east-1"}),
            "aws-region-in-eu",
            ("us-east-1", HOME, RECOVERY),
            id="the database in America",
        ),
        pytest.param(
            lambda config: config.update({"botbrains:region": "eu-west-2"}),
            "aws-region-in-eu",
            ("eu-west-2",),
            id="London, which is not in the EU",
        ),
        pytest.param(
            lambda config: config.update({"botbrains:locations": ["fsn1", "ash"]}),
            "hetzner-location-in-eu",
            ("ash", "fsn1", "nbg1", "hel1"),
            id="hosts in America",
        ),
    ],
)
def test_setting_outside_the_plan_is_refused(
    empty_stacks: LocalCloud,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
    policy: str,
    words: tuple[str, ...],
) -> None:
    before = changing_requests(empty_stacks)
    file = changed_settings(tmp_path, change)
    done = empty_stacks.run("pulumi", "up", "--yes", "--stack", "prod", "--config-file", file, *PACK)
    assert done.returncode != 0
    assert policy in done.stdout
    for word in words:
        assert word in done.stdout
    assert changing_requests(empty_stacks) == before
    assert nothing_exists(empty_stacks)


def test_setting_of_the_wrong_type_is_refused(empty_stacks: LocalCloud, tmp_path: Path) -> None:
    file = changed_settings(tmp_path, lambda config: config["botbrains:hosts"]["api"].update(active="two"))
    done = empty_stacks.run("pulumi", "up", "--yes", "--stack", "prod", "--config-file", file, *PACK)
    assert done.returncode != 0
    assert "botbrains:hosts.api.active" in done.stdout
    assert '"two"' in done.stdout
    assert nothing_exists(empty_stacks)


def test_up_refuses_all_stacks_before_it_changes_one(local_cloud: LocalCloud, tmp_path: Path) -> None:
    project = working_copy(tmp_path / "project")
    configure(project / "Pulumi.prod.yaml", lambda config: config["botbrains:database"].update(backupRetentionDays=1))
    before = changing_requests(local_cloud)
    done = local_cloud.run(*CONTINUITY, "up", "--yes", cwd=project)
    assert done.returncode != 0
    assert "database-backup-retention" in done.stdout
    assert "nothing was changed, in any stack" in done.stderr
    assert changing_requests(local_cloud) == before
    assert nothing_exists(local_cloud)
    assert outputs(local_cloud, "vault") == {}
