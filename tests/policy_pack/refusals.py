"""The policies that refuse a family of resources, for every test of an example."""

from __future__ import annotations

from plan import Plan
from policy_pack import Resource, Violation, judge, judge_stack
from policy_pack.documentation.examples.model import Example, Family, declared_as


def refused(family: Family, plan: Plan) -> list[Violation]:
    """The violations of a stack that consists of a family."""
    resources: list[Resource] = declared_as(family, plan)
    return [violation for resource in resources for violation in judge(resource, plan)] + judge_stack(resources, plan)


def policies(family: Family, plan: Plan) -> set[str]:
    """The ids of the policies that refuse a family."""
    return {violation.policy.id for violation in refused(family, plan)}


def check_example(example: Example, plan: Plan) -> None:
    """Fail unless every policy accepts the example and its policy alone refuses the change."""
    assert [violation.message for violation in refused(example.compliant(plan), plan)] == []
    assert policies(example.broken(plan), plan) == {example.policy}
