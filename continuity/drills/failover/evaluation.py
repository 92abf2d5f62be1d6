"""What a failover drill saw, and whether that is what was promised."""

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
"""What recovery may take beyond the health check's interval times its retries."""

_RATE_SHARE: Final = 0.95
"""The share of the asked rate that has to have been sent for the figures to be those of that rate."""

_OFF_SECONDS: Final = 1.0
"""How long after the cloud called it off a host may seem to answer: the cloud's word is not of the same moment."""


class Lose(StrEnum):
    """What a drill takes away."""

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
        """How long it takes until a target that answers badly is out, or one that answers well is in."""
        return self.interval * self.retries

    @property
    def bound(self) -> float:
        """How long recovery may take."""
        return self.decides_in + GRACE_SECONDS


@dataclass(frozen=True)
class Times:
    """When what happened, by the machine's monotonic clock in seconds."""

    begun: float
    killed: float
    """The first call that switched something off was about to be sent."""

    off: float
    """The cloud had confirmed that all of it is off."""

    restored: float
    """The first call that switched something on again was about to be sent."""

    whole: float | None
    """The load balancers saw the pool as it had been before; None when they did not within the time given."""

    ended: float


@dataclass(frozen=True)
class Observed:
    """Everything that a drill recorded. Names are those of hosts."""

    stack: str
    lose: Lose
    what: str
    """What was taken away, in words."""

    check: HealthCheck
    times: Times
    rate: float
    requests: Sequence[Request]
    jobs_asked: int
    lost_api: frozenset[str]
    lost_workers: frozenset[str]
    standby_api: frozenset[str]
    """The standby API hosts that had to step in; empty when no active API host was taken away."""

    every_standby_api: frozenset[str] = frozenset()
    acknowledged: Sequence[Job] = ()
    outcomes: Sequence[Outcome] = ()
    jobs_refused: int = 0
    jobs_by_worker: dict[str, int] = field(default_factory=dict)
    noticed: float | None = None
    """When the load balancers had first called all lost API hosts unhealthy; None when that was not seen."""


@dataclass(frozen=True)
class Phase:
    """Requests of a stretch of time. Latencies are those of requests that were served, in seconds."""

    requests: int
    failed: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Jobs:
    """What became of the jobs. Times are in seconds."""

    acknowledged: int
    refused: int
    done: int
    lost: int
    twice: int
    longest_gap: float | None
    """The longest time between two completions after the kill; how long the workers took to recover."""

    by_worker: dict[str, int]


@dataclass(frozen=True)
class Measured:
    """What a drill found. Times are in seconds."""

    stack: str
    lose: str
    what: str
    severity: str
    rate: float
    recovery: float | None
    """From the kill to the end of the last request that failed; None when requests went on to fail."""

    recovery_allowed: float
    first_failure: float | None
    """From the kill to the end of the first request that failed: it and `recovery` are the window of detection."""

    noticed: float | None
    """From the kill until the load balancers called the lost hosts unhealthy, as their API told."""

    before: Phase
    during: Phase
    after: Phase
    """On the way back: since everything was switched on again."""

    way_back: float | None
    """From the first switching on until the pool was as before."""

    served_by: dict[str, dict[str, int]]
    """For each of the three phases, how many requests each host served; empty when the application does not say."""

    errors: dict[str, int]
    """What the failed requests met with, and how often."""

    jobs: Jobs | None
    problems: list[str]
    """Each promise that was not kept, in a sentence."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.problems

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.kept}


def severity(promised: plan.Plan, lose: Lose) -> tuple[str, Severity]:
    """By which of the plan's severities a loss is judged.

    A location is the plan's own example of a medium one. A host is of low severity, and so are all active hosts of a
    role: the hot standby is the redundancy that has to absorb it, and low is the stricter objective.
    """
    if lose is Lose.LOCATION:
        return "medium", promised.severities.medium
    return "low", promised.severities.low


def judge(promised: plan.Plan, observed: Observed) -> Measured:
    """Compare what was seen with what is promised. Raises `DrillError` when nothing was measured."""
    times, check = observed.times, observed.check
    name, objectives = severity(promised, observed.lose)
    # A request belongs to the time at which it ended, if it failed: what was open at the kill fails because of it.
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

    problems.extend(_who_served(observed, before, during))
    if times.whole is None:
        problems.append("the pool was not as before after everything had been switched on again")
    jobs = _jobs(observed, objectives, problems) if observed.jobs_asked else None
    return Measured(
        stack=observed.stack,
        lose=observed.lose,
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
    """Seconds to the last failure's end; None unless all was well for two decisions of the check after it."""
    if not failed:
        return 0.0
    last = max(one.ended for one in failed)
    return last - times.killed if last + 2 * check.decides_in <= times.restored else None


def _last(failed: Sequence[Request], times: Times) -> float:
    return max(one.ended for one in failed) - times.killed


def _who_served(observed: Observed, before: Sequence[Request], during: Sequence[Request]) -> list[str]:
    """What is wrong with who answered. Nothing when the application does not say who it is."""
    if not _served_by(during):
        return []
    problems = []
    early = sum(count for host, count in _served_by(before).items() if host in observed.every_standby_api)
    if early:
        problems.append(f"standby hosts served {early} requests before the fault: they were not on standby")
    dark = observed.times.off + _OFF_SECONDS
    late = [one for one in during if one.served and one.host in observed.lost_api and one.started > dark]
    if late:
        problems.append(f"hosts that were off served {len(late)} requests: the fault did not do what it says")
    idle = sorted(observed.standby_api - _served_by(during).keys())
    if idle:
        problems.append(f"standby hosts that had to step in served no request: {', '.join(idle)}")
    return problems


def _jobs(observed: Observed, objectives: Severity, problems: list[str]) -> Jobs:
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


def _workers(observed: Observed, completions: Sequence[float]) -> list[str]:
    """Whether the remaining workers took over by themselves: before the lost ones were switched on again."""
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
