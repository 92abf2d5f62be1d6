"""Query Hetzner for the server types that are available now, and for the servers that a stack has already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pulumi

from components.hosts.placement import HostAvailability, Offer
from plan.names import SOLD_OUT, labels_of

if TYPE_CHECKING:
    import pulumi_hcloud


def query_availability(provider: pulumi_hcloud.Provider, stack: str) -> HostAvailability:
    """Query Hetzner with the stack's provider: with its token and at its endpoint. Makes two calls, in previews too."""
    import pulumi_hcloud as hcloud

    options = pulumi.InvokeOptions(provider=provider)
    server_types = hcloud.get_server_types(opts=options).server_types
    selector = ",".join(f"{label}={value}" for label, value in labels_of(stack).items())
    servers = hcloud.get_servers(with_selector=selector, opts=options).servers
    listed = {Offer(kind.name, place.name) for kind in server_types for place in kind.locations if place.available}
    return HostAvailability(
        available=frozenset(listed - parse_sold_out(os.environ.get(SOLD_OUT, ""))),
        existing={server.name: Offer(server.server_type, server.location) for server in servers},
    )


def parse_sold_out(value: str) -> set[Offer]:
    """Return the offers that a value of `SOLD_OUT` names.

    Raises:
        RunError: the value does not have the form of `SOLD_OUT`.
    """
    offers = set()
    for item in filter(None, value.split(",")):
        server_type, at, location = item.partition("@")
        if not (server_type and at and location):
            raise pulumi.RunError(
                f"The environment variable {SOLD_OUT} has {item!r}; allowed is TYPE@LOCATION, such as cpx32@nbg1, with"
                " commas between them. Correct it, or unset it: `continuity up` sets it when Hetzner refuses a server"
            )
        offers.add(Offer(server_type, location))
    return offers
