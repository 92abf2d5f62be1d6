"""`continuity access`: list all access, and check the plan's promises about it."""

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
from continuity.access.report import Principal, Report, SystemAccess, evaluate
from continuity.clouds.aws import Aws
from continuity.clouds.github import Repository
from continuity.console import OUT, print_rows
from continuity.errors import CannotLookError, ContinuityError


def access(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List all access to AWS, Hetzner and GitHub, with second factors, and check the plan's promises about it.

    It changes nothing, and costs nothing. It needs credentials for AWS, HCLOUD_TOKEN, and a GITHUB_TOKEN of an owner.
    Exit code 3 when a promise is not kept, 1 when a system could not be read.

    Example: continuity access --json
    """
    found = read_access(plan.load())
    if as_json:
        print(json.dumps(found.as_data(), indent=2))
    else:
        _show(found)
    # If a system could not be read, the report is incomplete: exit non-zero.
    if not found.complete_and_kept:
        raise typer.Exit(1 if found.unknown else 3)


def read_access(promised: plan.Plan) -> Report:
    """Read all systems. A system that cannot be read does not prevent reading the others."""
    systems: list[SystemAccess] = []
    unknown: list[str] = []
    readers: dict[str, Callable[[], SystemAccess]] = {
        "AWS": lambda: Account(promised, Aws()).read_access(),
        "Hetzner": lambda: hetzner.read_access(promised),
        "GitHub": lambda: Organisation(promised, Repository.from_environment()).read_access(),
    }
    for name, each in readers.items():
        try:
            systems.append(each())
        except CannotLookError as error:
            unknown.append(str(error))
        except ContinuityError as error:
            unknown.append(f"{name}: {error}")
    return evaluate(promised, systems, unknown, datetime.now(UTC))


def _show(found: Report) -> None:
    rows = [
        (str(each.system), each.kind, each.name, _factor(each), _used(each), each.permissions)
        for each in found.principals
    ]
    head = ("where", "what", "name", "second factor", "last used", "may")
    print_rows([head, *rows])
    if found.findings or found.unknown:
        OUT.print()
    for finding in found.findings:
        OUT.print(finding.sentence(), style="red")
    for sentence in found.unknown:
        OUT.print(f"could not look: {sentence}", style="red")
    for sentence in found.notes:
        OUT.print(f"note: {sentence}", style="yellow")
    if found.complete_and_kept:
        OUT.print("every promise about access is kept", style="green")


def _factor(principal: Principal) -> str:
    return {True: "yes", False: "NO", None: "-"}[principal.mfa]


def _used(principal: Principal) -> str:
    return "-" if principal.last_used is None else f"{principal.last_used:%Y-%m-%d}"
