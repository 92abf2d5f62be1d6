"""Plan the hosts of a pool: their names, locations, server types and private addresses, before anything is declared.

The result follows from a few numbers and from the server types that Hetzner has available, so no cloud is needed to
test it.
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
    """The requested hosts are not possible. The message states the request, what is allowed, and what to do."""


@dataclass(frozen=True, order=True)
class Offer:
    """A server type in a location, as Hetzner sells it."""

    server_type: str
    location: str

    def __str__(self) -> str:
        return f"{self.server_type} in {self.location}"


@dataclass(frozen=True)
class HostAvailability:
    """The offers that Hetzner has available now, and the servers that the stack has already."""

    available: frozenset[Offer]
    existing: Mapping[str, Offer]
    """The offer of each server of the stack, by the server's name."""


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A server type to use when the declared one is sold out. Without a location, in the host's own location."""

    server_type: str
    location: str | None = None


@dataclass(frozen=True, kw_only=True)
class PoolRequest:
    """The hosts that a pool is to have."""

    pool: str
    """The name of the pool. It begins the name of each host."""

    role: Role
    counts: Mapping[HostState, int]
    """The number of hosts in each state."""

    locations: Sequence[str]
    """The locations that the hosts are distributed over, in order."""

    server_type: str
    alternatives: Sequence[Alternative]
    """The server types to use when `server_type` is sold out, in order of preference."""

    allowed_locations: Collection[str]
    """The locations that the plan allows."""

    subnet: str
    """The IPv4 range that private addresses come from."""

    def name(self, state: HostState, number: int) -> str:
        """The name of a host. It does not depend on the number of other hosts."""
        return f"{self.pool}-{number}" if state == "active" else f"{self.pool}-standby-{number}"

    def choices(self, state: HostState, number: int) -> list[Offer]:
        """The offers that a host may have, in order of preference. The first is its own type in its own location."""
        home = self.locations[(number - 1 if state == "active" else -number) % len(self.locations)]
        others = (Offer(other.server_type, other.location or home) for other in self.alternatives)
        return [Offer(self.server_type, home), *others]

    def setting(self, key: str) -> str:
        """The name of one of the pool's settings, for messages."""
        return f"botbrains:hosts.{self.role}.{key}"


@dataclass(frozen=True, kw_only=True)
class PlannedHost:
    """One host of a pool."""

    name: str
    state: HostState
    number: int
    """From 1, among the hosts of the same state. It is an active worker's slot, or a standby's turn."""

    offer: Offer
    address: str
    """The private address, which never changes."""

    group: str
    """The name of the placement group."""


def plan_hosts(request: PoolRequest, availability: HostAvailability) -> tuple[PlannedHost, ...]:
    """Return the hosts of a pool, active ones first.

    Active hosts are assigned to the locations in turn, and standbys in turn from the last location back. So each state
    is in as many locations as it has hosts for, and a host's location does not depend on the number of other hosts.

    An existing host keeps its server type and location as long as the request allows them: an offer that sells out
    moves no existing host. A new host gets the first available offer: its own type in its own location, then the
    alternatives in their order. A location that is not among `allowed_locations` is taken regardless of availability:
    the policy pack refuses it, and names the promise that it breaks.

    Raises:
        HostPlanError: there are more hosts than their placement groups hold, or no offer is available for a host.
    """
    _check_room(request)
    hosts = list(_hosts(request, availability))
    _check_spread(request, hosts)
    _check_groups(request, hosts)
    return tuple(hosts)


def _hosts(request: PoolRequest, availability: HostAvailability) -> Iterator[PlannedHost]:
    for state in STATES:
        for number in range(1, request.counts[state] + 1):
            offer = _choose(request, state, number, availability)
            # Standbys have their own group, or the tenth active host could not be created while a standby is in the
            # group. So a standby may share a machine with an active host, but two active hosts never do.
            pool = f"{request.pool}-standby" if state == "standby" else request.pool
            yield PlannedHost(
                name=request.name(state, number),
                state=state,
                number=number,
                offer=offer,
                address=host_address(request.subnet, request.role, state, number),
                group=f"{pool}-{offer.location}",
            )


def _choose(request: PoolRequest, state: HostState, number: int, availability: HostAvailability) -> Offer:
    name, choices = request.name(state, number), request.choices(state, number)
    if choices[0].location not in request.allowed_locations:
        return choices[0]
    existing = availability.existing.get(name)
    if existing is not None and existing in choices:
        return existing
    for choice in choices:
        if choice in availability.available:
            return choice
    nowhere = sorted({choice.server_type for choice in choices} - {one.server_type for one in availability.available})
    locations = {choice.location for choice in choices}
    examples = sorted(offer for offer in availability.available if offer.location in locations)[:4]
    raise HostPlanError(
        f"{name} cannot be created: Hetzner has none of {', '.join(map(str, choices))} available now"
        + (f" ({', '.join(nowhere)} in no location at all)" if nowhere else "")
        + f". Add a server type that is available to {request.setting('alternatives')} (Pulumi.<stack>.yaml), such as "
        + (", ".join(f"{offer.server_type}@{offer.location}" for offer in examples) or "one in another location")
    )


def _check_room(request: PoolRequest) -> None:
    for state in STATES:
        by_groups, by_addresses = SERVERS_PER_PLACEMENT_GROUP * len(request.locations), MOST_HOSTS[state]
        if request.counts[state] > min(by_groups, by_addresses):
            reason = (
                f"A spread placement group keeps hosts on different machines and holds {SERVERS_PER_PLACEMENT_GROUP}, "
                f"and there is one for each of the {len(request.locations)} location(s) {', '.join(request.locations)}"
                if by_groups <= by_addresses
                else f"The subnet has {by_addresses} addresses for them"
            )
            raise HostPlanError(
                f"{request.setting(state)} is {request.counts[state]}; allowed is {min(by_groups, by_addresses)} or "
                f"less for {request.pool}. {reason}. Use fewer and larger hosts"
                + (", or add a location" if by_groups <= by_addresses else "")
            )


def _check_groups(request: PoolRequest, hosts: Sequence[PlannedHost]) -> None:
    """Refuse a placement group that alternatives from other locations have made too full."""
    for group, size in Counter(host.group for host in hosts).items():
        if size > SERVERS_PER_PLACEMENT_GROUP:
            raise HostPlanError(
                f"{request.pool} needs {size} hosts in placement group {group}; allowed is "
                f"{SERVERS_PER_PLACEMENT_GROUP} or less. Hosts of a location that is sold out were moved there. Use "
                f"fewer hosts, or add a server type in a further location to {request.setting('alternatives')} "
                "(Pulumi.<stack>.yaml)"
            )


def _check_spread(request: PoolRequest, hosts: Sequence[PlannedHost]) -> None:
    """Refuse a pool that is in one location because the others are sold out."""
    locations = {host.offer.location for host in hosts}
    if len(locations) < min(2, len(request.locations), len(hosts)):
        raise HostPlanError(
            f"all hosts of {request.pool} would be in {', '.join(locations)}, because the other locations are sold "
            "out; allowed is two locations or more, so that hosts survive the loss of one. Add a server type in "
            f"another location to {request.setting('alternatives')} (Pulumi.<stack>.yaml)"
        )
