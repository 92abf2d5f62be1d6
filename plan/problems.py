"""The mistakes in a plan, described so that a reader can correct them without reading code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in a plan."""

    path: str
    """The path of the value, in Python's notation: `severities.high.rto_hours`, `roles[0].id`. Empty for the plan."""
    found: str
    """A predicate that states the value: `is 'soon'`, `is missing`."""
    allowed: str
    """The allowed values, as the end of a sentence that begins with "allowed is"."""
    remedy: str
    """The correction, as an imperative."""
    line: int | None = None
    """The line, counted from 1. `None` if the mistake has no line."""

    def text(self, source: str) -> str:
        """The problem in one line that begins with file and line, like a compiler's error."""
        place = source if self.line is None else f"{source}:{self.line}"
        subject = self.path or "the plan"
        return f"{place}: {subject} {self.found}; allowed is {self.allowed}. {self.remedy}"


class PlanError(Exception):
    """The plan cannot be used. `problems` lists every mistake, in the order of the file."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(source, problems)

    def __str__(self) -> str:
        count = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        return "\n".join([f"{self.source}: {count}", *(problem.text(self.source) for problem in self.problems)])
