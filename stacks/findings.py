"""Query the clouds before anything is declared: for available hosts, and for the source of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from components.database.lookup import look_up
from components.database.source import Origin, Source, Target
from components.hosts.availability import query_availability
from components.hosts.placement import HostPlanError, PlannedHost, PoolRequest, plan_hosts
from components.network.addressing import Role
from components.network.private_network import hosts_subnet
from plan.names import name_prefix

if TYPE_CHECKING:
    from stacks.context import ServiceContext
    from stacks.settings.model import ProductionSettings, RecoverySettings


@dataclass(frozen=True)
class Findings:
    """The clouds' answers from before anything was declared."""

    hosts: dict[Role, tuple[PlannedHost, ...]]
    """The hosts of each role, with server types that Hetzner has available."""

    database_origin: Origin
    """The source from which the database is created, or the existing database."""


def query_clouds(context: ServiceContext, source: Source | None) -> Findings:
    """Query the clouds, so that an impossible stack is refused before any of its resources exists.

    Args:
        context: the context of the stack.
        source: the source to create the database from. `None` requires an existing database.

    Raises:
        RunError: the database cannot be created from that source, hosts are not available, or there are too many.
    """
    origin = look_up(source, _target(context.settings))
    return Findings(hosts=_planned_hosts(context), database_origin=origin)


def database_identifier(settings: ProductionSettings | RecoverySettings) -> str:
    return settings.database.identifier or f"{name_prefix(settings.stack)}-database"


def _target(settings: ProductionSettings | RecoverySettings) -> Target:
    """The database that the settings describe."""
    return Target(
        region=settings.region,
        identifier=database_identifier(settings),
        engine_version=settings.database.engine_version,
        storage_gib=settings.database.storage_gib,
        max_storage_gib=settings.database.max_storage_gib,
    )


def _planned_hosts(context: ServiceContext) -> dict[Role, tuple[PlannedHost, ...]]:
    """The hosts of each role."""
    settings = context.settings
    availability = query_availability(context.hetzner_provider, settings.stack)
    try:
        return {
            role: plan_hosts(
                PoolRequest(
                    pool=f"{context.name}-{role}",
                    role=role,
                    counts={"active": hosts.active, "standby": hosts.standby},
                    locations=settings.locations,
                    server_type=hosts.server_type,
                    alternatives=hosts.declared_alternatives(),
                    allowed_locations=context.plan.residency.hetzner.allowed_locations,
                    subnet=hosts_subnet(settings.network.ip_range),
                ),
                availability,
            )
            for role, hosts in settings.hosts.by_role().items()
        }
    except HostPlanError as error:
        raise pulumi.RunError(str(error)) from None
