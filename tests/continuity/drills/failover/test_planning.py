"""Plans of failover drills: the hosts that are switched off, and the drills that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from continuity.drills.failover.evaluation import FaultScope
from continuity.drills.failover.faults import HetznerApi
from continuity.drills.failover.planning import DrillPlan, Options, Role
from continuity.errors import ContinuityError
from tests.continuity.drills.failover.pool import PLAN, SHORT, TOKEN, Cloud, planned_drill


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        (SHORT, ["api-1"]),
        (Options(FaultScope.HOST), ["api-1", "worker-1"]),
        (Options(FaultScope.HOST, role=Role.WORKER), ["worker-1"]),
        (Options(FaultScope.ACTIVE, role=Role.API), ["api-1", "api-2"]),
        (Options(FaultScope.LOCATION, location="nbg1"), ["api-2", "api-standby-2", "worker-standby-1", "lb-nbg1"]),
        (Options(FaultScope.LOCATION, location="fsn1", role=Role.WORKER), ["worker-1"]),
    ],
)
def test_what_is_lost(cloud: Cloud, options: Options, lost: list[str]) -> None:
    planned = planned_drill(cloud, options)
    names = [host.name for host in (*planned.lost_api, *planned.lost_workers)]
    assert [*names, *planned.lost_balancers] == lost
    said = "\n".join(planned.sentences(PLAN))
    assert all(name in said for name in lost)
    assert "REAL" not in said


@pytest.mark.parametrize(
    ("options", "outputs", "words"),
    [
        (SHORT, {"health_check": None, "load_balancers": []}, "has no output load_balancers, health_check"),
        (SHORT, {"health_check": {"path": "/"}}, "health_check of stack prod is not complete"),
        (SHORT, {"api_hosts": [{"name": "api-1"}]}, "is not a host"),
        (Options(FaultScope.HOST, location="fsn1"), {}, "--location needs --lose location"),
        (Options(FaultScope.LOCATION), {}, "--location is missing; there are hosts in fsn1, nbg1"),
        (Options(FaultScope.LOCATION, location="hel1"), {}, "--location is hel1"),
        (Options(FaultScope.HOST, seconds=4.1 - 1), {}, "at least 3.2 are needed"),
        (
            Options(FaultScope.ACTIVE, role=Role.API),
            {"api_hosts": [{"name": "api-1", "location": "fsn1", "state": "active"}]},
            "every API host would be lost",
        ),
    ],
)
def test_a_drill_that_cannot_be_is_refused(cloud: Cloud, options: Options, outputs: dict[str, Any], words: str) -> None:
    with pytest.raises(ContinuityError, match=words):
        planned_drill(cloud, options, **outputs)
    assert all(cloud.powered().values())


def test_a_real_cloud_is_told_what_happens_to_customers(cloud: Cloud) -> None:
    real = HetznerApi("https://api.hetzner.cloud/v1", TOKEN)
    said = DrillPlan(**{**vars(planned_drill(cloud)), "api": real}).sentences(PLAN)
    assert "REAL" in said[-1]
    assert "Customers of prod" in said[-1]


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        pytest.param(SHORT, {"api-standby-1"}, id="one active is lost: the first"),
        pytest.param(
            Options(FaultScope.ACTIVE, role=Role.API),
            {"api-standby-1", "api-standby-2"},
            id="two actives are lost: both",
        ),
        pytest.param(Options(FaultScope.LOCATION, location="nbg1"), {"api-standby-1"}, id="the first is left"),
        pytest.param(
            Options(FaultScope.LOCATION, location="fsn1"), set(), id="the first is lost too: the active that is left"
        ),
        pytest.param(Options(FaultScope.HOST, role=Role.WORKER), set(), id="no API host is lost"),
    ],
)
def test_which_standby_hosts_have_to_step_in(cloud: Cloud, options: Options, needed: set[str]) -> None:
    assert planned_drill(cloud, options).expected_standby == needed
