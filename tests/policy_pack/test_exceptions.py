"""An exception accepts one violation for a limited time, if a role of the plan has approved it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from plan import load as load_plan
from policy_pack import ALL, Resource
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import declared_as
from policy_pack.exceptions import ExceptionsError, Waiver, load
from policy_pack.renamed import RENAMED
from policy_pack.verdicts import Judge

PLAN = load_plan()
TODAY = date(2026, 12, 1)
MULTI_AZ = next(example for example in EXAMPLES if example.policy == "database-multi-az")
RESOURCES = declared_as(MULTI_AZ.broken(PLAN), PLAN)
DATABASE = next(resource for resource in RESOURCES if resource.type == "aws:rds/instance:Instance")

WAIVER = Waiver(
    policy="database-multi-az",
    stack="prod",
    resource="aws:rds/instance:Instance::database",
    reason="one zone is out of machines",
    approved_by=PLAN.activation.by[0],
    approved=TODAY,
    expires=date(2027, 3, 1),
)


def judge(*waivers: Waiver, today: date = TODAY, stack: str = "prod") -> Judge:
    return Judge(PLAN, stack=stack, waivers=waivers, today=today)


def invalid(of: Judge, resources: list[Resource] | None = None) -> list[str]:
    """What is wrong with the exceptions themselves, by the property that is."""
    verdicts = of.whole(RESOURCES if resources is None else resources)
    return [
        verdict.violation.finding.property.partition(" of ")[0]
        for verdict in verdicts
        if verdict.violation.policy.id == "exceptions-valid" and verdict.refuses
    ]


def test_there_are_none() -> None:
    assert load() == ()


def test_it_lets_pass_what_it_names_and_says_so() -> None:
    [verdict] = judge(WAIVER).resource(DATABASE)
    assert not verdict.refuses
    assert verdict.message.startswith(verdict.violation.message)
    assert verdict.message.endswith(
        " An exception accepts this until 2027-03-01, approved by ciso: one zone is out of machines"
    )
    assert invalid(judge(WAIVER)) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(WAIVER, policy="database-protected"),
        replace(WAIVER, resource="aws:rds/instance:Instance::another"),
        replace(WAIVER, stack="dr"),
    ],
)
def test_it_lets_nothing_else_pass(other: Waiver) -> None:
    [verdict] = judge(other).resource(DATABASE)
    assert verdict.refuses
    assert verdict.message == verdict.violation.message


@pytest.mark.parametrize(
    ("waiver", "today", "wrong"),
    [
        (WAIVER, date(2027, 2, 28), []),
        (WAIVER, date(2027, 3, 1), ["expires"]),
        (WAIVER, date(2028, 1, 1), ["expires"]),
        (replace(WAIVER, expires=date(2027, 3, 2)), TODAY, ["expires"]),
        (replace(WAIVER, approved=date(2026, 12, 2), expires=date(2027, 1, 1)), TODAY, ["approved"]),
        (replace(WAIVER, approved_by="nobody"), TODAY, ["approved_by"]),
        (replace(WAIVER, reason=" "), TODAY, ["reason"]),
    ],
)
def test_one_that_is_not_valid_refuses_twice(waiver: Waiver, today: date, wrong: list[str]) -> None:
    of = judge(waiver, today=today)
    [verdict] = of.resource(DATABASE)
    assert verdict.refuses is bool(wrong)
    assert invalid(of) == invalid(of, []) == wrong


def test_one_for_a_policy_that_does_not_exist_is_noticed() -> None:
    assert invalid(judge(replace(WAIVER, policy="database-multi-zone"))) == ["policy"]


LABELLED = next(example for example in EXAMPLES if example.policy == "host-labelled")
HOSTS = declared_as(LABELLED.broken(PLAN), PLAN)
HOST = next(resource for resource in HOSTS if resource.name == LABELLED.at)
OLD = replace(WAIVER, policy="host-in-pool", resource=f"{HOST.type}::{HOST.name}")
HINT = "The policy host-in-pool is now called host-labelled: write `policy: host-labelled` in exceptions.yaml."


def test_an_old_id_accepts_the_violation_of_the_renamed_policy_and_hints_at_the_new_id() -> None:
    [verdict] = judge(OLD).resource(HOST)
    assert not verdict.refuses
    assert verdict.message.endswith(f"approved by ciso: one zone is out of machines. {HINT}")
    assert invalid(judge(OLD), HOSTS) == []


def test_the_new_id_gets_no_hint() -> None:
    [verdict] = judge(replace(OLD, policy="host-labelled")).resource(HOST)
    assert not verdict.refuses
    assert "now called" not in verdict.message


def test_an_expired_exception_with_an_old_id_gets_the_hint_too() -> None:
    expired = judge(OLD, today=OLD.expires)
    assert [verdict.refuses for verdict in expired.resource(HOST)] == [True]
    messages = [verdict.message for verdict in expired.whole([]) if verdict.violation.policy.id == "exceptions-valid"]
    assert len(messages) == 1
    assert HINT in messages[0]


def test_each_old_id_leads_to_a_policy_and_none_is_in_use_again() -> None:
    ids = {policy.id for policy in ALL}
    assert set(RENAMED.values()) <= ids
    assert ids.isdisjoint(RENAMED)


def written(folder: Path, text: str) -> Path:
    file = folder / "exceptions.yaml"
    file.write_text(text)
    return file


def test_it_is_read_from_a_file(tmp_path: Path) -> None:
    fields = "\n".join(f"    {name}: {value}" for name, value in vars(WAIVER).items() if name != "policy")
    assert load(written(tmp_path, f"exceptions:\n  - policy: {WAIVER.policy}\n{fields}\n")) == (WAIVER,)


@pytest.mark.parametrize(
    "text",
    ["", "exceptions: 3", "[]", "exceptions: [{}]", "exceptions:\n  - policy: x\n    until: 2027-01-01", "{"],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExceptionsError, match="exceptions"):
        load(written(tmp_path, text))


def test_a_missing_file_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ExceptionsError, match="needs a list of exceptions"):
        load(tmp_path / "exceptions.yaml")
