"""How a database's origin is declared to the provider, once and for all its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.database.source import Empty, Existing, FromBackups, FromSnapshot, Origin, written

DATABASE_NAME: Final = "botbrains"
_USER_NAME: Final = "botbrains"

IGNORED_CHANGES: Final = [
    # Each of these replaces the instance when it changes, and each says how it came to be, which is over. Without this,
    # a source that is changed, expires or is taken out of the configuration would ask for the database to be deleted.
    "restoreToPointInTime",
    "snapshotIdentifier",
    # They come with the data of a restore, which takes neither. Later nothing tells a restored database from one that
    # was made empty, so both are declared like the latter.
    "dbName",
    "username",
    # A database made empty is declared with the key itself, and later with the ARN that it is found to have. Reading
    # back (`verification.py`) tells whether it is another key.
    "kmsKeyId",
    # RDS can change it in place; the provider would replace the instance. Reading back tells here as well.
    "engineLifecycleSupport",
]
"""Inputs of `aws.rds.Instance` that count only when it is made.

Of the others that replace it, `identifier` is in the resource's own name, so that another one is another resource;
`engine` and `storageEncrypted` never change here, and should that be tried, Pulumi's protection is to refuse it; and
the zone, the character set and the time zone are not declared, so they stay what they are.
"""


@dataclass(frozen=True, kw_only=True)
class OriginArgs:
    """The inputs of `aws.rds.Instance` that say what it is made from. None is left out."""

    db_name: str | None = None
    username: str | None = None
    snapshot_identifier: str | None = None
    restore_to_point_in_time: aws.rds.InstanceRestoreToPointInTimeArgs | None = None

    @classmethod
    def of(cls, origin: Origin) -> OriginArgs:
        match origin:
            case Empty() | Existing():
                return cls(db_name=DATABASE_NAME, username=_USER_NAME)
            case FromSnapshot():
                return cls(snapshot_identifier=origin.snapshot_arn)
            case FromBackups():
                return cls(
                    restore_to_point_in_time=aws.rds.InstanceRestoreToPointInTimeArgs(
                        source_db_instance_identifier=origin.instance,
                        source_db_instance_automated_backups_arn=origin.automated_backups_arn,
                        # The one or the other: the provider refuses both, even where one of them is false.
                        restore_time=None if origin.moment is None else written(origin.moment),
                        use_latest_restorable_time=True if origin.moment is None else None,
                    )
                )


def key_arn(origin: Origin, key: pulumi.Input[str]) -> pulumi.Input[str]:
    """The key that the database has, or gets: a restore takes over the one of what it is restored from."""
    return key if isinstance(origin, Empty) else origin.kms_key_arn
