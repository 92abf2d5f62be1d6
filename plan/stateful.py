"""The types of resources that store data, protect data, or give access to it, and the loss when one is deleted.

Every user of this information reads this one table. The policy pack requires Pulumi's protection for these types. A
change that deletes one needs a person's approval. `continuity destroy` lists the losses. The tests of the stacks check
that the table is complete. So add a new data store here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["data", "safeguard", "access"]
"""The purpose of a resource: it stores data or keys to data, it is a safeguard of data, or it gives access to data."""


@dataclass(frozen=True, kw_only=True)
class Stateful:
    """A type whose resources cannot simply be created again."""

    types: tuple[str, ...]
    """The type tokens. A provider may have several tokens for one kind of resource."""

    kind: Kind
    loss: str
    """The loss when a resource is deleted, as the end of a sentence that begins with "with it goes"."""

    protect: bool = True
    """Whether the policy pack requires Pulumi's protection for every resource of the type."""


STATEFUL: Final = (
    Stateful(
        types=("aws:rds/instance:Instance",),
        kind="data",
        loss="a database with all of its rows",
    ),
    Stateful(
        types=("aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",),
        kind="data",
        loss="a database's backups in the other region",
    ),
    Stateful(
        types=("aws:dynamodb/table:Table",),
        kind="data",
        loss="a table with all of its items",
    ),
    Stateful(
        types=("aws:kms/key:Key",),
        kind="data",
        loss="a key, and with it everything that is encrypted with it",
    ),
    Stateful(
        types=("aws:kms/replicaKey:ReplicaKey",),
        kind="data",
        loss="a key's replica, and with it everything in its region that is encrypted with it",
    ),
    Stateful(
        types=("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"),
        kind="data",
        loss="a bucket with all of its objects and their versions",
    ),
    Stateful(
        types=("aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2"),
        kind="safeguard",
        loss="every object that is overwritten from then on",
    ),
    Stateful(
        types=(
            "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
            "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
        ),
        kind="safeguard",
        loss="the lock on versions that are written from then on",
        protect=False,  # the policy `bucket-baseline` refuses a bucket without one
    ),
    Stateful(
        types=("aws:s3/bucketReplicationConfig:BucketReplicationConfig",),
        kind="safeguard",
        loss="the copies of objects that are written from then on",
    ),
    Stateful(
        types=("aws:backup/vault:Vault",),
        kind="data",
        loss="a backup vault with all of its recovery points",
    ),
    Stateful(
        types=("aws:backup/vaultLockConfiguration:VaultLockConfiguration",),
        kind="safeguard",
        loss="the lock on a vault's recovery points",
    ),
    Stateful(
        types=("aws:backup/plan:Plan",),
        kind="safeguard",
        loss="the second copies of the database from then on",
    ),
    Stateful(
        types=("aws:backup/selection:Selection",),
        kind="safeguard",
        loss="the second copies of the database from then on",
        protect=False,  # the policy `database-second-copy` refuses a database without one
    ),
    Stateful(
        types=("aws:secretsmanager/secret:Secret",),
        kind="data",
        loss="a secret's value, and its replica",
    ),
    Stateful(
        types=("aws:cloudwatch/logGroup:LogGroup",),
        kind="data",
        loss="what hosts have logged",
        protect=False,  # nothing is restored from a log
    ),
    Stateful(
        types=("github:index/repository:Repository",),
        kind="data",
        loss="a repository with all of its history",
    ),
    Stateful(
        types=("hcloud:index/volume:Volume",),
        kind="data",
        loss="a volume with all of its files",
        protect=False,  # the policy `data-store-reviewed` refuses the type
    ),
    Stateful(
        types=("hcloud:index/zone:Zone",),
        kind="access",
        loss="the names that the service has",
    ),
    Stateful(
        types=("hcloud:index/network:Network",),
        kind="access",
        loss="the private network between the hosts and their load balancers",
    ),
    Stateful(
        types=("hcloud:index/loadBalancer:LoadBalancer",),
        kind="access",
        loss="the way in, until its names lead to the new one",
    ),
    Stateful(
        types=("hcloud:index/primaryIp:PrimaryIp",),
        kind="access",
        loss="an address that the service or one of its hosts is reached at",
        protect=False,  # a host's address is given up together with the host
    ),
)

BY_TYPE: Final = {type_: stateful for stateful in STATEFUL for type_ in stateful.types}
"""The table by type token."""
