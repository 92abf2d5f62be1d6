"""`continuity drill`: measure that recovery works, against what is promised."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

import plan
from continuity.commands.failover import failover
from continuity.console import SAY, print_rows, print_verdict
from continuity.drills import recovery as recovery_drill
from continuity.drills.recovery import Measured

drill = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=__doc__)
drill.command()(failover)


@drill.callback()
def _drills() -> None:
    """Measure that recovery works, against what is promised."""


@drill.command()
def recovery(
    fault: Annotated[
        str,
        typer.Option(
            help="The command that makes the home region fail; {home_region} stands for its name. "
            "In the local cloud: 'localcloud cut {home_region}'."
        ),
    ],
    write_seconds: Annotated[
        float, typer.Option(min=1.0, max=86400.0, help="How long rows are written before the region fails.")
    ] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Lose the home region while rows are written, bring `dr` up, and count what came back.

    Exit code 1 when the loss or the time exceeds the plan's objectives for a region's loss.
    """
    promised = plan.load()
    command = recovery_drill.check(promised, fault)
    lost = promised.residency.aws.home_region
    if not yes:
        SAY.print(
            f"This writes rows to production's database, makes {lost} fail by `{shlex.join(command)}`, and brings dr "
            "up. Production is down afterwards, until the fault is taken back.",
        )
        typer.confirm("Go on?", abort=True, err=True)
    measured = recovery_drill.run(
        promised, command, write_seconds, say=lambda sentence: SAY.print(sentence, style="bold")
    )
    if as_json:
        print(json.dumps(measured.as_data(), indent=2))
    else:
        _show(measured)
    if not measured.kept:
        raise typer.Exit(1)


def _show(measured: Measured) -> None:
    lines = [
        ("region lost", measured.region_lost),
        ("recovered in", measured.recovered_in),
        ("rows acknowledged", f"{measured.rows_acknowledged}"),
        ("rows recovered", f"{measured.rows_recovered}, {measured.rows_wrong} of them wrong"),
        (
            "data loss",
            f"{measured.data_loss:.1f} s ({measured.rows_lost} rows); allowed {measured.data_loss_allowed:.0f} s",
        ),
        ("recovery time", f"{measured.recovery_time:.1f} s; allowed {measured.recovery_time_allowed:.0f} s"),
        *((f"  {phase}", f"{seconds:.1f} s") for phase, seconds in measured.phases.items()),
    ]
    print_rows(lines)
    print_verdict(measured.kept)
