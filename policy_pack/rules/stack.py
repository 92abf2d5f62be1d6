"""Policies on the stack as a whole: each database has copies, each bucket its settings, each pool a standby.

The engine's dependencies between properties show which resources belong together. They are known before any value is.
In the recovery region no copy in another region is demanded: that region holds the copies, and the other region may be
lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.access.repository import DEFAULT_BRANCH
from policy_pack.rules.checks import at, listed
from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy, leads
from policy_pack.rules.promises import code, compute, recovery, security
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import (
    BACKUP_PLAN,
    BACKUP_SELECTION,
    BACKUP_VAULT,
    BACKUP_VAULT_LOCK,
    BUCKET,
    BUCKET_ACCESS_BLOCK,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_POLICY,
    BUCKET_REPLICATION,
    BUCKET_VERSIONING,
    DYNAMODB_TABLE,
    INGRESS_RULE,
    LOAD_BALANCER,
    LOAD_BALANCER_SERVICE,
    LOAD_BALANCER_TARGET,
    PRIMARY_IP,
    RDS_BACKUP_REPLICATION,
    RDS_INSTANCE,
    RDS_PARAMETER_GROUP,
    REPOSITORY,
    REPOSITORY_RULESET,
    SECURITY_GROUP_RULE,
    SECURITY_GROUPS,
    SERVER,
)
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan

StackFindings = Iterator[tuple[Resource, Finding]]


def _region(resource: Resource) -> object:
    """A resource's region in the engine's data about a whole stack.

    That data contains outputs. In a preview, a region that was left out is an output that is not known yet; then the
    provider's region counts. A region that was given and is not known has been refused before.
    """
    own = effective_region(resource)[1]
    return resource.provider.props.get("region") if own is UNKNOWN and resource.provider is not None else own


def _is_the_copy(resource: Resource, plan: Plan) -> bool:
    return _region(resource) == plan.residency.aws.recovery_region


def _replicated(stack: Stack, plan: Plan) -> StackFindings:
    for database in stack.of([RDS_INSTANCE]):
        if _is_the_copy(database, plan):
            continue
        own = _region(database)
        copies = stack.leading_to(database, [RDS_BACKUP_REPLICATION], "sourceDbInstanceArn")
        regions = [_region(copy) for copy in copies]
        if not any(region in plan.residency.aws.allowed_regions and region != own for region in regions):
            remedy = "Add an `aws.rds.InstanceAutomatedBackupsReplication` of it, in the plan's recovery region."
            found = f"in {', '.join(map(str, regions))}" if regions else None
            yield (
                database,
                Finding("a replication of its backups", found, "a replication to another allowed region", remedy),
            )


def _second_copy(stack: Stack, _plan: Plan) -> StackFindings:
    for store in stack.of([RDS_INSTANCE, DYNAMODB_TABLE]):
        selections = stack.leading_to(store, [BACKUP_SELECTION], "resources")
        backup_plans = [
            backup_plan
            for selection in selections
            for backup_plan in stack.of([BACKUP_PLAN])
            if leads(selection, "planId", backup_plan)
        ]
        if not backup_plans:
            remedy = "Select it for a plan of AWS Backup: a fault of RDS or DynamoDB can destroy its own copies."
            yield (
                store,
                Finding(
                    "a second copy by AWS Backup",
                    None,
                    "a backup selection that names it and belongs to a backup plan",
                    remedy,
                ),
            )


def _parameter_group(stack: Stack, _plan: Plan) -> StackFindings:
    groups = stack.of([RDS_PARAMETER_GROUP])
    for database in stack.of([RDS_INSTANCE]):
        if not any(leads(database, "parameterGroupName", group) for group in groups):
            found = database.props.get("parameterGroupName")
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
        for name in ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"):
            value = rule.props.get(name)
            if not present(value) or value == [] or any(host.urn in rule.links.get(name, ()) for host in hosts):
                continue
            if not all(
                isinstance(one, str) and one in known for one in ([value] if not isinstance(value, list) else value)
            ):
                remedy = (
                    "Take the address from a host of this stack, so that the rule is removed together with the host."
                )
                yield rule, Finding(name, value, "the address of a host of this stack", remedy)


def _complete_buckets(stack: Stack, _plan: Plan) -> StackFindings:
    for bucket in stack.of(BUCKET):
        for types, what in _SETTINGS:
            if not stack.leading_to(bucket, types, "bucket"):
                remedy = f"Add `aws.s3.{types[0].rpartition(':')[2]}` for it: S3 has none by default."
                yield bucket, Finding(what, None, "one that names it", remedy)


_SETTINGS: Final = (
    (BUCKET_VERSIONING, "versioning"),
    (BUCKET_LOCK, "a lock on its versions"),
    (BUCKET_LIFECYCLE, "a lifecycle rule for its versions"),
    (BUCKET_ENCRYPTION, "encryption with a customer managed key"),
    (BUCKET_ACCESS_BLOCK, "a block on public access"),
    (BUCKET_POLICY, "a policy that requires TLS"),
)


def _replicated_buckets(stack: Stack, plan: Plan) -> StackFindings:
    for bucket in stack.of(BUCKET):
        if _is_the_copy(bucket, plan):
            continue
        if not stack.leading_to(bucket, BUCKET_REPLICATION, "bucket"):
            remedy = "Add `aws.s3.BucketReplicationConfig` for it: without it, a lost region takes the objects."
            yield bucket, Finding("a replication", None, "one that copies from it to another region", remedy)
            continue
        own = _region(bucket)
        for replication in stack.leading_to(bucket, BUCKET_REPLICATION, "bucket"):
            for other in stack.of(BUCKET):
                if other is not bucket and leads(replication, "rules", other) and _region(other) == own:
                    remedy = "Copy to a bucket in another region: a copy in the same region is lost too."
                    yield bucket, Finding("the region of its replica", own, "another region", remedy)


def _locked_vaults(stack: Stack, _plan: Plan) -> StackFindings:
    for vault in stack.of([BACKUP_VAULT]):
        if not stack.leading_to(vault, [BACKUP_VAULT_LOCK], "backupVaultName"):
            remedy = "Add `aws.backup.VaultLockConfiguration` for it: without one, an attacker can delete the backups."
            yield vault, Finding("a lock", None, "one that names it", remedy)


def _pools(stack: Stack, plan: Plan) -> StackFindings:
    pools: dict[str, list[Resource]] = {}
    for server in stack.of([SERVER]):
        labels = [at(server.props, f"labels.{name}") for name in ("pool", "role")]
        name = next((label for label in labels if isinstance(label, str) and label), "")
        pools.setdefault(name, []).append(server)
    for name, servers in pools.items():
        states = [at(server.props, "labels.state") for server in servers]
        locations = {location for server in servers if isinstance(location := server.props.get("location"), str)}
        least = _least_locations(locations, plan)
        redundancy = plan.redundancy
        for what, found, wanted in (
            ("active hosts", states.count("active"), redundancy.minimum_active_hosts),
            ("standby hosts", states.count("standby"), redundancy.minimum_standby_hosts),
            ("locations", len(locations), least),
        ):
            if found < wanted:
                remedy = f"Add {what} to the pool: the service must survive the loss of one of them."
                yield (
                    servers[0],
                    Finding(f"the number of {what} of its pool {name!r}", found, f"{wanted} or more", remedy),
                )


def _least_locations(used: set[str], plan: Plan) -> int:
    hetzner = plan.residency.hetzner
    least = plan.redundancy.minimum_locations
    # In recovery the pool needs no more locations than the plan has recovery locations.
    if used and used <= set(hetzner.recovery_locations):
        return min(least, len(hetzner.recovery_locations))
    return least


def _entrances(stack: Stack, plan: Plan) -> StackFindings:
    for balancer in stack.of([LOAD_BALANCER]):
        if not stack.leading_to(balancer, [LOAD_BALANCER_SERVICE], "loadBalancerId"):
            remedy = "Add `hcloud.LoadBalancerService` with a health check: without a service it answers no requests."
            yield balancer, Finding("a service", None, "one that names it", remedy)
        targets = stack.leading_to(balancer, [LOAD_BALANCER_TARGET], "loadBalancerId")
        behind = sum(_behind(target, stack) for target in targets)
        least = plan.redundancy.minimum_active_hosts + plan.redundancy.minimum_standby_hosts
        if behind < least:
            remedy = (
                "Put every host of the pool behind it, the standby hosts too: then they take over without a change."
            )
            yield balancer, Finding("the number of hosts behind it", behind, f"{least} or more", remedy)

    for selector, of in _in_front(stack).items():
        locations = {place for balancer in of if isinstance(place := balancer.props.get("location"), str)}
        wanted = _least_locations(locations, plan)
        if len(locations) < wanted:
            name = f"the number of locations of the load balancers in front of {selector!r}"
            remedy = "Add a load balancer in another location: a location's outage stops every load balancer in it."
            yield of[0], Finding(name, len(locations), f"{wanted} or more", remedy)


def _in_front(stack: Stack) -> dict[str, list[Resource]]:
    """The load balancers of each pool, by the selector of its hosts."""
    found: dict[str, list[Resource]] = {}
    for target in stack.of([LOAD_BALANCER_TARGET]):
        selector = target.props.get("labelSelector")
        if isinstance(selector, str):
            balancers = [one for one in stack.of([LOAD_BALANCER]) if leads(target, "loadBalancerId", one)]
            if balancers:
                found.setdefault(selector, []).extend(balancers)
    return found


def _behind(target: Resource, stack: Stack) -> int:
    """The number of the stack's hosts that a target selects."""
    if target.props.get("type") != "label_selector":
        return 1
    selector = target.props.get("labelSelector")
    if not isinstance(selector, str):
        return 0
    wanted = [part.strip().partition("=") for part in selector.split(",")]
    return sum(
        all(at(server.props, f"labels.{key.strip()}") == value.strip("= ") for key, _, value in wanted)
        for server in stack.of([SERVER])
    )


