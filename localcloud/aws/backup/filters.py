"""Filters of AWS Backup's listings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Condition = Callable[[Mapping[str, Any], Any], bool]
"""Whether a described resource matches the requested value."""

Filters = Mapping[str, Condition]
"""Conditions by the name of the call's parameter."""


def narrowed(shown: Iterable[dict[str, Any]], filters: Filters, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources that match all requested filters."""
    wanted = [(condition, asked[name]) for name, condition in filters.items() if asked.get(name) is not None]
    return [each for each in shown if all(condition(each, value) for condition, value in wanted)]


def equal(name: str) -> Condition:
    return lambda shown, value: bool(shown.get(name) == value)


def before(name: str) -> Condition:
    return lambda shown, value: shown.get(name) is not None and shown[name] < _plain(value)


def after(name: str) -> Condition:
    return lambda shown, value: shown.get(name) is not None and shown[name] > _plain(value)


def _plain(moment: datetime) -> datetime:
    """moto's times are UTC without a time zone."""
    return moment.replace(tzinfo=None)
