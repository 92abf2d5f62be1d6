"""Properties of the state backend: the actual value, the desired value, and the call that applies it."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from continuity.errors import ConflictError, NotThereError

EXISTENCE: Final = "existence"
"""The name of the property that a resource needs before it has any others."""

_REMEDY: Final = "run `continuity bootstrap` to correct it"


@dataclass(frozen=True)
class Resource:
    """A key, a bucket, a role or a replication."""

    kind: str
    name: str
    region: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.region})"


@dataclass(frozen=True)
class Finding:
    """A property without its desired value."""

    resource: Resource
    property: str
    actual: str
    desired: str
    remedy: str
    by_hand: bool
    """Whether `continuity bootstrap` leaves it to the operator."""

    def sentence(self) -> str:
        if self.property == EXISTENCE and not self.by_hand:
            return f"{self.resource}: it does not exist: {self.remedy}"
        return f"{self.resource}: {self.property} is {self.actual}; it must be {self.desired}: {self.remedy}"

    def as_data(self) -> dict[str, Any]:
        return {
            "thing": asdict(self.resource),
            "property": self.property,
            "found": self.actual,
            "wanted": self.desired,
            "mend": self.remedy,
            "by_hand": self.by_hand,
        }


def leave_to_operator() -> None:
    """Change nothing: the property belongs to others, and is a conflict."""


@dataclass(frozen=True)
class Property:
    """A property. `actual` and `desired` return values that can be compared and shown; None means missing."""

    resource: Resource
    name: str
    actual: Callable[[], Any]
    desired: Callable[[], Any]
    apply: Callable[[], object] = leave_to_operator
    satisfies: Callable[[Any, Any], bool] = operator.eq
    """Whether the actual value (first) is at least as strict as the desired one. A stricter value is kept."""

    def inspect(self) -> Finding | None:
        """Compare the actual value with the desired one. Return a finding if it does not satisfy it.

        Raises:
            NotThereError: a resource that it depends on does not exist.
            CannotLookError: AWS cannot be read.
        """
        try:
            desired = self.desired()
        except ConflictError:  # a conflict of a different resource, which has its own finding
            raise NotThereError from None
        try:
            actual = self.actual()
        except ConflictError as conflict:
            return Finding(self.resource, self.name, conflict.found, _format(desired), conflict.remedy, by_hand=True)
        if self.satisfies(actual, desired):
            return None
        return Finding(self.resource, self.name, _format(actual), _format(desired), _REMEDY, by_hand=False)


def _format(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "on" if value else "off"
        case str():
            return value
        case list() | tuple() | set() | frozenset():
            return ", ".join(sorted(map(_format, value))) or "none"
        case _:
            return json.dumps(value, sort_keys=True)
