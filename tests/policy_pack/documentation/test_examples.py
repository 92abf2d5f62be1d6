"""Each policy, and no other one, refuses its example: four cases each, as plain data.

So each policy is needed. If a policy is switched off, or accepts too much, no policy refuses its example, and a test
here fails.
"""

from __future__ import annotations

import pytest

from plan import Plan, load
from policy_pack import ALL
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import Example
from tests.policy_pack.refusals import check_example, policies
from tests.policy_pack.resources import PLAN

PLANS = {"the company's": load(), "another one": PLAN}


def test_every_policy_has_one_example_in_the_same_order() -> None:
    assert [example.policy for example in EXAMPLES] == [policy.id for policy in ALL]


@pytest.fixture(params=list(PLANS.values()), ids=list(PLANS))
def plan(request: pytest.FixtureRequest) -> Plan:
    found: Plan = request.param
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_an_example_complies_and_its_change_is_refused_by_its_policy_alone(example: Example, plan: Plan) -> None:
    check_example(example, plan)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_what_is_left_out_is_judged_by_its_default(example: Example, plan: Plan) -> None:
    assert (example.policy in policies(example.without(plan), plan)) is example.left_out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_what_is_not_known_passes_only_where_it_is_asked_again_or_linked(example: Example, plan: Plan) -> None:
    assert (example.policy in policies(example.not_known(plan), plan)) is example.unknown
