"""The rule for every plugin: connect to this machine only, regardless of settings and variables."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def on_loopback(url: str) -> bool:
    """Whether an http(s) URL has a numeric loopback address or `localhost`. No name is resolved."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return loopback and parts.scheme in ("http", "https")
