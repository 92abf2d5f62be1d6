"""Each policy refuses its example, and nothing else does: four cases each, as plain data.

So each policy is needed. One that is switched off, or that lets pass what it should not, leaves its example refused by
nobody, and a test here fails.
"""

from __future__ import annotations

import pytest

from plan import Plan, load
from policy_pack import ALL, Resource, Violation, judge, judge_stack
from policy_pack.documentation.examples import EXAMPLES, Example, Family, declared_as
from tests.policy_pack.resources import PLAN

PLANS = {"the company's": load(), "another one": PLAN}


def refused(family: Family, plan: Plan) -> list[Violation]:
    """All that is refused about a stack."""
    resources: list[Resource] = declared_as(family, plan)
    return [violation for resource in resources for violation in judge(resource, plan)] + judge_stack(resources, plan)


def policies(family: Family, plan: Plan) -> set[str]:
    return {violation.policy.id for violation in refused(family, plan)}


def test_every_policy_has_one_example_in_the_same_order() -> None:
    assert [example.policy for example in EXAMPLES] == [policy.id for policy in ALL]


@pytest.fixture(params=list(PLANS.values()), ids=list(PLANS))
def plan(request: pytest.FixtureRequest) -> Plan:
    found: Plan = request.param
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_an_example_complies_and_its_change_is_refused_by_its_policy_alone(example: Example, plan: Plan) -> None:
    assert [violation.message for violation in refused(example.compliant(plan), plan)] == []
    assert policies(example.broken(plan), plan) == {example.policy}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_what_is_left_out_is_judged_by_its_default(example: Example, plan: Plan) -> None:
    assert (example.policy in policies(example.without(plan), plan)) is example.left_out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_what_is_not_known_passes_only_where_it_is_asked_again_or_linked(example: Example, plan: Plan) -> None:
    assert (example.policy in policies(example.not_known(plan), plan)) is example.unknown
