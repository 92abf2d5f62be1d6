"""Policies on databases: backups, encryption, deletion protection and Multi-AZ.

The names and defaults are those of `aws.rds.Instance` (provider version 7). By default there are no backups, and
automated backups are deleted together with the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.aws_keys import key_of_ours, own_key_in_region, region_of_arn
from policy_pack.rules.checks import at_least, given, literally, unless_left_out
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import provider_failure, recovery
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import RDS_INSTANCE
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import present

if TYPE_CHECKING:
    from plan import Plan


def is_replica(resource: Resource) -> bool:
    """Whether it is a read replica.

    It is a copy of its source, from which it can be created again. So nothing is demanded of it that is there to keep
    data, and AWS refuses some of that: a final snapshot, for example.
    """
    return resource.type == RDS_INSTANCE and present(resource.declared.get("replicateSourceDb"))


def _retention(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if is_replica(resource):
        return
    remedy = "Set it to what the plan promises. Left out it is 0, and then there are no backups to recover from."
    yield from at_least(resource, "backupRetentionPeriod", plan.retention.database_backup_days, "days", remedy)


def _backups_kept(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if is_replica(resource):
        return
    yield from literally(
        resource,
        "deleteAutomatedBackups",
        False,
        "Set it to false. Left out it is true, and deleting the database deletes its automated backups.",
    )
    # Left out, the provider takes a snapshot.
    yield from unless_left_out(resource, "skipFinalSnapshot", False, "Set it to false, or leave it out.")
    yield from given(
        resource,
        "finalSnapshotIdentifier",
        "a name",
        "Name the snapshot that is taken when the database is deleted. Without a name the deletion fails, and an"
        " operator in a hurry then skips the snapshot.",
    )
    yield from literally(
        resource, "copyTagsToSnapshot", True, "Set it to true, so that snapshots can be told apart after a disaster."
    )


def _encrypted(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    for name in ("masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId"):
        yield from own_key_in_region(resource, name)
    if is_replica(resource):
        # In its source's region its encryption is the source's. In another one it needs a key of that region.
        source, (_, own) = region_of_arn(resource.props.get("replicateSourceDb")), effective_region(resource)
        if source is not None and isinstance(own, str) and source != own:
            yield from key_of_ours(resource, "kmsKeyId", "Give it a key in its region, which is not its source's.")
        return
    yield from literally(
        resource,
        "storageEncrypted",
        True,
        "Set it to true. Backups and replicas are encrypted only if the database is, and that cannot be changed later.",
    )
    remedy = "Give it a customer managed key: its use and its deletion can be controlled."
    yield from key_of_ours(resource, "kmsKeyId", remedy)


def _protected(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if is_replica(resource):
        return
    remedy = "Set it to true, so that the database cannot be deleted by mistake, with or without Pulumi."
    yield from literally(resource, "deletionProtection", True, remedy)


def _multi_az(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if plan.redundancy.database_multi_az and not is_replica(resource):
        remedy = "Set it to true. Left out it is false, and the database is lost with its availability zone."
        yield from literally(resource, "multiAz", True, remedy)


RETENTION: Final = Policy(
    id="database-backup-retention",
    title="A database can be restored to any point in time for as long as the plan promises.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Set `backup_retention_period` to the plan's `retention.database_backup_days`.",
    concerns=of_type(RDS_INSTANCE),
    rule=_retention,
    fixes={"backupRetentionPeriod": lambda plan: plan.retention.database_backup_days},
    thresholds=(Threshold("days", "retention.database_backup_days", "at least"),),
)

BACKUPS_KEPT: Final = Policy(
    id="database-backups-kept",
    title="A database's backups outlive the database.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Keep the automated backups and take a final snapshot when the database is deleted.",
    concerns=of_type(RDS_INSTANCE),
    rule=_backups_kept,
    fixes={
        "deleteAutomatedBackups": lambda _plan: False,
        "skipFinalSnapshot": lambda _plan: False,
        "copyTagsToSnapshot": lambda _plan: True,
    },
)

ENCRYPTED: Final = Policy(
    id="database-encrypted",
    title="A database and its backups are encrypted with a customer managed key.",
    severity="high",
    control="A.5.29",
    promise=recovery,
    remedy="Set `storage_encrypted` to true and `kms_key_id` to a customer managed key.",
    concerns=of_type(RDS_INSTANCE),
    rule=_encrypted,
    asks_again=frozenset({"kmsKeyId", "masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId"}),
)

PROTECTED: Final = Policy(
    id="database-protected",
    title="A database cannot be deleted by mistake.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Set `deletion_protection` to true.",
    concerns=of_type(RDS_INSTANCE),
    rule=_protected,
    fixes={"deletionProtection": lambda _plan: True},
)

MULTI_AZ: Final = Policy(
    id="database-multi-az",
    title="A database survives the loss of an availability zone.",
    severity="high",
    control="A.8.14",
    promise=provider_failure,
    remedy="Set `multi_az` to true.",
    concerns=of_type(RDS_INSTANCE),
    rule=_multi_az,
    fixes={"multiAz": lambda _plan: True},
)
