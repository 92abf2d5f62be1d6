"""One property of what keeps the state: how to look at it, what it must be, and how to make it so."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from continuity.errors import ConflictError, NotThereError

EXISTENCE: Final = "existence"
"""The name of the property without which a thing has no others."""

_MEND: Final = "`continuity bootstrap` mends it"


@dataclass(frozen=True)
class Thing:
    """What has properties: a key, a bucket, a role."""

    kind: str
    name: str
    region: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.region})"


@dataclass(frozen=True)
class Finding:
    """What is not as it must be."""

    thing: Thing
    property: str
    found: str
    wanted: str
    mend: str
    by_hand: bool
    """Whether `continuity bootstrap` leaves it to a person."""

    def sentence(self) -> str:
        if self.property == EXISTENCE and not self.by_hand:
            return f"{self.thing}: it does not exist: {self.mend}"
        return f"{self.thing}: {self.property} is {self.found}; it must be {self.wanted}: {self.mend}"

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def by_hand() -> None:
    """What others have set is never changed: it is a conflict, for a person."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """`found` and `wanted` give what can be compared and shown: None is what is not there."""

    thing: Thing
    name: str
    found: Callable[[], Any]
    wanted: Callable[[], Any]
    make: Callable[[], object] = by_hand
    enough: Callable[[Any, Any], bool] = operator.eq
    """Whether what is found (first) is as good as what is wanted. Stricter than wanted is never loosened."""

    def look(self) -> Finding | None:
        """What is wrong, or None.

        Raises:
            NotThereError: it cannot be said before something else is there.
            CannotLookError: AWS does not let us look.
        """
        try:
            wanted = self.wanted()
        except ConflictError:  # with something else, whose own finding it is
            raise NotThereError from None
        try:
            found = self.found()
        except ConflictError as conflict:
            return Finding(self.thing, self.name, conflict.found, _described(wanted), conflict.remedy, by_hand=True)
        if self.enough(found, wanted):
            return None
        return Finding(self.thing, self.name, _described(found), _described(wanted), _MEND, by_hand=False)


def _described(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "on" if value else "off"
        case str():
            return value
        case list() | tuple() | set() | frozenset():
            return ", ".join(sorted(map(_described, value))) or "none"
        case _:
            return json.dumps(value, sort_keys=True)
