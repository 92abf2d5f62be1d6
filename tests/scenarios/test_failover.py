"""Failover with real processes: production is up under load, and loses or replaces the hosts that serve it.

The tests share one production. Each leaves the same hosts; none depends on the image that another one has rolled out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from continuity.drills.load.traffic import Request, Settings, Traffic
from localcloud.engine.provide import Engine
from tests.conftest import ROOT, LocalCloud, a_local_cloud
from tests.scenarios.harness import CONTINUITY, PACK, PLAN, configure, hetzner, outputs

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None and "CI" not in os.environ,
    reason="haproxy is not on this machine, so there are no load balancers; CI installs it",
)

RATE = 200.0
JOBS = 1000


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Production, with hosts and load balancers that are real processes."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud"), machines=True) as made:
        assert made.run(*CONTINUITY, "up", "--yes").returncode == 0
        yield made


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings that production is deployed with. A test changes them and deploys."""
    return Path(shutil.copy(ROOT / "Pulumi.prod.yaml", tmp_path_factory.mktemp("deployed")))


def drill(cloud: LocalCloud, *options: str) -> dict[str, Any]:
    """Run a failover drill; what it measured.

    Other tests use the same processors and may stall the drill for seconds, so a drill that took too long runs once
    more. A lost job, or one that ran twice, fails the first time.
    """
    for last in (False, True):
        said = cloud.run(
            *CONTINUITY, "drill", "failover", "--yes", "--json", "--rate", str(RATE), "--jobs", str(JOBS),
            "--seconds", "22", *options,
        )  # fmt: skip
        measured: dict[str, Any] = json.loads(said.stdout)
        assert (measured["jobs"]["lost"], measured["jobs"]["twice"]) == (0, 0)
        if said.returncode == 0:
            break
        assert not last, measured["problems"]
    return measured


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        pytest.param(("--lose", "host"), {"api-1", "worker-1"}, id="a host"),
        pytest.param(("--lose", "active"), {"api-1", "api-2", "worker-1", "worker-2"}, id="all active hosts"),
        pytest.param(
            ("--lose", "location", "--location", "nbg1"),
            {"api-2", "api-standby-1", "worker-2", "worker-standby-1", "api-nbg1"},
            id="a location",
        ),
    ],
)
def test_loss_is_absorbed_in_time_without_a_lost_job(
    cloud: LocalCloud, options: tuple[str, ...], lost: set[str]
) -> None:
    measured = drill(cloud, *options)
    assert {
        name.removeprefix("botbrains-prod-") for name in re.findall(r"botbrains-[a-z0-9-]+", measured["what"])
    } == lost
    check = outputs(cloud, "prod")["health_check"]
    bound = check["interval_seconds"] * check["retries"] + 2
    assert bound <= PLAN.redundancy.host_failover_seconds
    assert measured["kept"]
    assert 0 < measured["recovery"] <= measured["recovery_allowed"] == bound
    assert measured["during"]["requests"] >= RATE * 20
    assert measured["before"]["failed"] == measured["after"]["failed"] == 0, "also on the way back"
    jobs = measured["jobs"]
    assert (jobs["acknowledged"], jobs["done"], jobs["lost"], jobs["twice"]) == (JOBS, JOBS, 0, 0)


def update(settings: Path) -> tuple[str, ...]:
    """The command that deploys production with these settings."""
    return ("pulumi", "up", "--yes", "--skip-preview", "--stack", "prod", "--config-file", str(settings), *PACK)


def under_load(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, *command: str) -> tuple[str, list[Request]]:
    """Run a command while requests are sent at a steady rate; what it printed, and the requests."""
    for name in ("SSL_CERT_FILE", "HTTPS_PORT"):
        monkeypatch.setenv(name, cloud.env[name])
    where = outputs(cloud, "prod")
    traffic = Traffic(
        Settings(
            name=where["name"],
            addresses=tuple(one["address"] for one in where["load_balancers"]),
            port=int(cloud.env["HTTPS_PORT"]),
            rate=RATE,
        )
    )
    traffic.start()
    traffic.wait_for_first(10)
    time.sleep(2)
    done = cloud.run(*command, timeout=900)
    # A load balancer notices the last host within this time.
    time.sleep(PLAN.redundancy.host_failover_seconds)
    requests = traffic.stop()
    assert done.returncode == 0
    return done.stdout, requests


def failures(requests: list[Request]) -> Counter[str]:
    """The requests that were not served, by error or status."""
    return Counter(request.error or str(request.status) for request in requests if not request.served)


def servers(cloud: LocalCloud) -> set[str]:
    """The names of production's servers, without their prefix."""
    return {server.name.removeprefix("botbrains-prod-") for server in hetzner(cloud).servers.get_all()}


def roll_images(hosts: dict[str, Any]) -> None:
    """Change the image of each role, whichever is deployed."""
    for role in ("api", "worker"):
        image, _, digest = hosts[role]["app"].partition("sha256:")
        hosts[role]["app"] = f"{image}sha256:{hashlib.sha256(digest.encode()).hexdigest()}"


def test_new_image_is_rolled_out_without_a_failed_request(
    cloud: LocalCloud, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(deployed, lambda config: roll_images(config["botbrains:hosts"]))
    before = servers(cloud)
    printed, requests = under_load(cloud, monkeypatch, *update(deployed))
    assert failures(requests) == {}
    assert len(requests) > RATE * 30
    assert servers(cloud) == before
    # Each host waited for the one before it, and the standby replaced both in turn.
    assert "botbrains-prod-api-2 waits until botbrains-prod-api-1 answers" in printed
    assert {request.host for request in requests} == {f"botbrains-prod-api-{name}" for name in ("1", "2", "standby-1")}
    again = cloud.run("pulumi", "preview", "--expect-no-changes", "--stack", "prod", "--config-file", str(deployed))
    assert again.returncode == 0


def test_host_is_added_and_removed_without_a_failed_request(
    cloud: LocalCloud, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_active(hosts: int) -> None:
        configure(deployed, lambda config: config["botbrains:hosts"]["api"].update(active=hosts))

    set_active(3)
    assert cloud.run(*update(deployed)).returncode == 0
    assert "api-3" in servers(cloud)
    all_answer(cloud)
    set_active(2)
    _, requests = under_load(cloud, monkeypatch, *update(deployed))
    assert failures(requests) == {}
    assert "botbrains-prod-api-3" in {request.host for request in requests}
    assert "api-3" not in servers(cloud)


def all_answer(cloud: LocalCloud) -> None:
    """Wait until each load balancer reports every active host as healthy."""
    client = hetzner(cloud)
    deadline = time.monotonic() + 90
    while True:
        names = {server.id: server.name for server in client.servers.get_all(label_selector="role=api,state=active")}
        answering = [
            {
                names[one.server.id]
                for one in balancer.targets[0].targets
                if one.server.id in names and all(status.status == "healthy" for status in one.health_status)
            }
            for balancer in client.load_balancers.get_all()
        ]
        if all(found == set(names.values()) for found in answering):
            return
        assert time.monotonic() < deadline, answering
        time.sleep(0.5)
