"""Examples of the policies on the stack as a whole."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import bucket, database
from policy_pack.documentation.examples.model import (
    Example,
    constant,
)
from policy_pack.documentation.examples.service import (
    public_endpoint,
    repository,
)

STACK: Final[tuple[Example, ...]] = (
    Example(
        policy="database-replicated",
        family=database,
        at="replication",
        hidden=("replication", "sourceDbInstanceArn"),
    ),
    Example(policy="database-second-copy", family=database, at="selection", hidden=("selection", "resources")),
    Example(
        policy="database-parameter-group-in-stack",
        family=database,
        at="database",
        path="parameterGroupName",
        refused=constant("another-stacks"),
        left_out=True,
    ),
    Example(
        policy="database-ingress-hosts-only",
        family=database,
        at="ingress",
        path="cidrIpv4",
        refused=constant("203.0.113.7/32"),
        left_out=False,
    ),
    Example(policy="bucket-baseline", family=bucket, at="versioning", hidden=("versioning", "bucket")),
    Example(policy="bucket-replicated", family=bucket, at="replication", hidden=("replication", "bucket")),
    Example(policy="backup-vault-locked", family=database, at="lock", hidden=("lock", "backupVaultName")),
    Example(
        policy="pool-redundant", family=public_endpoint, at="host-1", path="labels.state", refused=constant("standby")
    ),
    Example(policy="load-balancer-baseline", family=public_endpoint, at="target", hidden=("target", "loadBalancerId")),
    Example(policy="repository-protected", family=repository, at="ruleset", hidden=("ruleset", "repository")),
    Example(
        policy="branch-protected",
        family=repository,
        at="ruleset",
        path="rules.pullRequest.requiredApprovingReviewCount",
        refused=constant(0),
    ),
)
