"""Tests of the steps before a host is deleted, with an emulated Hetzner API and a given health for each host."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hcloud import APIException
from hcloud import Client as Hcloud
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerHealthCheck,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType
from pulumi import ResourceHookArgs as Args
from werkzeug.serving import make_server

from components.hosts.replacement import Replacement, StillNeededError
from localcloud.hetzner import create_app
from tests.components.recording import deploy

TOKEN = "t" * 64
NAMES = ("pool-1", "pool-2", "pool-standby-1")


class Site:
    """A pool of three hosts and its load balancers. `healthy` has the names of the hosts that pass their checks."""

    def __init__(self, client: Any, application: Any) -> None:
        self.client = client
        self.healthy = {"pool-1", "pool-2"}
        application.health.probe = lambda balancer, server, service: server["name"] in self.healthy
        subnet = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")
        self.network = client.networks.create(name="net", ip_range="10.0.0.0/16", subnets=[subnet])
        self.ids = {name: self._server(name) for name in NAMES}

    def _server(self, name: str) -> int:
        made = self.client.servers.create(
            name=name,
            server_type=ServerType(name="cx23"),
            image=Image(name="debian-12"),
            location=Location(name="fsn1"),
            networks=[self.network],
            labels={"pool": "pool"},
        )
        for action in (made.action, *made.next_actions):
            action.wait_until_finished()
        made.server.change_protection(delete=True, rebuild=True).wait_until_finished()
        return int(made.server.id)

    def balanced(self, name: str) -> None:
        balancer = self.client.load_balancers.create(
            name=name,
            load_balancer_type=LoadBalancerType(name="lb11"),
            location=Location(name="fsn1"),
            network=self.network,
            services=[
                LoadBalancerService(
                    protocol="tcp",
                    listen_port=443,
                    destination_port=8080,
                    proxyprotocol=False,
                    health_check=LoadBalancerHealthCheck(protocol="tcp", port=8080, interval=3, timeout=2, retries=2),
                )
            ],
        ).load_balancer
        balancer.add_target(
            LoadBalancerTarget(
                type="label_selector",
                label_selector=LoadBalancerTargetLabelSelector(selector="pool=pool"),
                use_private_ip=True,
            )
        ).wait_until_finished()

    def protected(self, name: str) -> bool:
        return bool(self.client.servers.get_by_id(self.ids[name]).protection["delete"])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    application = create_app(None, token=TOKEN)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint = f"http://127.0.0.1:{server.port}/v1"
    monkeypatch.setenv("HCLOUD_TOKEN", TOKEN)
    monkeypatch.setenv("HCLOUD_ENDPOINT", endpoint)
    yield Site(Hcloud(TOKEN, api_endpoint=endpoint, poll_interval=0.01), application)
    server.shutdown()
    thread.join()


def drain_first(
    site: Site, name: str, *, patience_seconds: float = 0.0, keep_serving: bool = True, serving: bool = True
) -> None:
    def program() -> None:
        replacement = Replacement("pool", serving=["pool-1", "pool-2"] if serving else [], keep_serving=keep_serving)
        replacement.drain_first(site.ids[name], patience_seconds=patience_seconds)

    deploy(program)


@pytest.mark.parametrize("name", NAMES)
def test_host_is_drained_if_all_others_answer(site: Site, name: str) -> None:
    site.balanced("one")
    site.balanced("two")
    drain_first(site, name)
    assert not site.protected(name)
    assert all(site.protected(other) for other in NAMES if other != name)


@pytest.mark.parametrize(
    ("healthy", "name", "silent"),
    [({"pool-1"}, "pool-1", "pool-2"), ({"pool-1", "pool-standby-1"}, "pool-standby-1", "pool-2")],
    ids=["the last active host", "a standby that replaces an active"],
)
def test_needed_host_stays_and_stays_protected(site: Site, healthy: set[str], name: str, silent: str) -> None:
    site.balanced("one")
    site.healthy = healthy
    with pytest.raises(StillNeededError, match=rf"{name} is not deleted: it serves requests, and {silent} did not"):
        drain_first(site, name)
    assert site.protected(name)


def test_deleted_host_counts_as_silent(site: Site) -> None:
    site.balanced("one")
    second = site.client.servers.get_by_id(site.ids["pool-2"])
    second.change_protection(delete=False, rebuild=False)
    second.delete().wait_until_finished()
    with pytest.raises(StillNeededError, match="pool-2 did not"):
        drain_first(site, "pool-1")


def test_booting_host_is_waited_for(site: Site) -> None:
    site.balanced("one")
    site.healthy = {"pool-1"}
    booted = threading.Timer(1.5, lambda: site.healthy.add("pool-2"))
    booted.start()
    begun = time.monotonic()
    drain_first(site, "pool-1", patience_seconds=30.0)
    assert time.monotonic() - begun >= 1.4
    assert not site.protected("pool-1")


@pytest.mark.parametrize("name", ["pool-2", "pool-standby-1"])
def test_silent_host_can_be_deleted(site: Site, name: str) -> None:
    site.balanced("one")
    site.healthy = {"pool-1"}
    drain_first(site, name)
    assert not site.protected(name)


def test_pool_without_traffic_is_not_waited_for(site: Site) -> None:
    site.healthy = set()
    drain_first(site, "pool-1")
    assert not site.protected("pool-1")
    site.balanced("one")
    site.healthy = {"pool-2"}
    drain_first(site, "pool-2", keep_serving=False)
    assert not site.protected("pool-2")


def test_workers_are_not_waited_for(site: Site) -> None:
    site.balanced("one")
    site.healthy = {"pool-1"}
    drain_first(site, "pool-1", serving=False)
    assert not site.protected("pool-1")


def test_manually_deleted_host_is_accepted(site: Site) -> None:
    site.ids["pool-1"] = 4711
    drain_first(site, "pool-1")


def test_address_is_freed_and_may_be_absent(site: Site) -> None:
    from components.hosts import replacement

    address = site.client.primary_ips.create(name="ip", type="ipv4", location=Location(name="fsn1")).primary_ip
    address.change_protection(delete=True).wait_until_finished()
    with pytest.raises(APIException, match="protected"):
        address.delete()
    replacement._unprotect_address(address.id)
    address.delete()
    replacement._unprotect_address(address.id)


def test_steps_do_not_block_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program registers resources while a host waits for another host."""
    made: list[Replacement] = []
    deploy(lambda: made.append(Replacement("pool", serving=[], keep_serving=True)))
    (replacement,) = made
    monkeypatch.setattr(replacement, "drain_first", lambda server_id: time.sleep(0.5))
    (step,) = replacement.server_hooks.before_delete or []

    async def waited() -> float:
        begun = time.monotonic()
        waiting = asyncio.ensure_future(cast(Any, step)(Args("urn", "7", "pool-1", "Server")))
        await asyncio.sleep(0.01)
        passed = time.monotonic() - begun
        await waiting
        return passed

    assert asyncio.run(waited()) < 0.4
