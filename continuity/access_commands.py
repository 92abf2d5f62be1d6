"""`continuity access`: who has what, and which promise about it is not kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

import plan
from continuity import access_hetzner
from continuity.access_aws import Account
from continuity.access_github import Organisation
from continuity.access_report import Holder, Report, Seen, report
from continuity.bootstrap_aws import Aws, CannotLookError
from continuity.github_site import Repository
from continuity.stacks import ContinuityError

_out = Console(highlight=False, soft_wrap=True, emoji=False)


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
        "Hetzner": lambda: access_hetzner.look(promised),
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
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    for row in (head, *rows):
        cells = [f"{cell:{width}}" for cell, width in zip(row, [*widths, 0], strict=True)]
        _out.print("  ".join(cells), markup=False)
    if found.findings or found.unknown:
        _out.print()
    for finding in found.findings:
        _out.print(finding.sentence(), style="red", markup=False)
    for sentence in found.unknown:
        _out.print(f"could not look: {sentence}", style="red", markup=False)
    for sentence in found.not_shown:
        _out.print(f"not shown: {sentence}", style="yellow", markup=False)
    if found.right:
        _out.print("every promise about access is kept", style="green", markup=False)


def _factor(holder: Holder) -> str:
    return {True: "yes", False: "NO", None: "-"}[holder.mfa]


def _used(holder: Holder) -> str:
    return "-" if holder.last_used is None else f"{holder.last_used:%Y-%m-%d}"
