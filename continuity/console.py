"""Terminal output of the commands, and the formats that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: one line stays one line, and brackets or colons are not markup."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False, markup=False)


OUT: Final = console()
"""The result of a command, on standard output."""

SAY: Final = console(stderr=True)
"""Progress and errors, on standard error."""


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of equal length in columns. The last column is not wrapped: an ARN must stay one searchable line."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    for row in rows:
        OUT.print("  ".join(f"{cell:{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip())


def print_verdict(kept: bool) -> None:
    """Print the verdict of a drill."""
    OUT.print("the promise was kept" if kept else "the promise was NOT kept", style="green" if kept else "red")
