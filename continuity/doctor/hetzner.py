"""Checks of the Hetzner project and of the delegation of its zone."""

from __future__ import annotations

from collections import Counter
from typing import Any

from continuity.clouds.hetzner import reading_project
from continuity.doctor.check import Clouds
from continuity.doctor.limits import load_limits
from continuity.engine.stacks import Stack
from continuity.errors import MissingError, NotShownError
from plan.names import APP


def token(clouds: Clouds) -> str:
    """A token that Hetzner accepts."""
    with reading_project(clouds.environment) as client:
        client.locations.get_all()
    return "Hetzner accepts HCLOUD_TOKEN; the API does not show whether it may write"


def project(clouds: Clouds) -> str:
    """The project's contents: nothing, or what this program created."""
    with reading_project(clouds.environment) as client:
        found: list[Any] = [*client.servers.get_all(), *client.load_balancers.get_all(), *client.networks.get_all()]
    strangers = [each.name for each in found if each.labels.get("app") != APP]
    if strangers:
        raise MissingError(
            f"the project contains things that this program did not create: {', '.join(strangers)}",
            "use a separate project: every token of a project may delete all of it",
        )
    of_stacks = Counter(each.labels.get("stack") for each in found)
    return ", ".join(f"{number} of {stack}" for stack, number in of_stacks.items()) or "the project is empty"


def limits(_clouds: Clouds) -> str:
    """Hetzner's limits, which only its console shows."""
    needed = ", ".join(
        f"{sum(limit.needed.values())} {limit.what}" for limit in load_limits() if limit.cloud == "Hetzner"
    )
    raise NotShownError(
        f"prod and dr need {needed} at the same time: compare with the console, Limits, and ask for more"
    )


def name_servers(clouds: Clouds) -> str:
    """The delegation of the zone to Hetzner's name servers, as Hetzner sees it."""
    name = str(clouds.setting(Stack.VAULT, "zone"))
    with reading_project(clouds.environment) as client:
        zone = next(iter(client.zones.get_all(name=name)), None)
    if zone is None:
        raise MissingError(f"the zone {name} does not exist in the project", "run `continuity up vault`")
    servers = zone.authoritative_nameservers
    if servers is None:
        raise NotShownError(f"Hetzner does not show the delegation of {name}: compare `dig +short NS {name}` by hand")
    assigned, delegated = (", ".join(names or []) or "none" for names in (servers.assigned, servers.delegated))
    if servers.delegation_status != "valid":
        raise MissingError(
            f"the delegation of {name} is {servers.delegation_status}: its parent names {delegated}, and the zone has "
            f"{assigned}",
            f"set the NS records of {name} at the registrar, or in the parent zone, to {assigned}. Hetzner looks again "
            "after some minutes",
        )
    return f"{name} is delegated to {assigned}"
