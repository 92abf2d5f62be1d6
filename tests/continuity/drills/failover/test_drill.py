"""Failover drills against a local Hetzner: a pool that fails over, one that does not, and an interruption."""

from __future__ import annotations

import os
import signal

import pytest

from continuity.drills.failover import drill
from continuity.drills.failover.evaluation import FaultScope, Measurement
from continuity.drills.failover.planning import Options, Role
from continuity.errors import ContinuityError
from tests.continuity.drills.failover.pool import ACTIVE, PLAN, SHORT, Cloud, planned_drill


def drilled(cloud: Cloud, options: Options) -> tuple[Measurement, list[str]]:
    said: list[str] = []
    planned = planned_drill(cloud, options)
    return drill.run_drill(PLAN, planned, said.append), said


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(SHORT, id="a host"),
        pytest.param(Options(FaultScope.ACTIVE, role=Role.API, rate=50, jobs=0, seconds=4), id="all active hosts"),
        pytest.param(
            Options(FaultScope.LOCATION, location="nbg1", role=Role.API, rate=50, jobs=0, seconds=4), id="a location"
        ),
    ],
)
def test_a_pool_that_fails_over_keeps_the_promise(cloud: Cloud, options: Options) -> None:
    measured, _ = drilled(cloud, options)
    assert measured.problems == []
    # Requests for hosts without power fail until the check has decided: here, 0.4 s.
    assert 0 < measured.during.failed < 50
    assert measured.recovery is not None
    assert 0.1 < measured.recovery < 1.5
    assert measured.noticed is not None
    assert measured.way_back is not None
    assert set(measured.served_by["before"]) == set(ACTIVE)
    assert any(name.startswith("api-standby") for name in measured.served_by["during"])
    assert all(cloud.powered().values())
    assert all(cloud.open().values())


def test_a_pool_that_does_not_fail_over_breaks_it(cloud: Cloud) -> None:
    planned = planned_drill(cloud)
    cloud.broken = True
    measured = drill.run_drill(PLAN, planned, lambda _: None)
    assert measured.recovery is None
    assert not measured.kept
    assert any("did not recover" in problem for problem in measured.problems)
    assert any("take over" in problem for problem in measured.problems)
    assert all(cloud.powered().values())


def test_ctrl_c_switches_everything_on_again_and_says_so(cloud: Cloud) -> None:
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if sentence.startswith("all of it was off"):
            assert not cloud.powered()["api-1"]
            os.kill(os.getpid(), signal.SIGINT)

    planned = planned_drill(cloud)
    # A shell lets its background jobs ignore the signal, and these tests may be such a job.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            drill.run_drill(PLAN, planned, say)
    finally:
        signal.signal(signal.SIGINT, before)
    assert said[-1] == "everything is switched on again"
    assert all(cloud.powered().values())


def test_a_service_that_fails_already_is_left_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    planned = planned_drill(cloud)
    with pytest.raises(ContinuityError, match=r"before anything was switched off .*ertificate"):
        drill.run_drill(PLAN, planned, lambda _: None)
    assert not planned.fault.active
    assert all(cloud.powered().values())
