"""The policies that are in force, and the judge that applies them."""

from __future__ import annotations

from functools import cache
from typing import Final

from plan import Plan, load
from policy_pack.rules import (
    aws_arguments,
    aws_region,
    database,
    database_replica,
    hetzner_location,
    provider,
)
from policy_pack.rules.policy import Policy, Resource, Violation

POLICIES: Final[tuple[Policy, ...]] = (
    aws_region.REGION_IN_EU,
    aws_arguments.REGION_IN_ARGUMENTS,
    hetzner_location.LOCATION_IN_EU,
    provider.PROVIDER_JUDGED,
    database.RETENTION,
    database.BACKUPS_KEPT,
    database.ENCRYPTED,
    database.PROTECTED,
    database.MULTI_AZ,
    database_replica.REPLICA_RETENTION,
)
"""Every policy on a single resource, in the order of their messages. All of them are mandatory."""


def judge(resource: Resource, plan: Plan | None = None) -> list[Violation]:
    """Everything that the policies refuse about a resource; an empty list if it may be deployed.

    Args:
        resource: What the program asks for.
        plan: What has been promised; by default the company's own plan.
    """
    promised = _company_plan() if plan is None else plan
    return [violation for policy in POLICIES for violation in policy.judge(resource, promised)]


@cache
def _company_plan() -> Plan:
    return load()
