"""The durations of a host's shutdown and return, in seconds, derived from the load balancers' health check."""

from __future__ import annotations

import math
from typing import Final, Protocol

SHUTDOWN_SECONDS: Final = 28
"""The longest shutdown. Hetzner waits 30 s for it and then cuts the power."""

APP_STOP_SECONDS: Final = 5
"""The application's part of it, at the end, when there are no open requests."""

WATCH_SECONDS: Final = 0.5
WATCH_FAST_SECONDS: Final = 0.2
"""The intervals at which a standby checks a healthy active, and an active whose last answer changed."""


class Checked(Protocol):
    """A host with the parameters of the load balancers' health check."""

    @property
    def health_interval_seconds(self) -> int: ...
    @property
    def health_timeout_seconds(self) -> int: ...
    @property
    def health_retries(self) -> int: ...


def drain_seconds(host: Checked) -> int:
    """Return how long a host answers 503 while it still serves: until every load balancer has noticed, plus 1 s."""
    return host.health_interval_seconds * host.health_retries + host.health_timeout_seconds + 1


def finishing_seconds(host: Checked) -> int:
    """Return how long HAProxy then lets open requests finish. Below 5, the health check is too slow for a shutdown."""
    return SHUTDOWN_SECONDS - drain_seconds(host) - APP_STOP_SECONDS - 1


def rise(host: Checked) -> int:
    """Return the number of successful checks in a row after which a standby counts an active as healthy again.

    The first check is at the slow interval, the others at the fast one. Together they take at least as long as a load
    balancer needs to send the active requests again, plus 2 s. Otherwise there would be a moment with neither host.
    """
    seconds = (host.health_retries + 1) * host.health_interval_seconds + 2
    return math.ceil(seconds / WATCH_FAST_SECONDS) + 1
