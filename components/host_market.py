"""What Hetzner has to offer now, and which servers a stack has already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.host_plan import Market, Offer

if TYPE_CHECKING:
    import pulumi_hcloud


def look(provider: pulumi_hcloud.Provider, stack: str) -> Market:
    """Ask through the stack's own provider, so with its token and at its endpoint. Two calls, in previews too."""
    import pulumi_hcloud as hcloud

    asking = pulumi.InvokeOptions(provider=provider)
    offered = hcloud.get_server_types(opts=asking).server_types
    there = hcloud.get_servers(with_selector=f"app=botbrains,stack={stack}", opts=asking).servers
    return Market(
        available=frozenset(
            Offer(kind.name, place.name) for kind in offered for place in kind.locations if place.available
        ),
        existing={server.name: Offer(server.server_type, server.location) for server in there},
    )
