"""Which port stands for one that only root may listen on."""

from __future__ import annotations

import socket
from functools import cache

_PRIVILEGED = 1024
_ADDED = 8000
"""80 becomes 8080, 443 becomes 8443."""


@cache
def local_port(port: int) -> int:
    """Where a port is listened on here: itself, or 8000 more where this process may not take it."""
    if port < _PRIVILEGED:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.64.0.0", port))
            except PermissionError:
                return port + _ADDED
            except OSError:
                pass  # somebody listens there, so one may
    return port
