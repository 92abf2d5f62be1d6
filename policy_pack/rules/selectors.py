"""Hetzner's label selectors: which labels one selects.

The forms are those of Hetzner's API ("Label Selector"): `key`, `!key`, `key=value`, `key==value`, `key!=value`,
`key in (a,b)` and `key notin (a,b)`. Requirements are separated by commas, and all of them have to hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_KEY: Final = r"(?:[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_REQUIREMENT: Final = re.compile(
    rf"\s*(?:(?P<absent>!\s*{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<operator>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<set>in|notin)\s*\(\s*(?P<values>{_VALUE}(?:\s*,\s*{_VALUE})*)\s*\))?)\s*(?:,|$)"
)

Requirement = tuple[str, bool, frozenset[str] | None]
"""A label's key, whether it has to be so or must not be so, and the values; without values it is about the key."""


def parsed(selector: str) -> tuple[Requirement, ...] | None:
    """The requirements of a selector, or None if Hetzner would not understand it."""
    found: list[Requirement] = []
    place = 0
    while place < len(selector):
        match = _REQUIREMENT.match(selector, place)
        if match is None:
            return None
        if match["absent"]:
            found.append((match["absent"][1:].strip(), False, None))
        elif match["operator"]:
            found.append((match["key"], match["operator"] != "!=", frozenset({match["value"]})))
        elif match["set"]:
            values = frozenset(value.strip() for value in match["values"].split(","))
            found.append((match["key"], match["set"] == "in", values))
        else:
            found.append((match["key"], True, None))
        place = match.end()
    return tuple(found) if found and not selector.rstrip().endswith(",") else None


def selects(selector: str, labels: object) -> bool:
    """Whether a selector selects a resource by its labels. A selector that is not understood selects nothing."""
    requirements = parsed(selector)
    if requirements is None or not isinstance(labels, Mapping):
        return False
    return all(_holds(requirement, labels) for requirement in requirements)


def _holds(requirement: Requirement, labels: Mapping[str, object]) -> bool:
    key, wanted, values = requirement
    value = labels.get(key)
    if value is None:
        return not wanted
    if values is None:
        return wanted
    # A label that is not known yet could have any value.
    return isinstance(value, str) and (value in values) is wanted
