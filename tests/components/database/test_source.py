"""Tests of the origin that is found for the source of a database, and of refusals, against the local AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.rds.models import rds_backends

from components.database.lookup import look_up
from components.database.source import (
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
from localcloud.aws.rds.automated_backups import kept
from tests.components.conftest import aws_in_environment
from tests.components.recording import ACCOUNT
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, a_database, a_key

# HERE is where the old database is or was, THERE where the new one is to be.
TARGET = Target(region=THERE, identifier="new", engine_version="18", storage_gib=100, max_storage_gib=400)
AT_HOME = replace(TARGET, region=HERE)


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """An empty one for each test."""
    with aws_in_environment() as made:
        yield made


def old_database(aws: LocalAws, **asked: Any) -> Any:
    said = {"EngineVersion": "18", "AllocatedStorage": 130, "BackupRetentionPeriod": 35, "StorageEncrypted": True}
    key = {"KmsKeyId": a_key(aws)} if asked.get("StorageEncrypted", True) else {}
    return a_database(aws, "old", **said | key | asked)


def replicated(aws: LocalAws, **asked: Any) -> Any:
    """The old database's backups in the other region, as they are described there."""
    database = old_database(aws, **asked)
    key = {"KmsKeyId": a_key(aws, THERE)} if database["StorageEncrypted"] else {}
    return aws.client("rds", THERE).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=database["DBInstanceArn"], BackupRetentionPeriod=35, **key
    )["DBInstanceAutomatedBackup"]


def gone(aws: LocalAws) -> None:
    """The old database is deleted. Its backups stay."""
    aws.client("rds").delete_db_instance(
        DBInstanceIdentifier="old", SkipFinalSnapshot=True, DeleteAutomatedBackups=False
    )
    # Their names have the minute in them, so another one of the same minute would be refused. No test asks for these.
    rds_backends[ACCOUNT][HERE].database_snapshots.clear()


def aged(arn: str, earliest: timedelta, latest: timedelta = timedelta(0)) -> tuple[datetime, datetime]:
    """Have the local AWS keep these backups from and, if they are fed no longer, to so long ago."""
    backup = kept(rds_backends[ACCOUNT][arn.split(":")[3]])[arn]
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    backup.earliest, backup.latest = now - earliest, now - latest
    return backup.earliest.replace(tzinfo=UTC), backup.latest.replace(tzinfo=UTC)


def refusal(source: Source | None, target: Target = TARGET) -> str:
    with pytest.raises(SourceError) as refused:
        look_up(source, target)
    message = str(refused.value)
    assert "Nothing was changed" in message
    assert "Allowed is" in message
    assert message.splitlines()[-1].strip()  # what to do
    return message


ANY: tuple[Source | None, ...] = (
    None,
    New(),
    PointInTime(instance="never-there", moment=None),
    ReplicatedBackup(instance="never-there", moment=None),
    Snapshot(snapshot="never-there"),
    VaultCopy(vault="never-there", instance="never-there", moment=None),
)


def test_a_database_that_is_there_is_declared_as_it_is_whatever_it_was_made_from(aws: LocalAws) -> None:
    database = old_database(aws)
    target = replace(AT_HOME, identifier="old")
    for source in ANY:
        assert look_up(source, target) == Existing(kms_key_arn=database["KmsKeyId"], storage_gib=130)
    # Storage that is declared larger still grows.
    assert look_up(New(), replace(target, storage_gib=200)) == Existing(
        kms_key_arn=database["KmsKeyId"], storage_gib=200
    )


def test_an_empty_database_is_made_from_nothing_and_only_when_it_is_asked_for(aws: LocalAws) -> None:
    assert look_up(New(), TARGET) == Empty()
    message = refusal(None)
    assert "botbrains:database.source is not set" in message
    assert "replicatedBackup" in message


@pytest.mark.parametrize("source_is_there", [True, False])
def test_replicated_backups_are_found_by_the_name_of_their_instance(aws: LocalAws, source_is_there: bool) -> None:
    backup = replicated(aws)
    earliest, _ = aged(backup["DBInstanceAutomatedBackupsArn"], timedelta(days=2))
    if not source_is_there:
        gone(aws)
    found = FromBackups(
        kms_key_arn=backup["KmsKeyId"],
        storage_gib=130,
        automated_backups_arn=backup["DBInstanceAutomatedBackupsArn"],
        moment=None,
    )
    assert look_up(ReplicatedBackup(instance="old", moment=None), TARGET) == found
    for moment in (earliest, earliest + timedelta(days=1)):
        assert look_up(ReplicatedBackup(instance="old", moment=moment), TARGET) == replace(found, moment=moment)
    larger = replace(TARGET, storage_gib=150)
    assert look_up(ReplicatedBackup(instance="old", moment=None), larger) == replace(found, storage_gib=150)


