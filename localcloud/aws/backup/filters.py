"""What the listings of AWS Backup can be narrowed to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Condition = Callable[[Mapping[str, Any], Any], bool]
"""Whether one thing, as it is shown, goes with the value that is asked for."""

Filters = Mapping[str, Condition]
"""By the name of the call's parameter."""


def narrowed(shown: Iterable[dict[str, Any]], filters: Filters, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that go with everything that is asked for."""
    wanted = [(condition, asked[name]) for name, condition in filters.items() if asked.get(name) is not None]
    return [each for each in shown if all(condition(each, value) for condition, value in wanted)]


def equal(name: str) -> Condition:
    return lambda shown, value: bool(shown.get(name) == value)


def before(name: str) -> Condition:
    return lambda shown, value: shown.get(name) is not None and shown[name] < _plain(value)


def after(name: str) -> Condition:
    return lambda shown, value: shown.get(name) is not None and shown[name] > _plain(value)


def _plain(moment: datetime) -> datetime:
    """moto's times are UTC and do not say so."""
    return moment.replace(tzinfo=None)
