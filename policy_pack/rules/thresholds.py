"""Thresholds: the numbers and lists of the plan that configuration may make stricter, and never looser.

A rule reads the plan and nothing else. So a stricter configuration is a stricter plan, for the policy that it is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, Protocol, TypeVar

Direction = Literal["at least", "at most", "among"]


class _Model(Protocol):
    def model_copy(self, *, update: Mapping[str, Any]) -> Any: ...


P = TypeVar("P", bound=_Model)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value of the plan that a policy judges by."""

    name: str
    """The name in the pack's configuration."""
    path: str
    """Where it is in the plan: `retention.database_backup_days`."""
    direction: Direction
    """The stricter direction: `at least` a number can be raised, `at most` lowered, and `among` a list shortened."""

    def of(self, plan: object) -> Any:
        """The plan's value."""
        return reduce(getattr, self.path.split("."), plan)

    def schema(self, plan: object) -> dict[str, Any]:
        """The allowed configuration, as JSON Schema: the engine refuses everything else, by name."""
        value = self.of(plan)
        if self.direction == "among":
            among = {"type": "string", "enum": list(value)}
            return {"type": "array", "items": among, "minItems": 1, "uniqueItems": True}
        bound = "minimum" if self.direction == "at least" else "maximum"
        return {"type": "integer", bound: value, "default": value}

    def stricter(self, plan: P, configured: object) -> P:
        """The plan with what is configured, as far as that is stricter. A looser value changes nothing."""
        value = self.of(plan)
        if self.direction == "among":
            if not isinstance(configured, Sequence) or isinstance(configured, str):
                return plan
            return _updated(plan, self.path, tuple(item for item in value if item in configured) or value)
        if isinstance(configured, bool) or not isinstance(configured, int | float):
            return plan
        bound = max if self.direction == "at least" else min
        return _updated(plan, self.path, bound(value, int(configured)))


def _updated(model: P, path: str, value: object) -> P:
    first, _, rest = path.partition(".")
    new = _updated(getattr(model, first), rest, value) if rest else value
    copy: P = model.model_copy(update={first: new})
    return copy
