"""Which hosts a pool has: their names, places, machines and private addresses, before anything is declared.

Everything here follows from a few numbers and from what Hetzner has to offer, so it can be looked at without a cloud.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from components.network.addressing import MOST_HOSTS, STATES, HostState, Role, host_address

# Hetzner's limit on a placement group of type "spread" (docs.hetzner.com, Cloud, Placement Groups).
SERVERS_PER_PLACEMENT_GROUP: Final = 10


class HostPlanError(ValueError):
    """The hosts cannot be as asked. The message says what was asked for, what is allowed, and what to do."""


@dataclass(frozen=True, order=True)
class Offer:
    """A kind of machine in a place: what Hetzner has, or has not, when a host is made."""

    server_type: str
    location: str

    def __str__(self) -> str:
        return f"{self.server_type} in {self.location}"


@dataclass(frozen=True)
class Market:
    """What Hetzner has now, and what a stack has of it already."""

    available: frozenset[Offer]
    existing: Mapping[str, Offer]
    """What each server of the stack is, by its name."""


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """What a host is made of when what it should be made of is sold out. Without a location, in the host's own."""

    server_type: str
    location: str | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedHost:
    """One host of a pool."""

    name: str
    state: HostState
    number: int
    """From 1, among those of its state: an active worker's slot, a standby's turn."""

    offer: Offer
    address: str
    """Its private address, which it keeps for life."""

    group: str
    """The name of its placement group."""


def plan_hosts(
    *,
    pool: str,
    role: Role,
    counts: Mapping[HostState, int],
    locations: Sequence[str],
    server_type: str,
    alternatives: Sequence[Alternative],
    allowed_locations: Collection[str],
    subnet: str,
    market: Market,
) -> tuple[PlannedHost, ...]:
    """The hosts of a pool, active ones first.

    Active hosts are dealt to the locations in turn, and standbys in turn from the last one back, so each state is in as
    many places as it has hosts for, and nobody's place depends on how many others there are.

    A host that is there stays what and where it is, as long as that is among what is asked for: that something is sold
    out moves nothing. One that is not there yet is the first that can be had, of its own type in its own place and then
    of the alternatives in their order. A place that is not among `allowed_locations` is taken as it is written,
    whatever is to be had there: the policy pack refuses it, with the promise that it breaks.

    Raises:
        HostPlanError: there are too many for their placement groups, or none can be had.
    """
    wanted: list[tuple[HostState, int, str]] = [
        (state, number, _home(state, number, locations)) for state in STATES for number in range(1, counts[state] + 1)
    ]
    _check_room(pool, counts, locations)
    offers: dict[str, Offer] = {}
    for state, number, home in wanted:
        name = host_name(pool, state, number)
        choices = list(_choices(server_type, home, alternatives))
        offers[name] = _choose(name, choices, market) if home in allowed_locations else choices[0]
    _check_spread(pool, offers, locations)
    planned = []
    for state, number, _ in wanted:
        name = host_name(pool, state, number)
        location = offers[name].location
        planned.append(
            PlannedHost(
                name=name,
                state=state,
                number=number,
                offer=offers[name],
                address=host_address(subnet, role, state, number),
                # Standbys have a group of their own, or the tenth active host could not be made while one is in theirs.
                # One may so share a machine with an active host, and no two active hosts ever do.
                group=f"{pool}-standby-{location}" if state == "standby" else f"{pool}-{location}",
            )
        )
    _check_groups(pool, planned)
    return tuple(planned)


def _home(state: HostState, number: int, locations: Sequence[str]) -> str:
    return locations[(number - 1 if state == "active" else -number) % len(locations)]


def host_name(pool: str, state: HostState, number: int) -> str:
    """A host's name, which stays its own however many others there come to be."""
    return f"{pool}-{number}" if state == "active" else f"{pool}-standby-{number}"


def _check_room(pool: str, counts: Mapping[HostState, int], locations: Sequence[str]) -> None:
    for state in STATES:
        most = min(SERVERS_PER_PLACEMENT_GROUP * len(locations), MOST_HOSTS[state])
        if counts[state] > most:
            raise HostPlanError(
                f"{pool} asks for {counts[state]} {state} hosts; allowed is {most} or less: a spread placement group, "
                f"which keeps hosts on different machines, holds {SERVERS_PER_PLACEMENT_GROUP}, and there is one for "
                f"each of the {len(locations)} location(s) {', '.join(locations)}. Ask for fewer and larger hosts, or "
                "add a location"
            )


def _check_groups(pool: str, planned: Sequence[PlannedHost]) -> None:
    """Alternatives in another location may have filled a group there."""
    for group, size in Counter(host.group for host in planned).items():
        if size > SERVERS_PER_PLACEMENT_GROUP:
            raise HostPlanError(
                f"{pool} needs {size} hosts in placement group {group}, which holds {SERVERS_PER_PLACEMENT_GROUP}: too "
                "many went to that location because another is sold out. Ask for fewer, or add alternatives elsewhere"
            )


def _choices(server_type: str, home: str, alternatives: Sequence[Alternative]) -> Iterator[Offer]:
    yield Offer(server_type, home)
    for other in alternatives:
        yield Offer(other.server_type, other.location or home)


def _choose(name: str, choices: Sequence[Offer], market: Market) -> Offer:
    there = market.existing.get(name)
    if there is not None and there in choices:
        return there
    for choice in choices:
        if choice in market.available:
            return choice
    unknown = sorted({choice.server_type for choice in choices} - {offer.server_type for offer in market.available})
    raise HostPlanError(
        f"{name} cannot be made: Hetzner has no {', no '.join(map(str, choices))} now"
        + (f" ({', '.join(unknown)} nowhere at all)" if unknown else "")
        + ". Add an alternative to botbrains:hosts (Pulumi.<stack>.yaml), for example "
        + (", ".join(map(str, _some(market, {choice.location for choice in choices}))) or "in another location")
    )


def _some(market: Market, locations: set[str]) -> list[Offer]:
    """A few that can be had where hosts were wanted, for the message."""
    return sorted(offer for offer in market.available if offer.location in locations)[:4]


def _check_spread(pool: str, offers: Mapping[str, Offer], locations: Sequence[str]) -> None:
    """Hosts that were to be in several places must not all end in one because of what is sold out."""
    places = {offer.location for offer in offers.values()}
    if len(places) < min(2, len(locations), len(offers)):
        raise HostPlanError(
            f"all hosts of {pool} would be in {', '.join(places)}, since the other location is sold out, and its loss "
            f"would be the loss of all of them. Add an alternative in another location to botbrains:hosts"
        )
