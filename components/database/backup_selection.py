"""Choose the backup that a database is restored from, and check that RDS can restore it. No cloud is called here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from components.aws.iam_documents import Arn
from components.database.source import LATEST, SourceError, Target, least_maximum_gib, written

ENGINE: Final = "postgres"
_SHOWN: Final = 20
"""The maximum number of names in an error message."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The restore window of backups: their first and last moment."""

    earliest: datetime
    latest: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.earliest <= moment <= self.latest

    def __str__(self) -> str:
        return f"{written(self.earliest)} to {written(self.latest)}"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """Automated backups or a snapshot, and the instance that they belong to, from the descriptions of AWS."""

    arn: str
    instance: str
    engine: str
    engine_version: str
    storage_gib: int
    kms_key_arn: str | None
    # A snapshot has none of these: it has one moment, and may be a copy from a different region.
    instance_arn: str = ""
    resource_id: str = ""
    window: Window | None = None
    """Also `None` for automated backups from which nothing can be restored yet."""

    @classmethod
    def automated(cls, found: Any) -> Backup:
        """Read an item of the answer to DescribeDBInstanceAutomatedBackups."""
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
        """Read an item of the answer to DescribeDBSnapshots."""
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
        """The region of the instance."""
        return Arn.parse(self.instance_arn).region

    def __str__(self) -> str:
        return f"{self.instance} of {self.home} ({self.window or 'nothing to restore yet'})"


def choose(
    target: Target, candidates: Sequence[Backup], others: Sequence[Backup], instance: str, moment: datetime | None
) -> Backup:
    """Return the candidate with the newest restore window that contains the moment. `None` is the latest moment.

    There are several candidates if an earlier instance had the same name. `others` are all backups that a source could
    name; an error lists them.

    Raises:
        SourceError: there is no candidate, nothing can be restored from it yet, or no window contains the moment.
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
    """Check that a database can be restored from a backup, and return the ARN of the backup's key.

    Raises:
        SourceError: the engine, the version, the key or its region does not fit, or the storage could not grow.
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
    """Return the region of a key's ARN. Return an empty text for a text that is not an ARN."""
    try:
        found = Arn.parse(arn)
    except ValueError:
        return ""
    return found.region if found.service == "kms" else ""


def one_of(there: Iterable[object], of: str) -> str:
    """List the existing items, in words that complete the sentence "allowed is ..."."""
    words = sorted(map(str, there))
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"one of {', '.join(words[:_SHOWN])}{more}" if words else f"nothing, since there are no {of}"


def _can_run(declared: str, found: str) -> bool:
    """Whether the declared version can run the backup's data: the same major version, and not an older minor one.

    A parameter group belongs to one major version, so a restore cannot include an upgrade.
    """
    wanted, there = ([int(part) for part in version.split(".")] for version in (declared, found))
    return wanted[0] == there[0] and (len(wanted) == 1 or wanted >= there)
