"""Hosts fail over, with real processes: production up, requests and jobs going on, and what they run on taken away.

The tests of this module follow one another through one stack's life, in the order in which they stand here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hcloud import Client as Hetzner

from continuity.drills.load.traffic import Request, Settings, Traffic
from localcloud.engine.provide import Engine
from tests.conftest import ROOT, LocalCloud, a_local_cloud
from tests.scenarios.asking import PLAN, outputs

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None and "CI" not in os.environ,
    reason="haproxy is not on this machine, so there are no load balancers; CI installs it",
)

CONTINUITY = (sys.executable, "-m", "continuity")
PACK = ("--policy-pack", "policy_pack")
RATE = 200.0
JOBS = 1000


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Production, with hosts that run and load balancers that balance."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud"), machines=True) as made:
        assert made.run(*CONTINUITY, "up", "--yes").returncode == 0
        yield made


def drill(cloud: LocalCloud, *options: str) -> dict[str, Any]:
    """What a drill measured. Other tests run on the same processors, and may stall all of it for seconds: what took too
    long is tried once more. What must not happen at all must not happen the first time either."""
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
def test_the_loss_is_absorbed_in_time_and_no_job_is_lost_or_run_twice(
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


def changed(into: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Production's configuration with the hosts' part changed."""
    config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    change(config["config"]["botbrains:hosts"])
    file = into / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def under_load(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, *command: str) -> tuple[str, list[Request]]:
    """Run a command while requests are sent at a steady rate; what it said, and the requests."""
    for name in ("SSL_CERT_FILE", "HTTPS_PORT"):
        monkeypatch.setenv(name, cloud.env[name])
    said = outputs(cloud, "prod")
    traffic = Traffic(
        Settings(
            name=said["name"],
            addresses=tuple(one["address"] for one in said["load_balancers"]),
            port=int(cloud.env["HTTPS_PORT"]),
            rate=RATE,
        )
    )
    traffic.start()
    traffic.wait_for_first(10)
    time.sleep(2)
    done = cloud.run(*command, timeout=900)
    # What a load balancer noticed of the last host, it notices within this.
    time.sleep(PLAN.redundancy.host_failover_seconds)
    requests = traffic.stop()
    assert done.returncode == 0
    return done.stdout, requests


def servers(cloud: LocalCloud) -> set[str]:
    client = Hetzner(cloud.env["HCLOUD_TOKEN"], api_endpoint=cloud.env["HCLOUD_ENDPOINT"])
    return {server.name.removeprefix("botbrains-prod-") for server in client.servers.get_all() if server.name}


def test_a_new_image_is_rolled_over_all_hosts_one_after_another_and_no_request_fails(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_images(hosts: dict[str, Any]) -> None:
        for role in ("api", "worker"):
            hosts[role]["app"] = re.sub(r"sha256:.*", "sha256:" + "b" * 64, hosts[role]["app"])

    file = changed(tmp_path, other_images)
    before = servers(cloud)
    said, requests = under_load(
        cloud, monkeypatch, "pulumi", "up", "--yes", "--skip-preview", "--stack", "prod", "--config-file", file, *PACK
    )
    assert Counter(request.error or str(request.status) for request in requests if not request.served) == {}
    assert len(requests) > RATE * 30
    assert servers(cloud) == before
    # Each host waited for the one before it, and the standby stood in for both.
    assert "botbrains-prod-api-2 waits until botbrains-prod-api-1 answers" in said
    assert {request.host for request in requests} == {f"botbrains-prod-api-{name}" for name in ("1", "2", "standby-1")}
    again = cloud.run("pulumi", "preview", "--expect-no-changes", "--stack", "prod", "--config-file", file)
    assert again.returncode == 0


def test_a_host_more_is_one_number_and_one_fewer_lets_it_finish_first(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hosts(active: int) -> Callable[[dict[str, Any]], None]:
        def change(hosts: dict[str, Any]) -> None:
            for role in ("api", "worker"):
                hosts[role]["app"] = re.sub(r"sha256:.*", "sha256:" + "b" * 64, hosts[role]["app"])
            hosts["api"]["active"] = active

        return change

    up = ("pulumi", "up", "--yes", "--skip-preview", "--stack", "prod", *PACK, "--config-file")
    assert cloud.run(*up, changed(tmp_path, hosts(3))).returncode == 0
    assert "api-3" in servers(cloud)
    all_answer(cloud)
    _, requests = under_load(cloud, monkeypatch, *up, changed(tmp_path, hosts(2)))
    assert Counter(request.error or str(request.status) for request in requests if not request.served) == {}
    assert "botbrains-prod-api-3" in {request.host for request in requests}
    assert "api-3" not in servers(cloud)


def all_answer(cloud: LocalCloud) -> None:
    """Wait until the load balancers call each active host healthy."""
    client: Any = Hetzner(cloud.env["HCLOUD_TOKEN"], api_endpoint=cloud.env["HCLOUD_ENDPOINT"])
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
