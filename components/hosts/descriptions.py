"""What each host of a stack is told: from the stack's settings and the pools' plans to a host's description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.hosts.image import ApiHost, WorkerHost
from components.hosts.placement import PlannedHost
from components.network.addressing import host_addresses
from components.network.load_balancer import HealthCheck


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is the same for every host of a stack."""

    stack: str
    region: str
    """The AWS region of the stack's settings, secrets and logs."""

    secrets_of: str
    """The stack whose secrets the application's are: its own, or that of which it has the replicas."""

    secrets: Sequence[str]
    operators: Mapping[str, str]
    """The public keys of the people who reach the hosts, by their accounts."""

    log_group: str
    subnet: str
    balancer_addresses: Sequence[str]
    health_check: HealthCheck


def api_host(
    host: PlannedHost, pool: Sequence[PlannedHost], surroundings: Surroundings, *, image: str, port: int
) -> ApiHost:
    """An API host. Only a standby is told of the active ones, so that more of them roll no other host but standbys."""
    around, check = surroundings, surroundings.health_check
    return ApiHost(
        name=host.name,
        stack=around.stack,
        region=around.region,
        address=host.address,
        operators=around.operators,
        secrets_stack=around.secrets_of,
        secrets=around.secrets,
        image=image,
        log_group=around.log_group,
        load_balancer_addresses=around.balancer_addresses,
        peer_addresses=host_addresses(around.subnet, "api"),
        port=port,
        health_path=check.path,
        standby=host.number if host.state == "standby" else None,
        actives={other.name: other.address for other in pool if other.state == "active"}
        if host.state == "standby"
        else {},
        health_interval_seconds=check.interval_seconds,
        health_timeout_seconds=check.timeout_seconds,
        health_retries=check.retries,
    )


def worker_host(
    host: PlannedHost, pool: Sequence[PlannedHost], surroundings: Surroundings, *, image: str
) -> WorkerHost:
    """A worker: an active one has its slot, a standby looks after those of all active ones."""
    around = surroundings
    return WorkerHost(
        name=host.name,
        stack=around.stack,
        region=around.region,
        address=host.address,
        operators=around.operators,
        secrets_stack=around.secrets_of,
        secrets=around.secrets,
        image=image,
        log_group=around.log_group,
        slot=host.number if host.state == "active" else None,
        slots=sum(1 for other in pool if other.state == "active") if host.state == "standby" else None,
    )
