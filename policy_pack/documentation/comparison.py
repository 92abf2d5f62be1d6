"""The comparison with other collections of rules, read from `comparison.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

FILE = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Compared:
    """One subject that other collections check."""

    what: str
    theirs: str
    """The identifiers of the other collections' rules, as Markdown."""
    ours: tuple[str, ...] = ()
    """The ids of the policies that check the same."""
    why: str = ""
    """How these policies differ, or the reason why there is none."""


def comparison() -> tuple[Compared, ...]:
    """Read the comparison."""
    rows = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(Compared(**{**row, "ours": tuple(row.get("ours", ()))}) for row in rows)
