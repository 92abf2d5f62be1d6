"""Where hosts go, what they are given, and what stays when their number changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil

import pytest

from components.host_pool import SERVERS_PER_PLACEMENT_GROUP, HostPool, HostPoolArgs
from tests.components.recording import FIREWALL, PLACEMENT_GROUP, PRIMARY_IP, SERVER, Deployment, Registration, deploy

HOME = ("here", "there")


def pool(
    active: int = 2, standby: int = 1, locations: Sequence[str] = HOME, *, protect: bool = True, preview: bool = False
) -> Deployment:
    def program() -> None:
        HostPool(
            "pool",
            HostPoolArgs(
                role="api",
                active=active,
                standby=standby,
                locations=locations,
                server_type="small",
                image="linux",
                subnet_id="7-10.0.0.0/24",
                labels={"app": "botbrains"},
                protect=protect,
            ),
        )

    return deploy(program, preview=preview)


def by_name(resources: list[Registration]) -> dict[str, Registration]:
    return {resource.name: resource for resource in resources}


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(
    ("active", "standby", "locations"),
    [(1, 0, ("here",)), (2, 1, HOME), (2, 1, ("here",)), (3, 2, ("here", "there", "far")), (39, 1, HOME)],
)
def test_hosts_are_spread_evenly_and_the_first_ones_work(
    active: int, standby: int, locations: tuple[str, ...], preview: bool
) -> None:
    deployment = pool(active, standby, locations, preview=preview)
    servers = deployment.all(SERVER)

    assert len(servers) == active + standby
    assert Counter(server.inputs["labels"]["state"] for server in servers) == Counter(active=active, standby=standby)
    everywhere = Counter(server.inputs["location"] for server in servers)
    assert set(everywhere) == set(locations[: active + standby])
    assert max(everywhere.values()) - min(everywhere.values()) <= 1
    working = {server.inputs["location"] for server in servers if server.inputs["labels"]["state"] == "active"}
    assert len(working) == min(active, len(locations))


@pytest.mark.parametrize(("hosts", "locations"), [(3, HOME), (20, HOME), (21, HOME), (40, HOME), (40, ("here",))])
def test_no_placement_group_is_too_full_or_in_two_places_and_none_is_needless(
    hosts: int, locations: tuple[str, ...]
) -> None:
    deployment = pool(hosts - 1, 1, locations)
    members: defaultdict[float, list[str]] = defaultdict(list)
    for server in deployment.all(SERVER):
        members[server.inputs["placementGroupId"]].append(server.inputs["location"])

    groups = deployment.all(PLACEMENT_GROUP)
    assert {float(group.id) for group in groups} == set(members)
    assert all(group.inputs["type"] == "spread" for group in groups)
    assert all(len(places) <= SERVERS_PER_PLACEMENT_GROUP for places in members.values())
    assert all(len(set(places)) == 1 for places in members.values())
    per_location = Counter(server.inputs["location"] for server in deployment.all(SERVER))
    assert len(groups) == sum(ceil(count / SERVERS_PER_PLACEMENT_GROUP) for count in per_location.values())


def test_promoting_the_standby_changes_its_label_and_nothing_else() -> None:
    before, after = by_name(pool(2, 1).all(SERVER)), by_name(pool(3, 0).all(SERVER))

    assert set(before) == set(after)
    for name, server in before.items():
        constant = {"name", "location", "image", "serverType", "networks"}
        assert {key: server.inputs[key] for key in constant} == {key: after[name].inputs[key] for key in constant}
    states = [
        (name, server.inputs["labels"]["state"], after[name].inputs["labels"]["state"])
        for name, server in before.items()
    ]
    assert [change for change in states if change[1] != change[2]] == [("pool-3", "standby", "active")]


def test_one_more_host_moves_none_of_the_others() -> None:
    before, after = by_name(pool(19, 1).all(SERVER)), by_name(pool(20, 1).all(SERVER))

    assert set(after) - set(before) == {"pool-21"}
    for name, server in before.items():
        assert server.inputs["location"] == after[name].inputs["location"]


def test_ids_have_the_type_that_hetzner_takes() -> None:
    for server in pool().all(SERVER):
        assert all(isinstance(id_, float) for id_ in server.inputs["firewallIds"])
        assert isinstance(server.inputs["placementGroupId"], float)
        (public,) = server.inputs["publicNets"]
        assert isinstance(public["ipv4"], float)
        (private,) = server.inputs["networks"]
        assert isinstance(private["subnetId"], str)


def test_each_host_has_an_address_of_its_own_in_its_own_place_that_outlives_it() -> None:
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


def test_nothing_but_icmp_comes_in_from_the_internet() -> None:
    deployment = pool()
    firewall = deployment.one(FIREWALL)

    assert [rule["protocol"] for rule in firewall.inputs["rules"] if rule["direction"] == "in"] == ["icmp"]
    for server in deployment.all(SERVER):
        assert server.inputs["firewallIds"] == [float(firewall.id)]


@pytest.mark.parametrize("protect", [True, False])
def test_hosts_and_addresses_are_protected_unless_a_deployment_is_to_replace_them(protect: bool) -> None:
    deployment = pool(protect=protect)
    for resource in (*deployment.all(SERVER), *deployment.all(PRIMARY_IP)):
        assert resource.protect is protect
        assert resource.inputs["deleteProtection"] is True
    for server in deployment.all(SERVER):
        # Hetzner refuses one without the other, and a server's name and address cannot exist twice.
        assert server.inputs["rebuildProtection"] is True
        assert server.delete_before_replace


@pytest.mark.parametrize(
    ("active", "standby", "locations"), [(0, 1, HOME), (1, -1, HOME), (1, 1, ()), (2, 1, ("here", "here"))]
)
def test_a_pool_that_cannot_work_is_refused(active: int, standby: int, locations: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="needed"):
        pool(active, standby, locations)
