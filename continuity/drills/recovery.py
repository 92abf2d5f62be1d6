"""Run the recovery drill: measure data loss and recovery time after the failure of a region.

It writes rows to production's database, makes the region fail, creates the recovery stack, and reads the rows there.
Data loss is the time between the last row that production acknowledged and the last recovered row. Recovery time is the
time from the failure until the rows were read. Both are compared with the plan.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import plan
from continuity.changes import updates
from continuity.clouds.database import Database
from continuity.drills import heartbeat
from continuity.drills.heartbeat import Row
from continuity.engine import pulumi_cli
from continuity.engine.stacks import Stack
from continuity.errors import DrillError, StackError, UsageError
from continuity.programs import starting

_LOST_SECONDS: Final = 30.0
"""The time limit for a fault to reach the database, once its command has ended."""


@dataclass(frozen=True)
class Measurement:
    """The result of a drill. Times are in seconds."""

    region_lost: str
    recovered_in: str
    rows_acknowledged: int
    rows_recovered: int
    rows_lost: int
    rows_wrong: int
    """Recovered rows that were never written, are out of order, or have a different time."""

    data_loss: float
    data_loss_allowed: float
    recovery_time: float
    recovery_time_allowed: float
    phases: dict[str, float]

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return (
            self.rows_wrong == 0
            and self.rows_recovered > 0
            and self.data_loss <= self.data_loss_allowed
            and self.recovery_time <= self.recovery_time_allowed
        )

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.kept}


def prepare_fault(promised: plan.Plan, fault: str) -> list[str]:
    """Parse the fault's command, and insert the plan's home region. Raises if the drill cannot run."""
    try:
        command = shlex.split(fault.replace("{home_region}", promised.residency.aws.home_region))
    except ValueError as error:
        raise UsageError(f"--fault is {fault!r}, which is not a command: {error}") from None
    if not command:
        raise UsageError("--fault is empty: give the command that makes the home region fail")
    if shutil.which(command[0]) is None:
        raise UsageError(f"--fault begins with {command[0]!r}: no such program is on PATH")
    if pulumi_cli.read_outputs(Stack.PROD) is None:
        raise StackError("prod does not exist: bring it up first (`continuity up`)")
    if pulumi_cli.read_outputs(Stack.DR) is not None:
        raise StackError("dr exists already, and the drill creates it: destroy it first (`continuity destroy dr`)")
    return command


def run_recovery(
    promised: plan.Plan, fault: list[str], write_seconds: float, say: Callable[[str], None]
) -> Measurement:
    """Run the drill. `say` receives a sentence at each step."""
    production = Database.of(Stack.PROD, _outputs(Stack.PROD))
    phases: dict[str, float] = {}

    writer = heartbeat.Writer(production)
    say(f"writing a row to production's database every tenth of a second, for {write_seconds:.0f} s")
    writer.start()
    heartbeat.wait_for_rows(writer, write_seconds)

    say(f"the region fails now: {shlex.join(fault)}")
    failed = time.monotonic()
    with starting(fault[0]):
        done = subprocess.run(fault, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        writer.stop()
        output = (done.stderr or done.stdout).strip() or "no output"
        raise DrillError(f"`{shlex.join(fault)}` ended with exit code {done.returncode}: {output}")
    lost = writer.wait_until_lost(_LOST_SECONDS)
    acknowledged = writer.stop()
    if lost is None:
        raise DrillError(
            f"the fault had no effect: the database still answers {_LOST_SECONDS:.0f} s after {shlex.join(fault)}"
        )
    say(f"production's database is lost after {len(acknowledged)} rows: {lost.splitlines()[0]}")

    say("creating dr")
    begun = time.monotonic()
    updates.up([Stack.DR], yes=True)
    phases["pulumi up of dr"] = time.monotonic() - begun

    begun = time.monotonic()
    recovered = heartbeat.read(Database.of(Stack.DR, _outputs(Stack.DR)))
    phases["reading the rows back"] = time.monotonic() - begun
    recovery_time = time.monotonic() - failed
    phases["everything else"] = recovery_time - sum(phases.values())
    return evaluate(promised, acknowledged, recovered, recovery_time, phases)


def evaluate(
    promised: plan.Plan, acknowledged: list[Row], recovered: list[Row], recovery_time: float, phases: dict[str, float]
) -> Measurement:
    """Compare the recovered rows with the acknowledged ones."""
    if not acknowledged:
        raise DrillError("production's database acknowledged no row: there is nothing to measure")
    written = {row.number: row for row in acknowledged}
    first = acknowledged[0].number
    # Rows of earlier drills may exist. The recovered rows of this drill must be its first ones, without a gap.
    came_back = [row for row in recovered if row.number >= first]
    wrong = sum(
        1
        for place, row in enumerate(came_back)
        if row.number != first + place or (row.number in written and written[row.number] != row)
    )
    # A commit may be done without acknowledgement: the one that was in progress when the region failed.
    wrong += sum(1 for row in came_back if row.number > acknowledged[-1].number + 1)
    last = came_back[-1].at if came_back else acknowledged[0].at
    objectives = promised.severities.high
    return Measurement(
        region_lost=promised.residency.aws.home_region,
        recovered_in=promised.residency.aws.recovery_region,
        rows_acknowledged=len(acknowledged),
        rows_recovered=len(came_back),
        rows_lost=len([number for number in written if number > (came_back[-1].number if came_back else 0)]),
        rows_wrong=wrong,
        data_loss=max(0.0, (acknowledged[-1].at - last).total_seconds()),
        data_loss_allowed=objectives.rpo_minutes * 60.0,
        recovery_time=recovery_time,
        recovery_time_allowed=objectives.rto_hours * 3600.0,
        phases=phases,
    )


def _outputs(stack: Stack) -> Mapping[str, Any]:
    found = pulumi_cli.read_outputs(stack)
    if found is None:
        raise StackError(f"{stack} does not exist: bring it up first (`continuity up {stack}`)")
    return found
