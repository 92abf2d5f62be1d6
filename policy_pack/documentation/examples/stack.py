"""Examples of the policies on the stack as a whole."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import bucket, database
from policy_pack.documentation.examples.model import Example
from policy_pack.documentation.examples.service import public_endpoint, repository

STACK: Final[tuple[Example, ...]] = (
    Example("database-replicated", database, "replication", hidden=("replication", "sourceDbInstanceArn")),
    Example("database-second-copy", database, "selection", hidden=("selection", "resources")),
    Example(
        "database-parameter-group-in-stack", database, "database", "parameterGroupName", "another-stacks", left_out=True
    ),
    Example("database-ingress-hosts-only", database, "ingress", "cidrIpv4", "203.0.113.7/32", left_out=False),
    Example("bucket-baseline", bucket, "versioning", hidden=("versioning", "bucket")),
    Example("bucket-replicated", bucket, "replication", hidden=("replication", "bucket")),
    Example("backup-vault-locked", database, "lock", hidden=("lock", "backupVaultName")),
    Example("pool-redundant", public_endpoint, "host-1", "labels.state", "standby"),
    Example("load-balancer-baseline", public_endpoint, "target", hidden=("target", "loadBalancerId")),
    Example("repository-protected", repository, "ruleset", hidden=("ruleset", "repository")),
    Example("branch-protected", repository, "ruleset", "rules.pullRequest.requiredApprovingReviewCount", 0),
)
