"""What is wrong with a plan, said so that the reader can put it right without reading code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in a plan."""

    path: str
    """Where it is, as one would write it in Python: `severities.high.rto_hours`, `roles[0].id`. Empty: all of it."""
    found: str
    """What stands there, as a predicate: `is 'soon'`, `is missing`."""
    allowed: str
    """What may stand there, completing "allowed is"."""
    remedy: str
    """What to do, as an imperative."""
    line: int | None = None
    """The line, counted from 1, or None where the mistake has none."""

    def text(self, source: str) -> str:
        """The problem in one line, beginning with where it is, as compilers do."""
        place = source if self.line is None else f"{source}:{self.line}"
        subject = self.path or "the plan"
        return f"{place}: {subject} {self.found}; allowed is {self.allowed}. {self.remedy}"


class PlanError(Exception):
    """The plan cannot be used. `problems` has every mistake that was found, in the order of the file."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(source, problems)

    def __str__(self) -> str:
        count = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        return "\n".join([f"{self.source}: {count}", *(problem.text(self.source) for problem in self.problems)])
