"""The drill that measures whether the loss of a region costs no more than is promised.

It writes to production's database without a pause, has the region fail, brings the recovery stack up from nothing, and
reads the rows back there. Data loss is the time between the last row that production acknowledged and the last one that
came back; recovery time is the time from the failure until the rows were read. Both are judged by the plan.
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
from continuity.clouds.database import Database
from continuity.drills import heartbeat
from continuity.drills.heartbeat import Row
from continuity.engine import stacks, updates
from continuity.engine.stacks import Stack, starting
from continuity.errors import DrillError, StackError, UsageError

_LOST_SECONDS: Final = 30.0
"""How long a fault may take to reach the database, once its command has ended."""


@dataclass(frozen=True)
class Measured:
    """What a drill found. Times are in seconds."""

    region_lost: str
    recovered_in: str
    rows_acknowledged: int
    rows_recovered: int
    rows_lost: int
    rows_wrong: int
    """Rows that came back though nobody wrote them, out of order, or with another time."""

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


def check(promised: plan.Plan, fault: str) -> list[str]:
    """The fault's command, with the plan's region in it. Refused before anything is touched when it cannot be run."""
    try:
        command = shlex.split(fault.replace("{home_region}", promised.residency.aws.home_region))
    except ValueError as error:
        raise UsageError(f"--fault is {fault!r}, which is no command: {error}") from None
    if not command:
        raise UsageError("--fault is empty: it is the command that makes the home region fail")
    if shutil.which(command[0]) is None:
        raise UsageError(f"--fault begins with {command[0]!r}: there is no such program on PATH")
    if stacks.outputs(Stack.PROD) is None:
        raise StackError("prod does not exist: bring it up first (`continuity up`)")
    if stacks.outputs(Stack.DR) is not None:
        raise StackError("dr exists already: the drill recovers from nothing, so it has to be destroyed first")
    return command


def run(promised: plan.Plan, fault: list[str], write_seconds: float, say: Callable[[str], None]) -> Measured:
    """The drill itself. `say` gets a sentence at each step."""
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
        said = (done.stderr or done.stdout).strip() or "it said nothing"
        raise DrillError(f"`{shlex.join(fault)}` ended with exit code {done.returncode}: {said}")
    lost = writer.wait_until_lost(_LOST_SECONDS)
    acknowledged = writer.stop()
    if lost is None:
        raise DrillError(
            f"the fault did nothing: the database still answers {_LOST_SECONDS:.0f} s after {shlex.join(fault)}"
        )
    say(f"production's database is lost after {len(acknowledged)} rows: {lost.splitlines()[0]}")

    say("bringing dr up from nothing")
    begun = time.monotonic()
    updates.up([Stack.DR], yes=True)
    phases["pulumi up of dr"] = time.monotonic() - begun

    begun = time.monotonic()
    recovered = heartbeat.read(Database.of(Stack.DR, _outputs(Stack.DR)))
    phases["reading the rows back"] = time.monotonic() - begun
    recovery_time = time.monotonic() - failed
    phases["everything else"] = recovery_time - sum(phases.values())
    return judge(promised, acknowledged, recovered, recovery_time, phases)


def judge(
    promised: plan.Plan, acknowledged: list[Row], recovered: list[Row], recovery_time: float, phases: dict[str, float]
) -> Measured:
    """Compare row by row what came back with what had been acknowledged."""
    if not acknowledged:
        raise DrillError("production's database acknowledged no row: there is nothing to measure")
    mine = {row.number: row for row in acknowledged}
    first = acknowledged[0].number
    # Rows of an earlier drill may be there; of this one, those that came back must be its first ones, without a gap.
    came_back = [row for row in recovered if row.number >= first]
    wrong = sum(
        1
        for place, row in enumerate(came_back)
        if row.number != first + place or (row.number in mine and mine[row.number] != row)
    )
    # A commit can be done without having been acknowledged: the one that was under way when the region failed.
    wrong += sum(1 for row in came_back if row.number > acknowledged[-1].number + 1)
    last = came_back[-1].at if came_back else acknowledged[0].at
    objectives = promised.severities.high
    return Measured(
        region_lost=promised.residency.aws.home_region,
        recovered_in=promised.residency.aws.recovery_region,
        rows_acknowledged=len(acknowledged),
        rows_recovered=len(came_back),
        rows_lost=len([number for number in mine if number > (came_back[-1].number if came_back else 0)]),
        rows_wrong=wrong,
        data_loss=max(0.0, (acknowledged[-1].at - last).total_seconds()),
        data_loss_allowed=objectives.rpo_minutes * 60.0,
        recovery_time=recovery_time,
        recovery_time_allowed=objectives.rto_hours * 3600.0,
        phases=phases,
    )


def _outputs(stack: Stack) -> Mapping[str, Any]:
    found = stacks.outputs(stack)
    if found is None:
        raise StackError(f"{stack} does not exist")
    return found
