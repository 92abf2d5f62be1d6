"""The policy on replicated backups of a database: their region, retention and key.

The replication (`aws.rds.InstanceAutomatedBackupsReplication`) is a resource of the region that it copies to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.aws_keys import key_of_ours, region_of_arn
from policy_pack.rules.checks import WRITE_IT_OUT, at_least
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.residency.aws_region import allowed_regions, effective_region
from policy_pack.rules.resource_types import RDS_BACKUP_REPLICATION
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan


def _replica(resource: Resource, plan: Plan) -> Iterator[Finding]:
    remedy = "Set it to what the plan promises. Left out it is 7 days."
    yield from at_least(resource, "retentionPeriod", plan.retention.replicated_backup_days, "days", remedy)

    where, region = effective_region(resource)
    if region not in plan.residency.aws.allowed_regions:
        remedy = WRITE_IT_OUT if region is UNKNOWN else "Set it to the region of the copies."
        yield Finding(where, region, allowed_regions(plan), remedy)

    source = resource.props.get("sourceDbInstanceArn")
    if source is not UNKNOWN:
        source_region = region_of_arn(source)
        if source_region is None:
            remedy = "Give it the ARN of the database, which contains the region."
            yield Finding("sourceDbInstanceArn", source, "the ARN of a database", remedy)
        elif source_region == region:
            remedy = "Replicate to another region: a copy in the same region is lost together with the original."
            yield Finding(where, region, f"another region than the {source_region} of the database", remedy)

    remedy = "Give it a key in the region of the copies. A database that is restored there is encrypted with that key."
    yield from key_of_ours(resource, "kmsKeyId", remedy)


REPLICA_RETENTION: Final = Policy(
    id="database-replica-retention",
    title="A database's backups are replicated to another EU region, and kept there for as long as the plan promises.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Replicate to another EU region, with a key in that region, for the plan's `replicated_backup_days`.",
    concerns=of_type(RDS_BACKUP_REPLICATION),
    rule=_replica,
    asks_again=frozenset({"kmsKeyId", "sourceDbInstanceArn"}),
    fixes={"retentionPeriod": lambda plan: plan.retention.replicated_backup_days},
    thresholds=(Threshold("days", "retention.replicated_backup_days", "at least"),),
)
