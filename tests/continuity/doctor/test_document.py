"""The first day's document, the doctor's checks and the declared resources agree. The checks run in tests/scenarios."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from continuity.doctor.check import Result, Status, exit_code
from continuity.doctor.checks import CHECKS
from continuity.doctor.limits import load_limits
from continuity.engine.stacks import Stack
from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs/real-clouds.md").read_text()


def declared(stack: Stack) -> Counter[str]:
    """The number of declared resources of each type."""
    file = ROOT / f"tests/snapshots/urns-{stack}.txt"
    urns = file.read_text().splitlines() if file.exists() else []
    return Counter(urn.partition(" ")[0].split("::")[2].rpartition("$")[2] for urn in urns)


def test_limits_count_what_the_stacks_declare() -> None:
    counted = {stack: declared(stack) for stack in Stack}
    for limit in load_limits():
        wanted = {stack: counted[stack][limit.type] for stack in Stack if counted[stack][limit.type]}
        assert (limit.what, limit.needed) == (limit.what, wanted)


def test_document_has_the_numbers_of_the_limits() -> None:
    columns = (Stack.VAULT, Stack.PROD, Stack.DR)
    rows = [
        " | ".join(
            [f"| {each.what}", each.cloud, *(str(each.needed.get(stack, 0)) for stack in columns), f"{each.usual} |"]
        )
        for each in load_limits()
    ]
    table = DOCUMENT.partition("|---|---|---|---|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == rows


def test_each_check_has_a_step_and_each_step_a_check() -> None:
    steps = re.findall(r"^### (\S+)$", DOCUMENT.partition("## The steps")[2], re.MULTILINE)
    assert steps == [check.id for check in CHECKS]
    assert all(check.title.endswith(".") for check in CHECKS)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([Status.RIGHT, Status.NOT_SHOWN], 0),
        ([Status.RIGHT, Status.MISSING], 3),
        ([Status.MISSING, Status.UNKNOWN], 1),
    ],
)
def test_exit_code_says_whether_all_was_seen(statuses: list[Status], code: int) -> None:
    assert exit_code([Result("id", "title", status, "found") for status in statuses]) == code
