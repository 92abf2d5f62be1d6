"""The longest time that a step may take: the resource's `customTimeouts`, or the official provider's default."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from localcloud.instance.clock import real_seconds

_CUSTOM: ContextVar[float] = ContextVar("custom", default=0)


@contextmanager
def custom_timeout(seconds: float) -> Iterator[None]:
    """Apply the timeout of a request of the engine. 0 means that the resource declares none for this operation."""
    token = _CUSTOM.set(seconds)
    try:
        yield
    finally:
        _CUSTOM.reset(token)


@dataclass(frozen=True)
class TimeLimit:
    """The limit of one wait, which begins now."""

    minutes: float
    end: float

    @classmethod
    def of(cls, default_minutes: float) -> TimeLimit:
        """Return the limit that the resource declares, or the default."""
        minutes = _CUSTOM.get() / 60 or default_minutes
        return cls(minutes, time.monotonic() + real_seconds(minutes * 60))

    def passed(self) -> bool:
        return time.monotonic() > self.end

    def __str__(self) -> str:
        return f"{self.minutes:g} minutes"
