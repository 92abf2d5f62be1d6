"""`continuity drill failover`: switch off hosts or a location under load, and measure the recovery."""

from __future__ import annotations

import json
from typing import Annotated

import typer

import plan
from continuity.commands.options import option_group
from continuity.console import OUT, SAY, print_rows, print_verdict
from continuity.drills.failover import drill, planning
from continuity.drills.failover.evaluation import Jobs, Measurement, Phase
from continuity.drills.failover.planning import DrillPlan, Options
from continuity.engine.stacks import Stack
from continuity.errors import UsageError


@option_group(Options)
def failover(
    group: Options,
    stack: Annotated[Stack, typer.Option(help="The stack of the hosts.")] = Stack.PROD,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. A real cloud needs --confirm instead.")] = False,
    confirm: Annotated[
        str | None, typer.Option(help="The stack's name. It replaces the prompt, also for a real cloud.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cut the power of hosts while requests and jobs are sent, and measure the recovery.

    Everything is switched on again afterwards, also after Ctrl-C. In a real cloud, some or all customer requests fail
    until the load balancers remove the lost hosts. The command prints the effects first, and asks.

    It needs HCLOUD_TOKEN, and access to the stack's state and database. Exit code 1 when a promise is not kept.

    Example: continuity drill failover --lose location --location nbg1
    """
    promised = plan.load()
    drill_plan = planning.plan_drill(stack, group)
    for sentence in drill_plan.sentences(promised):
        SAY.print(sentence)
    _confirm(drill_plan, yes, confirm)
    measurement = drill.run_drill(promised, drill_plan, say=lambda sentence: SAY.print(sentence, style="bold"))
    if as_json:
        print(json.dumps(measurement.as_data(), indent=2))
    else:
        _show(measurement)
    if not measurement.kept:
        raise typer.Exit(1)


def _confirm(drill_plan: DrillPlan, yes: bool, confirm: str | None) -> None:
    """Ask the operator. For a real cloud, the operator types the stack's name."""
    if confirm is not None and confirm != drill_plan.stack:
        raise UsageError(f"--confirm is {confirm!r}, and the stack is {drill_plan.stack}: nothing was changed")
    if confirm is not None:
        return
    if drill_plan.api.real:
        typed = typer.prompt(f"Type the stack's name ({drill_plan.stack}) to go on", err=True)
        if typed != drill_plan.stack:
            raise UsageError(f"{typed!r} is not {drill_plan.stack}: nothing was changed")
    elif not yes:
        typer.confirm("Go on?", abort=True, err=True)


def _show(measurement: Measurement) -> None:
    if measurement.recovery is None:
        recovery = f"not before everything was switched on again; allowed {measurement.recovery_allowed:g} s"
    else:
        recovery = f"{measurement.recovery:.1f} s; allowed {measurement.recovery_allowed:g} s"
    lines = [
        ("lost", f"{measurement.what} ({measurement.severity} severity)"),
        ("recovery", recovery),
        ("first failure", _seconds(measurement.first_failure, "none")),
        ("noticed", _seconds(measurement.noticed, "not seen")),
        ("requests", f"{measurement.rate:.0f} a second"),
        *(
            (f"  {name}", _phase(phase))
            for name, phase in (
                ("before", measurement.before),
                ("during", measurement.during),
                ("on the way back", measurement.after),
            )
        ),
        *((f"  served {when}", _counted(hosts)) for when, hosts in measurement.served_by.items() if hosts),
        *((f"  {count} failed", error) for error, count in list(measurement.errors.items())[:5]),
        ("as before again", _seconds(measurement.way_back, "never")),
        ("jobs", "none were sent" if measurement.jobs is None else _jobs(measurement.jobs)),
    ]
    if measurement.jobs is not None:
        lines.append(("  longest gap", _seconds(measurement.jobs.longest_gap, "none was done after the fault")))
        lines.append(("  run by", _counted(measurement.jobs.by_worker)))
    print_rows(lines)
    for problem in measurement.problems:
        OUT.print(problem, style="red")
    print_verdict(measurement.kept)


def _seconds(value: float | None, without: str) -> str:
    return without if value is None else f"after {value:.1f} s"


def _phase(phase: Phase) -> str:
    text = f"{phase.requests}, {phase.failed} of them failed"
    if phase.p50 is None or phase.p99 is None:
        return text
    return f"{text}; half within {phase.p50 * 1000:.0f} ms, 99 % within {phase.p99 * 1000:.0f} ms"


def _jobs(jobs: Jobs) -> str:
    return f"{jobs.acknowledged} acknowledged, {jobs.done} done, {jobs.lost} lost, {jobs.twice} run twice"


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in numbers.items()) or "none"
