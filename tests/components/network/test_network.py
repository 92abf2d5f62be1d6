"""The private network, and the public endpoint over it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pulumi
import pytest

from components.network.hetzner_project import HetznerProject, HetznerProjectArgs, ssh_key_name
from components.network.load_balancer import HealthCheck
from components.network.private_network import PrivateNetwork, PrivateNetworkArgs
from components.network.public_endpoint import PublicEndpoint, PublicEndpointArgs
from tests.components.recording import (
    BALANCER,
    BALANCER_NETWORK,
    BALANCER_SERVICE,
    BALANCER_TARGET,
    CERTIFICATE,
    NETWORK,
    NETWORK_SUBNET,
    PRIMARY_IP,
    RRSET,
    SSH_KEY,
    ZONE,
    Deployment,
    deploy,
)


def public_endpoint(
    locations: Sequence[str] = ("here", "there"), names: Sequence[str] = ("api", "www"), *, preview: bool = False
) -> Deployment:
    def program() -> None:
        network = PrivateNetwork(
            "network", PrivateNetworkArgs(ip_range="10.1.0.0/16", zone="a-zone", labels={"a": "b"})
        )
        made = PublicEndpoint(
            "endpoint",
            PublicEndpointArgs(
                locations=locations,
                load_balancer_type="small",
                subnet_id=network.subnet_id,
                subnet=network.subnet,
                pool="pool",
                server_port=8080,
                zone=pulumi.Output.from_input("example.com"),
                names=names,
                ttl_seconds=90,
                health_check=HealthCheck.within(8, "/healthz"),
                labels={},
            ),
        )
        pulumi.export("fqdn", made.fqdn)

    return deploy(program, preview=preview)


def test_the_hosts_subnet_is_in_the_network_and_leaves_room() -> None:
    deployment = public_endpoint()
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
def test_each_location_has_a_load_balancer_which_joins_the_network_before_it_gets_targets_and_opens_last(
    preview: bool,
) -> None:
    deployment = public_endpoint(preview=preview)
    balancers = deployment.all(BALANCER)
    assert sorted((one.name, one.inputs["location"]) for one in balancers) == [
        ("endpoint-here", "here"),
        ("endpoint-there", "there"),
    ]
    for balancer in balancers:
        attachment = deployment.one(BALANCER_NETWORK, balancer.name)
        targets, opening = (
            deployment.one(BALANCER_TARGET, balancer.name),
            deployment.one(BALANCER_SERVICE, balancer.name),
        )
        assert balancer.urn in attachment.depends_on
        assert attachment.urn in targets.depends_on
        assert opening.depends_on >= {targets.urn, attachment.urn}
        assert balancer.protect
        assert balancer.inputs["deleteProtection"] is True
    private = [one.inputs["ip"] for one in deployment.all(BALANCER_NETWORK)]
    assert len(set(private)) == 2
    assert all(ipaddress.ip_address(one) in ipaddress.ip_network("10.1.0.0/24") for one in private)


def test_its_public_addresses_are_its_own_and_outlive_it() -> None:
    deployment = public_endpoint()
    addresses = {float(address.id): address for address in deployment.all(PRIMARY_IP)}
    used = [one.inputs[key] for one in deployment.all(BALANCER) for key in ("ipv4Id", "ipv6Id")]
    assert sorted(used) == sorted(addresses)
    for balancer in deployment.all(BALANCER):
        for key, version in (("ipv4Id", "ipv4"), ("ipv6Id", "ipv6")):
            address = addresses[balancer.inputs[key]]
            assert (address.inputs["type"], address.inputs["location"]) == (version, balancer.inputs["location"])
            assert address.protect
            assert address.inputs["deleteProtection"] is True
            assert address.inputs["autoDelete"] is False


def test_targets_are_what_the_pool_labels_over_the_private_network() -> None:
    deployment = public_endpoint()
    for target in deployment.all(BALANCER_TARGET):
        assert target.inputs["type"] == "label_selector"
        assert target.inputs["labelSelector"] == "pool=pool"
        assert target.inputs["usePrivateIp"] is True
    assert {one.inputs["subnetId"] for one in deployment.all(BALANCER_NETWORK)} == {deployment.one(NETWORK_SUBNET).id}


def test_it_speaks_tls_only_and_a_plain_yes_on_the_servers_port_alone_is_healthy() -> None:
    deployment = public_endpoint()
    certificate = deployment.one(CERTIFICATE)
    assert certificate.inputs["domainNames"] == ["api.example.com", "www.example.com"]
    for service in deployment.all(BALANCER_SERVICE):
        # The one id at Hetzner that is text.
        assert service.inputs["loadBalancerId"] in {balancer.id for balancer in deployment.all(BALANCER)}
        assert (service.inputs["protocol"], service.inputs["listenPort"]) == ("https", 443)
        assert service.inputs["destinationPort"] == 8080
        assert service.inputs["http"] == {"certificates": [float(certificate.id)], "redirectHttp": True}
        check = service.inputs["healthCheck"]
        assert (check["protocol"], check["port"]) == ("http", 8080)
        assert check["http"] == {"path": "/healthz", "statusCodes": ["200"]}
        assert (check["interval"], check["timeout"], check["retries"]) == (3, 2, 2)


def test_one_name_leads_to_all_load_balancers_for_as_long_as_the_plan_says() -> None:
    deployment = public_endpoint()
    assert deployment.outputs["fqdn"] == "api.example.com"
    records = {record.inputs["type"]: record.inputs for record in deployment.all(RRSET)}
    assert set(records) == {"A", "AAAA"}
    for record in records.values():
        assert (record["zone"], record["name"], record["ttl"]) == ("example.com", "api", 90)
        assert len({one["value"] for one in record["records"]}) == 2


@pytest.mark.parametrize("seconds", [8, 9, 16, 60, 122])
def test_a_dead_host_is_given_up_within_what_the_plan_allows(seconds: int) -> None:
    check = HealthCheck.within(seconds, "/")
    assert seconds - 2 < check.interval_seconds * check.retries + check.timeout_seconds <= seconds


@pytest.mark.parametrize("seconds", [0, 7, 124])
def test_what_hetzners_checks_cannot_do_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="interval_seconds is"):
        HealthCheck.within(seconds, "/")


@pytest.mark.parametrize(
    ("interval", "timeout", "retries"), [(2, 2, 2), (61, 2, 2), (3, 0, 2), (3, 4, 2), (3, 2, -1), (3, 2, 6)]
)
def test_a_health_check_that_hetzner_refuses_is_refused_here(interval: int, timeout: int, retries: int) -> None:
    with pytest.raises(ValueError, match=r"_seconds is|retries is"):
        HealthCheck(path="/", interval_seconds=interval, timeout_seconds=timeout, retries=retries)


@pytest.mark.parametrize(("locations", "names"), [((), ("api",)), (("here",), ())])
def test_an_endpoint_nowhere_or_without_a_name_is_refused(locations: tuple[str, ...], names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="allowed is one or more of each"):
        public_endpoint(locations, names)


def test_the_zone_outlives_what_it_leads_to_and_each_person_has_a_key() -> None:
    def program() -> None:
        HetznerProject(
            "project",
            HetznerProjectArgs(
                zone="example.com", ttl_seconds=90, ssh_keys={"one": "ssh-ed25519 A", "two": "ssh-ed25519 B"}, labels={}
            ),
        )

    deployment = deploy(program)
    zone = deployment.one(ZONE)
    assert (zone.inputs["name"], zone.inputs["mode"], zone.inputs["ttl"]) == ("example.com", "primary", 90)
    assert zone.protect
    assert zone.inputs["deleteProtection"] is True
    keys = {key.inputs["name"]: key.inputs["publicKey"] for key in deployment.all(SSH_KEY)}
    assert keys == {ssh_key_name("one"): "ssh-ed25519 A", ssh_key_name("two"): "ssh-ed25519 B"}


def test_a_project_whose_hosts_nobody_reaches_is_refused() -> None:
    with pytest.raises(ValueError, match="ssh_keys is empty"):
        HetznerProjectArgs(zone="example.com", ttl_seconds=90, ssh_keys={}, labels={})
