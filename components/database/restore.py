"""The declaration of a database's origin, which applies only when the database is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.database.source import Empty, Existing, FromBackups, FromSnapshot, Origin, written

DATABASE_NAME: Final = "botbrains"
_USER_NAME: Final = "botbrains"

IGNORED_CHANGES: Final = [
    # A change of either replaces the instance, although the restore is over. Without this, a source that changes,
    # expires or is removed from the configuration would delete the database.
    "restoreToPointInTime",
    "snapshotIdentifier",
    # A restore takes neither, because they are part of the data. Later a restored database is declared like one that
    # was created empty.
    "dbName",
    "username",
    # An empty database is declared with the key itself, and later with the ARN of its existing key. `verification.py`
    # compares the keys.
    "kmsKeyId",
    # RDS can change it in place; the provider would replace the instance. `verification.py` compares it.
    "engineLifecycleSupport",
    # It contains the time of the creation.
    "finalSnapshotIdentifier",
]
"""Inputs of `aws.rds.Instance` that apply only at its creation.

Other inputs replace the instance too. `identifier` is part of the resource's name, so a changed one declares a second
resource. `engine` and `storageEncrypted` never change here, and Pulumi's protection would refuse it. The zone, the
character set and the time zone are not declared, so they do not change.
"""


@dataclass(frozen=True, kw_only=True)
class OriginArgs:
    """The inputs of `aws.rds.Instance` that name its source. `None` is left out."""

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
                        # The provider refuses both together, even if one of them is false.
                        restore_time=None if origin.moment is None else written(origin.moment),
                        use_latest_restorable_time=True if origin.moment is None else None,
                    )
                )


def key_arn(origin: Origin, key: pulumi.Input[str]) -> pulumi.Input[str]:
    """The key of the database. A restored database keeps the key of its source."""
    return key if isinstance(origin, Empty) else origin.kms_key_arn
