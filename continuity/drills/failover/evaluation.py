"""Evaluate the observation of a failover drill against the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import plan
from continuity.drills.load.jobs import Job, Outcome
from continuity.drills.load.traffic import Request, percentile
from continuity.errors import DrillError
from plan.model import Severity

GRACE_SECONDS: Final = 2.0
"""The time that recovery may take in addition to the health check's interval times its retries."""

_RATE_SHARE: Final = 0.95
"""The minimum share of the requested rate. Below it, the figures are not valid for that rate."""

_OFF_SECONDS: Final = 1.0
"""The time for which a host may seem to answer after the cloud reported it as off: the report has a delay."""


class FaultScope(StrEnum):
    """The hosts that a drill switches off: one active host, all active hosts, or a location."""

    HOST = "host"
    ACTIVE = "active"
    LOCATION = "location"


@dataclass(frozen=True)
class HealthCheck:
    """The declared health check of the load balancers; seconds."""

    path: str
    interval: float
    timeout: float
    retries: int

    @property
    def decides_in(self) -> float:
        """The time until a failing target is removed, or a recovered one is added."""
        return self.interval * self.retries

    @property
    def bound(self) -> float:
        """The time limit for recovery."""
        return self.decides_in + GRACE_SECONDS


@dataclass(frozen=True)
class Times:
    """The times of a drill, by the machine's monotonic clock in seconds."""

    begun: float
    killed: float
    """Just before the first call that switches something off."""

    off: float
    """When the cloud had confirmed that everything is off."""

    restored: float
    """Just before the first call that switches something on again."""

    whole: float | None
    """When the load balancers reported the pool as before. None if they did not within the time limit."""

    ended: float


@dataclass(frozen=True)
class Observation:
    """The record of a drill. Names are those of hosts."""

    stack: str
    scope: FaultScope
    what: str
    """The hosts and load balancers that were switched off, in words."""

    check: HealthCheck
    times: Times
    rate: float
    requests: Sequence[Request]
    jobs_asked: int
    lost_api: frozenset[str]
    lost_workers: frozenset[str]
    standby_api: frozenset[str]
    """The standby API hosts that must take over. Empty if no active API host was switched off."""

    every_standby_api: frozenset[str] = frozenset()
    acknowledged: Sequence[Job] = ()
    outcomes: Sequence[Outcome] = ()
    jobs_refused: int = 0
    jobs_by_worker: dict[str, int] = field(default_factory=dict)
    noticed: float | None = None
    """When the load balancers first reported all lost API hosts as unhealthy. None if that was not observed."""


@dataclass(frozen=True)
class Phase:
    """The requests of a phase. Latencies are those of served requests, in seconds."""

    requests: int
    failed: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Jobs:
    """The results of the jobs. Times are in seconds."""

    acknowledged: int
    refused: int
    done: int
    lost: int
    twice: int
    longest_gap: float | None
    """The longest time between two completions after the kill: the recovery time of the workers."""

    by_worker: dict[str, int]


