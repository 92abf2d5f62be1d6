"""`continuity access`: who has what, and which promise about it is not kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

import plan
from continuity.access import hetzner
from continuity.access.aws import Account
from continuity.access.github import Organisation
from continuity.access.report import Holder, Report, Seen, report
from continuity.clouds.aws import Aws
from continuity.clouds.github import Repository
from continuity.console import OUT, print_rows
from continuity.errors import CannotLookError, ContinuityError


def access(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say who gets into AWS, Hetzner and GitHub, with which second factor, and which promise of the plan is not kept.

    Nothing is changed. Exit code 3 when a promise is not kept, 1 when it could not be looked everywhere.
    """
    found = look(plan.load())
    if as_json:
        print(json.dumps(found.as_data(), indent=2))
    else:
        _show(found)
    # Who could not look everywhere must not be told that all is known.
    if not found.right:
        raise typer.Exit(1 if found.unknown else 3)


def look(promised: plan.Plan) -> Report:
    """Look everywhere. One system that cannot be looked at keeps nobody from looking at the others."""
    seen: list[Seen] = []
    unknown: list[str] = []
    looks: dict[str, Callable[[], Seen]] = {
        "AWS": lambda: Account(promised, Aws()).look(),
        "Hetzner": lambda: hetzner.look(promised),
        "GitHub": lambda: Organisation(promised, Repository.of()).look(),
    }
    for name, each in looks.items():
        try:
            seen.append(each())
        except CannotLookError as error:
            unknown.append(str(error))
        except ContinuityError as error:
            unknown.append(f"{name}: {error}")
    return report(promised, seen, unknown, datetime.now(UTC))


def _show(found: Report) -> None:
    rows = [(str(holder.system), holder.kind, holder.name, _factor(holder), _used(holder), holder.may)
            for holder in found.holders]  # fmt: skip
    head = ("where", "what", "name", "second factor", "last used", "may")
    print_rows([head, *rows])
    if found.findings or found.unknown:
        OUT.print()
    for finding in found.findings:
        OUT.print(finding.sentence(), style="red")
    for sentence in found.unknown:
        OUT.print(f"could not look: {sentence}", style="red")
    for sentence in found.not_shown:
        OUT.print(f"not shown: {sentence}", style="yellow")
    if found.right:
        OUT.print("every promise about access is kept", style="green")


def _factor(holder: Holder) -> str:
    return {True: "yes", False: "NO", None: "-"}[holder.mfa]


def _used(holder: Holder) -> str:
    return "-" if holder.last_used is None else f"{holder.last_used:%Y-%m-%d}"
