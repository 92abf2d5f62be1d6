"""Local ports in place of ports that only root may listen on."""

from __future__ import annotations

import socket
from functools import cache

_PRIVILEGED = 1024
_ADDED = 8000
"""80 becomes 8080, 443 becomes 8443."""


@cache
def local_port(port: int) -> int:
    """The local port for a port: the port itself, or the port plus 8000 if this process may not bind it."""
    if port < _PRIVILEGED:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.64.0.0", port))
            except PermissionError:
                return port + _ADDED
            except OSError:
                pass  # the port is in use, so this process may bind it
    return port
