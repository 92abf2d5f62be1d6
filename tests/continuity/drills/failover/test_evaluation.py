"""Evaluation of the failover drill. It must be able to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

import plan
from continuity.drills.failover.evaluation import FaultScope, HealthCheck, Observation, Times, evaluate
from continuity.drills.load.jobs import Job, Outcome
from continuity.drills.load.traffic import Request
from continuity.errors import ContinuityError

PLAN = plan.load()
CHECK = HealthCheck("/healthz", interval=3, timeout=2, retries=2)
BEGUN, KILLED, RESTORED, WHOLE, ENDED = 1000.0, 1005.0, 1035.0, 1050.0, 1062.0
RATE = 10.0
TIMES = Times(begun=BEGUN, killed=KILLED, off=KILLED + 0.2, restored=RESTORED, whole=WHOLE, ended=ENDED)


def requests(
    failing: Callable[[float], bool] = lambda at: False,
    host: Callable[[float], str | None] = lambda at: "spare" if KILLED + 1 < at < WHOLE else "kept",
) -> list[Request]:
    """One each tenth of a second, answered a hundredth later; `failing` and `host` receive its due time."""
    made = []
    for number in range(int((ENDED - BEGUN) * RATE)):
        due = BEGUN + number / RATE
        if failing(due):
            made.append(Request(number, due, due, due + 0.01, 503))
        else:
            made.append(Request(number, due, due, due + 0.01, 200, None, host(due)))
    return made


def jobs(done: Callable[[int, float], float | None] = lambda number, at: at + 0.05) -> tuple[list[Job], list[Outcome]]:
    """One each second until all is switched on again; `done` receives its number and acknowledgement time."""
    accepted = [Job(number, BEGUN + number) for number in range(int(RESTORED - BEGUN))]
    return accepted, [
        Outcome(job.number, at := done(job.number, job.acknowledged), 0 if at is None else 1) for job in accepted
    ]


def observed(sent: Sequence[Request] | None = None, did: tuple[list[Job], list[Outcome]] | None = None) -> Observation:
    accepted, outcomes = did or jobs()
    return Observation(
        stack="prod",
        scope=FaultScope.HOST,
        what="lost, lost-worker",
        check=CHECK,
        times=TIMES,
        rate=RATE,
        requests=requests() if sent is None else sent,
        jobs_asked=len(accepted),
        lost_api=frozenset({"lost"}),
        lost_workers=frozenset({"lost-worker"}),
        standby_api=frozenset({"spare"}),
        every_standby_api=frozenset({"spare"}),
        acknowledged=accepted,
        outcomes=outcomes,
        noticed=KILLED + 5,
    )


def failing_until(seconds: float) -> Callable[[float], bool]:
    return lambda at: KILLED <= at < KILLED + seconds


def with_runs(number: int, runs: int) -> tuple[list[Job], list[Outcome]]:
    accepted, outcomes = jobs()
    return accepted, [replace(one, runs=runs) if one.number == number else one for one in outcomes]


@pytest.mark.parametrize(
    ("seen", "recovery", "failed"),
    [
        pytest.param(observed(), 0.0, 0, id="no failure"),
        pytest.param(observed(requests(failing_until(7.9))), 7.9, 79, id="within the health check's bound"),
        pytest.param(
            observed(requests(lambda at: RESTORED + 1 < at < RESTORED + 2)), 0.0, 0, id="failures on the way back"
        ),
        pytest.param(observed(requests(host=lambda at: None)), 0.0, 0, id="answers without a host"),
        pytest.param(
            replace(observed(), jobs_asked=0, acknowledged=[], outcomes=[]), 0.0, 0, id="no jobs were asked for"
        ),
        pytest.param(
            observed(did=jobs(lambda number, at: at if at < KILLED else max(at, KILLED + 12.0))),
            0.0,
            0,
            id="workers that took a while",
        ),
        pytest.param(
            replace(observed(requests(host=lambda at: "kept")), standby_api=frozenset()),
            0.0,
            0,
            id="no standby was needed",
        ),
    ],
)
def test_what_keeps_the_promise(seen: Observation, recovery: float, failed: int) -> None:
    measured = evaluate(PLAN, seen)
    assert measured.problems == []
    assert measured.kept
    assert measured.recovery == pytest.approx(recovery, abs=0.1)
    assert measured.during.failed == failed
    assert measured.recovery_allowed == 8.0


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        pytest.param(observed(requests(failing_until(8.2))), "recovered in 8.1 s; the health", id="past the bound"),
        pytest.param(observed(requests(failing_until(30))), "did not recover", id="it never recovered"),
        pytest.param(
            observed(requests(lambda at: KILLED <= at < KILLED + 2 or KILLED + 25 < at < KILLED + 25.2)),
            "did not recover",
            id="well, and then not again, until too late to tell",
        ),
        pytest.param(
            observed([one for one in requests() if one.due < RESTORED and one.number % 2]),
            "requests a second were sent",
            id="the rate was not kept",
        ),
        pytest.param(observed(requests(lambda at: at < BEGUN + 1)), "failed before the fault", id="not well before"),
        pytest.param(
            observed(requests(host=lambda at: "kept")), "had to take over served no request: spare", id="no standby"
        ),
        pytest.param(
            observed(requests(host=lambda at: "spare")), "standby hosts served 50 requests", id="a standby too early"
        ),
        pytest.param(
            observed(
                requests(host=lambda at: "lost" if at < WHOLE and int(at) % 2 else "spare" if at > KILLED else "a")
            ),
            "hosts that were off served",
            id="the fault was none",
        ),
        pytest.param(
            replace(observed(), times=replace(TIMES, whole=None)), "was not as before", id="never whole again"
        ),
        pytest.param(
            observed(did=jobs(lambda number, at: None if number == 7 else at + 0.05)),
            "1 jobs that had been acknowledged were not done",
            id="a job is lost",
        ),
        pytest.param(observed(did=(jobs()[0], jobs()[1][1:])), "1 jobs that had been ack", id="a job is gone"),
        pytest.param(observed(did=with_runs(7, 2)), "1 jobs ran twice", id="a job twice"),
        pytest.param(observed(did=with_runs(7, 0)), "never run", id="a job marked as done without a run"),
        pytest.param(replace(observed(), jobs_refused=3), "refused 3 jobs", id="the database refused jobs"),
        pytest.param(
            observed(did=jobs(lambda number, at: at if at < KILLED else max(at, RESTORED + 5.0))),
            "no job was done until the lost workers had been switched on",
            id="no worker took over",
        ),
    ],
)
def test_what_breaks_the_promise(seen: Observation, words: str) -> None:
    measured = evaluate(PLAN, seen)
    assert not measured.kept
    assert [problem for problem in measured.problems if words in problem], measured.problems


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        pytest.param(observed([]), "no request was served before the fault", id="no requests"),
        pytest.param(observed(requests(lambda at: True)), "no request was served before", id="all of them failed"),
        pytest.param(observed(requests()[:40]), "no request was sent after the fault", id="none after the fault"),
        pytest.param(replace(observed(), acknowledged=[]), "acknowledged no job", id="no jobs"),
    ],
)
def test_nothing_measured_is_an_error_and_not_a_pass(seen: Observation, words: str) -> None:
    with pytest.raises(ContinuityError, match=words):
        evaluate(PLAN, seen)


def test_what_was_open_at_the_fault_counts_as_its_failure() -> None:
    sent = [
        replace(one, ended=one.due + 2.0, status=None, error="late") if one.number == 45 else one for one in requests()
    ]
    measured = evaluate(PLAN, observed(sent))
    assert measured.kept
    assert (measured.before.failed, measured.during.failed) == (0, 1)
    assert measured.recovery == measured.first_failure == pytest.approx(1.5)
    assert measured.errors == {"late": 1}


def test_the_figures() -> None:
    did = jobs(lambda number, at: at if at < KILLED else max(at, KILLED + 12.0))
    measured = evaluate(PLAN, observed(requests(failing_until(4)), did))
    assert measured.first_failure == pytest.approx(0.01)
    assert measured.noticed == pytest.approx(5.0)
    assert measured.way_back == pytest.approx(WHOLE - RESTORED)
    assert (measured.before.requests, measured.during.requests, measured.after.requests) == (50, 300, 270)
    assert measured.during.p50 == measured.during.p99 == pytest.approx(0.01)
    assert measured.served_by["before"] == {"kept": 50}
    assert measured.served_by["during"] == {"spare": 260}
    assert measured.jobs is not None
    assert (measured.jobs.acknowledged, measured.jobs.done, measured.jobs.lost, measured.jobs.twice) == (35, 35, 0, 0)
    assert measured.jobs.longest_gap == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("scope", "name"), [(FaultScope.HOST, "low"), (FaultScope.ACTIVE, "low"), (FaultScope.LOCATION, "medium")]
)
def test_severity_of_each_scope(scope: FaultScope, name: str) -> None:
    assert evaluate(PLAN, replace(observed(), scope=scope)).severity == name
