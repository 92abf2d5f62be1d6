"""Evaluation of the recovery drill. It must be able to fail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

import plan
from continuity.drills.heartbeat import Row
from continuity.drills.recovery import Measurement, evaluate, prepare_fault
from continuity.errors import ContinuityError

PLAN = plan.load()
BEGUN = datetime(2026, 3, 1, tzinfo=UTC)
ALLOWED = PLAN.severities.high


def row(number: int, every: float = 1.0) -> Row:
    return Row(number, BEGUN + timedelta(seconds=number * every))


def evaluated(acknowledged: list[Row], recovered: list[Row], hours: float = 0.1) -> Measurement:
    return evaluate(PLAN, acknowledged, recovered, hours * 3600, {})


WRITTEN = [row(number) for number in range(11, 21)]


@pytest.mark.parametrize(
    ("recovered", "lost", "loss"),
    [
        pytest.param(WRITTEN, 0, 0.0, id="everything"),
        pytest.param(WRITTEN[:7], 3, 3.0, id="all but the last"),
        pytest.param([row(1), row(2), *WRITTEN[:7]], 3, 3.0, id="next to rows of an earlier drill"),
        pytest.param([*WRITTEN, row(21)], 0, 0.0, id="a commit that was done and never acknowledged"),
    ],
)
def test_what_keeps_the_promise(recovered: list[Row], lost: int, loss: float) -> None:
    measured = evaluated(WRITTEN, recovered)
    assert measured.kept
    assert (measured.rows_lost, measured.data_loss, measured.rows_wrong) == (lost, loss, 0)


@pytest.mark.parametrize(
    ("recovered", "wrong"),
    [
        pytest.param(WRITTEN[:3] + WRITTEN[4:], 6, id="a row is missing in between"),
        pytest.param([*WRITTEN[:-1], Row(20, BEGUN)], 1, id="a row has another time"),
        pytest.param([*WRITTEN, row(21), row(22)], 1, id="a row that was never written"),
    ],
)
def test_wrong_rows_break_it(recovered: list[Row], wrong: int) -> None:
    measured = evaluated(WRITTEN, recovered)
    assert measured.rows_wrong == wrong
    assert not measured.kept


@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(lambda: evaluated(WRITTEN, []), id="nothing came back"),
        pytest.param(lambda: evaluated(WRITTEN, WRITTEN, hours=ALLOWED.rto_hours + 0.01), id="too late"),
        pytest.param(
            lambda: evaluated(
                [row(number, ALLOWED.rpo_minutes * 30) for number in range(1, 6)],
                [row(number, ALLOWED.rpo_minutes * 30) for number in range(1, 3)],
            ),
            id="too much is lost",
        ),
    ],
)
def test_what_exceeds_the_plan_breaks_it(measure: Callable[[], Measurement]) -> None:
    assert not measure().kept


@pytest.mark.parametrize(
    ("fault", "words"),
    [("", "is empty"), ("'", "not a command"), ("no-such-program {home_region}", "no such program is on PATH")],
)
def test_a_fault_that_cannot_be_made_is_refused_before_anything_is_touched(fault: str, words: str) -> None:
    with pytest.raises(ContinuityError, match=words):
        prepare_fault(PLAN, fault)
