"""A local Hetzner with a pool of hosts, and small HTTPS servers in place of its load balancers and hosts.

The servers read the API to find the hosts with power, and answer for the hosts that a health check would report as
healthy. `tests/scenarios/test_failover.py` drills with the declared hosts.
"""

from __future__ import annotations

import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

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
from werkzeug.serving import make_server

import plan
from continuity.drills.failover import planning
from continuity.drills.failover.evaluation import FaultScope
from continuity.drills.failover.faults import HetznerApi
from continuity.drills.failover.planning import DrillPlan, Options, Role
from continuity.engine.stacks import Stack
from localcloud.hetzner import create_app
from tests.continuity.web import NAME, Handler, Servers, free_port

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


def planned_drill(cloud: Cloud, options: Options = SHORT, **outputs: Any) -> DrillPlan:
    said = {**cloud.outputs(), **outputs}
    return planning.plan_from_outputs(said, Stack.PROD, Options(**{**vars(options), "https_port": cloud.port}))
