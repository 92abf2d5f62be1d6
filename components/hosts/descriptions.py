"""Describe each host of a stack, from the stack's settings and the pools' plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.hosts.image.hosts import ApiHost, WorkerHost
from components.hosts.placement import PlannedHost
from components.network.addressing import host_addresses
from components.network.load_balancer import HealthCheck


@dataclass(frozen=True, kw_only=True)
class HostContext:
    """The properties that every host of a stack has in common."""

    stack: str
    region: str
    """The AWS region of the stack's settings, secrets and logs."""

    secrets_of: str
    """The stack that owns the application's secrets: this stack, or the stack whose replicas it reads."""

    secrets: Sequence[str]
    operators: Mapping[str, str]
    """The public keys of the operators, by account."""

    log_group: str
    subnet: str
    balancer_addresses: Sequence[str]
    health_check: HealthCheck


def api_host(host: PlannedHost, pool: Sequence[PlannedHost], context: HostContext, *, image: str, port: int) -> ApiHost:
    """Describe an API host. Only a standby lists the active hosts, so adding active hosts replaces only standbys."""
    check = context.health_check
    return ApiHost(
        name=host.name,
        stack=context.stack,
        region=context.region,
        address=host.address,
        operators=context.operators,
        secrets_stack=context.secrets_of,
        secrets=context.secrets,
        image=image,
        log_group=context.log_group,
        load_balancer_addresses=context.balancer_addresses,
        peer_addresses=host_addresses(context.subnet, "api"),
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


def worker_host(host: PlannedHost, pool: Sequence[PlannedHost], context: HostContext, *, image: str) -> WorkerHost:
    """Describe a worker. An active worker owns a slot; a standby watches the slots of all active workers."""
    return WorkerHost(
        name=host.name,
        stack=context.stack,
        region=context.region,
        address=host.address,
        operators=context.operators,
        secrets_stack=context.secrets_of,
        secrets=context.secrets,
        image=image,
        log_group=context.log_group,
        slot=host.number if host.state == "active" else None,
        slots=sum(1 for other in pool if other.state == "active") if host.state == "standby" else None,
    )
