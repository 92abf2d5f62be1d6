"""The failover drill against the local Hetzner's API, with small real servers in the load balancers' place.

The servers stand for load balancers and hosts at once: they look at the API to see which hosts have power, and answer
for those that a health check would call healthy. The hosts as they are declared are tried with the stacks.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerHealthCheck,
    LoadBalancerHealthCheckHttp,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.zones import ZoneRecord
from werkzeug.serving import make_server

import plan
from continuity.drills.failover import drill, faults, planning
from continuity.drills.failover.evaluation import FaultScope, Measurement
from continuity.drills.failover.faults import Fault, HetznerApi
from continuity.drills.failover.planning import DrillPlan, Options, Role
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError
from localcloud.hetzner import create_app
from tests.continuity.web import NAME, Handler, Servers, certify, free_port

PLAN = plan.load()
TOKEN = "t" * 64
ADDRESSES = {"fsn1": "127.64.78.1", "nbg1": "127.64.78.2"}
HOSTS = {
    "api-1": ("fsn1", "active"),
    "api-2": ("nbg1", "active"),
    "api-standby-1": ("fsn1", "standby"),
    "api-standby-2": ("nbg1", "standby"),
}
WORKERS = {"worker-1": ("fsn1", "active"), "worker-standby-1": ("nbg1", "standby")}
ACTIVE = sorted(name for name, (_, state) in HOSTS.items() if state == "active")
DECIDES_SECONDS = 0.4
SHORT = Options(FaultScope.HOST, role=Role.API, rate=50, jobs=0, seconds=4.0)


class Cloud:
    """The local Hetzner, the pool in it, and what its load balancers would do."""

    def __init__(self, certificate: Path) -> None:
        application = create_app(None, token=TOKEN)
        application.health.probe = lambda _, server, __: self.healthy(server["name"])
        self._api = make_server("127.0.0.1", 0, application, threaded=True)
        self._serving = threading.Thread(target=self._api.serve_forever, args=(0.01,), daemon=True)
        self._serving.start()
        self.api = HetznerApi(f"http://127.0.0.1:{self._api.port}/v1", TOKEN)
        self.client: Any = self.api.client()
        self.broken = False
        """Whether a lost host is never removed, and no standby takes over."""

        self._off_since: dict[str, float] = {}
        self._on_since: dict[str, float] = dict.fromkeys(HOSTS, 0.0)
        self._make()
        self.port = free_port(*ADDRESSES.values())
        self._servers = Servers(certificate, self.port)
        self._listening: set[str] = set()
        self._turn = count()
        self._stopping = threading.Event()
        self._look()
        self._looking = threading.Thread(target=self._look_on, daemon=True)
        self._looking.start()

    def close(self) -> None:
        self._stopping.set()
        self._looking.join()
        self._servers.close()
        self._api.shutdown()
        self._serving.join()

    def healthy(self, name: str) -> bool:
        """The health at a load balancer: a host without power is healthy until the check has decided."""
        if name not in HOSTS:
            return False
        now = time.monotonic()
        if HOSTS[name][1] == "active":
            off = self._off_since.get(name)
            if self.broken:
                return True
            return now < off + DECIDES_SECONDS if off else now > self._on_since[name] + DECIDES_SECONDS
        return not self.broken and name not in self._off_since and not all(map(self.healthy, ACTIVE))

    def powered(self) -> dict[str, bool]:
        return {server.name: server.status == "running" for server in self.client.servers.get_all()}

    def open(self) -> dict[str, bool]:
        return {balancer.name: balancer.public_net.enabled for balancer in self.client.load_balancers.get_all()}

    def outputs(self) -> dict[str, Any]:
        return {
            "name": NAME,
            "load_balancers": [
                {"name": f"lb-{place}", "location": place, "address": address, "address_v6": "2001:db8::1"}
                for place, address in ADDRESSES.items()
            ],
            "api_hosts": [{"name": name, "location": place, "state": state} for name, (place, state) in HOSTS.items()],
            "worker_hosts": [
                {"name": name, "location": place, "state": state} for name, (place, state) in WORKERS.items()
            ],
            "health_check": {"path": "/healthz", "interval_seconds": 0.2, "timeout_seconds": 0.2, "retries": 2},
        }

    def _make(self) -> None:
        subnet = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")
        network = self.client.networks.create(name="net", ip_range="10.0.0.0/16", subnets=[subnet])
        for name, (place, _) in {**HOSTS, **WORKERS}.items():
            self.client.servers.create(
                name=name,
                server_type=ServerType(name="cx23"),
                image=Image(name="debian-13"),
                location=Location(name=place),
                networks=[network],
                labels={"pool": "api"} if name in HOSTS else {},
            ).action.wait_until_finished()
        selector = LoadBalancerTargetLabelSelector("pool=api")
        check = LoadBalancerHealthCheck(
            "http", 8080, 3, 2, 2, LoadBalancerHealthCheckHttp(path="/healthz", status_codes=["200"])
        )
        for place in ADDRESSES:
            self.client.load_balancers.create(
                name=f"lb-{place}",
                load_balancer_type=LoadBalancerType(name="lb11"),
                location=Location(name=place),
                network=network,
                services=[LoadBalancerService("http", 80, 8080, False, check)],
                targets=[LoadBalancerTarget("label_selector", label_selector=selector, use_private_ip=True)],
            ).action.wait_until_finished()

    def _look_on(self) -> None:
        while not self._stopping.wait(0.05):
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        for name, on in self.powered().items():
            if not on:
                self._off_since.setdefault(name, now)
            elif self._off_since.pop(name, None) is not None:
                self._on_since[name] = now
        for place, address in ADDRESSES.items():
            if self.open()[f"lb-{place}"] and address not in self._listening:
                self._servers.serve(address, self._handler())
                self._listening.add(address)
            elif not self.open()[f"lb-{place}"] and address in self._listening:
                self._servers.lose(address)
                self._listening.remove(address)

    def _handler(self) -> Handler:
        async def answer(_: web.Request) -> web.Response:
            hosts = [name for name in HOSTS if self.healthy(name)]
            chosen = hosts[next(self._turn) % len(hosts)] if hosts else None
            if chosen is None or chosen in self._off_since:
                return web.Response(status=503)
            return web.json_response({"host": chosen})

        return answer


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    trusted, shown = certify(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    cloud = Cloud(shown)
    monkeypatch.setenv("HCLOUD_ENDPOINT", cloud.api.endpoint)
    monkeypatch.setenv("HCLOUD_TOKEN", TOKEN)
    yield cloud
    cloud.close()


def planned_drill(cloud: Cloud, options: Options = SHORT, **outputs: Any) -> DrillPlan:
    said = {**cloud.outputs(), **outputs}
    return planning.plan_from_outputs(said, PLAN, Stack.PROD, Options(**{**vars(options), "https_port": cloud.port}))


def drilled(cloud: Cloud, options: Options) -> tuple[Measurement, list[str]]:
    said: list[str] = []
    planned = planned_drill(cloud, options)
    return drill.run_drill(PLAN, planned, said.append), said


# -- what is switched off, and on again -------------------------------------------------------------------------------


def test_servers_and_load_balancers_go_off_together_and_come_back(cloud: Cloud) -> None:
    fault = Fault(cloud.api, ["api-1", "worker-1"], ["lb-fsn1"])
    assert not fault.active
    killed, off = fault.inject()
    assert killed < off
    assert fault.active
    assert {name for name, on in cloud.powered().items() if not on} == {"api-1", "worker-1"}
    assert cloud.open() == {"lb-fsn1": False, "lb-nbg1": True}
    assert fault.revert() >= off
    assert all(cloud.powered().values())
    assert all(cloud.open().values())
    assert not fault.active
    assert fault.manual_commands() == [
        "hcloud server poweron api-1",
        "hcloud server poweron worker-1",
        "hcloud load-balancer enable-public-interface lb-fsn1",
    ]


def test_health_is_that_of_the_load_balancers_own_checks(cloud: Cloud) -> None:
    wanted = {name: state == "active" for name, (_, state) in HOSTS.items()}
    assert faults.health(cloud.api, ["lb-fsn1", "lb-nbg1"]) == {"lb-fsn1": wanted, "lb-nbg1": wanted}


def test_what_is_not_there_or_off_already_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ContinuityError, match="no server api-9"):
        Fault(cloud.api, ["api-1", "api-9"], [])
    with pytest.raises(ContinuityError, match="no load balancer lb-9"):
        Fault(cloud.api, [], ["lb-9"])
    Fault(cloud.api, ["api-1"], ["lb-fsn1"]).inject()
    with pytest.raises(ContinuityError, match="api-1 is not running"):
        Fault(cloud.api, ["api-1"], [])
    with pytest.raises(ContinuityError, match="public interface of lb-fsn1 is off"):
        Fault(cloud.api, [], ["lb-fsn1"])


def test_what_could_be_switched_off_comes_back_when_the_rest_could_not(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(cloud.api, ["api-1", "worker-1"], [])
    server = cloud.client.servers.get_by_name("worker-1")
    server.delete().wait_until_finished()
    with pytest.raises(ContinuityError, match="not everything could be switched off"):
        fault.inject()
    assert not cloud.powered()["api-1"]
    monkeypatch.setattr(faults, "_RESTORE_SECONDS", 0.1)
    with pytest.raises(ContinuityError, match=r"By hand: .*hcloud server poweron worker-1"):
        fault.revert()
    assert cloud.powered()["api-1"]


@pytest.mark.parametrize(
    ("endpoint", "real"),
    [
        ("https://api.hetzner.cloud/v1", True),
        ("http://127.0.0.1:4711/v1", False),
        ("http://localhost:4711/v1", False),
        ("http://[::1]:4711/v1", False),
        ("http://10.0.0.1/v1", True),
        ("http://127.0.0.1.example.com/v1", True),
    ],
)
def test_only_what_listens_on_loopback_is_no_real_cloud(endpoint: str, real: bool) -> None:
    assert HetznerApi(endpoint, TOKEN).real is real


@pytest.mark.parametrize(
    ("zone", "records", "words"),
    [
        pytest.param(None, [], ["no DNS zone for api.example.test"], id="no zone"),
        pytest.param("example.test", list(ADDRESSES.values()), [], id="as the load balancers have them"),
        pytest.param("example.test", [], ["(A) to nothing"], id="no record"),
        pytest.param(
            "example.test", ["127.64.78.1", "127.64.78.9"], ["127.64.78.9, and the load"], id="another address"
        ),
    ],
)
def test_dns_that_differs_is_said(cloud: Cloud, zone: str | None, records: list[str], words: list[str]) -> None:
    if zone is not None:
        made = cloud.client.zones.create(name=zone, mode="primary").zone
        made.create_rrset(name="api", type="AAAA", records=[ZoneRecord("2001:DB8:0::1")])
        if records:
            made.create_rrset(name="api", type="A", records=[ZoneRecord(record) for record in records])
    wanted = {"A": list(ADDRESSES.values()), "AAAA": ["2001:db8::1"]}
    said = faults.dns_differences(cloud.api, NAME, wanted)
    assert len(said) == len(words)
    assert all(part in sentence for part, sentence in zip(words, said, strict=True))


# -- what would be lost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        (SHORT, ["api-1"]),
        (Options(FaultScope.HOST), ["api-1", "worker-1"]),
        (Options(FaultScope.HOST, role=Role.WORKER), ["worker-1"]),
        (Options(FaultScope.ACTIVE, role=Role.API), ["api-1", "api-2"]),
        (Options(FaultScope.LOCATION, location="nbg1"), ["api-2", "api-standby-2", "worker-standby-1", "lb-nbg1"]),
        (Options(FaultScope.LOCATION, location="fsn1", role=Role.WORKER), ["worker-1"]),
    ],
)
def test_what_is_lost(cloud: Cloud, options: Options, lost: list[str]) -> None:
    planned = planned_drill(cloud, options)
    names = [host.name for host in (*planned.lost_api, *planned.lost_workers)]
    assert [*names, *planned.lost_balancers] == lost
    said = "\n".join(planned.sentences(PLAN))
    assert all(name in said for name in lost)
    assert "REAL" not in said


@pytest.mark.parametrize(
    ("options", "outputs", "words"),
    [
        (SHORT, {"health_check": None, "load_balancers": []}, "has no output load_balancers, health_check"),
        (SHORT, {"health_check": {"path": "/"}}, "health_check of stack prod is not complete"),
        (SHORT, {"api_hosts": [{"name": "api-1"}]}, "is not a host"),
        (Options(FaultScope.HOST, location="fsn1"), {}, "--location needs --lose location"),
        (Options(FaultScope.LOCATION), {}, "--location is missing; there are hosts in fsn1, nbg1"),
        (Options(FaultScope.LOCATION, location="hel1"), {}, "--location is hel1"),
        (Options(FaultScope.HOST, seconds=4.1 - 1), {}, "at least 3.2 are needed"),
        (
            Options(FaultScope.ACTIVE, role=Role.API),
            {"api_hosts": [{"name": "api-1", "location": "fsn1", "state": "active"}]},
            "every API host would be lost",
        ),
    ],
)
def test_a_drill_that_cannot_be_is_refused(cloud: Cloud, options: Options, outputs: dict[str, Any], words: str) -> None:
    with pytest.raises(ContinuityError, match=words):
        planned_drill(cloud, options, **outputs)
    assert all(cloud.powered().values())


def test_a_real_cloud_is_told_what_happens_to_customers(cloud: Cloud) -> None:
    real = HetznerApi("https://api.hetzner.cloud/v1", TOKEN)
    said = DrillPlan(**{**vars(planned_drill(cloud)), "api": real}).sentences(PLAN)
    assert "REAL" in said[-1]
    assert "Customers of prod" in said[-1]


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        pytest.param(SHORT, {"api-standby-1"}, id="one active is lost: the first"),
        pytest.param(
            Options(FaultScope.ACTIVE, role=Role.API),
            {"api-standby-1", "api-standby-2"},
            id="two actives are lost: both",
        ),
        pytest.param(Options(FaultScope.LOCATION, location="nbg1"), {"api-standby-1"}, id="the first is left"),
        pytest.param(
            Options(FaultScope.LOCATION, location="fsn1"), set(), id="the first is lost too: the active that is left"
        ),
        pytest.param(Options(FaultScope.HOST, role=Role.WORKER), set(), id="no API host is lost"),
    ],
)
def test_which_standby_hosts_have_to_step_in(cloud: Cloud, options: Options, needed: set[str]) -> None:
    assert planned_drill(cloud, options).expected_standby == needed


# -- the drill --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(SHORT, id="a host"),
        pytest.param(Options(FaultScope.ACTIVE, role=Role.API, rate=50, jobs=0, seconds=4), id="all active hosts"),
        pytest.param(
            Options(FaultScope.LOCATION, location="nbg1", role=Role.API, rate=50, jobs=0, seconds=4), id="a location"
        ),
    ],
)
def test_a_pool_that_fails_over_keeps_the_promise(cloud: Cloud, options: Options) -> None:
    measured, _ = drilled(cloud, options)
    assert measured.problems == []
    # Requests for hosts without power fail until the check has decided: here, 0.4 s.
    assert 0 < measured.during.failed < 50
    assert measured.recovery is not None
    assert 0.1 < measured.recovery < 1.5
    assert measured.noticed is not None
    assert measured.way_back is not None
    assert set(measured.served_by["before"]) == set(ACTIVE)
    assert any(name.startswith("api-standby") for name in measured.served_by["during"])
    assert all(cloud.powered().values())
    assert all(cloud.open().values())


def test_a_pool_that_does_not_fail_over_breaks_it(cloud: Cloud) -> None:
    planned = planned_drill(cloud)
    cloud.broken = True
    measured = drill.run_drill(PLAN, planned, lambda _: None)
    assert measured.recovery is None
    assert not measured.kept
    assert any("did not recover" in problem for problem in measured.problems)
    assert any("take over" in problem for problem in measured.problems)
    assert all(cloud.powered().values())


def test_ctrl_c_switches_everything_on_again_and_says_so(cloud: Cloud) -> None:
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if sentence.startswith("all of it was off"):
            assert not cloud.powered()["api-1"]
            os.kill(os.getpid(), signal.SIGINT)

    planned = planned_drill(cloud)
    with pytest.raises(KeyboardInterrupt):
        drill.run_drill(PLAN, planned, say)
    assert said[-1] == "everything is switched on again"
    assert all(cloud.powered().values())


def test_a_service_that_fails_already_is_left_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    planned = planned_drill(cloud)
    with pytest.raises(ContinuityError, match=r"before anything was switched off .*ertificate"):
        drill.run_drill(PLAN, planned, lambda _: None)
    assert not planned.fault.active
    assert all(cloud.powered().values())
