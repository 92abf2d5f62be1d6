"""What must not be replaced or deleted by a change that nobody looked at twice: it holds data, or is the way in.

The program protects most of these (`protect`), the clouds do (deletion protection), and what is retained stays when it
is forgotten. A change that goes past all three is still a change, and so it has to be named and agreed to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from continuity.engine_events import Step

# Each type, and what is lost with one.
HOLDS: Final = {
    "aws:rds:Instance": "the database",
    "aws:rds:InstanceAutomatedBackupsReplication": "the database's backups in the other region",
    "aws:kms:Key": "everything that was encrypted with it",
    "aws:kms:ReplicaKey": "everything there that was encrypted with it",
    "aws:s3:Bucket": "the objects and their versions",
    "aws:s3:BucketVersioning": "what is overwritten from then on",
    "aws:s3:BucketObjectLockConfiguration": "the lock on versions that are written from then on",
    "aws:s3:BucketReplicationConfig": "the copies of objects that are written from then on",
    "aws:backup:Vault": "the second copies of the database",
    "aws:backup:VaultLockConfiguration": "the lock on the second copies",
    "aws:backup:Plan": "the second copies from then on",
    "aws:backup:Selection": "the second copies from then on",
    "aws:secretsmanager:Secret": "the secret's value",
    "aws:cloudwatch:LogGroup": "what hosts have said",
    "github:index:Repository": "the code and its history",
    "hcloud:index:Zone": "the names that the service has",
    "hcloud:index:PrimaryIp": "an address that the service or one of its hosts is reached at",
    "hcloud:index:LoadBalancer": "the way in, until its names lead to the new one",
    "hcloud:index:Volume": "the files on it",
}

_ENDING: Final = frozenset({"delete", "replace"})


def endangered(steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    """The steps that would end something that holds data, each with what is lost."""
    for step in steps:
        if step.operation in _ENDING and step.type in HOLDS:
            yield step, HOLDS[step.type]
