"""The private network and the public entrance."""

from __future__ import annotations

import ipaddress

import pulumi
import pytest

from components.load_balancer import HealthCheck, LoadBalancer, LoadBalancerArgs
from components.network import PrivateNetwork, PrivateNetworkArgs
from tests.components.recording import (
    BALANCER,
    BALANCER_NETWORK,
    BALANCER_SERVICE,
    BALANCER_TARGET,
    NETWORK,
    NETWORK_SUBNET,
    Deployment,
    deploy,
)


def entrance(*, preview: bool = False) -> Deployment:
    def program() -> None:
        network = PrivateNetwork(
            "network", PrivateNetworkArgs(ip_range="10.1.0.0/16", zone="a-zone", labels={"a": "b"})
        )
        LoadBalancer(
            "entrance",
            LoadBalancerArgs(
                location="here",
                load_balancer_type="small",
                subnet_id=network.subnet_id,
                servers={"one": pulumi.Output.from_input(11), "two": 12},
                server_port=8080,
                health_check=HealthCheck(path="/healthz"),
            ),
        )

    return deploy(program, preview=preview)


def test_the_hosts_subnet_is_in_the_network_and_leaves_room() -> None:
    deployment = entrance()
    network, subnet = deployment.one(NETWORK), deployment.one(NETWORK_SUBNET)

    whole, part = (ipaddress.IPv4Network(it.inputs["ipRange"]) for it in (network, subnet))
    assert part.subnet_of(whole)
    assert part != whole
    assert subnet.inputs["networkId"] == float(network.id)
    assert (subnet.inputs["type"], subnet.inputs["networkZone"]) == ("cloud", "a-zone")
    assert network.protect
    assert network.inputs["deleteProtection"] is True
    assert subnet.protect


@pytest.mark.parametrize("ip_range", ["10.1.0.0/25", "10.1.0.1/16", "everywhere"])
def test_a_network_without_room_for_hosts_is_refused(ip_range: str) -> None:
    with pytest.raises(ValueError, match=ip_range):
        PrivateNetworkArgs(ip_range=ip_range, zone="a-zone", labels={})


@pytest.mark.parametrize("preview", [False, True])
def test_the_entrance_joins_the_network_before_it_gets_targets_and_opens_last(preview: bool) -> None:
    deployment = entrance(preview=preview)
    balancer, attachment = deployment.one(BALANCER), deployment.one(BALANCER_NETWORK)
    targets, opening = deployment.all(BALANCER_TARGET), deployment.one(BALANCER_SERVICE)

    assert balancer.urn in attachment.depends_on
    assert all(attachment.urn in target.depends_on for target in targets)
    assert opening.depends_on >= {target.urn for target in targets} | {attachment.urn}
    assert balancer.protect
    assert balancer.inputs["deleteProtection"] is True


def test_every_server_is_a_target_by_its_id_over_the_private_network() -> None:
    deployment = entrance()
    balancer = deployment.one(BALANCER)

    targets = deployment.all(BALANCER_TARGET)
    assert {target.inputs["serverId"] for target in targets} == {11.0, 12.0}
    for target in targets:
        assert target.inputs["type"] == "server"
        assert target.inputs["usePrivateIp"] is True
        assert target.inputs["loadBalancerId"] == float(balancer.id)
    assert deployment.one(BALANCER_NETWORK).inputs["subnetId"] == deployment.one(NETWORK_SUBNET).id


def test_only_a_plain_yes_on_the_servers_port_is_healthy() -> None:
    deployment = entrance()
    service = deployment.one(BALANCER_SERVICE)

    # The one id at Hetzner that is text.
    assert service.inputs["loadBalancerId"] == deployment.one(BALANCER).id
    assert (service.inputs["listenPort"], service.inputs["destinationPort"]) == (80, 8080)
    check = service.inputs["healthCheck"]
    assert check["port"] == 8080
    assert check["http"] == {"path": "/healthz", "statusCodes": ["200"]}
    assert check["interval"] * check["retries"] + check["timeout"] <= 10, "seconds until a dead host is given up"


@pytest.mark.parametrize(
    ("interval", "timeout", "retries"), [(2, 2, 2), (61, 2, 2), (3, 0, 2), (3, 4, 2), (3, 2, -1), (3, 2, 6)]
)
def test_a_health_check_that_hetzner_refuses_is_refused_here(interval: int, timeout: int, retries: int) -> None:
    with pytest.raises(ValueError, match=r"_seconds is|retries is"):
        HealthCheck(path="/", interval_seconds=interval, timeout_seconds=timeout, retries=retries)


def test_an_entrance_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="servers is empty"):
        LoadBalancerArgs(
            location="here",
            load_balancer_type="small",
            subnet_id="7-10.0.0.0/24",
            servers={},
            server_port=8080,
            health_check=HealthCheck(path="/"),
        )
