"""`continuity drill failover`: lose hosts, or a location, while customers are served, and measure what it costs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import plan
from continuity.console import OUT, SAY, print_rows, print_verdict
from continuity.drills.failover import drill
from continuity.drills.failover.drill import Intended, Options, Role
from continuity.drills.failover.evaluation import Jobs, Lose, Measured, Phase
from continuity.engine.stacks import Stack
from continuity.errors import UsageError


def failover(
    lose: Annotated[
        Lose,
        typer.Option(
            help="What is lost: one active host of each role, all active hosts, or all that is in a location, its load "
            "balancers included."
        ),
    ],
    stack: Annotated[Stack, typer.Option(help="Whose hosts.")] = Stack.PROD,
    location: Annotated[str | None, typer.Option(help="Which location, for --lose location: nbg1.")] = None,
    role: Annotated[Role, typer.Option(help="Whose hosts are lost.")] = Role.BOTH,
    rate: Annotated[float, typer.Option(min=1.0, max=2000.0, help="Requests a second.")] = 200.0,
    jobs: Annotated[
        int, typer.Option(min=0, max=100_000, help="Jobs for the workers; 0 leaves the queue alone.")
    ] = 1000,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="How long it is until everything is switched on again.")
    ] = 30.0,
    https_port: Annotated[
        int,
        typer.Option(
            min=1,
            max=65535,
            envvar="HTTPS_PORT",
            help="Where the load balancers listen; local clouds differ.",
        ),
    ] = 443,
    path: Annotated[str, typer.Option(help="What is asked for. An answer of 200 to 399 counts as served.")] = "/",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Not enough for a real cloud.")] = False,
    confirm: Annotated[
        str | None, typer.Option(help="The stack's name, typed out: what a real cloud wants instead of --yes.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Switch hosts off as if their plugs were pulled, while requests and jobs go on; measure what that costs.

    Everything is switched on again afterwards, also after Ctrl-C. Needs HCLOUD_TOKEN, and access to the stack's state
    and its database. Exit code 1 when a promise is not kept.
    """
    promised = plan.load()
    options = Options(lose, location, role, rate, jobs, seconds, https_port, path)
    intended = drill.intend(promised, stack, options)
    for sentence in intended.sentences(promised):
        SAY.print(sentence)
    _agree(intended, yes, confirm)
    measured = drill.run(promised, stack, options, say=lambda words: SAY.print(words, style="bold"), intended=intended)
    if as_json:
        print(json.dumps(measured.as_data(), indent=2))
    else:
        _show(measured)
    if not measured.kept:
        raise typer.Exit(1)


def _agree(intended: Intended, yes: bool, confirm: str | None) -> None:
    """A person's consent: where customers are, by the stack's name typed out."""
    if confirm is not None and confirm != intended.stack:
        raise UsageError(f"--confirm is {confirm!r}, and the stack is {intended.stack}: nothing was changed")
    if confirm is not None:
        return
    if intended.access.real:
        typed = typer.prompt(f"Type the stack's name ({intended.stack}) to go on", err=True)
        if typed != intended.stack:
            raise UsageError(f"{typed!r} is not {intended.stack}: nothing was changed")
    elif not yes:
        typer.confirm("Go on?", abort=True, err=True)


def _show(measured: Measured) -> None:
    if measured.recovery is None:
        recovery = f"not before everything was switched on again; allowed {measured.recovery_allowed:g} s"
    else:
        recovery = f"{measured.recovery:.1f} s; allowed {measured.recovery_allowed:g} s"
    lines = [
        ("lost", f"{measured.what} ({measured.severity} severity)"),
        ("recovery", recovery),
        ("first failure", _seconds(measured.first_failure, "none")),
        ("noticed", _seconds(measured.noticed, "not seen")),
        ("requests", f"{measured.rate:.0f} a second"),
        *(
            (f"  {name}", _phase(phase))
            for name, phase in (
                ("before", measured.before),
                ("during", measured.during),
                ("on the way back", measured.after),
            )
        ),
        *((f"  served {when}", _counted(hosts)) for when, hosts in measured.served_by.items() if hosts),
        *((f"  {count} failed", error) for error, count in list(measured.errors.items())[:5]),
        ("as before again", _seconds(measured.way_back, "never")),
        ("jobs", "none were sent" if measured.jobs is None else _jobs(measured.jobs)),
    ]
    if measured.jobs is not None:
        lines.append(("  longest gap", _seconds(measured.jobs.longest_gap, "none was done after the fault")))
        lines.append(("  run by", _counted(measured.jobs.by_worker)))
    print_rows(lines)
    for problem in measured.problems:
        OUT.print(problem, style="red")
    print_verdict(measured.kept)


def _seconds(value: float | None, without: str) -> str:
    return without if value is None else f"after {value:.1f} s"


def _phase(phase: Phase) -> str:
    said = f"{phase.requests}, {phase.failed} of them failed"
    if phase.p50 is None or phase.p99 is None:
        return said
    return f"{said}; half within {phase.p50 * 1000:.0f} ms, 99 % within {phase.p99 * 1000:.0f} ms"


def _jobs(jobs: Jobs) -> str:
    return f"{jobs.acknowledged} acknowledged, {jobs.done} done, {jobs.lost} lost, {jobs.twice} run twice"


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in numbers.items()) or "nobody"
