"""The address layout of the hosts' subnet.

Hosts refer to each other and to the load balancers by address, so each kind has a fixed range. No cloud is queried.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, Literal

HostState = Literal["active", "standby"]
Role = Literal["api", "worker"]

# .1 is Hetzner's gateway. The load balancers follow, then a hundred active hosts and ten standbys of each role.
_BALANCERS_FROM: Final = 2
_BALANCERS: Final = 8
STATES: Final[tuple[HostState, HostState]] = ("active", "standby")
_HOSTS_AFTER: Final[Mapping[tuple[Role, HostState], int]] = {
    ("api", "active"): 10,
    ("api", "standby"): 110,
    ("worker", "active"): 120,
    ("worker", "standby"): 220,
}
MOST_HOSTS: Final[Mapping[HostState, int]] = {"active": 100, "standby": 10}


def host_address(subnet: str, role: Role, state: HostState, number: int) -> str:
    """The private address of a host, by its number among the hosts of its role and state, from 1."""
    return str(ipaddress.IPv4Network(subnet)[_HOSTS_AFTER[role, state] + number])


def balancer_address(subnet: str, index: int) -> str:
    """The private address of a load balancer of the stack, by its index from 0."""
    if not 0 <= index < _BALANCERS:
        raise ValueError(
            f"load balancer {index + 1} of the stack has no address; allowed are {_BALANCERS}, one for each location."
            " Use fewer locations"
        )
    return str(ipaddress.IPv4Network(subnet)[_BALANCERS_FROM + index])


def host_addresses(subnet: str, role: Role) -> tuple[str, ...]:
    """The private addresses reserved for the hosts of a role, as ranges FIRST-LAST."""
    hosts = ipaddress.IPv4Network(subnet)
    firsts = [(_HOSTS_AFTER[role, state] + 1, MOST_HOSTS[state]) for state in STATES]
    return tuple(f"{hosts[first]}-{hosts[first + most - 1]}" for first, most in firsts)
