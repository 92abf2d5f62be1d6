"""Policies on the stack's databases and tables: their copies, their parameters, and who reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.database import is_replica
from policy_pack.rules.backups.selections import selects
from policy_pack.rules.checks import at, listed
from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy, leads
from policy_pack.rules.promises import recovery, security
from policy_pack.rules.resource_types import (
    BACKUP_PLAN,
    BACKUP_SELECTION,
    DYNAMODB_REPLICA,
    DYNAMODB_TABLE,
    INGRESS_ADDRESSES,
    INGRESS_GROUPS,
    INGRESS_RULE,
    PRIMARY_IP,
    RDS_BACKUP_REPLICATION,
    RDS_INSTANCE,
    RDS_PARAMETER_GROUP,
    SECURITY_GROUP_RULE,
    SECURITY_GROUPS,
    SERVER,
)
from policy_pack.rules.stack.common import StackFindings, is_the_copy, region_of
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan


def _stores(stack: Stack) -> list[Resource]:
    """The stores whose data is the only copy. A read replica can be created again from its source."""
    return [store for store in stack.of([RDS_INSTANCE, DYNAMODB_TABLE]) if not is_replica(store)]


def _replicated(stack: Stack, plan: Plan) -> StackFindings:
    for store in _stores(stack):
        if is_the_copy(store, plan):
            continue
        own = region_of(store)
        regions = list(_regions_of_copies(stack, store))
        if not any(region in plan.residency.aws.allowed_regions and region != own for region in regions):
            of_table = store.type == DYNAMODB_TABLE
            what = "`replicas`" if of_table else "an `aws.rds.InstanceAutomatedBackupsReplication` of it"
            remedy = f"Add {what} in the plan's recovery region: without it, a lost region takes the data."
            found = f"in {', '.join(map(str, regions))}" if regions else None
            name = "a replica" if of_table else "a replication of its backups"
            yield store, Finding(name, found, "one in another allowed region", remedy)


def _regions_of_copies(stack: Stack, store: Resource) -> Iterator[object]:
    if store.type == RDS_INSTANCE:
        copies = stack.leading_to(store, [RDS_BACKUP_REPLICATION], "sourceDbInstanceArn")
    else:
        yield from (at(replica, "regionName") for replica in listed(store.props.get("replicas")))
        copies = stack.leading_to(store, [DYNAMODB_REPLICA], "globalTableArn")
    yield from (region_of(copy) for copy in copies)


def _second_copy(stack: Stack, _plan: Plan) -> StackFindings:
    for store in _stores(stack):
        backup_plans = [
            backup_plan
            for selection in stack.of([BACKUP_SELECTION])
            if selects(selection, store)
            for backup_plan in stack.of([BACKUP_PLAN])
            if leads(selection, "planId", backup_plan)
        ]
        if not backup_plans:
            remedy = "Select it for a plan of AWS Backup: a fault of RDS or DynamoDB can destroy its own copies."
            allowed = "a backup selection that selects it, by its ARN or a tag, and belongs to a backup plan"
            yield store, Finding("a second copy by AWS Backup", None, allowed, remedy)


def _parameter_group(stack: Stack, _plan: Plan) -> StackFindings:
    groups = stack.of([RDS_PARAMETER_GROUP])
    for database in stack.of([RDS_INSTANCE]):
        if not any(leads(database, "parameterGroupName", group) for group in groups):
            found = database.declared.get("parameterGroupName")
            remedy = (
                "Use a parameter group of this stack: no policy can check whether a group outside the stack forces TLS."
            )
            yield database, Finding("parameterGroupName", found, "a parameter group of this stack", remedy)


def _hosts_alone(stack: Stack, _plan: Plan) -> StackFindings:
    """Only hosts of the stack are admitted to the security group of a database."""
    groups = [
        group
        for group in stack.of(SECURITY_GROUPS)
        if any(leads(database, "vpcSecurityGroupIds", group) for database in stack.of([RDS_INSTANCE]))
    ]
    hosts = stack.of([PRIMARY_IP, SERVER])
    known = {
        f"{address}/32"
        for host in hosts
        for name in ("ipAddress", "ipv4Address")
        if isinstance(address := host.props.get(name), str)
    }
    for rule in stack.of([INGRESS_RULE, SECURITY_GROUP_RULE]):
        if rule.props.get("type") == "egress" or not any(leads(rule, "securityGroupId", group) for group in groups):
            continue
        for name in INGRESS_ADDRESSES:
            value = rule.declared.get(name)
            if not present(value) or value == []:
                continue
            linked = any(host.urn in rule.links.get(name, ()) for host in hosts)
            addresses = value if isinstance(value, list) else [value]
            # An address that is not known yet is a host's if it is computed from a host.
            if not all(linked if one is UNKNOWN else isinstance(one, str) and one in known for one in addresses):
                remedy = (
                    "Take the address from a host of this stack, so that the rule is removed together with the host."
                )
                yield rule, Finding(name, value, "the address of a host of this stack", remedy)
        for name in INGRESS_GROUPS:
            value = rule.declared.get(name)
            if (
                present(value)
                and value != []
                and not any(leads(rule, name, group) for group in stack.of(SECURITY_GROUPS))
            ):
                remedy = "Admit a group of this stack: no policy can check who is in a group outside the stack."
                yield rule, Finding(name, value, "a security group of this stack", remedy)


DATABASE_REPLICATED: Final = StackPolicy(
    id="database-replicated",
    title="Each database replicates its backups, and each table its items, to another region that the plan allows.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add a replication of it, in the plan's recovery region.",
    rule=_replicated,
)

SECOND_COPY: Final = StackPolicy(
    id="database-second-copy",
    title="Each database and each table has a second copy, made by AWS Backup.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Select it for a plan of AWS Backup.",
    rule=_second_copy,
)

DATABASE_PARAMETERS: Final = StackPolicy(
    id="database-parameter-group-in-stack",
    title="Each database has a parameter group of its stack, in which TLS is forced.",
    severity="high",
    control="A.5.29",
    promise=security,
    remedy="Give it a parameter group that is in the same stack.",
    rule=_parameter_group,
)

HOSTS_ALONE: Final = StackPolicy(
    id="database-ingress-hosts-only",
    title="The security group of a database admits the hosts of its stack only.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Take the addresses from the hosts of the stack.",
    rule=_hosts_alone,
)