def _protected_repositories(stack: Stack, _plan: Plan) -> StackFindings:
    for repository in stack.of([REPOSITORY]):
        if repository.props.get("archived") is True:
            continue
        rulesets = stack.leading_to(repository, [REPOSITORY_RULESET], "repository")
        covered = [
            branch
            for ruleset in rulesets
            for branch in listed(at(ruleset.props, "conditions.refName.includes"))
            if branch in (DEFAULT_BRANCH, "~ALL")
        ]
        if not covered:
            found = UNKNOWN if any(at(one.props, "conditions") is UNKNOWN for one in rulesets) else None
            remedy = "Add `github.RepositoryRuleset` for it, on ~DEFAULT_BRANCH."
            yield repository, Finding("a ruleset on its default branch", found, "one that names it", remedy)


DATABASE_REPLICATED: Final = StackPolicy(
    id="database-replicated",
    title="Each database replicates its backups to another region that the plan allows.",
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

BUCKET_COMPLETE: Final = StackPolicy(
    id="bucket-baseline",
    title="Each bucket has its versioning, lock, retention, encryption, access block and policy.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add the missing setting as a separate resource.",
    rule=_complete_buckets,
)

BUCKET_REPLICATED: Final = StackPolicy(
    id="bucket-replicated",
    title="Each bucket is copied to another region.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add a replication of it to a bucket in another region.",
    rule=_replicated_buckets,
)

VAULT_LOCKED: Final = StackPolicy(
    id="backup-vault-locked",
    title="Each vault of AWS Backup has a lock.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Add a lock for it.",
    rule=_locked_vaults,
)

POOL_REDUNDANT: Final = StackPolicy(
    id="pool-redundant",
    title="Each pool has enough active hosts, enough standby hosts, and enough locations.",
    severity="critical",
    control="A.8.14",
    promise=compute,
    remedy="Add hosts to the pool, or locations.",
    rule=_pools,
)

ENTRANCE_COMPLETE: Final = StackPolicy(
    id="load-balancer-baseline",
    title="Each load balancer has a service and enough hosts behind it, and each pool has them in enough locations.",
    severity="critical",
    control="A.8.14",
    promise=compute,
    remedy="Add the service, targets for every host, and a load balancer in another location.",
    rule=_entrances,
)

REPOSITORY_PROTECTED: Final = StackPolicy(
    id="repository-protected",
    title="Each repository has a ruleset on its default branch.",
    severity="high",
    control="A.5.30",
    promise=code,
    remedy="Add a ruleset on ~DEFAULT_BRANCH.",
    rule=_protected_repositories,
)
