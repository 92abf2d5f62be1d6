"""The policies that are in force, and the judge that applies them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from policy_pack.rules import hosts, pulumi_protection, templates
from policy_pack.rules.access import database_access, exposure, federation, iam_access, repository
from policy_pack.rules.backups import aws_keys, backup_vault, bucket, data_stores, database, database_replica, secrets
from policy_pack.rules.inside import inside, whole
from policy_pack.rules.policy import AnyPolicy, Policy, Resource, StackPolicy, Violation
from policy_pack.rules.residency import aws_arguments, aws_region, hetzner_location, inference, provider
from policy_pack.rules.stack import branches, buckets, databases, pools, vaults

if TYPE_CHECKING:
    from plan import Plan

POLICIES: Final[tuple[Policy, ...]] = (
    # Residency.
    aws_region.REGION_IN_EU,
    aws_arguments.REGION_IN_ARGUMENTS,
    hetzner_location.LOCATION_IN_EU,
    provider.PROVIDER_ALLOWED,
    templates.DECLARED,
    inference.IN_EU,
    # Recovery.
    data_stores.REVIEWED,
    pulumi_protection.KEPT,
    database.RETENTION,
    database.BACKUPS_KEPT,
    database.ENCRYPTED,
    database.PROTECTED,
    database_replica.REPLICA_RETENTION,
    data_stores.TABLE_RECOVERABLE,
    bucket.FORCE_DESTROY_OFF,
    bucket.VERSIONED,
    bucket.LOCKED,
    bucket.VERSIONS_KEPT,
    bucket.ENCRYPTED,
    bucket.REPLICATES,
    backup_vault.VAULT_LOCKED,
    backup_vault.PLAN_DAILY,
    aws_keys.ROTATED,
    aws_keys.KEPT,
    secrets.RECOVERABLE,
    secrets.REPLICATED,
    # Redundancy.
    database.MULTI_AZ,
    hosts.PROTECTED,
    hosts.IN_POOL,
    hosts.SPREAD,
    hosts.HEALTH_CHECKED,
    hosts.FORGOTTEN_SOON,
    # Access.
    hosts.FIREWALLED,
    hosts.PRIVATE_TARGETS,
    hosts.OVER_TLS,
    database_access.TLS,
    database_access.PRIVATE_NETWORK,
    database_access.PASSWORD,
    database_access.MAINTAINED,
    exposure.INGRESS,
    exposure.PRIVATE_BUCKET,
    exposure.BUCKET_OVER_TLS,
    exposure.NO_PUBLIC_PRINCIPAL,
    iam_access.MFA,
    iam_access.NO_WILDCARD,
    federation.SUBJECT,
    repository.PRIVATE,
)
"""Every policy on a single resource, in the order of their messages."""

STACK_POLICIES: Final[tuple[StackPolicy, ...]] = (
    databases.DATABASE_REPLICATED,
    databases.SECOND_COPY,
    databases.DATABASE_PARAMETERS,
    databases.HOSTS_ALONE,
    buckets.BUCKET_COMPLETE,
    buckets.BUCKET_REPLICATED,
    vaults.VAULT_LOCKED,
    pools.POOL_REDUNDANT,
    pools.ENTRANCE_COMPLETE,
    branches.REPOSITORY_PROTECTED,
    branches.PROTECTED,
)
"""Every policy on a stack as a whole."""

ALL: Final[tuple[AnyPolicy, ...]] = (*POLICIES, *STACK_POLICIES)


@cache
def concerning(type_: str) -> tuple[Policy, ...]:
    """The policies that judge resources of a type."""
    return tuple(policy for policy in POLICIES if policy.concerns(type_))


def applied(resource: Resource) -> Iterator[tuple[Policy, Resource]]:
    """The policies on a resource, and those on what it declares inside itself, each with what it judges."""
    for policy in concerning(resource.type):
        yield policy, resource
    for part in inside(resource):
        for policy in concerning(part.type):
            # A policy that judges the resource has read its properties already.
            if not policy.concerns(resource.type):
                yield policy, part


def judge(resource: Resource, plan: Plan | None = None) -> list[Violation]:
    """Everything that the policies refuse about a resource; an empty list if it may be deployed.

    Args:
        resource: What the program asks for.
        plan: What has been promised; by default the company's own plan.
    """
    promised = _company_plan() if plan is None else plan
    return [violation for policy, part in applied(resource) for violation in policy.judge(part, promised)]


def judge_stack(resources: Iterable[Resource], plan: Plan | None = None) -> list[Violation]:
    """Everything that the policies miss in a stack as a whole; an empty list if it is complete."""
    promised, stack = _company_plan() if plan is None else plan, whole(resources)
    return [violation for policy in STACK_POLICIES for violation in policy.judge(stack, promised)]


@cache
def _company_plan() -> Plan:
    from plan import load

    return load()