@pytest.mark.parametrize("replica", [True, False])
def test_of_two_instances_of_one_name_the_one_that_has_the_moment_is_taken(aws: LocalAws, replica: bool) -> None:
    def made() -> str:
        if replica:
            return str(replicated(aws)["DBInstanceAutomatedBackupsArn"])
        arn = old_database(aws)["DBInstanceArn"]
        pages = aws.client("rds").describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
        return next(
            str(it["DBInstanceAutomatedBackupsArn"])
            for it in pages
            if it["DBInstanceArn"] == arn and it["Status"] == "active"
        )

    first = made()
    gone(aws)
    begun, ended = aged(first, timedelta(days=20), timedelta(days=10))
    second = made()
    aged(second, timedelta(days=5))
    source: Callable[[datetime | None], Source] = lambda moment: (  # noqa: E731
        ReplicatedBackup(instance="old", moment=moment) if replica else PointInTime(instance="old", moment=moment)
    )
    target = TARGET if replica else AT_HOME

    for moment, arn in ((None, second), (begun + timedelta(days=16), second), (ended, first), (begun, first)):
        found = look_up(source(moment), target)
        assert isinstance(found, FromBackups)
        # The instance that is there is named by its name; a deleted one has none any more.
        live = arn == second and not replica
        assert (found.automated_backups_arn, found.instance) == ((None, "old") if live else (arn, None))
    message = refusal(source(ended + timedelta(days=1)), target)
    assert f"{written(begun)} to {written(ended)}" in message
    assert message.index(written(begun)) > message.index(" to ")  # the newest window comes first


@pytest.mark.parametrize("days", [-3, 1])
def test_a_moment_outside_the_window_is_refused_with_the_window(aws: LocalAws, days: int) -> None:
    arn = replicated(aws)["DBInstanceAutomatedBackupsArn"]
    gone(aws)
    earliest, latest = aged(arn, timedelta(days=2), timedelta(hours=1))
    wrong = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    message = refusal(ReplicatedBackup(instance="old", moment=wrong))
    assert f'botbrains:database.source.time is "{written(wrong)}"' in message
    assert f"Allowed is {written(earliest)} to {written(latest)}." in message


def test_an_instance_that_there_are_no_backups_of_is_refused_with_those_that_there_are(aws: LocalAws) -> None:
    assert "nothing, since there are no such backups in eu-west-1" in refusal(
        ReplicatedBackup(instance="old", moment=None)
    )
    replicated(aws)
    message = refusal(ReplicatedBackup(instance="odl", moment=None))
    assert 'botbrains:database.source.instance is "odl"' in message
    assert f"one of old of {HERE} (20" in message
    # Of the other region's instances there are replicated backups alone, and of this one's none.
    assert "one of old" in refusal(PointInTime(instance="odl", moment=None), AT_HOME)
    assert "nothing" in refusal(ReplicatedBackup(instance="old", moment=None), AT_HOME)
    assert "nothing" in refusal(PointInTime(instance="old", moment=None))


def test_an_instance_that_keeps_no_backups_or_is_not_available_is_refused(aws: LocalAws) -> None:
    old_database(aws, BackupRetentionPeriod=0)
    source = PointInTime(instance="old", moment=None)
    assert "nothing" in refusal(source, AT_HOME)
    rds = aws.client("rds")
    rds.modify_db_instance(DBInstanceIdentifier="old", BackupRetentionPeriod=7, ApplyImmediately=True)
    assert isinstance(look_up(source, AT_HOME), FromBackups)
    rds.stop_db_instance(DBInstanceIdentifier="old")
    assert "this one is stopped" in refusal(source, AT_HOME)


def test_a_snapshot_is_found_by_its_name_and_its_arn(aws: LocalAws) -> None:
    database, rds = old_database(aws), aws.client("rds")
    snapshot = rds.create_db_snapshot(DBInstanceIdentifier="old", DBSnapshotIdentifier="before")["DBSnapshot"]
    found = FromSnapshot(kms_key_arn=database["KmsKeyId"], storage_gib=130, snapshot_arn=snapshot["DBSnapshotArn"])
    for name in ("before", snapshot["DBSnapshotArn"]):
        assert look_up(Snapshot(snapshot=name), AT_HOME) == found
    (automated,) = rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
    assert look_up(Snapshot(snapshot=automated["DBSnapshotIdentifier"]), AT_HOME) == replace(
        found, snapshot_arn=automated["DBSnapshotArn"]
    )

    assert "one of before, rds:old-" in refusal(Snapshot(snapshot="befroe"), AT_HOME)
    assert "no snapshots in eu-west-1" in refusal(Snapshot(snapshot="before"))
    assert "Allowed is a snapshot in eu-west-1." in refusal(Snapshot(snapshot=snapshot["DBSnapshotArn"]))
    rds_backends[ACCOUNT][HERE].database_snapshots["before"].status = "creating"
    assert "is creating" in refusal(Snapshot(snapshot="before"), AT_HOME)


