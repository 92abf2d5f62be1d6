"""Find the origin of a database at AWS, before anything is registered, and in the target region alone.

So a source that cannot be used is refused before anything exists, also in a preview. No other region is called, because
it may be the region that was lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from components.aws.iam_documents import Arn
from components.database.aws_queries import AwsQueries
from components.database.backup_selection import Backup, check, choose, one_of
from components.database.source import (
    LATEST,
    Empty,
    Existing,
    FromBackups,
    FromSnapshot,
    New,
    Origin,
    PointInTime,
    ReplicatedBackup,
    Snapshot,
    Source,
    SourceError,
    Target,
    VaultCopy,
    written,
)

# The states in which an instance can be the source of a restore: none changes its data or its backups.
_STEADY: Final = frozenset({"available", "backing-up", "storage-full", "storage-optimization"})

_KEY_ADVICE: Final = {
    "Disabled": "Enable the key again (aws kms enable-key), and try again.",
    "PendingDeletion": "Cancel its deletion (aws kms cancel-key-deletion), enable it (aws kms enable-key), try again.",
}


def look_up(source: Source | None, target: Target) -> Origin:
    """Find the origin to declare the database with. The credentials and the API's address come from the environment.

    If the database exists, its source is not looked up: it may have expired.

    Args:
        source: the declared source. `None` is refused if the database does not exist.
        target: the database and its declared settings.

    Raises:
        SourceError: the database cannot be created from the source, or AWS does not answer. The message has the remedy.
    """
    aws = AwsQueries(target)
    existing = aws.instance(target.identifier)
    if existing is not None:
        return _existing(target, existing)
    match source:
        case New():
            return Empty()
        case PointInTime():
            return _point_in_time(aws, source)
        case ReplicatedBackup():
            return _replicated_backup(aws, source)
        case Snapshot():
            return _snapshot(aws, source)
        case VaultCopy():
            return _vault_copy(aws, source)
    raise SourceError.refused(
        target,
        "source",
        None,
        allowed="a section with from: new, pointInTime, replicatedBackup, snapshot or vaultCopy",
        advice="Say where the data come from: there is no database of this name yet.",
    )


def _existing(target: Target, found: Any) -> Existing:
    if found["DBInstanceStatus"] == "deleting":
        raise SourceError.refused(
            target,
            "identifier",
            target.identifier,
            allowed="the name of a database that is there or is not, and this one is being deleted",
            advice="Wait until it is gone, or use another name.",
        )
    if not found.get("KmsKeyId"):
        raise SourceError.refused(
            target,
            "identifier",
            target.identifier,
            allowed="the name of a database that is encrypted, and the one of this name is not",
            advice="Use another name, and have the database made from a copy of a snapshot that is encrypted.",
        )
    # The storage may have grown. A smaller declared number would be a request to shrink, which RDS refuses.
    storage_gib = max(target.storage_gib, found["AllocatedStorage"])
    return Existing(kms_key_arn=found["KmsKeyId"], storage_gib=storage_gib)


def _point_in_time(aws: AwsQueries, source: PointInTime) -> Origin:
    target, live = aws.target, aws.instance(source.instance)
    backups = [backup for backup in map(Backup.automated, aws.automated_backups()) if backup.home == target.region]
    if live is not None:
        backups = [_as_late_as(live, backup) if _is_of(live, backup) else backup for backup in backups]
    candidates = [backup for backup in backups if backup.instance == source.instance]
    chosen = choose(target, candidates, backups, source.instance, source.moment)
    is_live = live is not None and _is_of(live, chosen)
    if live is not None and is_live and live["DBInstanceStatus"] not in _STEADY:
        raise SourceError.refused(
            target,
            "source.instance",
            source.instance,
            allowed=f"an instance that is {' or '.join(sorted(_STEADY))}, and this one is {live['DBInstanceStatus']}",
            advice="Wait until it is, or restore from a snapshot.",
        )
    return FromBackups(
        kms_key_arn=_usable_key(aws, chosen, "source.instance", source.instance),
        storage_gib=max(target.storage_gib, chosen.storage_gib),
        instance=source.instance if is_live else None,
        automated_backups_arn=None if is_live else chosen.arn,
        moment=source.moment,
    )


def _replicated_backup(aws: AwsQueries, source: ReplicatedBackup) -> Origin:
    target = aws.target
    # Backups that are retained after their instance was deleted are as good as backups that are still replicated.
    backups = [backup for backup in map(Backup.automated, aws.automated_backups()) if backup.home != target.region]
    candidates = [backup for backup in backups if backup.instance == source.instance]
    chosen = choose(target, candidates, backups, source.instance, source.moment)
    return FromBackups(
        kms_key_arn=_usable_key(aws, chosen, "source.instance", source.instance),
        storage_gib=max(target.storage_gib, chosen.storage_gib),
        automated_backups_arn=chosen.arn,
        moment=source.moment,
    )


def _snapshot(aws: AwsQueries, source: Snapshot) -> Origin:
    target, setting = aws.target, "source.snapshot"
    _, is_arn, name = source.snapshot.rpartition(":snapshot:")
    if is_arn and Arn.parse(source.snapshot).region != target.region:
        raise SourceError.refused(
            target,
            setting,
            source.snapshot,
            allowed=f"a snapshot in {target.region}",
            advice=f"Copy it to {target.region} with a key that is there, and name the copy.",
        )
    found = aws.snapshot(name)
    if found is None or (is_arn and found["DBSnapshotArn"] != source.snapshot):
        names = [each["DBSnapshotIdentifier"] for each in aws.snapshots() if each["Status"] == "available"]
        raise SourceError.refused(
            target,
            setting,
            source.snapshot,
            allowed=one_of(names, f"snapshots in {target.region}"),
            advice="Name one that is there.",
        )
    return _from_snapshot(aws, found, setting, source.snapshot)


def _vault_copy(aws: AwsQueries, source: VaultCopy) -> Origin:
    target = aws.target
    points = aws.recovery_points(source.vault)
    if points is None:
        raise SourceError.refused(
            target,
            "source.vault",
            source.vault,
            allowed=f"the name of a vault of AWS Backup in {target.region}",
            advice="Name the vault that the copies go to.",
        )
    complete = [point for point in points if point["Status"] == "COMPLETED"]
    copies = [point for point in complete if point["ResourceArn"].rpartition(":db:")[2] == source.instance]
    if not copies:
        instances = {point["ResourceArn"].rpartition(":db:")[2] for point in complete}
        raise SourceError.refused(
            target,
            "source.instance",
            source.instance,
            allowed=one_of(instances, f"complete copies in {source.vault}"),
            advice="Name an instance that the vault has a complete copy of.",
        )
    copies.sort(key=lambda point: point["CreationDate"], reverse=True)
    fitting = [point for point in copies if source.moment is None or point["CreationDate"] <= source.moment]
    if not fitting:
        oldest = written(copies[-1]["CreationDate"])
        raise SourceError.refused(
            target,
            "source.time",
            LATEST if source.moment is None else written(source.moment),
            allowed=f"{oldest}, which is when the oldest copy was made, or later",
            advice="Name a moment that a copy is not later than.",
        )
    arn = fitting[0]["RecoveryPointArn"]
    found = aws.snapshot(arn.rpartition(":snapshot:")[2])
    if found is None:
        raise SourceError.refused(
            target,
            "source.vault",
            source.vault,
            allowed=f"a vault whose copies are snapshots; {arn} is none that RDS knows",
            advice="Name a snapshot with from: snapshot instead.",
        )
    return _from_snapshot(aws, found, "source.vault", source.vault)


def _from_snapshot(aws: AwsQueries, found: Any, setting: str, value: str) -> Origin:
    if found["Status"] != "available":
        raise SourceError.refused(
            aws.target,
            setting,
            value,
            allowed=f"a snapshot that is available, and {found['DBSnapshotArn']} is {found['Status']}",
            advice="Wait until it is, or name another.",
        )
    backup = Backup.of_snapshot(found)
    return FromSnapshot(
        kms_key_arn=_usable_key(aws, backup, setting, value),
        storage_gib=max(aws.target.storage_gib, backup.storage_gib),
        snapshot_arn=backup.arn,
    )


def _usable_key(aws: AwsQueries, backup: Backup, setting: str, value: str) -> str:
    """Return the key of a backup that can be restored. RDS cannot restore a backup whose key is not usable."""
    key = check(aws.target, backup, setting, value)
    state = aws.key_state(key)
    if state != "Enabled":
        raise SourceError.refused(
            aws.target,
            setting,
            value,
            allowed=f"a backup whose key is Enabled, and {key} is {state or 'not there'}",
            advice=_KEY_ADVICE.get(state or "", "Name another backup: without its key, this one cannot be read."),
        )
    return key


def _is_of(live: Any, backup: Backup) -> bool:
    """Whether a backup belongs to the instance. An earlier instance of the same name has a different resource id."""
    return bool(live["DbiResourceId"] == backup.resource_id)


def _as_late_as(live: Any, backup: Backup) -> Backup:
    """Take the end of the restore window and the size from the instance: its backups' record is older."""
    latest = live.get("LatestRestorableTime")
    window = None if latest is None or backup.window is None else replace(backup.window, latest=latest)
    return replace(backup, window=window, storage_gib=live["AllocatedStorage"])
