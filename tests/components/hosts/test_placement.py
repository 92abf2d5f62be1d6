"""Tests of the planned hosts: their locations and server types, and stability when numbers or availability change."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.hosts.placement import (
    SERVERS_PER_PLACEMENT_GROUP,
    Alternative,
    HostAvailability,
    HostPlanError,
    Offer,
    PlannedHost,
    PoolRequest,
    plan_hosts,
)
from components.network.addressing import HostState, balancer_address

HOME = ("here", "there")
SUBNET = "10.1.0.0/24"
LARGER = Alternative(server_type="large")
ELSEWHERE = Alternative(server_type="small", location="far")
EVERYTHING = frozenset(Offer(kind, place) for kind in ("small", "large") for place in ("here", "there", "far"))


REQUEST = PoolRequest(
    pool="pool",
    role="api",
    counts={"active": 2, "standby": 1},
    locations=HOME,
    server_type="small",
    alternatives=(LARGER, ELSEWHERE),
    allowed_locations=("here", "there", "far"),
    subnet=SUBNET,
)


def planned(
    active: int = 2,
    standby: int = 1,
    *,
    sold_out: frozenset[Offer] = frozenset(),
    existing: Mapping[str, Offer] | None = None,
    **changes: Any,
) -> tuple[PlannedHost, ...]:
    """The planned hosts for `REQUEST` with changes."""
    request = replace(REQUEST, counts={"active": active, "standby": standby}, **changes)
    return plan_hosts(request, HostAvailability(available=EVERYTHING - sold_out, existing=existing or {}))


def by_name(hosts: Sequence[PlannedHost]) -> dict[str, PlannedHost]:
    return {host.name: host for host in hosts}


@pytest.mark.parametrize(
    ("active", "standby", "locations"),
    [
        (1, 0, ("here",)),
        (2, 1, HOME),
        (2, 1, ("here",)),
        (3, 2, ("here", "there", "far")),
        (19, 1, HOME),
        (20, 3, HOME),
    ],
)
def test_hosts_are_spread_evenly_active_ones_first(active: int, standby: int, locations: tuple[str, ...]) -> None:
    hosts = planned(active, standby, locations=locations)

    assert [host.state for host in hosts] == ["active"] * active + ["standby"] * standby
    everywhere = Counter(host.offer.location for host in hosts)
    assert set(everywhere) == set(locations)
    assert max(everywhere.values()) - min(everywhere.values()) <= 1
    working = {host.offer.location for host in hosts if host.state == "active"}
    assert len(working) == min(active, len(locations))


@pytest.mark.parametrize(("active", "standby", "groups"), [(2, 0, 2), (2, 1, 3), (20, 1, 3), (20, 10, 4), (20, 20, 4)])
def test_placement_groups_are_few_and_within_the_limit(active: int, standby: int, groups: int) -> None:
    if standby > 10:
        with pytest.raises(
            HostPlanError, match=r"hosts\.api\.standby is 20; allowed is 10 or less for pool\. The subnet has 10"
        ):
            planned(active, standby)
        return
    members: dict[str, list[str]] = {}
    for host in planned(active, standby):
        members.setdefault(host.group, []).append(host.offer.location)
    assert len(members) == groups
    assert all(len(places) <= SERVERS_PER_PLACEMENT_GROUP and len(set(places)) == 1 for places in members.values())


@pytest.mark.parametrize(("active", "locations", "most"), [(21, HOME, 20), (11, ("here",), 10)])
def test_hosts_beyond_placement_groups_are_refused(active: int, locations: tuple[str, ...], most: int) -> None:
    with pytest.raises(
        HostPlanError, match=rf"hosts.api.active is {active}; allowed is {most} or less for pool"
    ) as raised:
        planned(active, 1, locations=locations)
    assert f"holds {SERVERS_PER_PLACEMENT_GROUP}" in str(raised.value)


@pytest.mark.parametrize(("fewer", "more"), [((2, 1), (20, 1)), ((2, 1), (2, 2)), ((3, 1), (8, 2))])
def test_more_hosts_leave_existing_hosts_unchanged(fewer: tuple[int, int], more: tuple[int, int]) -> None:
    before, after = by_name(planned(*fewer)), by_name(planned(*more))
    assert before.items() < after.items()


def test_addresses_in_the_subnet_are_distinct() -> None:
    hosts = [*planned(20, 10), *planned(20, 10, role="worker")]
    addresses = [host.address for host in hosts] + [balancer_address(SUBNET, index) for index in range(8)]
    assert len(set(addresses)) == len(addresses)
    subnet = ipaddress.IPv4Network(SUBNET)
    # Without the network address, Hetzner's gateway and the broadcast address.
    assert {ipaddress.IPv4Address(one) for one in addresses} <= set(list(subnet.hosts())[1:])


def test_ninth_load_balancer_is_refused() -> None:
    with pytest.raises(ValueError, match="load balancer 9 of the stack has no address; allowed are 8"):
        balancer_address(SUBNET, 8)


@pytest.mark.parametrize(
    ("sold_out", "expected"),
    [
        ((), Offer("small", "here")),
        ((Offer("small", "here"),), Offer("large", "here")),
        ((Offer("small", "here"), Offer("large", "here")), Offer("small", "far")),
    ],
)
def test_new_host_gets_first_available_offer(sold_out: tuple[Offer, ...], expected: Offer) -> None:
    hosts = by_name(planned(sold_out=frozenset(sold_out)))
    assert hosts["pool-1"].offer == expected
    assert hosts["pool-2"].offer == Offer("small", "there")


def test_existing_host_keeps_its_offer() -> None:
    larger = {"pool-1": Offer("large", "here"), "pool-2": Offer("small", "there")}
    assert by_name(planned(existing=larger))["pool-1"].offer == Offer("large", "here")
    assert by_name(planned(existing=larger, sold_out=EVERYTHING - {Offer("small", "here"), Offer("small", "far")}))[
        "pool-2"
    ].offer == Offer("small", "there")


def test_existing_host_with_undeclared_type_changes() -> None:
    existing = {"pool-1": Offer("tiny", "here")}
    assert by_name(planned(existing=existing))["pool-1"].offer == Offer("small", "here")


def test_no_offer_names_choices_and_examples() -> None:
    sold_out = frozenset({Offer("small", "here"), Offer("small", "far")})
    with pytest.raises(HostPlanError) as raised:
        planned(sold_out=sold_out, alternatives=(ELSEWHERE,))
    assert str(raised.value) == (
        "pool-1 cannot be created: Hetzner has none of small in here, small in far available now. Add a server type"
        " that is available to botbrains:hosts.api.alternatives (Pulumi.<stack>.yaml), such as large@far, large@here"
    )


def test_unknown_server_type_is_named() -> None:
    with pytest.raises(HostPlanError, match="tiny in no location at all"):
        planned(server_type="tiny", alternatives=())


def test_location_outside_plan_is_left_to_policy_pack() -> None:
    hosts = by_name(planned(locations=("here", "america"), alternatives=()))
    assert hosts["pool-2"].offer == Offer("small", "america")


def test_pool_in_one_location_is_refused() -> None:
    sold_out = frozenset({Offer("small", "here"), Offer("large", "here")})
    with pytest.raises(HostPlanError, match="all hosts of pool would be in there"):
        planned(sold_out=sold_out, alternatives=(Alternative(server_type="small", location="there"),))


_STOCK = st.frozensets(st.sampled_from(sorted(EVERYTHING)))


@given(
    active=st.integers(1, 20),
    standby=st.integers(0, 10),
    sold_out=_STOCK,
    existing=st.dictionaries(
        st.sampled_from(["pool-1", "pool-2", "pool-standby-1"]), st.sampled_from(sorted(EVERYTHING))
    ),
)
def test_plan_matches_request_or_is_refused(
    active: int, standby: int, sold_out: frozenset[Offer], existing: dict[str, Offer]
) -> None:
    counts: dict[HostState, int] = {"active": active, "standby": standby}
    try:
        hosts = planned(active, standby, sold_out=sold_out, existing=existing)
    except HostPlanError:
        return
    assert Counter(host.state for host in hosts) == Counter(counts)
    assert all(host.offer not in sold_out or existing.get(host.name) == host.offer for host in hosts)
    assert max(Counter(host.group for host in hosts).values()) <= SERVERS_PER_PLACEMENT_GROUP
    assert len(hosts) == 1 or len({host.offer.location for host in hosts}) > 1
