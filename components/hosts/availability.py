"""What Hetzner has to offer now, and which servers a stack has already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pulumi

from components.hosts.placement import Market, Offer
from plan.names import SOLD_OUT, labels_of

if TYPE_CHECKING:
    import pulumi_hcloud


def look_at_market(provider: pulumi_hcloud.Provider, stack: str) -> Market:
    """Ask through the stack's own provider, so with its token and at its endpoint. Two calls, in previews too."""
    import pulumi_hcloud as hcloud

    asking = pulumi.InvokeOptions(provider=provider)
    offered = hcloud.get_server_types(opts=asking).server_types
    selector = ",".join(f"{label}={value}" for label, value in labels_of(stack).items())
    there = hcloud.get_servers(with_selector=selector, opts=asking).servers
    listed = {Offer(kind.name, place.name) for kind in offered for place in kind.locations if place.available}
    return Market(
        available=frozenset(listed - refused(os.environ.get(SOLD_OUT, ""))),
        existing={server.name: Offer(server.server_type, server.location) for server in there},
    )


def refused(said: str) -> set[Offer]:
    """What `SOLD_OUT` names.

    Raises:
        RunError: it is of another form.
    """
    offers = set()
    for one in filter(None, said.split(",")):
        server_type, at, location = one.partition("@")
        if not (server_type and at and location):
            raise pulumi.RunError(
                f"{SOLD_OUT} has {one!r}; allowed is TYPE@LOCATION, such as cpx32@nbg1, with commas between"
            )
        offers.add(Offer(server_type, location))
    return offers
