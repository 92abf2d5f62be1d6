"""`continuity drill failover`: its confirmation and its exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from continuity.cli import app
from continuity.commands import failover
from continuity.drills.failover import drill as failover_drill
from continuity.drills.failover import planning
from continuity.drills.failover.evaluation import FaultScope, HealthCheck, Measurement, Phase
from continuity.drills.failover.faults import HetznerApi
from continuity.drills.failover.planning import DrillPlan, Options, Role
from continuity.engine.stacks import Stack
from continuity.errors import ContinuityError

PHASE = Phase(requests=10, failed=0, p50=0.004, p99=0.009)
MEASURED = Measurement(
    stack="prod",
    lose="host",
    what="api-1",
    severity="low",
    rate=200.0,
    recovery=5.5,
    recovery_allowed=8.0,
    first_failure=0.1,
    noticed=5.0,
    before=PHASE,
    during=replace(PHASE, failed=3),
    after=PHASE,
    way_back=20.0,
    served_by={"before": {"api-1": 10}, "during": {"api-2": 7}, "after": {}},
    errors={"status 503": 3},
    jobs=None,
    problems=[],
)
REAL, LOCAL = "https://api.hetzner.cloud/v1", "http://127.0.0.1:1/v1"


class Nothing:
    """A fault that is never injected."""

    def manual_commands(self) -> list[str]:
        return ["hcloud server poweron api-1"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The drills that were run."""
    found: list[Options] = []

    def run(_: Any, drill_plan: DrillPlan, **__: Any) -> Measurement:
        found.append(drill_plan.options)
        return MEASURED

    monkeypatch.setattr(failover_drill, "run_drill", run)
    aim(monkeypatch, LOCAL)
    return found


def aim(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    def plan_drill(stack: Stack, options: Options) -> DrillPlan:
        check, fault = HealthCheck("/healthz", 3, 2, 2), Nothing()
        api = HetznerApi(endpoint, "t")
        return DrillPlan(stack, options, api, {}, "api.example.test", check, (), (), (), (), (), (), fault)  # type: ignore[arg-type]

    monkeypatch.setattr(planning, "plan_drill", plan_drill)


def drill(*arguments: str, typed: str = "") -> Any:
    return CliRunner().invoke(app, ["drill", "failover", "--lose", "host", *arguments], input=typed)


def test_the_options_reach_the_drill(ran: list[Options]) -> None:
    done = drill("--yes", "--rate", "50", "--jobs", "7", "--seconds", "20", "--https-port", "8443", "--role", "api")
    assert done.exit_code == 0, done.output
    assert ran == [Options(FaultScope.HOST, None, Role.API, 50.0, 7, 20.0, 8443, "/")]
    assert "recovery" in done.output
    assert "the promise was kept" in done.output


@pytest.mark.parametrize(
    ("endpoint", "arguments", "typed", "goes"),
    [
        pytest.param(LOCAL, ["--yes"], "", True, id="local, agreed beforehand"),
        pytest.param(LOCAL, [], "y\n", True, id="local, agreed"),
        pytest.param(LOCAL, [], "n\n", False, id="local, not agreed"),
        pytest.param(REAL, ["--yes"], "", False, id="real, and the name is not typed"),
        pytest.param(REAL, ["--yes"], "y\n", False, id="real, and something else was typed"),
        pytest.param(REAL, [], "prod\n", True, id="real, with the name typed"),
        pytest.param(REAL, ["--confirm", "prod"], "", True, id="real, with the name given"),
        pytest.param(REAL, ["--confirm", "dr"], "prod\n", False, id="real, with another name given"),
    ],
)
def test_who_has_to_agree(
    ran: list[Options],
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    arguments: list[str],
    typed: str,
    goes: bool,
) -> None:
    aim(monkeypatch, endpoint)
    done = drill(*arguments, typed=typed)
    assert bool(ran) is goes
    assert (done.exit_code == 0) is goes
    assert ("Customers of prod" in done.output) is (endpoint == REAL)
    if isinstance(done.exception, ContinuityError):
        assert "nothing was changed" in str(done.exception)


def test_a_promise_that_is_not_kept_is_exit_code_1(ran: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        failover_drill, "run_drill", lambda *_, **__: replace(MEASURED, recovery=None, problems=["2 jobs ran twice"])
    )
    done = drill("--yes")
    assert done.exit_code == 1
    assert "2 jobs ran twice" in done.output
    assert "NOT kept" in done.output
    done = drill("--yes", "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert (said["kept"], said["recovery"], said["during"]["failed"]) == (False, None, 3)


def test_everything_measured_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    failover._show(MEASURED)
    shown = capsys.readouterr().out
    for words in (
        "5.5 s; allowed 8 s",
        "10, 3 of them failed; half within 4 ms, 99 % within 9 ms",
        "status 503",
        "api-2 7",
    ):
        assert words in shown
