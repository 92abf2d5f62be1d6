"""Which of the backups that there are a database is restored from, and whether it can be. Decides, and asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from components.aws.iam_documents import Arn
from components.database.source import LATEST, SourceError, Target, least_maximum_gib, written

ENGINE: Final = "postgres"
_SHOWN: Final = 20
"""Of a long list, an error message shows no more than this."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The first and the last moment that backups can be restored to."""

    earliest: datetime
    latest: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.earliest <= moment <= self.latest

    def __str__(self) -> str:
        return f"{written(self.earliest)} to {written(self.latest)}"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What AWS says of something that a database can be restored from, and of the instance that it is of."""

    arn: str
    instance: str
    engine: str
    engine_version: str
    storage_gib: int
    kms_key_arn: str | None
    # A snapshot says neither of these: it has one moment, and may be a copy from anywhere.
    instance_arn: str = ""
    resource_id: str = ""
    window: Window | None = None
    """None as well for backups that nothing can be restored from yet."""

    @classmethod
    def automated(cls, found: Any) -> Backup:
        """From what DescribeDBInstanceAutomatedBackups says."""
        window = found.get("RestoreWindow") or {}
        there = window.get("EarliestTime") and window.get("LatestTime")
        return cls(
            arn=found["DBInstanceAutomatedBackupsArn"],
            instance=found["DBInstanceIdentifier"],
            instance_arn=found["DBInstanceArn"],
            resource_id=found["DbiResourceId"],
            engine=found["Engine"],
            engine_version=found["EngineVersion"],
            storage_gib=found["AllocatedStorage"],
            kms_key_arn=found.get("KmsKeyId"),
            window=Window(earliest=window["EarliestTime"], latest=window["LatestTime"]) if there else None,
        )

    @classmethod
    def of_snapshot(cls, found: Any) -> Backup:
        """From what DescribeDBSnapshots says."""
        return cls(
            arn=found["DBSnapshotArn"],
            instance=found["DBInstanceIdentifier"],
            engine=found["Engine"],
            engine_version=found["EngineVersion"],
            storage_gib=found["AllocatedStorage"],
            kms_key_arn=found.get("KmsKeyId"),
        )

    @property
    def home(self) -> str:
        """The region of the instance that it is of."""
        return Arn.parse(self.instance_arn).region

    def __str__(self) -> str:
        return f"{self.instance} of {self.home} ({self.window or 'nothing to restore yet'})"


def choose(
    target: Target, candidates: Sequence[Backup], others: Sequence[Backup], instance: str, moment: datetime | None
) -> Backup:
    """The candidate with the newest window of those that the moment is in (None: with the newest window).

    There are several when an instance of the same name existed before: `others` are what else could have been named.

    Raises:
        SourceError: there is no candidate, nothing can be restored from it yet, or the moment is in no window.
    """
    if not candidates:
        raise SourceError.refused(
            target,
            "source.instance",
            instance,
            allowed=one_of(others, f"such backups in {target.region}"),
            advice=f"Name an instance that {target.region} has backups of. They end with their retention.",
        )
    windows = sorted(
        ((backup.window.latest, backup) for backup in candidates if backup.window is not None),
        key=lambda pair: pair[0],
        reverse=True,
    )
    fitting = [backup for _, backup in windows if moment is None or (backup.window and moment in backup.window)]
    if not fitting:
        advice = "Name a moment that can be restored." if windows else "Wait until the first backup is there."
        raise SourceError.refused(
            target,
            "source.time",
            LATEST if moment is None else written(moment),
            allowed=" or ".join(str(backup.window) for _, backup in windows)
            or f"nothing yet: {instance} has backups, but none from which anything can be restored",
            advice=advice,
        )
    return fitting[0]


def check(target: Target, backup: Backup, setting: str, value: str) -> str:
    """The ARN of the key of a backup that the database can be restored from, as far as the backup says.

    Raises:
        SourceError: another engine or version, no key, a key of another region, or no room to grow.
    """
    if backup.engine != ENGINE:
        raise SourceError.refused(
            target,
            setting,
            value,
            allowed=f"a backup of {ENGINE}, and this is one of {backup.engine}",
            advice="Name a backup of the application database.",
        )
    if not _can_run(target.engine_version, backup.engine_version):
        raise SourceError.refused(
            target,
            "engineVersion",
            target.engine_version,
            allowed=f"{backup.engine_version.partition('.')[0]}, since {backup.arn} is of version"
            f" {backup.engine_version} and a restore neither goes back nor changes the major version",
            advice="Restore with that version first. An upgrade can follow.",
        )
    if backup.kms_key_arn is None:
        raise SourceError.refused(
            target,
            setting,
            value,
            allowed="a backup that is encrypted; what is restored from one that is not is not encrypted either",
            advice="Copy the snapshot with a key of ours, and name the copy.",
        )
    if key_region(backup.kms_key_arn) != target.region:
        raise SourceError.refused(
            target,
            setting,
            value,
            allowed=f"a backup under a key of {target.region}, and this one's key is {backup.kms_key_arn}",
            advice=f"Copy it to {target.region} with a key that is there, and name the copy.",
        )
    if target.max_storage_gib < (least := least_maximum_gib(max(target.storage_gib, backup.storage_gib))):
        raise SourceError.refused(
            target,
            "maxStorageGib",
            target.max_storage_gib,
            allowed=f"{least} or more, a tenth above the {backup.storage_gib} GiB of {backup.arn}",
            advice="Raise it: a restored database cannot be smaller than what it is restored from.",
        )
    return backup.kms_key_arn


def key_region(arn: str) -> str:
    """The region of a key's ARN, and nothing for what is no ARN."""
    try:
        found = Arn.parse(arn)
    except ValueError:
        return ""
    return found.region if found.service == "kms" else ""


def one_of(there: Iterable[object], of: str) -> str:
    """What there is, in words that complete the sentence "allowed is ..."."""
    words = sorted(map(str, there))
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"one of {', '.join(words[:_SHOWN])}{more}" if words else f"nothing, since there are no {of}"


def _can_run(declared: str, found: str) -> bool:
    """Whether the declared version can be the one of the data that were found: the same major one, and none older.

    The parameter group is that of a major version, so an upgrade cannot be a part of the restore.
    """
    wanted, there = ([int(part) for part in version.split(".")] for version in (declared, found))
    return wanted[0] == there[0] and (len(wanted) == 1 or wanted >= there)