@dataclass(frozen=True)
class Measurement:
    """The result of a drill. Times are in seconds."""

    stack: str
    lose: str
    """The value of `--lose`."""

    what: str
    severity: str
    rate: float
    recovery: float | None
    """From the kill to the end of the last failed request. None if requests kept failing."""

    recovery_allowed: float
    first_failure: float | None
    """From the kill to the end of the first failed request. Together with `recovery`, it is the detection window."""

    noticed: float | None
    """From the kill until Hetzner's API reported the lost hosts as unhealthy."""

    before: Phase
    during: Phase
    after: Phase
    """The phase after everything was switched on again."""

    way_back: float | None
    """From the first call that switches something on until the pool was as before."""

    served_by: dict[str, dict[str, int]]
    """For each of the three phases, the requests served by each host. Empty if answers do not name their host."""

    errors: dict[str, int]
    """The errors of failed requests, with their counts."""

    jobs: Jobs | None
    problems: list[str]
    """The broken promises, one sentence each."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.problems

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.kept}


def severity(promised: plan.Plan, scope: FaultScope) -> tuple[str, Severity]:
    """The plan's severity for a scope.

    The plan names the loss of a location as its example of medium severity. The loss of one host, or of all active
    hosts of a role, has low severity: the hot standby must absorb it, and low is the stricter objective.
    """
    if scope is FaultScope.LOCATION:
        return "medium", promised.severities.medium
    return "low", promised.severities.low


def evaluate(promised: plan.Plan, observed: Observation) -> Measurement:
    """Compare the observation with the plan. Raises `DrillError` if nothing was measured."""
    times, check = observed.times, observed.check
    name, objectives = severity(promised, observed.scope)
    # A failed request counts in the phase in which it ended: a request that was open at the kill fails because of it.
    before = [one for one in observed.requests if one.ended < times.killed]
    during = [one for one in observed.requests if times.killed <= one.ended and one.due < times.restored]
    after = [one for one in observed.requests if one.ended >= times.killed and one.due >= times.restored]
    if not any(one.served for one in before):
        raise DrillError("no request was served before the fault: there is nothing to measure")
    if not during:
        raise DrillError("no request was sent after the fault: there is nothing to measure")
    if observed.jobs_asked and not observed.acknowledged:
        raise DrillError("the database acknowledged no job: there is nothing to measure")
    problems: list[str] = []

    sent = len(observed.requests) / (times.ended - times.begun)
    if sent < observed.rate * _RATE_SHARE:
        problems.append(f"{sent:.0f} requests a second were sent, not {observed.rate:g}: this machine did not keep up")
    if any(not one.served for one in before):
        problems.append(f"{sum(not one.served for one in before)} requests failed before the fault")

    failed = [one for one in during if not one.served]
    recovery = _recovery(failed, times, check)
    if recovery is None:
        problems.append(f"traffic did not recover: requests failed until {_last(failed, times):.1f} s after the fault")
    elif recovery > check.bound:
        problems.append(
            f"traffic recovered in {recovery:.1f} s; the health check allows {check.bound:g} s "
            f"({check.interval:g} s times {check.retries}, and {GRACE_SECONDS:g} s)"
        )
    if recovery is not None and recovery > objectives.rto_hours * 3600:
        problems.append(f"traffic recovered in {recovery:.0f} s; the plan allows {objectives.rto_hours} h ({name})")

    problems.extend(_host_problems(observed, before, during))
    if times.whole is None:
        problems.append("the pool was not as before after everything had been switched on again")
    jobs = _jobs(observed, objectives, problems) if observed.jobs_asked else None
    return Measurement(
        stack=observed.stack,
        lose=observed.scope,
        what=observed.what,
        severity=name,
        rate=sent,
        recovery=recovery,
        recovery_allowed=min(check.bound, objectives.rto_hours * 3600.0),
        first_failure=min(one.ended for one in failed) - times.killed if failed else None,
        noticed=None if observed.noticed is None else observed.noticed - times.killed,
        before=_phase(before),
        during=_phase(during),
        after=_phase(after),
        way_back=None if times.whole is None else times.whole - times.restored,
        served_by={"before": _served_by(before), "during": _served_by(during), "after": _served_by(after)},
        errors=dict(Counter(_error(one) for one in observed.requests if not one.served).most_common()),
        jobs=jobs,
        problems=problems,
    )


def _recovery(failed: Sequence[Request], times: Times, check: HealthCheck) -> float | None:
    """Seconds to the end of the last failure. None unless no request failed for two decisions of the check after it."""
    if not failed:
        return 0.0
    last = max(one.ended for one in failed)
    return last - times.killed if last + 2 * check.decides_in <= times.restored else None


def _last(failed: Sequence[Request], times: Times) -> float:
    return max(one.ended for one in failed) - times.killed


def _host_problems(observed: Observation, before: Sequence[Request], during: Sequence[Request]) -> list[str]:
    """Problems with the hosts that answered. Empty if answers do not name their host."""
    if not _served_by(during):
        return []
    problems = []
    early = sum(count for host, count in _served_by(before).items() if host in observed.every_standby_api)
    if early:
        problems.append(f"standby hosts served {early} requests before the fault: they were not on standby")
    dark = observed.times.off + _OFF_SECONDS
    late = [one for one in during if one.served and one.host in observed.lost_api and one.started > dark]
    if late:
        problems.append(f"hosts that were off served {len(late)} requests: the fault had no effect")
    idle = sorted(observed.standby_api - _served_by(during).keys())
    if idle:
        problems.append(f"standby hosts that had to take over served no request: {', '.join(idle)}")
    return problems


def _jobs(observed: Observation, objectives: Severity, problems: list[str]) -> Jobs:
    times, accepted = observed.times, {job.number for job in observed.acknowledged}
    found = {outcome.number: outcome for outcome in observed.outcomes}
    done = [number for number in accepted if number in found and found[number].done is not None]
    lost = len(accepted) - len(done)
    twice = sum(1 for outcome in observed.outcomes if outcome.runs > 1)
    never = sum(1 for outcome in observed.outcomes if outcome.done is not None and outcome.runs == 0)
    if lost:
        problems.append(f"{lost} jobs that had been acknowledged were not done")
    if twice:
        problems.append(f"{twice} jobs ran twice")
    if never:
        problems.append(f"{never} jobs are marked as done and were never run")
    if observed.jobs_refused:
        problems.append(f"the database refused {observed.jobs_refused} jobs")
    completions = sorted(outcome.done for outcome in observed.outcomes if outcome.done is not None)
    if observed.lost_workers:
        problems.extend(_workers(observed, completions))
    later = [times.killed, *(one for one in completions if one > times.killed)]
    gap = max((following - one for one, following in pairwise(later)), default=None)
    if gap is not None and gap > objectives.rto_hours * 3600:
        problems.append(f"no job was done for {gap:.0f} s; the plan allows {objectives.rto_hours} h")
    return Jobs(
        acknowledged=len(accepted),
        refused=observed.jobs_refused,
        done=len(done),
        lost=lost,
        twice=twice,
        longest_gap=gap,
        by_worker=observed.jobs_by_worker,
    )


def _workers(observed: Observation, completions: Sequence[float]) -> list[str]:
    """Check that the remaining workers took over before the lost ones were switched on again."""
    times = observed.times
    waiting = [job for job in observed.acknowledged if job.acknowledged < times.restored]
    by_then = {outcome.number for outcome in observed.outcomes if outcome.done and outcome.done <= times.restored}
    if any(times.killed < one <= times.restored for one in completions):
        return []
    if all(job.number in by_then for job in waiting):
        return ["no job waited while the workers were lost: there were too few to measure them by"]
    return ["no job was done until the lost workers had been switched on again: no standby took over"]


def _phase(requests: Sequence[Request]) -> Phase:
    latencies = [one.latency for one in requests if one.served]
    return Phase(
        requests=len(requests),
        failed=sum(1 for one in requests if not one.served),
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
    )


def _served_by(requests: Iterable[Request]) -> dict[str, int]:
    return dict(sorted(Counter(one.host for one in requests if one.served and one.host is not None).items()))


def _error(request: Request) -> str:
    return request.error or f"status {request.status}"
