"""The source of a database, as it is declared, and its origin, as AWS has it. No cloud is called here.

An operator declares a source. `lookup.py` finds its origin: everything that the declaration of the database needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pulumi

_SETTINGS: Final = "botbrains:database"

LATEST: Final = "latest"
"""The text for the latest moment of the backups. As a moment it is `None`."""


# -- the declared source ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class New:
    """No source: the database is empty."""


@dataclass(frozen=True, kw_only=True)
class PointInTime:
    """A moment of an instance in the same region. The instance may have been deleted."""

    instance: str
    moment: datetime | None


@dataclass(frozen=True, kw_only=True)
class ReplicatedBackup:
    """A moment of an instance in a different region, from its backups that were replicated to this region."""

    instance: str
    moment: datetime | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot in the same region, by name or ARN."""

    snapshot: str


@dataclass(frozen=True, kw_only=True)
class VaultCopy:
    """The newest copy of an instance in a backup vault of the same region, made at a moment or before it."""

    vault: str
    instance: str
    moment: datetime | None


Source = New | PointInTime | ReplicatedBackup | Snapshot | VaultCopy


@dataclass(frozen=True, kw_only=True)
class Target:
    """The database to create."""

    region: str
    identifier: str
    engine_version: str
    storage_gib: int
    max_storage_gib: int


def moment(text: str) -> datetime | None:
    """Parse a moment in ISO 8601, and return it in UTC. `latest` is `None`.

    Raises:
        ValueError: it is neither, has no time zone, or has fractions of a second, which RDS does not accept.
    """
    if text == LATEST:
        return None
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("it does not say its time zone")
    if value.microsecond:
        raise ValueError("it is not in whole seconds")
    return value.astimezone(UTC)


def written(value: datetime) -> str:
    """Write a moment in the form of RDS and of the provider: UTC, in whole seconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def least_maximum_gib(storage_gib: int) -> int:
    """The lowest limit that RDS accepts for the automatic growth of storage: a tenth above the storage."""
    return -(-storage_gib * 11 // 10)


# -- the origin at AWS ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Empty:
    """The database begins empty."""


@dataclass(frozen=True, kw_only=True)
class Existing:
    """The database exists. Its source does not matter now, and may have expired."""

    kms_key_arn: str
    storage_gib: int


@dataclass(frozen=True, kw_only=True)
class FromBackups:
    """The database is restored from an instance's automated backups. `None` as the moment is the latest one.

    Backups of an existing instance have its name, all others their ARN.
    """

    kms_key_arn: str
    storage_gib: int
    instance: str | None = None
    automated_backups_arn: str | None = None
    moment: datetime | None


@dataclass(frozen=True, kw_only=True)
class FromSnapshot:
    """The database is restored from a snapshot."""

    kms_key_arn: str
    storage_gib: int
    snapshot_arn: str


Origin = Empty | Existing | FromBackups | FromSnapshot


class SourceError(pulumi.RunError):
    """The database cannot be created from the declared source. Pulumi shows the message without a traceback."""

    @classmethod
    def refused(cls, target: Target, setting: str, value: object, *, allowed: str, advice: str) -> SourceError:
        """A setting of the database cannot be met. `allowed` completes "allowed is ..."."""
        is_there = "is not set" if value is None else f"is {json.dumps(value)}"
        return cls(
            f"The database {target.identifier!r} cannot be made in {target.region}. Nothing was changed.\n\n"
            f"  {_SETTINGS}.{setting} {is_there}\n    Allowed is {allowed}.\n    {advice}"
        )

    @classmethod
    def unanswered(cls, target: Target, question: str, error: Exception) -> SourceError:
        """AWS did not answer, or answered with an error."""
        return cls(
            f"AWS in {target.region} does not say what the database {target.identifier!r} can be made from. Nothing was"
            f" changed.\n\n  Asked for {question}, it says: {error}\n    Allowed is an answer: with credentials in the"
            " environment (AWS_*) that may read RDS, AWS Backup and KMS, in a region that can be reached.\n"
            "    Fix that, and try again."
        )
