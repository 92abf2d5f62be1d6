"""Copies of the company's plan with a change in them, to see what loading makes of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from plan.loading import PLAN_FILE

REMOVED: Final = object()
"""Stands for a key that is taken out."""

Location = tuple[str | int, ...]


def company() -> Any:
    """What the company's plan says, as PyYAML itself reads it."""
    return yaml.safe_load(PLAN_FILE.read_text(encoding="utf-8"))


def changed(*changes: tuple[Location, object]) -> Any:
    """The company's plan with other values, or without them, at some places."""
    document = copy.deepcopy(company())
    for (*path, last), value in changes:
        parent = document
        for step in path:
            parent = parent[step]
        if value is REMOVED:
            del parent[last]
        else:
            parent[last] = value
    return document


def saved(document: object, folder: Path) -> Path:
    """A file that says this."""
    file = folder / "plan.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return file


def locations(value: object, at: Location = ()) -> Iterator[Location]:
    """Every place in a document, except the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from locations(item, (*at, key))


def written(location: Location) -> str:
    """A place as the messages write it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")
