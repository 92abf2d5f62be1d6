"""Loopback addresses, one for each server, so that many servers have the same port.

RDS's databases have them, and so have Hetzner's public IPv4 addresses and every attachment to a private network there.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Collection

from localcloud.instance.folder import LocalCloudError

# Linux answers on all of 127.0.0.0/8. The lower quarter is left to whatever else a machine puts there.
_RANGE = ipaddress.ip_network("127.64.0.0/10")
_TRIES = 100


def unused_address(taken: Collection[str]) -> str:
    """A random address of 127.64.0.0/10 that is not among `taken`; whether it can be bound is not looked at."""
    while True:
        address = str(_RANGE[random.randrange(1, _RANGE.num_addresses - 1)])  # noqa: S311 (no secret)
        if address not in taken:
            return address


def free_address(taken: Collection[str], port: int) -> str:
    """A random address of 127.64.0.0/10, not among `taken`, on which `port` can be bound now."""
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
        f"end what listens on port {port} of all addresses, or choose another port"
    )


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens there; OSError when it cannot."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Like every server: connections that ended a moment ago do not hold the address.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(128)
    except OSError:
        made.close()
        raise
    return made
