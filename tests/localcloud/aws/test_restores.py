"""RDS instances restored by the AWS stand-in's table, as the engine uses it: what RDS has afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.rds.models import rds_backends

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.provider import _difference
from localcloud.plugins.table import GoneError, RefusedError
from localcloud.plugins.time_limit import custom_timeout
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, a_database, a_key, a_network, local_aws

INSTANCE = "aws:rds/instance:Instance"
LATEST = {"sourceDbInstanceIdentifier": "source", "useLatestRestorableTime": True}
# A restored instance needs neither engine nor user nor storage.
PLAIN = {"instanceClass": "db.t4g.small", "storageEncrypted": True, "skipFinalSnapshot": True}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


@pytest.fixture(scope="module")
def source(aws: LocalAws) -> dict[str, Any]:
    """An instance with backups, of which the other region holds a copy under its own key."""
    made: dict[str, Any] = a_database(
        aws,
        "source",
        DBSubnetGroupName=a_network(aws),
        DBName="app",
        EngineVersion="16",
        StorageEncrypted=True,
        KmsKeyId=a_key(aws),
        BackupRetentionPeriod=35,
        AllocatedStorage=50,
        MultiAZ=True,
        DeletionProtection=True,
        Tags=[{"Key": "tier", "Value": "1"}],
    )
    return made


@pytest.fixture(scope="module")
def copy(aws: LocalAws, source: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = aws.client("rds", THERE).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=source["DBInstanceArn"], KmsKeyId=a_key(aws, THERE), BackupRetentionPeriod=14
    )["DBInstanceAutomatedBackup"]
    return copied


def described(aws: LocalAws, identifier: str, region: str = HERE) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("rds", region).describe_db_instances(DBInstanceIdentifier=identifier)[
        "DBInstances"
    ][0]
    return found


def secret_of(aws: LocalAws, database: dict[str, Any], region: str = HERE) -> dict[str, str]:
    asked = aws.client("secretsmanager", region).get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])
    said: dict[str, str] = json.loads(asked["SecretString"])
    return said


def test_restore_is_as_declared_after_a_refresh(aws: LocalAws, cloud: Cloud, copy: dict[str, Any]) -> None:
    """The provider sends part of the declaration with a point-in-time restore. The next refresh finds the rest."""
    insights = a_key(aws, THERE)
    made = Made.create_unchecked(
        cloud,
        INSTANCE,
        **PLAIN,
        region=THERE,
        identifier="recovered",
        engine="Postgres",
        engineVersion="16",
        allocatedStorage=80,
        maxAllocatedStorage=200,
        multiAz=True,
        manageMasterUserPassword=True,
        masterUserSecretKmsKeyId=insights,
        backupRetentionPeriod=14,
        backupWindow="02:00-02:30",
        maintenanceWindow="sun:03:00-sun:04:00",
        deletionProtection=True,
        copyTagsToSnapshot=True,
        caCertIdentifier="rds-ca-rsa4096-g1",
        iamDatabaseAuthenticationEnabled=True,
        enabledCloudwatchLogsExports=["postgresql"],
        performanceInsightsEnabled=True,
        performanceInsightsKmsKeyId=insights,
        tags={"tier": "2"},
        restoreToPointInTime={
            "sourceDbInstanceAutomatedBackupsArn": copy["DBInstanceAutomatedBackupsArn"],
            "useLatestRestorableTime": True,
        },
    )
    assert made.drift() == {
        "allocatedStorage",
        "backupRetentionPeriod",
        "backupWindow",
        "caCertIdentifier",
        "maintenanceWindow",
        "performanceInsightsEnabled",
        "performanceInsightsKmsKeyId",
    }
    first = secret_of(aws, described(aws, "recovered", THERE), THERE)
    made.refresh_and_update()
    found = described(aws, "recovered", THERE)
    expected = {
        "DBName": "app",
        "KmsKeyId": copy["KmsKeyId"],
        "AllocatedStorage": 80,
        "MaxAllocatedStorage": 200,
        "MultiAZ": True,
        "BackupRetentionPeriod": 14,
        "PreferredBackupWindow": "02:00-02:30",
        "DeletionProtection": True,
        "PubliclyAccessible": False,
        "CACertificateIdentifier": "rds-ca-rsa4096-g1",
        "PerformanceInsightsEnabled": True,
    }
    assert {key: found[key] for key in expected} == expected
    assert {tag["Key"]: tag["Value"] for tag in found["TagList"]} == {"owner": "platform", "tier": "2"}
    assert found["MasterUserSecret"]["KmsKeyId"] == insights
    assert secret_of(aws, found, THERE) == first
    made.change(deletionProtection=False)
    with pytest.raises(GoneError):
        made.delete()


def test_a_restore_that_declares_little_takes_over_the_rest_and_shows_no_drift(
    aws: LocalAws, cloud: Cloud, source: dict[str, Any]
) -> None:
    made = Made.create(cloud, INSTANCE, **PLAIN, identifier="little", restoreToPointInTime=LATEST)
    found = described(aws, "little")
    assert found["DbiResourceId"] == made.identity != source["DbiResourceId"]
    taken = ("Engine", "EngineVersion", "AllocatedStorage", "MasterUsername", "KmsKeyId", "BackupRetentionPeriod")
    assert {key: found[key] for key in taken} == {key: source[key] for key in taken}
    assert (found["MultiAZ"], found["DeletionProtection"]) == (False, False)
    # A source that grew by itself: what is declared is the least, and no change.
    made.change(allocatedStorage=50, maxAllocatedStorage=100)
    aws.client("rds").modify_db_instance(DBInstanceIdentifier="little", AllocatedStorage=70)
    assert made.drift() == set()
    aws.client("rds").modify_db_instance(DBInstanceIdentifier="little", MaxAllocatedStorage=70)  # growth is off
    assert made.drift() == {"maxAllocatedStorage"}


def test_to_a_moment_and_not_outside_the_window(cloud: Cloud, source: dict[str, Any]) -> None:
    def at(moment: datetime) -> dict[str, Any]:
        said = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"sourceDbiResourceId": source["DbiResourceId"], "restoreTime": said}

    with pytest.raises(ClientError, match="InvalidParameterValue"):
        Made.create(
            cloud, INSTANCE, **PLAIN, identifier="late", restoreToPointInTime=at(datetime.now(UTC) + timedelta(days=1))
        )
    table = TABLES[INSTANCE]
    assert table.find is not None
    assert table.find(cloud, {"identifier": "late"}) is None
    latest = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    while datetime.now(UTC) < latest:  # the window begins with the instance, which is not a whole second old
        pass
    made = Made.create(cloud, INSTANCE, **PLAIN, identifier="moment", restoreToPointInTime=at(latest))
    with pytest.raises(GoneError):
        made.delete()


def test_from_a_snapshot(aws: LocalAws, cloud: Cloud, source: dict[str, Any]) -> None:
    snapshot = aws.client("rds").create_db_snapshot(DBInstanceIdentifier="source", DBSnapshotIdentifier="kept")
    made = Made.create(
        cloud,
        INSTANCE,
        **PLAIN,
        identifier="from-snapshot",
        snapshotIdentifier=snapshot["DBSnapshot"]["DBSnapshotArn"],
        dbName="app",  # the API takes none here
        password="declared-by-us",
        backupRetentionPeriod=0,
        storageType="io2",
        iops=1000,
        allocatedStorage=100,
    )
    found = described(aws, "from-snapshot")
    assert (found["BackupRetentionPeriod"], found["StorageType"], found["Iops"]) == (0, "io2", 1000)
    assert (found["AllocatedStorage"], found["DBName"], "MasterUserSecret" in found) == (100, "app", False)
    with pytest.raises(GoneError):
        made.delete()


def test_a_write_only_password_is_sent_with_its_version(aws: LocalAws, cloud: Cloud) -> None:
    asked: list[dict[str, Any]] = []
    events = aws.client("rds").meta.events
    events.register("provide-client-params.rds.*", lambda params, **_: asked.append(params), unique_id="seen")
    try:
        made = Made.create(
            cloud,
            INSTANCE,
            instanceClass="db.t4g.small",
            engine="postgres",
            allocatedStorage=20,
            username="root",
            identifier="write-only",
            passwordWo="first-password",
            passwordWoVersion=1,
            skipFinalSnapshot=True,
        )
        made.change(passwordWoVersion=2)
        sent = [each["MasterUserPassword"] for each in asked if "MasterUserPassword" in each]
        assert sent == ["first-password", "first-password"]
        assert "first-password" not in json.dumps(made.outputs)
    finally:
        events.unregister("provide-client-params.rds.*", unique_id="seen")
    unchanged = _difference(made.table.properties, made.inputs, {**made.inputs, "passwordWo": "another"})
    assert list(unchanged.diffs) == []
    with pytest.raises(GoneError):
        made.delete()


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"restoreToPointInTime": {**LATEST, "cluster": "x"}}, "has no `cluster`; it has sourceDbInstanceIdentifier"),
        (
            {"restoreToPointInTime": {"useLatestRestorableTime": True}},
            "exactly one of sourceDbInstanceIdentifier.*none",
        ),
        ({"restoreToPointInTime": {**LATEST, "sourceDbiResourceId": "db-X"}}, "Identifier and sourceDbiResourceId"),
        ({"restoreToPointInTime": {"sourceDbInstanceIdentifier": "source"}}, "exactly one of restoreTime.*none"),
        (
            {"restoreToPointInTime": {**LATEST, "restoreTime": "2026-01-01T00:00:00Z"}},
            "has restoreTime and useLatestRestorableTime",
        ),
        ({"restoreToPointInTime": {**LATEST, "useLatestRestorableTime": False}}, "is false, and there is no"),
        (
            {"restoreToPointInTime": {"sourceDbInstanceIdentifier": "source", "restoreTime": "2026-01-01 00:00"}},
            "is '2026-01-01 00:00'; allowed is UTC",
        ),
        ({"restoreToPointInTime": LATEST, "snapshotIdentifier": "kept"}, "two sources"),
        ({"restoreToPointInTime": LATEST, "password": "a", "manageMasterUserPassword": True}, "two ways"),
        ({"restoreToPointInTime": LATEST, "passwordWo": "a"}, "need each other"),
        ({"engine": "postgres", "username": "root"}, "needs `allocatedStorage`"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cloud: Cloud, source: dict[str, Any], inputs: dict[str, Any], reason: str
) -> None:
    table = TABLES[INSTANCE]
    with pytest.raises(RefusedError, match=reason):
        table.create(cloud, {**PLAIN, "identifier": "never", **inputs})
    assert table.find is not None
    assert table.find(cloud, {"identifier": "never"}) is None


@pytest.mark.parametrize(
    ("inputs", "replaces"),
    [
        ({"restoreToPointInTime": {**LATEST, "sourceDbInstanceIdentifier": "another"}}, ["restoreToPointInTime"]),
        ({}, ["restoreToPointInTime"]),
        # What the engine makes of these with `ignore_changes`: the old input, whole, wherever it was.
        ({"restoreToPointInTime": LATEST}, []),
    ],
)
def test_another_origin_replaces(inputs: dict[str, Any], replaces: list[str]) -> None:
    old = {**PLAIN, "identifier": "a", "restoreToPointInTime": LATEST}
    assert list(_difference(TABLES[INSTANCE].properties, old, {**PLAIN, "identifier": "a", **inputs}).replaces) == (
        replaces
    )


def test_half_made_instance_never_gets_its_secret(
    aws: LocalAws, cloud: Cloud, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The creation ended before its second call. The provider does not read whether RDS manages the password."""
    inputs = {**PLAIN, "identifier": "half", "restoreToPointInTime": LATEST, "manageMasterUserPassword": True}
    table = TABLES[INSTANCE]
    identity = table.create(cloud, inputs)
    assert table.settle is not None
    record = rds_backends["123456789012"][HERE].databases["half"]
    record.status = "backing-up"
    monkeypatch.setenv("LOCALCLOUD_CLOCK", "60000")
    with pytest.raises(RefusedError, match=r"instance half \(arn:aws:rds:.*\) is backing-up after 40 minutes"):
        table.settle(cloud, identity, inputs)
    with custom_timeout(3 * 3600), pytest.raises(RefusedError, match="is backing-up after 180 minutes"):
        table.settle(cloud, identity, inputs)
    record.status = "incompatible-restore"
    with pytest.raises(RefusedError, match=r"instance half \(.*\) is incompatible-restore, and will not be available"):
        table.settle(cloud, identity, inputs)
    record.status = "available"
    Made(cloud, table, inputs, identity, {}).refresh_and_update()
    assert "MasterUserSecret" not in described(aws, "half")
