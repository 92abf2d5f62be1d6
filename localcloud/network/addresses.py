"""Loopback addresses, one for each server, so that many servers can use the same port.

RDS databases have them. In Hetzner, each public IPv4 address and each attachment to a private network has one.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Collection

from localcloud.instance.folder import LocalCloudError

# Linux answers on all of 127.0.0.0/8. The lower quarter is left to other programs of the machine.
_RANGE = ipaddress.ip_network("127.64.0.0/10")
_TRIES = 100


def unused_address(taken: Collection[str]) -> str:
    """Return a random address of 127.64.0.0/10 that is not among `taken`, without a check that it can be bound."""
    while True:
        address = str(_RANGE[random.randrange(1, _RANGE.num_addresses - 1)])  # noqa: S311 (no secret)
        if address not in taken:
            return address


def free_address(taken: Collection[str], port: int) -> str:
    """Return a random address of 127.64.0.0/10, not among `taken`, on which `port` can be bound now."""
    refusal: OSError | None = None
    for _ in range(_TRIES):
        address = unused_address(taken)
        try:
            listening(address, port).close()
        except OSError as error:
            refusal = error
        else:
            return address
    raise LocalCloudError(
        f"port {port} could not be bound on any of {_TRIES} addresses of {_RANGE} ({refusal}): "
        f"end the program that listens on port {port} of all addresses, or choose a different port"
    )


def listening(address: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises `OSError` if it cannot."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Servers set this so that recently closed connections do not block the address.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(128)
    except OSError:
        made.close()
        raise
    return made
