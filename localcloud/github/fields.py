"""A table's fields: what a request may say, of which kind, and what holds when it does not say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.github.errors import invalid


@dataclass(frozen=True)
class Field:
    """One field: its kind, its default, the values that are allowed, whether a request must have it."""

    kind: type | tuple[type, ...]
    default: Any = None
    choices: tuple[Any, ...] = ()
    required: bool = False
    pattern: str = ""


def check(resource: str, fields: Mapping[str, Field], body: Any, *, whole: bool) -> dict[str, Any]:
    """The fields that a request sets; the first mistake is refused by name. `whole`: required ones must be there."""
    if not isinstance(body, dict):
        raise invalid(resource, "body", "invalid", "the body must be a JSON object")
    for name, value in body.items():
        field = fields.get(name)
        if field is None:
            raise invalid(resource, name, "invalid", f"the local cloud's GitHub has no field {name!r} here")
        if value is None:
            continue
        if not isinstance(value, field.kind) or (isinstance(value, bool) and field.kind is int):
            raise invalid(resource, name, "invalid", f"{name} is {value!r}, which is of the wrong kind")
        if field.choices and value not in field.choices:
            allowed = ", ".join(map(repr, field.choices))
            raise invalid(resource, name, "invalid", f"{name} is {value!r}; allowed: {allowed}")
        if field.pattern and not re.fullmatch(field.pattern, str(value)):
            raise invalid(resource, name, "invalid", f"{name} is {value!r}; it must match {field.pattern}")
    if whole:
        for name, field in fields.items():
            if field.required and body.get(name) is None:
                raise invalid(resource, name, "missing_field", f"{name} is missing")
    return {name: value for name, value in body.items() if value is not None}
