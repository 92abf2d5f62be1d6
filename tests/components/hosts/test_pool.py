"""Tests of the declared hosts: protection, order, addresses and firewall."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from components.hosts.addresses import HostAddresses, HostAddressesArgs
from components.hosts.placement import Alternative, HostAvailability, Offer, PoolRequest, plan_hosts
from components.hosts.pool import HostPool, HostPoolArgs
from tests.components.recording import FIREWALL, PLACEMENT_GROUP, PRIMARY_IP, SERVER, Deployment, deploy

HOME = ("here", "there")


def pool(
    active: int = 2, standby: int = 1, *, ssh_from: Sequence[str] = ("192.0.2.10/32",), preview: bool = False
) -> Deployment:
    def program() -> None:
        hosts = plan_hosts(
            PoolRequest(
                pool="pool",
                role="api",
                counts={"active": active, "standby": standby},
                locations=HOME,
                server_type="small",
                alternatives=[Alternative(server_type="large")],
                allowed_locations=HOME,
                subnet="10.0.0.0/24",
            ),
            HostAvailability(available=frozenset(Offer("small", place) for place in HOME), existing={}),
        )
        addresses = HostAddresses("pool", HostAddressesArgs(hosts=hosts, labels={}))
        HostPool(
            "pool",
            HostPoolArgs(
                role="api",
                hosts=hosts,
                address_ids=addresses.ids,
                image="linux",
                subnet_id="7-10.0.0.0/24",
                user_data=lambda host: f"#cloud-config for {host.name}",
                ssh_keys=["one", "two"],
                ssh_from=ssh_from,
                labels={"app": "botbrains"},
                backups=False,
            ),
        )

    return deploy(program, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_hosts_match_plan_and_are_created_in_order(preview: bool) -> None:
    servers = pool(preview=preview).all(SERVER)

    assert [server.name for server in servers] == ["pool-1", "pool-2", "pool-standby-1"]
    assert [server.inputs["labels"]["state"] for server in servers] == ["active", "active", "standby"]
    assert [server.inputs["location"] for server in servers] == ["here", "there", "there"]
    for before, server in zip([None, *servers], servers, strict=False):
        others = {other.urn for other in servers} & set(server.depends_on)
        assert others == ({before.urn} if before else set())
        assert server.inputs["labels"]["pool"] == "pool"
        assert server.inputs["userData"] == f"#cloud-config for {server.name}"
        assert server.inputs["sshKeys"] == ["one", "two"]
        (private,) = server.inputs["networks"]
        assert private == {"subnetId": "7-10.0.0.0/24", "ip": private["ip"], "aliasIps": []}
    assert len({server.inputs["networks"][0]["ip"] for server in servers}) == 3


def test_ids_have_the_type_that_hetzner_accepts() -> None:
    deployment = pool()
    groups = {float(group.id) for group in deployment.all(PLACEMENT_GROUP)}
    for server in deployment.all(SERVER):
        assert all(isinstance(id_, float) for id_ in server.inputs["firewallIds"])
        assert server.inputs["placementGroupId"] in groups
        (public,) = server.inputs["publicNets"]
        assert isinstance(public["ipv4"], float)


def test_each_host_has_its_own_persistent_address() -> None:
    deployment = pool(4, 2)
    addresses = {float(address.id): address for address in deployment.all(PRIMARY_IP)}

    used = []
    for server in deployment.all(SERVER):
        (public,) = server.inputs["publicNets"]
        used.append(public["ipv4"])
        address = addresses[public["ipv4"]]
        assert address.inputs["location"] == server.inputs["location"]
        assert address.inputs["autoDelete"] is False
        assert (public["ipv4Enabled"], public["ipv6Enabled"]) == (True, False)
    assert sorted(used) == sorted(addresses)


@pytest.mark.parametrize("ssh_from", [(), ("192.0.2.10/32", "198.51.100.0/24")])
def test_internet_reaches_only_icmp_and_ssh_sources(ssh_from: tuple[str, ...]) -> None:
    deployment = pool(ssh_from=ssh_from)
    firewall = deployment.one(FIREWALL)

    inbound = {rule["protocol"]: rule for rule in firewall.inputs["rules"] if rule["direction"] == "in"}
    assert set(inbound) == ({"icmp", "tcp"} if ssh_from else {"icmp"})
    if ssh_from:
        assert (inbound["tcp"]["port"], inbound["tcp"]["sourceIps"]) == ("22", list(ssh_from))
    for server in deployment.all(SERVER):
        assert server.inputs["firewallIds"] == [float(firewall.id)]


def test_servers_are_protected_and_drained_first() -> None:
    deployment = pool()
    for resource in (*deployment.all(SERVER), *deployment.all(PRIMARY_IP)):
        assert not resource.protect
        assert resource.inputs["deleteProtection"] is True
        # Names and addresses are unique, so the old host is deleted first.
        assert resource.delete_before_replace
    for server in deployment.all(SERVER):
        # Hetzner refuses one without the other.
        assert server.inputs["rebuildProtection"] is True
        assert server.before_delete == ("pool-server",)
        # Changes for which the provider would cut a server's power, in place and without notice.
        assert server.replace_on_changes == {"serverType", "placementGroupId", "publicNets", "networks"}
    assert {address.before_delete for address in deployment.all(PRIMARY_IP)} == {("pool-address",)}


def test_pool_without_active_host_is_refused() -> None:
    with pytest.raises(ValueError, match="hosts has no active host; allowed is one active host or more"):
        pool(0, 1)
