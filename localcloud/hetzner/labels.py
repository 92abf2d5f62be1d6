"""Labels, and the selectors that find resources by their labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:(?P<prefix>{_PREFIX})/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_RESERVED_PREFIX = "hetzner.cloud"


def problems(labels: Any) -> list[str]:
    """Return the problems of a set of labels as messages; empty if all are correct."""
    if not isinstance(labels, dict):
        return ["must be an object"]
    found = []
    for key, value in labels.items():
        match = _KEY.fullmatch(key)
        if match is None:
            found.append(f"label key '{key}' is not correctly formatted")
        elif (match["prefix"] or "").endswith(_RESERVED_PREFIX):
            found.append(f"label key '{key}' uses the reserved prefix {_RESERVED_PREFIX}")
        if not isinstance(value, str) or _VALUE.fullmatch(value) is None:
            found.append(f"label value '{value}' (key: {key}) is not correctly formatted")
    return found


class Selector:
    """A label selector, such as `env=prod,tier in (web, api),!legacy`. A wrong one raises `ValueError`.

    As in Kubernetes, `!=` and `notin` also match a resource without that label.
    """

    _SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
    _EQUALITY = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<operator>==|=|!=)\s*(?P<value>\S*)")
    _PRESENCE = re.compile(r"(?P<not>!?)\s*(?P<key>[^=!\s]+)")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text.strip():
            raise ValueError("is not a label selector")
        self._terms = [self._term(part.strip()) for part in re.split(r",(?![^()]*\))", text)]

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(self._holds(key, wanted, values, labels) for key, wanted, values in self._terms)

    @staticmethod
    def _holds(key: str, wanted: bool, values: frozenset[str] | None, labels: Mapping[str, str]) -> bool:
        return (key in labels if values is None else labels.get(key) in values) == wanted

    def _term(self, text: str) -> tuple[str, bool, frozenset[str] | None]:
        if match := self._SET.fullmatch(text):
            values = frozenset(value.strip() for value in match["values"].split(","))
            term = match["key"], match["operator"] == "in", values
        elif match := self._EQUALITY.fullmatch(text):
            term = match["key"], match["operator"] != "!=", frozenset({match["value"]})
        elif match := self._PRESENCE.fullmatch(text):
            return self._checked(match["key"], not match["not"], None)
        else:
            raise ValueError(f"label selector '{text}' is not valid")
        return self._checked(*term)

    @staticmethod
    def _checked(key: str, wanted: bool, values: frozenset[str] | None) -> tuple[str, bool, frozenset[str] | None]:
        if _KEY.fullmatch(key) is None or any(_VALUE.fullmatch(value) is None for value in values or ()):
            raise ValueError(f"label selector on '{key}' is not valid")
        return key, wanted, values
