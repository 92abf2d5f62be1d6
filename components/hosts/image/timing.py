"""How long a host takes to leave and to come back: derived from the load balancers' health check, in seconds."""

from __future__ import annotations

import math
from typing import Final, Protocol

SHUTDOWN_SECONDS: Final = 28
"""What a shutdown may take. Hetzner waits 30 s for it and then takes the power away."""

APP_STOP_SECONDS: Final = 5
"""What the application has of it, at the end, when it has no requests left."""

WATCH_SECONDS: Final = 0.5
WATCH_FAST_SECONDS: Final = 0.2
"""How often a standby asks a healthy active, and one of which the last answer was new."""


class Checked(Protocol):
    """How load balancers ask a host for its health."""

    @property
    def health_interval_seconds(self) -> int: ...
    @property
    def health_timeout_seconds(self) -> int: ...
    @property
    def health_retries(self) -> int: ...


def drain_seconds(host: Checked) -> int:
    """How long a host says 503 while it still serves: until every load balancer has taken it out, and a second more."""
    return host.health_interval_seconds * host.health_retries + host.health_timeout_seconds + 1


def finishing_seconds(host: Checked) -> int:
    """How long HAProxy lets open requests come to their end after that. Below 5, the shutdown has no room for it."""
    return SHUTDOWN_SECONDS - drain_seconds(host) - APP_STOP_SECONDS - 1


def rise(host: Checked) -> int:
    """How many good answers in a row an active gives before its standby counts on it again.

    The first is found at the slow pace, the rest at the fast one, so that together they take at least as long as a load
    balancer needs to take the active in again, and 2 s: otherwise there would be a moment with neither.
    """
    seconds = (host.health_retries + 1) * host.health_interval_seconds + 2
    return math.ceil(seconds / WATCH_FAST_SECONDS) + 1
