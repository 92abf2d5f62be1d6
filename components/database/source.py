"""Where a database comes from: what can be said of it, and what was found. Nothing here asks anybody.

A source is what a person declares. An origin is what was found for it, and all that declaring the database needs to
know. `lookup.py` makes the one into the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pulumi

_SETTINGS: Final = "botbrains:database"

LATEST: Final = "latest"
"""How a time says that it is as late as the backups go. A moment that is None means the same."""


# -- what is declared ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class New:
    """Nothing: the database is empty."""


@dataclass(frozen=True, kw_only=True)
class PointInTime:
    """A moment of an instance of the same region, which may have been deleted."""

    instance: str
    moment: datetime | None


@dataclass(frozen=True, kw_only=True)
class ReplicatedBackup:
    """A moment of an instance of another region, out of its backups that were replicated to this one."""

    instance: str
    moment: datetime | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot of the same region, by name or ARN."""

    snapshot: str


@dataclass(frozen=True, kw_only=True)
class VaultCopy:
    """The newest copy of an instance, in a vault of AWS Backup of the same region, that is not later than a moment."""

    vault: str
    instance: str
    moment: datetime | None


Source = New | PointInTime | ReplicatedBackup | Snapshot | VaultCopy


@dataclass(frozen=True, kw_only=True)
class Target:
    """The database that is to be made."""

    region: str
    identifier: str
    engine_version: str
    storage_gib: int
    max_storage_gib: int


def moment(text: str) -> datetime | None:
    """A moment from ISO 8601, in UTC; None for `latest`.

    Raises:
        ValueError: it is neither, names no time zone, or is finer than the seconds that RDS counts in.
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
    """A moment as RDS writes it and the provider takes it: UTC, in whole seconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def least_maximum_gib(storage_gib: int) -> int:
    """The least that RDS takes as the limit to which storage grows by itself: a tenth above it."""
    return -(-storage_gib * 11 // 10)


# -- what is found ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Empty:
    """There is nothing to begin with."""


@dataclass(frozen=True, kw_only=True)
class Existing:
    """The database is there. What it was made from is history, which may have expired since."""

    kms_key_arn: str
    storage_gib: int


@dataclass(frozen=True, kw_only=True)
class FromBackups:
    """It is restored to a moment (None: the latest) from an instance's automated backups.

    Those of an instance that is there are named by it, all others by their ARN.
    """

    kms_key_arn: str
    storage_gib: int
    instance: str | None = None
    automated_backups_arn: str | None = None
    moment: datetime | None


@dataclass(frozen=True, kw_only=True)
class FromSnapshot:
    """It is restored from a snapshot."""

    kms_key_arn: str
    storage_gib: int
    snapshot_arn: str


Origin = Empty | Existing | FromBackups | FromSnapshot


class SourceError(pulumi.RunError):
    """The database cannot be made from what is declared. Pulumi shows the message, and no traceback."""

    @classmethod
    def refused(cls, target: Target, setting: str, value: object, *, allowed: str, advice: str) -> SourceError:
        """A setting of the database says something that cannot be done. `allowed` completes "allowed is ..."."""
        is_there = "is not set" if value is None else f"is {json.dumps(value)}"
        return cls(
            f"The database {target.identifier!r} cannot be made in {target.region}. Nothing was changed.\n\n"
            f"  {_SETTINGS}.{setting} {is_there}\n    Allowed is {allowed}.\n    {advice}"
        )

    @classmethod
    def unanswered(cls, target: Target, question: str, error: Exception) -> SourceError:
        """AWS did not answer, or with an error."""
        return cls(
            f"AWS in {target.region} does not say what the database {target.identifier!r} can be made from. Nothing was"
            f" changed.\n\n  Asked for {question}, it says: {error}\n    Allowed is an answer: with credentials in the"
            " environment (AWS_*) that may read RDS, AWS Backup and KMS, in a region that can be reached.\n"
            "    Mend that, and try again."
        )
