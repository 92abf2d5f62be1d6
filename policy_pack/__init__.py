"""The policies: the continuity plan's promises as policies on every resource, before anything is deployed.

The policies are pure functions, and this is their interface:

    from policy_pack import Provider, Resource, judge

    judge(Resource(type="aws:rds/instance:Instance", name="database", props={"multiAz": False}, provider=provider))

Pulumi's engine runs them as a policy pack (`pulumi preview --policy-pack policy_pack`), and the program applies them to
itself (`policy_pack.engine.program`), so that leaving the pack out changes nothing.
"""

from __future__ import annotations

from policy_pack.catalogue import ALL, POLICIES, STACK_POLICIES, judge, judge_stack
from policy_pack.rules.policy import Finding, Policy, Provider, Resource, Stack, StackPolicy, Violation
from policy_pack.rules.values import UNKNOWN

__all__ = [
    "ALL",
    "POLICIES",
    "STACK_POLICIES",
    "UNKNOWN",
    "Finding",
    "Policy",
    "Provider",
    "Resource",
    "Stack",
    "StackPolicy",
    "Violation",
    "judge",
    "judge_stack",
]
