"""What is refused: the continuity plan's promises as policies on every resource, before anything is deployed.

The policies are pure functions, and this is their interface:

    from policy_pack import Provider, Resource, judge

    judge(Resource(type="aws:rds/instance:Instance", name="database", props={"multiAz": False}, provider=provider))

Pulumi's engine runs the same ones as a policy pack: `pulumi preview --policy-pack policy_pack`.
"""

from __future__ import annotations

from policy_pack.catalogue import POLICIES, judge
from policy_pack.rules.policy import Finding, Policy, Provider, Resource, Violation
from policy_pack.rules.values import UNKNOWN

__all__ = ["POLICIES", "UNKNOWN", "Finding", "Policy", "Provider", "Resource", "Violation", "judge"]
