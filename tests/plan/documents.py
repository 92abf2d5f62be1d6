"""Copies of the company's plan with changes, for the tests of loading."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from plan.loading import PLAN_FILE

REMOVED: Final = object()
"""Marks a key to remove."""

Location = tuple[str | int, ...]


def company() -> Any:
    """The company's plan as PyYAML reads it."""
    return yaml.safe_load(PLAN_FILE.read_text(encoding="utf-8"))


def changed(*changes: tuple[Location, object]) -> Any:
    """Return the company's plan with changed or removed values."""
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
    """Write a document to a file."""
    file = folder / "plan.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return file


def locations(value: object, at: Location = ()) -> Iterator[Location]:
    """Return every place in a document, except the root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from locations(item, (*at, key))


def written(location: Location) -> str:
    """Return a place in the notation of the messages."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")
