"""Hetzner Cloud in miniature: an emulator of its HTTP API, driven by tables, for the official clients.

What it has: actions, locations, server types, load balancer types, images, networks, firewalls, placement groups, SSH
keys, primary IPs, servers, load balancers, certificates and DNS zones, as the API is in autumn 2026. Anything else is
refused by name in the API's own form of an error. Its records say what should run: whoever wants to run it reads them
there.
"""

from __future__ import annotations

from pathlib import Path

from localcloud.hetzner.app import Application
from localcloud.hetzner.catalogue import SoldOut, nothing_sold_out
from localcloud.hetzner.project import ChooseAddress
from localcloud.network.addresses import unused_address
from localcloud.network.certificate_authority import Authority

__all__ = ["Application", "create_app"]


def create_app(
    store_path: Path | None,
    *,
    token: str | None = None,
    action_seconds: float = 0.0,
    choose_address: ChooseAddress = unused_address,
    authority: Authority | None = None,
    sold_out: SoldOut = nothing_sold_out,
) -> Application:
    """The emulator as a WSGI application.

    `store_path`: the file that its state is kept in; None keeps it in memory.
    `token`: the only one that it takes; None takes any.
    `action_seconds`: how long an action runs. One of no length is over at the next request.
    `choose_address`: gives a loopback address that is not among those given, for each public IPv4 address and for each
        attachment to a private network; a random one of 127.64.0.0/10 by default.
    `authority`: issues managed certificates; without one, an authority that ends with the process.
    `sold_out`: says of a server type and a location, both by name, whether it is sold out there `openly`, or `silently`
        (it is offered, and refused to who takes it), or not at all (None).
    """
    return Application(
        store_path,
        token=token,
        action_seconds=action_seconds,
        choose_address=choose_address,
        authority=authority,
        sold_out=sold_out,
    )
