"""Shared parts of the scenarios: the project's commands, official clients of the clouds, and a stack's outputs."""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import yaml
from githubkit import GitHub
from hcloud import Client as Hetzner

import plan
from tests.conftest import ROOT, LocalCloud, tracked

PLAN = plan.load()
HOME, RECOVERY = PLAN.residency.aws.home_region, PLAN.residency.aws.recovery_region
CONTINUITY = (sys.executable, "-m", "continuity")
LOCALCLOUD = (sys.executable, "-m", "localcloud")
PACK = ("--policy-pack", "policy_pack")


def aws(cloud: LocalCloud, service: str, region: str = HOME) -> Any:
    """A client of one AWS service, with the account's own key."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=cloud.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud.env["AWS_SECRET_ACCESS_KEY"],
    )


def hetzner(cloud: LocalCloud) -> Any:
    """A client of Hetzner's API."""
    return Hetzner(cloud.env["HCLOUD_TOKEN"], api_endpoint=cloud.env["HCLOUD_ENDPOINT"], poll_interval=0.05)


@functools.cache
def github_client(token: str, url: str) -> GitHub[Any]:
    """The client of one address. It is kept, because its `rest` ends with it."""
    return GitHub(token, base_url=f"{url}api/v3/")


def github(cloud: LocalCloud) -> GitHub[Any]:
    """A client of GitHub's API."""
    return github_client(cloud.env["GITHUB_TOKEN"], cloud.env["GITHUB_BASE_URL"])


def localcloud(cloud: LocalCloud, *arguments: str) -> None:
    """Run a command of the local cloud, which must succeed."""
    assert cloud.run(*LOCALCLOUD, *arguments).returncode == 0


@contextmanager
def unreachable(cloud: LocalCloud, *places: str) -> Iterator[None]:
    """Make regions or services unreachable, and reachable again at the end."""
    localcloud(cloud, "cut", *places)
    try:
        yield
    finally:
        localcloud(cloud, "restore", *places)


def requests(cloud: LocalCloud) -> list[dict[str, Any]]:
    """The requests that the clouds have received."""
    if not cloud.folder.requests.exists():
        return []
    return [json.loads(line) for line in cloud.folder.requests.read_text().splitlines()]


def changing_requests(cloud: LocalCloud) -> list[dict[str, Any]]:
    """The requests to Hetzner and GitHub that are not reads."""
    return [one for one in requests(cloud) if one["method"] not in ("GET", "HEAD") and one["cloud"] != "aws"]


def outputs(cloud: LocalCloud, stack: str) -> dict[str, Any]:
    """The outputs of a stack."""
    values: dict[str, Any] = json.loads(cloud.run("pulumi", "stack", "output", "--stack", stack, "--json").stdout)
    return values


def configure(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the settings in a stack's file."""
    content = yaml.safe_load(file.read_text())
    change(content["config"])
    file.write_text(yaml.safe_dump(content))


def working_copy(into: Path) -> Path:
    """A copy of the project's files, with this environment. A test may change it."""
    for name in tracked():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, into / name)
    (into / ".venv").symlink_to((ROOT / ".venv").resolve())
    return into
