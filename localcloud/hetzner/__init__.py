"""Emulator of the Hetzner Cloud API for the official clients, driven by tables.

It has actions, locations, server types, load balancer types, images, networks, firewalls, placement groups, SSH keys,
primary IPs, servers, load balancers, certificates and DNS zones, like the API in autumn 2026. Everything else is
refused by name, in the API's own error format. The records state what should run; `localcloud.hosts` and
`localcloud.balancers` read them and run it.
"""

from __future__ import annotations

from pathlib import Path

from localcloud.hetzner.app import Application
from localcloud.hetzner.catalogue import SoldOut, nothing_sold_out
from localcloud.hetzner.project import ChooseAddress, Settings
from localcloud.network.addresses import unused_address
from localcloud.network.certificate_authority import CertificateAuthority

__all__ = ["Application", "create_app"]


def create_app(
    store_path: Path | None,
    *,
    token: str | None = None,
    action_seconds: float = 0.0,
    choose_address: ChooseAddress = unused_address,
    authority: CertificateAuthority | None = None,
    sold_out: SoldOut = nothing_sold_out,
) -> Application:
    """Return the emulator as a WSGI application.

    `store_path`: the file that holds its state; None keeps the state in memory.
    `token`: the only token that it accepts; None accepts any.
    `action_seconds`: the duration of an action. An action without duration ends at the next request.
    `choose_address`: returns a loopback address that is not among the given ones, for each public IPv4 address and for
        each attachment to a private network; by default a random one of 127.64.0.0/10.
    `authority`: issues managed certificates; by default an authority that ends with the process.
    `sold_out`: returns for the names of a server type and a location whether it is sold out there `openly`, or
        `silently` (still offered, but a server cannot be created), or None.
    """
    return Application(
        store_path,
        token=token,
        settings=Settings(action_seconds=action_seconds, choose_address=choose_address, sold_out=sold_out),
        authority=authority,
    )
