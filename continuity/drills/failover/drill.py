"""Run the failover drill: cut the power of hosts under load, and measure whether the remaining hosts take over.

It sends requests and jobs at a constant rate, cuts the power, watches the load balancers, switches everything on again,
and waits until the pool is as before. `evaluation` compares the observation with the plan.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import plan
from continuity.clouds.database import Database
from continuity.drills.failover import faults
from continuity.drills.failover.evaluation import Measurement, Observation, Times, evaluate
from continuity.drills.failover.faults import Health
from continuity.drills.failover.planning import DrillPlan
from continuity.drills.failover.signals import interrupts_ignored, sigterm_as_interrupt
from continuity.drills.load.jobs import Job, Outcome, Queue
from continuity.drills.load.traffic import Settings, Traffic
from continuity.errors import ContinuityError, DrillError

_BEFORE_SECONDS: Final = 5.0
"""The time for which requests are sent before anything is switched off."""

_FIRST_SECONDS: Final = 30.0
"""The time limit for the first request."""

_READY_SECONDS: Final = 120.0
"""The time limit for the pool to be ready before the drill."""

_WHOLE_SECONDS: Final = 300.0
"""The time limit for the pool to be as before, once everything is switched on. A real server boots first."""

_DONE_SECONDS: Final = 120.0
"""The time limit for the remaining jobs at the end."""


def run_drill(promised: plan.Plan, drill_plan: DrillPlan, say: Callable[[str], None]) -> Measurement:
    """Run a planned drill. `say` receives a sentence at each step.

    After an error or Ctrl-C, everything that was switched off is switched on again.
    """
    drill = _Drill(drill_plan, say)
    with sigterm_as_interrupt():
        return evaluate(promised, drill.run())


class _Drill:
    def __init__(self, drill_plan: DrillPlan, say: Callable[[str], None]) -> None:
        self._plan = drill_plan
        self._say = say
        self._balancers = [str(balancer["name"]) for balancer in drill_plan.balancers]
        self._poll = 1.0 if drill_plan.api.real else 0.25
        self._traffic = Traffic(
            Settings(
                name=drill_plan.name,
                addresses=tuple(str(balancer["address"]) for balancer in drill_plan.balancers),
                port=drill_plan.options.https_port,
                path=drill_plan.options.path,
                rate=drill_plan.options.rate,
            )
        )

    def run(self) -> Observation:
        drill_plan, options = self._plan, self._plan.options
        self._compare_dns()
        self._say(
            "waiting until the load balancers report the active hosts as healthy, and the standby hosts as unhealthy"
        )
        # Hosts that have just booted may change places briefly: a standby that saw no active host yet is taking over.
        wrong = self._wait_until_whole(_READY_SECONDS, steady=2 * drill_plan.check.decides_in)
        if wrong:
            raise DrillError(f"the pool is not ready for a drill: {'; '.join(wrong)}")
        batch = f"drill-{secrets.token_hex(4)}"
        queue = Queue(Database.of(drill_plan.stack, drill_plan.outputs), batch) if options.jobs else None
        noticed: float | None = None
        whole: float | None = None
        try:
            self._say(f"sending {options.rate:g} requests a second to {drill_plan.name}")
            self._traffic.start()
            self._traffic.wait_for_first(_FIRST_SECONDS)
            begun = time.monotonic()
            if queue is not None:
                self._say(f"putting {options.jobs} jobs into the queue (batch {batch})")
                queue.start(options.jobs, _BEFORE_SECONDS + options.seconds)
            self._watch(begun + _BEFORE_SECONDS)
            self._refuse_if_failing(begun)
            try:
                self._say(f"switching off now: {drill_plan.what}")
                killed, off = drill_plan.fault.inject()
                self._say(f"all of it was off after {off - killed:.1f} s")
                noticed = self._watch(killed + options.seconds, until_noticed=True)
                self._say("switching everything on again")
                restored = drill_plan.fault.revert()
            finally:
                self._restore()
            wrong = self._wait_until_whole(_WHOLE_SECONDS)
            if wrong:
                self._say(f"the pool is not as before: {'; '.join(wrong)}")
            else:
                whole = time.monotonic()
                self._say(f"the pool is as before, {whole - restored:.1f} s later")
            # Failures while the standby hosts hand back become visible a little later.
            self._watch(time.monotonic() + 2 * drill_plan.check.decides_in)
            ended = time.monotonic()
            requests = self._traffic.stop()
            acknowledged, outcomes, workers = self._finish(queue)
        finally:
            self._traffic.stop()
            if queue is not None:
                queue.stop()
                queue.clean()
        lost = {host.name for host in drill_plan.lost_api}
        return Observation(
            stack=drill_plan.stack,
            scope=options.scope,
            what=drill_plan.what,
            check=drill_plan.check,
            times=Times(begun=begun, killed=killed, off=off, restored=restored, whole=whole, ended=ended),
            rate=options.rate,
            requests=[request for request in requests if request.due >= begun and request.due < ended],
            jobs_asked=options.jobs,
            lost_api=frozenset(lost),
            lost_workers=frozenset(host.name for host in drill_plan.lost_workers),
            standby_api=drill_plan.expected_standby,
            every_standby_api=frozenset(host.name for host in drill_plan.api_hosts if host.state == "standby"),
            acknowledged=acknowledged,
            outcomes=outcomes,
            jobs_refused=queue.refused if queue is not None else 0,
            jobs_by_worker=workers,
            noticed=noticed,
        )

    def _compare_dns(self) -> None:
        balancers = self._plan.balancers
        addresses = {
            "A": [str(one["address"]) for one in balancers],
            "AAAA": [str(one["address_v6"]) for one in balancers if one.get("address_v6")],
        }
        for difference in faults.dns_differences(self._plan.api, self._plan.name, addresses):
            self._say(f"warning: {difference}")

    def _refuse_if_failing(self, since: float) -> None:
        sent = [request for request in self._traffic.requests if request.due >= since]
        failed = [request for request in sent if not request.served]
        if failed or not sent:
            first = (failed[0].error or f"status {failed[0].status}") if failed else "none has ended"
            raise DrillError(
                f"{len(failed)} of {len(sent)} requests failed before anything was switched off ({first}). Nothing was "
                "changed: restore the service first"
            )

    def _watch(self, until: float, until_noticed: bool = False) -> float | None:
        """Wait. With `until_noticed`, return when the load balancers first reported the lost hosts as unhealthy."""
        noticed: float | None = None
        lost = {host.name for host in self._plan.lost_api}
        while (left := until - time.monotonic()) > 0:
            self._traffic.check()
            time.sleep(min(self._poll, left))
            if until_noticed and lost and noticed is None:
                try:
                    seen = faults.health(self._plan.api, self._balancers)
                except ContinuityError:
                    continue  # polled again soon; the requests measure the recovery
                if not any(healthy for targets in seen.values() for name, healthy in targets.items() if name in lost):
                    noticed = time.monotonic()
                    self._say("the load balancers report the lost hosts as unhealthy")
        return noticed

    def _wait_until_whole(self, seconds: float, steady: float = 0.0) -> list[str]:
        return faults.wait_for(self._plan.api, self._wrong, self._balancers, seconds, self._poll, steady)

    def _wrong(self, seen: Health) -> list[str]:
        """The differences from a pool in which the active hosts serve and the standby hosts do not."""
        wrong = []
        for balancer, targets in seen.items():
            for host in self._plan.api_hosts:
                if host.name not in targets:
                    wrong.append(f"{balancer} has no target {host.name}")
                elif targets[host.name] != (host.state == "active"):
                    health = "healthy" if targets[host.name] else "unhealthy"
                    wrong.append(f"{balancer} reports the {host.state} host {host.name} as {health}")
        return wrong

    def _restore(self) -> None:
        """Switch on everything that is still off. A second Ctrl-C does not interrupt it."""
        with interrupts_ignored():
            if not self._plan.fault.active:
                return
            self._say("interrupted: switching everything on again, which cannot be interrupted")
            self._plan.fault.revert()
            self._say("everything is switched on again")

    def _finish(self, queue: Queue | None) -> tuple[list[Job], list[Outcome], dict[str, int]]:
        if queue is None:
            return [], [], {}
        self._say("waiting until all jobs are done")
        acknowledged = queue.finish(_DONE_SECONDS)
        queue.wait_until_done(_DONE_SECONDS, self._say)
        return acknowledged, queue.outcomes(), queue.workers()
