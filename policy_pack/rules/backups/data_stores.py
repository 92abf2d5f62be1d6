"""Policies on data stores: only stores whose backups a policy checks are allowed.

Otherwise a new kind of store would pass, because no policy concerns it. A store that is refused here can be allowed by
writing a policy on its backups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.aws_keys import key_of_ours
from policy_pack.rules.checks import at, at_least, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_package, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.resource_types import DYNAMODB_TABLE
from policy_pack.rules.thresholds import Threshold

if TYPE_CHECKING:
    from plan import Plan


_RELATIONAL: Final = "Use `aws.rds.Instance` with PostgreSQL, whose backups are replicated and tested."
_FILES: Final = "Keep files in a bucket, which has versions, a lock and a replica."
_NO_BACKUP: Final = "It has no backups that can be restored in another region: keep the data in PostgreSQL or a bucket."
_CACHE: Final = "Run the cache on the hosts, and keep the data in the database too."

REFUSED: Final[Mapping[str, str]] = {
    # Of AWS, by module or by type within one.
    "rds/cluster": _RELATIONAL,
    "rds/clusterInstance": _RELATIONAL,
    "rds/globalCluster": _RELATIONAL,
    "rds/shardGroup": _RELATIONAL,
    "docdb": _RELATIONAL,
    "dsql": _RELATIONAL,
    "keyspaces": _RELATIONAL,
    "lightsail": _RELATIONAL,
    "neptune": _RELATIONAL,
    "neptunegraph": _RELATIONAL,
    "odb": _RELATIONAL,
    "qldb": _RELATIONAL,
    "redshift": _RELATIONAL,
    "redshiftserverless": _RELATIONAL,
    "timestreaminfluxdb": _RELATIONAL,
    "timestreamwrite": _RELATIONAL,
    "dynamodb/globalTable": "Use `aws.dynamodb.Table` with replicas.",
    "dax": _CACHE,
    "elasticache": _CACHE,
    "memorydb": _CACHE,
    "cloudsearch": _NO_BACKUP,
    "elasticsearch": _NO_BACKUP,
    "kendra": _NO_BACKUP,
    "opensearch": _NO_BACKUP,
    "qbusiness": _NO_BACKUP,
    "cognito/userPool": _NO_BACKUP,
    "bedrock/agentcoreMemory": _NO_BACKUP,
    "connect": _NO_BACKUP,
    "customerprofiles": _NO_BACKUP,
    "emr": _NO_BACKUP,
    "finspace": _NO_BACKUP,
    "kinesis/stream": _NO_BACKUP,
    "sagemaker/featureGroup": _NO_BACKUP,
    "mq": _NO_BACKUP,
    "msk": _NO_BACKUP,
    "workmail": _NO_BACKUP,
    "codecommit": "Keep code at GitHub, as the plan says.",
    "ebs/volume": _FILES,
    "efs": _FILES,
    "fsx": _FILES,
    "glacier": _FILES,
    "mediastore": _FILES,
    "s3/directoryBucket": _FILES,
    "s3/filesFileSystem": _FILES,
    "s3/vectorsVectorBucket": _FILES,
    "s3outposts": _FILES,
    "s3tables": _FILES,
    "storagegateway": _FILES,
    # Of Hetzner.
    "index/volume": "Hetzner has no backups of volumes: hosts hold no data, and are rebuilt. " + _RELATIONAL,
    "index/storageBox": "Its snapshots stay in the same box. " + _FILES,
}
"""Stores of data without a policy on their backups, and what to use instead."""


def _reviewed(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    path = resource.type.partition(":")[2].partition(":")[0]
    remedy = REFUSED.get(path) or REFUSED.get(path.partition("/")[0])
    if remedy is not None and not resource.is_provider:
        yield Finding(
            "type",
            resource.type,
            "a store whose backups a policy checks: an RDS instance, a DynamoDB table, a bucket",
            remedy,
        )


def _table(resource: Resource, plan: Plan) -> Iterator[Finding]:
    remedy = "Set it to true. Left out it is false, and there are no backups at all."
    yield from literally(resource, "pointInTimeRecovery.enabled", True, remedy)
    # Left out it is 35 days, the longest there is.
    if at(resource.props, "pointInTimeRecovery.recoveryPeriodInDays") is not None:
        remedy = "Set it to what the plan promises, or leave it out."
        days = plan.retention.database_backup_days
        yield from at_least(resource, "pointInTimeRecovery.recoveryPeriodInDays", days, "days", remedy)
    yield from literally(resource, "deletionProtectionEnabled", True, "Set it to true. Left out it is false.")
    yield from literally(resource, "serverSideEncryption.enabled", True, "Set it to true, with a customer managed key.")
    yield from key_of_ours(resource, "serverSideEncryption.kmsKeyArn", "Give it a customer managed key.")


REVIEWED: Final = Policy(
    id="data-store-reviewed",
    title="Data is only in stores whose backups a policy checks.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Use an RDS instance or a bucket, or write a policy that checks the store's backups.",
    concerns=of_package("aws", "hcloud"),
    rule=_reviewed,
)

TABLE_RECOVERABLE: Final = Policy(
    id="table-recoverable",
    title="A DynamoDB table has point-in-time recovery, deletion protection and encryption.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Switch on point-in-time recovery, deletion protection and encryption.",
    concerns=of_type(DYNAMODB_TABLE),
    rule=_table,
    asks_again=frozenset({"serverSideEncryption"}),
    fixes={"deletionProtectionEnabled": lambda _plan: True},
    thresholds=(Threshold("days", "retention.database_backup_days", "at least"),),
)
