"""`continuity copies`: check each copy of the data. `continuity nightly`: run all checks that change nothing."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import plan
from continuity.changes import drift
from continuity.clouds.github import Repository
from continuity.commands.access import read_access
from continuity.commands.delivery import summarise
from continuity.console import OUT, SAY, print_rows
from continuity.copies.aws import read_copies
from continuity.copies.report import Report
from continuity.engine.pulumi_cli import read_outputs
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError, StackError

_NAMES = {"copies": "Copies of the data", "access": "Access"}


def copies(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check the copies of the database, the objects and the secrets, and their keys, against the plan.

    It changes nothing, and costs nothing. It needs credentials for AWS, and reads the outputs of the stacks. Exit code
    3 when a copy fails, lags or is missing, 1 when a region could not be read.

    Example: continuity copies --json
    """
    found = _read_copies()
    if as_json:
        print(json.dumps(found.as_data(), indent=2))
    else:
        _show(found)
    # If a region could not be read, the report is incomplete: exit with 1.
    if not found.complete_and_kept:
        raise typer.Exit(1 if found.unknown else 3)


def nightly(
    report: Annotated[bool, typer.Option("--report", help="Open, update or close the one issue at GitHub.")] = False,
) -> None:
    """Run `drift`, `copies` and `access`, and report all findings. Nothing is changed, and no lock is taken.

    With --report, it keeps one issue at GitHub up to date, which needs ISSUES_TOKEN or GITHUB_TOKEN. Exit code 0
    without findings, 3 with findings, 1 when something could not be read.

    Example: continuity nightly --report
    """
    differences = drift.detect(list(Stack), needed=[Stack.VAULT, Stack.PROD, Stack.GITHUB])
    checks = {"copies": _sentences_of_copies(), "access": _sentences_of_access()}
    lines = list(drift.sentences(differences))
    lines += [f"{name}: {sentence}" for name, (sentences, _) in checks.items() for sentence in sentences]
    for line in lines:
        OUT.print(line)
    summarise("\n".join(f"    {line}" for line in lines) + "\n")
    if report:
        sections = {_NAMES[name]: sentences for name, (sentences, _) in checks.items() if sentences}
        SAY.print(drift.report(differences, Repository.from_environment(), sections))
    codes = {drift.code(differences), *(code for _, code in checks.values())}
    if codes != {0}:
        raise typer.Exit(1 if 1 in codes else 3)


def _read_copies() -> Report:
    outputs = {stack: read_outputs(stack) for stack in Stack}
    vault = outputs.pop(Stack.VAULT)
    services = [found for found in outputs.values() if found and "database_arn" in found]
    if vault is None or not services:
        raise StackError("the stacks vault and prod do not exist, so there are no copies: run `continuity up` first")
    return read_copies(plan.load(), vault, services)


def _sentences_of_copies() -> tuple[tuple[str, ...], int]:
    try:
        found = _read_copies()
    except ContinuityError as error:
        return (f"could not look: {error}",), 1
    return found.sentences(), 1 if found.unknown else 3 if found.faults else 0


def _sentences_of_access() -> tuple[tuple[str, ...], int]:
    found = read_access(plan.load())
    unknown = tuple(f"could not look: {sentence}" for sentence in found.unknown)
    findings = tuple(finding.sentence() for finding in found.findings)
    return (*findings, *unknown), 1 if unknown else 3 if findings else 0


def _show(found: Report) -> None:
    rows = [(copy.kind, copy.region, "NO" if copy.fault else "yes", copy.name, copy.state) for copy in found.copies]
    print_rows([("copy", "region", "right", "name", "state"), *rows])
    for sentence in found.sentences():
        OUT.print(sentence, style="red")
    if found.complete_and_kept:
        OUT.print("every copy keeps the plan's promise", style="green")
