"""Run recovery and failover drills, and compare the results with the plan."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

import plan
from continuity.commands.failover import failover
from continuity.console import SAY, print_rows, print_verdict
from continuity.drills.recovery import Measurement, prepare_fault, run_recovery

drill_commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=__doc__)
drill_commands.command()(failover)


@drill_commands.callback()
def _drills() -> None:
    """Run recovery and failover drills, and compare the results with the plan."""


@drill_commands.command()
def recovery(
    fault: Annotated[
        str,
        typer.Option(
            help="The command that makes the home region fail. {home_region} is replaced with the region's name. "
            "In the local cloud: 'localcloud cut {home_region}'."
        ),
    ],
    write_seconds: Annotated[
        float, typer.Option(min=1.0, max=86400.0, help="The time for which rows are written before the region fails.")
    ] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make the home region fail while rows are written, bring `dr` up, and count the recovered rows.

    Production stays down until the fault is reverted. `dr` stays up, and AWS and Hetzner charge for it, until
    it is destroyed. Exit code 1 when the data loss or the recovery time exceeds the plan's objectives.

    Example: continuity drill recovery --fault 'localcloud cut {home_region}'
    """
    promised = plan.load()
    command = prepare_fault(promised, fault)
    lost = promised.residency.aws.home_region
    if not yes:
        SAY.print(
            f"This writes rows to production's database, makes {lost} fail by `{shlex.join(command)}`, and brings dr "
            "up. Production is down afterwards, until you revert the fault.",
        )
        typer.confirm("Go on?", abort=True, err=True)
    measurement = run_recovery(promised, command, write_seconds, say=lambda sentence: SAY.print(sentence, style="bold"))
    if as_json:
        print(json.dumps(measurement.as_data(), indent=2))
    else:
        _show(measurement)
    if not measurement.kept:
        raise typer.Exit(1)


def _show(measurement: Measurement) -> None:
    lines = [
        ("region lost", measurement.region_lost),
        ("recovered in", measurement.recovered_in),
        ("rows acknowledged", f"{measurement.rows_acknowledged}"),
        ("rows recovered", f"{measurement.rows_recovered}, {measurement.rows_wrong} of them wrong"),
        (
            "data loss",
            f"{measurement.data_loss:.1f} s ({measurement.rows_lost} rows); "
            f"allowed {measurement.data_loss_allowed:.0f} s",
        ),
        ("recovery time", f"{measurement.recovery_time:.1f} s; allowed {measurement.recovery_time_allowed:.0f} s"),
        *((f"  {phase}", f"{seconds:.1f} s") for phase, seconds in measurement.phases.items()),
    ]
    print_rows(lines)
    print_verdict(measurement.kept)
