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


@dataclass(frozen=True)
class Stateful:
    """A type whose resources cannot simply be created again."""

    kind: Kind
    loss: str
    """The loss when a resource is deleted, as the end of a sentence that begins with "with it goes"."""

    types: tuple[str, ...]
    """The type tokens. A provider may have several tokens for one kind of resource."""

    protect: bool = True
    """Whether the policy pack requires Pulumi's protection for every resource of the type."""


STATEFUL: Final = (
    Stateful("data", "a database with all of its rows", ("aws:rds/instance:Instance",)),
    Stateful(
        "data",
        "a database's backups in the other region",
        ("aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",),
    ),
    Stateful("data", "a table with all of its items", ("aws:dynamodb/table:Table",)),
    Stateful("data", "a key, and with it everything that is encrypted with it", ("aws:kms/key:Key",)),
    Stateful(
        "data",
        "a key's replica, and with it everything in its region that is encrypted with it",
        ("aws:kms/replicaKey:ReplicaKey",),
    ),
    Stateful(
        "data",
        "a bucket with all of its objects and their versions",
        ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"),
    ),
    Stateful(
        "safeguard",
        "every object that is overwritten from then on",
        ("aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2"),
    ),
    # The policy `bucket-baseline` refuses a bucket without one.
    Stateful(
        "safeguard",
        "the lock on versions that are written from then on",
        (
            "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
            "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
        ),
        protect=False,
    ),
    Stateful(
        "safeguard",
        "the copies of objects that are written from then on",
        ("aws:s3/bucketReplicationConfig:BucketReplicationConfig",),
    ),
    Stateful("data", "a backup vault with all of its recovery points", ("aws:backup/vault:Vault",)),
    Stateful(
        "safeguard",
        "the lock on a vault's recovery points",
        ("aws:backup/vaultLockConfiguration:VaultLockConfiguration",),
    ),
    Stateful("safeguard", "the second copies of the database from then on", ("aws:backup/plan:Plan",)),
    # The policy `database-second-copy` refuses a database without one.
    Stateful(
        "safeguard",
        "the second copies of the database from then on",
        ("aws:backup/selection:Selection",),
        protect=False,
    ),
    Stateful("data", "a secret's value, and its replica", ("aws:secretsmanager/secret:Secret",)),
    # Nothing is restored from a log.
    Stateful("data", "what hosts have logged", ("aws:cloudwatch/logGroup:LogGroup",), protect=False),
    Stateful("data", "a repository with all of its history", ("github:index/repository:Repository",)),
    # The policy `data-store-reviewed` refuses the type.
    Stateful("data", "a volume with all of its files", ("hcloud:index/volume:Volume",), protect=False),
    Stateful("access", "the names that the service has", ("hcloud:index/zone:Zone",)),
    Stateful(
        "access", "the private network between the hosts and their load balancers", ("hcloud:index/network:Network",)
    ),
    Stateful("access", "the way in, until its names lead to the new one", ("hcloud:index/loadBalancer:LoadBalancer",)),
    # A host's address is given up together with the host.
    Stateful(
        "access",
        "an address that the service or one of its hosts is reached at",
        ("hcloud:index/primaryIp:PrimaryIp",),
        protect=False,
    ),
)

BY_TYPE: Final = {type_: stateful for stateful in STATEFUL for type_ in stateful.types}
"""The table by type token."""