def test_the_newest_copy_in_a_vault_that_is_not_later_is_taken(aws: LocalAws) -> None:
    database, backup = old_database(aws), aws.client("backup")
    trust = {"Effect": "Allow", "Principal": {"Service": "backup.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = aws.client("iam").create_role(
        RoleName="backup", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    backup.create_backup_vault(BackupVaultName="vault")
    assert "no complete copies in vault" in refusal(VaultCopy(vault="vault", instance="old", moment=None), AT_HOME)

    made = []
    for _ in range(2):
        job = backup.start_backup_job(BackupVaultName="vault", ResourceArn=database["DBInstanceArn"], IamRoleArn=role)
        made.append((job["RecoveryPointArn"], job["CreationDate"]))
        time.sleep(1.1)  # what is named is in whole seconds
    (first, began), (second, _) = made
    wait_for(
        lambda: all(
            point["Status"] == "COMPLETED"
            for point in backup.list_recovery_points_by_backup_vault(BackupVaultName="vault")["RecoveryPoints"]
        )
    )

    found = FromSnapshot(kms_key_arn=database["KmsKeyId"], storage_gib=130, snapshot_arn=second)
    assert look_up(VaultCopy(vault="vault", instance="old", moment=None), AT_HOME) == found
    between = (began + timedelta(seconds=1)).replace(microsecond=0)
    assert look_up(VaultCopy(vault="vault", instance="old", moment=between), AT_HOME) == replace(
        found, snapshot_arn=first
    )
    before = (began - timedelta(hours=1)).replace(microsecond=0)
    assert written(began) in refusal(VaultCopy(vault="vault", instance="old", moment=before), AT_HOME)
    assert "one of old." in refusal(VaultCopy(vault="vault", instance="odl", moment=None), AT_HOME)
    assert 'source.vault is "vualt"' in refusal(VaultCopy(vault="vualt", instance="old", moment=None), AT_HOME)


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("asked", "target", "says"),
    [
        ({"Engine": "mysql", "EngineVersion": "8.0"}, TARGET, "of postgres, and this is one of mysql"),
        ({}, replace(TARGET, engine_version="17"), 'engineVersion is "17"\n    Allowed is 18,'),
        ({"EngineVersion": "17"}, TARGET, 'engineVersion is "18"\n    Allowed is 17,'),
        ({}, replace(TARGET, engine_version="18.0"), 'engineVersion is "18.0"'),
        ({"StorageEncrypted": False}, TARGET, "a backup that is encrypted"),
        ({}, replace(TARGET, max_storage_gib=142), "maxStorageGib is 142\n    Allowed is 143 or more"),
    ],
    ids=["engine", "newer", "older", "newer-minor", "unencrypted", "full"],
)
def test_a_backup_that_the_database_could_not_be_restored_from_is_refused(
    aws: LocalAws, asked: dict[str, Any], target: Target, says: str
) -> None:
    replicated(aws, **asked)
    assert says in refusal(ReplicatedBackup(instance="old", moment=None), target)


@pytest.mark.parametrize(
    ("harm", "says", "advises"),
    [
        (lambda kms, key: kms.disable_key(KeyId=key), "is Disabled", "aws kms enable-key"),
        (lambda kms, key: kms.schedule_key_deletion(KeyId=key), "is PendingDeletion", "cancel-key-deletion"),
    ],
    ids=["disabled", "to be deleted"],
)
def test_a_backup_whose_key_cannot_be_used_is_refused_with_how_to_get_it_back(
    aws: LocalAws, harm: Callable[[Any, str], Any], says: str, advises: str
) -> None:
    backup = replicated(aws)
    harm(aws.client("kms", THERE), backup["KmsKeyId"])
    message = refusal(ReplicatedBackup(instance="old", moment=None))
    assert f"{backup['KmsKeyId']} {says}." in message
    assert advises in message


def test_a_backup_under_a_key_of_another_region_is_refused(aws: LocalAws) -> None:
    arn = replicated(aws)["DBInstanceAutomatedBackupsArn"]
    elsewhere = a_key(aws, HERE)
    kept(rds_backends[ACCOUNT][THERE])[arn].kms_key_id = elsewhere
    message = refusal(ReplicatedBackup(instance="old", moment=None))
    assert f"a key of {THERE}, and this one's key is {elsewhere}" in message


def test_a_region_that_does_not_answer_is_named_without_waiting_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    begun = time.monotonic()
    message = refusal(New())
    assert time.monotonic() - begun < 10
    assert "AWS in eu-west-1" in message
    assert "http://127.0.0.1:1" in message


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    message = refusal(New())
    assert "AWS in eu-west-1" in message
    assert "credentials" in message


def test_an_answer_that_refuses_the_question_is_shown(aws: LocalAws) -> None:
    origin: Origin = look_up(New(), TARGET)
    assert origin == Empty()
    message = refusal(New(), replace(TARGET, region="xx-nowhere-1"))
    assert "AWS in xx-nowhere-1" in message
