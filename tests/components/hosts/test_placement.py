"""Which hosts a pool has, where, on what, and what stays when their number or Hetzner's stock changes."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.hosts.placement import (
    SERVERS_PER_PLACEMENT_GROUP,
    Alternative,
    HostPlanError,
    Market,
    Offer,
    PlannedHost,
    plan_hosts,
)
from components.network.addressing import HostState, Role, balancer_address

HOME = ("here", "there")
SUBNET = "10.1.0.0/24"
LARGER = Alternative(server_type="large")
ELSEWHERE = Alternative(server_type="small", location="far")
EVERYTHING = frozenset(Offer(kind, place) for kind in ("small", "large") for place in ("here", "there", "far"))


def planned(
    active: int = 2,
    standby: int = 1,
    locations: Sequence[str] = HOME,
    *,
    sold_out: frozenset[Offer] = frozenset(),
    existing: Mapping[str, Offer] | None = None,
    alternatives: Sequence[Alternative] = (LARGER, ELSEWHERE),
    server_type: str = "small",
    role: Role = "api",
) -> tuple[PlannedHost, ...]:
    return plan_hosts(
        pool="pool",
        role=role,
        counts={"active": active, "standby": standby},
        locations=locations,
        server_type=server_type,
        alternatives=alternatives,
        allowed_locations=("here", "there", "far"),
        subnet=SUBNET,
        market=Market(available=EVERYTHING - sold_out, existing=existing or {}),
    )


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
def test_hosts_are_spread_evenly_and_the_first_ones_work(active: int, standby: int, locations: tuple[str, ...]) -> None:
    hosts = planned(active, standby, locations)

    assert [host.state for host in hosts] == ["active"] * active + ["standby"] * standby
    everywhere = Counter(host.offer.location for host in hosts)
    assert set(everywhere) == set(locations)
    assert max(everywhere.values()) - min(everywhere.values()) <= 1
    working = {host.offer.location for host in hosts if host.state == "active"}
    assert len(working) == min(active, len(locations))


@pytest.mark.parametrize(("active", "standby", "groups"), [(2, 0, 2), (2, 1, 3), (20, 1, 3), (20, 10, 4), (20, 20, 4)])
def test_no_placement_group_is_too_full_or_in_two_places_and_none_is_needless(
    active: int, standby: int, groups: int
) -> None:
    if standby > 10:
        with pytest.raises(HostPlanError, match="asks for 20 standby hosts; allowed is 10 or less"):
            planned(active, standby)
        return
    members: dict[str, list[str]] = {}
    for host in planned(active, standby):
        members.setdefault(host.group, []).append(host.offer.location)
    assert len(members) == groups
    assert all(len(places) <= SERVERS_PER_PLACEMENT_GROUP and len(set(places)) == 1 for places in members.values())


@pytest.mark.parametrize(("active", "locations", "most"), [(21, HOME, 20), (11, ("here",), 10)])
def test_more_hosts_than_their_placement_groups_hold_are_refused_with_the_limit(
    active: int, locations: tuple[str, ...], most: int
) -> None:
    with pytest.raises(HostPlanError, match=rf"pool asks for {active} active hosts; allowed is {most} or less") as said:
        planned(active, 1, locations)
    assert f"holds {SERVERS_PER_PLACEMENT_GROUP}" in str(said.value)


@pytest.mark.parametrize(("fewer", "more"), [((2, 1), (20, 1)), ((2, 1), (2, 2)), ((3, 1), (8, 2))])
def test_more_hosts_change_nothing_of_those_that_are_there(fewer: tuple[int, int], more: tuple[int, int]) -> None:
    before, after = by_name(planned(*fewer)), by_name(planned(*more))
    assert before.items() < after.items()


def test_everything_in_the_subnet_has_an_address_of_its_own() -> None:
    hosts = [*planned(20, 10), *planned(20, 10, role="worker")]
    addresses = [host.address for host in hosts] + [balancer_address(SUBNET, index) for index in range(8)]
    assert len(set(addresses)) == len(addresses)
    subnet = ipaddress.IPv4Network(SUBNET)
    # The network's own, Hetzner's gateway, and the broadcast address are nobody's.
    assert {ipaddress.IPv4Address(one) for one in addresses} <= set(list(subnet.hosts())[1:])


def test_a_ninth_load_balancer_is_refused() -> None:
    with pytest.raises(ValueError, match="load balancer 9 is asked for; allowed are 8"):
        balancer_address(SUBNET, 8)


@pytest.mark.parametrize(
    ("sold_out", "expected"),
    [
        ((), Offer("small", "here")),
        ((Offer("small", "here"),), Offer("large", "here")),
        ((Offer("small", "here"), Offer("large", "here")), Offer("small", "far")),
    ],
)
def test_a_host_is_the_first_of_the_alternatives_that_can_be_had(sold_out: tuple[Offer, ...], expected: Offer) -> None:
    hosts = by_name(planned(sold_out=frozenset(sold_out)))
    assert hosts["pool-1"].offer == expected
    assert hosts["pool-2"].offer == Offer("small", "there")


def test_a_host_that_is_there_stays_when_its_kind_is_sold_out_or_comes_back() -> None:
    larger = {"pool-1": Offer("large", "here"), "pool-2": Offer("small", "there")}
    assert by_name(planned(existing=larger))["pool-1"].offer == Offer("large", "here")
    assert by_name(planned(existing=larger, sold_out=EVERYTHING - {Offer("small", "here"), Offer("small", "far")}))[
        "pool-2"
    ].offer == Offer("small", "there")


def test_a_host_that_is_what_nobody_asks_for_any_more_becomes_what_is_asked_for() -> None:
    existing = {"pool-1": Offer("tiny", "here")}
    assert by_name(planned(existing=existing))["pool-1"].offer == Offer("small", "here")


def test_when_nothing_can_be_had_it_says_what_was_tried_and_what_there_is() -> None:
    sold_out = frozenset({Offer("small", "here"), Offer("small", "far")})
    with pytest.raises(HostPlanError) as said:
        planned(sold_out=sold_out, alternatives=(ELSEWHERE,))
    assert "pool-1 cannot be made: Hetzner has no small in here, no small in far now" in str(said.value)
    assert "large in here" in str(said.value)


def test_a_machine_that_hetzner_does_not_know_is_named() -> None:
    with pytest.raises(HostPlanError, match="tiny nowhere at all"):
        planned(server_type="tiny", alternatives=())


def test_a_place_that_the_plan_does_not_allow_is_left_to_the_policy_pack() -> None:
    hosts = by_name(planned(locations=("here", "america"), alternatives=()))
    assert hosts["pool-2"].offer == Offer("small", "america")


def test_hosts_do_not_all_end_in_one_place_because_another_is_sold_out() -> None:
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
def test_whatever_is_sold_out_the_hosts_are_what_was_asked_for_or_refused(
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
