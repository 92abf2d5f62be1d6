"""`continuity doctor`: check what the first day on real accounts needs."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from continuity.console import OUT, SAY
from continuity.doctor.check import Clouds, Result, Status, exit_code
from continuity.doctor.checks import CHECKS
from continuity.errors import UsageError

_STYLES = {Status.RIGHT: "green", Status.MISSING: "red", Status.UNKNOWN: "red", Status.NOT_SHOWN: "yellow"}


def doctor(
    ids: Annotated[list[str] | None, typer.Argument(help="The checks, by their ids. Default: all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check accounts, quotas, name servers, access and stacks, in the order of docs/real-clouds.md.

    It only reads, and costs nothing. Each line has the id of a step of that document, and says what is missing and what
    to do. Exit code 3 when something is missing, 1 when something could not be read.

    Example: continuity doctor name-servers
    """
    known = {check.id: check for check in CHECKS}
    wrong = [each for each in ids or [] if each not in known]
    if wrong:
        raise UsageError(f"there is no check {', '.join(wrong)}; there are {', '.join(known)}")
    results = []
    with SAY.status("") as progress:
        clouds = Clouds(os.environ)
        for check in [known[each] for each in ids or known]:
            progress.update(check.id)
            results.append(check.run(clouds))
            if not as_json:
                _show(results[-1])
    if as_json:
        data = {"right": exit_code(results) == 0, "checks": [result.as_data() for result in results]}
        print(json.dumps(data, indent=2))
    raise typer.Exit(exit_code(results))


def _show(result: Result) -> None:
    OUT.print(f"{result.status:14}  {result.id:16}  {result.found}", style=_STYLES[result.status])
    if result.remedy:
        OUT.print(f"{'':34}{result.remedy}")
