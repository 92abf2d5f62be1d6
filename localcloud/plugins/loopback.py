"""The one rule of every stand-in: it speaks to this machine alone, whatever a setting or a variable says."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def on_loopback(url: str) -> bool:
    """Whether an http(s) URL names a loopback address by number, or `localhost`; no name is looked up."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return loopback and parts.scheme in ("http", "https")
