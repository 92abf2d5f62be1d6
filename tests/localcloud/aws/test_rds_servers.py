"""RDS with PostgreSQL servers: the API's description of an instance matches what its clients find.

The tests of this module share one local AWS, and each makes what it needs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from localcloud.aws.rds import rotation
from localcloud.aws.rds.servers import UPLOAD_VARIABLE, current_servers
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, a_database, a_key, a_network, local_aws

PATIENCE = 60.0


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Uploads every half second: what RDS does in minutes, the tests see in a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(UPLOAD_VARIABLE, "0.5")
        with local_aws(None, tmp_path_factory.mktemp("databases")) as running:
            yield running


def available(aws: LocalAws, identifier: str, region: str = HERE) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = aws.client("rds", region).describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        if found["DBInstanceStatus"] != "creating":
            assert found["DBInstanceStatus"] == "available"
            return found
        assert "Endpoint" not in found
        time.sleep(0.1)
    raise AssertionError(f"{identifier} is still being made after {PATIENCE} s")


def password(aws: LocalAws, database: Any) -> str:
    arn = database["MasterUserSecret"]["SecretArn"]
    said = aws.client("secretsmanager", arn.split(":")[3]).get_secret_value(SecretId=arn)["SecretString"]
    return str(json.loads(said)["password"])


def connect(aws: LocalAws, database: Any, secret: str | None = None, **options: Any) -> psycopg.Connection:
    servers = current_servers()
    assert servers is not None
    return psycopg.connect(
        **{
            "host": database["Endpoint"]["Address"],
            "port": database["Endpoint"]["Port"],
            "dbname": "app",
            "user": "root",
            "password": secret or password(aws, database),
            "sslmode": "verify-full",
            "sslrootcert": str(servers.site.ca),
            "autocommit": True,
            **options,
        }
    )


def new(aws: LocalAws, identifier: str, **asked: Any) -> Any:
    a_database(aws, identifier, DBName="app", BackupRetentionPeriod=7, **asked)
    return available(aws, identifier)


def write(connection: psycopg.Connection, *numbers: int) -> datetime:
    """Commit these rows; the moment of the last commit."""
    connection.execute("create table if not exists rows (number int primary key, at timestamptz not null)")
    moment: datetime | None = None
    for number in numbers:
        done = connection.execute("insert into rows values (%s, clock_timestamp()) returning at", (number,)).fetchone()
        assert done is not None
        moment = done[0]
    assert moment is not None
    return moment


def rows(connection: psycopg.Connection) -> list[int]:
    return [number for (number,) in connection.execute("select number from rows order by number")]


def until_restorable(aws: LocalAws, identifier: str, moment: datetime) -> datetime:
    """Wait until RDS says that an instance can be restored to a moment; the latest then."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        latest: datetime = available(aws, identifier)["LatestRestorableTime"]
        if latest >= moment:
            return latest
        time.sleep(0.1)
    raise AssertionError(f"{identifier} cannot be restored to {moment} after {PATIENCE} s")


def copy_until(aws: LocalAws, arn: str, moment: datetime | None = None) -> Any:
    """Wait until a copy in the other region can be restored to a moment, or at all."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        backup = aws.client("rds", THERE).describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)[
            "DBInstanceAutomatedBackups"
        ][0]
        latest = backup["RestoreWindow"].get("LatestTime")
        if latest is not None and (moment is None or latest >= moment):
            return backup
        assert backup["Status"] in ("pending", "replicating")
        time.sleep(0.1)
    raise AssertionError(f"{arn} has not got so far after {PATIENCE} s")


def test_an_instance_is_a_server_that_is_reached_over_verified_tls(aws: LocalAws) -> None:
    made = new(aws, "server", EngineVersion="18")
    with connect(aws, made) as connection:
        (version,) = connection.execute("show server_version").fetchone() or ("",)
        (superuser,) = connection.execute("select usesuper from pg_user where usename = current_user").fetchone() or (
            1,
        )
    assert made["EngineVersion"] == version
    assert version.startswith("18.")
    assert superuser is False
    with pytest.raises(psycopg.OperationalError):
        connect(aws, made, sslmode="disable", sslrootcert=None)
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(aws, made, secret="another one")


def test_a_parameter_group_decides_whether_tls_is_forced(aws: LocalAws) -> None:
    rds = aws.client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="open", DBParameterGroupFamily="postgres18", Description="x")
    rds.modify_db_parameter_group(
        DBParameterGroupName="open",
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}],
    )
    made = new(aws, "lax", DBParameterGroupName="open")
    connect(aws, made, sslmode="disable", sslrootcert=None).close()
    rds.modify_db_parameter_group(
        DBParameterGroupName="open",
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}],
    )
    with pytest.raises(psycopg.OperationalError):
        connect(aws, made, sslmode="disable", sslrootcert=None)


def test_rds_rotates_the_master_password_and_refuses_the_old_one(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new(aws, "rotating")
    arn, rds, secrets = made["MasterUserSecret"]["SecretArn"], aws.client("rds"), aws.client("secretsmanager")

    def weekly() -> None:
        monkeypatch.setattr(rotation, "_PERIOD_SECONDS", 0)
        end = time.monotonic() + PATIENCE
        while password(aws, made) == before:
            assert time.monotonic() < end
            time.sleep(0.1)
        monkeypatch.undo()

    for rotate in (
        lambda: rds.modify_db_instance(
            DBInstanceIdentifier="rotating", RotateMasterUserPassword=True, ApplyImmediately=True
        ),
        lambda: secrets.rotate_secret(SecretId=arn),
        weekly,
    ):
        before = password(aws, made)
        with connect(aws, made, secret=before) as session:
            rotate()
            after = password(aws, available(aws, "rotating"))
            assert after != before
            connect(aws, made, secret=after).close()
            with pytest.raises(psycopg.OperationalError, match="password"):
                connect(aws, made, secret=before)
            assert session.execute("select 1").fetchone() == (1,), "an open session ended"


def test_a_restore_to_a_moment_has_the_rows_committed_by_then_and_rds_defaults(aws: LocalAws) -> None:
    key = a_key(aws)
    made = new(
        aws,
        "timeline",
        DBSubnetGroupName=a_network(aws),
        MultiAZ=True,
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        CopyTagsToSnapshot=True,
        StorageEncrypted=True,
        KmsKeyId=key,
        PreferredBackupWindow="01:00-02:00",
        EnableCloudwatchLogsExports=["postgresql"],
        Tags=[{"Key": "app", "Value": "one"}],
    )
    with connect(aws, made) as connection:
        write(connection, *range(1, 21))
        time.sleep(0.05)
        chosen = datetime.now(UTC)
        time.sleep(0.05)
        last = write(connection, *range(21, 41))
    until_restorable(aws, "timeline", last + timedelta(seconds=1))

    aws.client("rds").restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="timeline", TargetDBInstanceIdentifier="timeline-then", RestoreTime=chosen
    )
    restored = available(aws, "timeline-then")
    # The password of that day: the source's, since it has not been changed.
    with connect(aws, restored, secret=password(aws, made)) as connection:
        assert rows(connection) == list(range(1, 21))
    defaults = {
        "MultiAZ": False,
        "DeletionProtection": False,
        "IAMDatabaseAuthenticationEnabled": False,
        "CopyTagsToSnapshot": False,
        "BackupRetentionPeriod": 7,  # "uses existing setting"
        "StorageEncrypted": True,
        "KmsKeyId": key,
    }
    assert {name: restored[name] for name in defaults} == defaults
    assert restored["DBSubnetGroup"]["DBSubnetGroupName"] == "default"
    assert restored["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres18"
    assert restored["EnabledCloudwatchLogsExports"] == []
    assert "MasterUserSecret" not in restored
    assert restored["TagList"] == [{"Key": "app", "Value": "one"}]
    assert restored["DbiResourceId"] != made["DbiResourceId"]

    aws.client("rds").restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="timeline", TargetDBInstanceIdentifier="timeline-now", UseLatestRestorableTime=True
    )
    with connect(aws, available(aws, "timeline-now"), secret=password(aws, made)) as connection:
        assert rows(connection) == list(range(1, 41))


def test_a_moment_outside_the_window_is_refused_with_the_window(aws: LocalAws) -> None:
    new(aws, "bounded")
    for moment in (datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)):
        with pytest.raises(ClientError, match=r"it can be restored to a time from .*Z to .*Z"):
            aws.client("rds").restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier="bounded", TargetDBInstanceIdentifier="never", RestoreTime=moment
            )
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        aws.client("rds").describe_db_instances(DBInstanceIdentifier="never")


def test_a_copy_in_another_region_lags_and_outlives_its_instance(aws: LocalAws) -> None:
    made = new(aws, "distant", StorageEncrypted=True, KmsKeyId=a_key(aws))
    far = a_key(aws, THERE)
    arn = aws.client("rds", THERE).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=made["DBInstanceArn"], BackupRetentionPeriod=5, KmsKeyId=far
    )["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"]
    copy_until(aws, arn)
    with connect(aws, made) as connection:
        last = write(connection, *range(1, 31))
    copy = copy_until(aws, arn, last + timedelta(seconds=1))
    assert copy["Status"] == "replicating"
    assert copy["RestoreWindow"]["LatestTime"] <= available(aws, "distant")["LatestRestorableTime"]

    secret = password(aws, made)
    aws.client("rds").delete_db_instance(
        DBInstanceIdentifier="distant", SkipFinalSnapshot=True, DeleteAutomatedBackups=True
    )
    with pytest.raises(psycopg.OperationalError):
        connect(aws, made, secret=secret, connect_timeout=2)
    aws.client("rds", THERE).restore_db_instance_to_point_in_time(
        SourceDBInstanceAutomatedBackupsArn=arn, TargetDBInstanceIdentifier="here-now", UseLatestRestorableTime=True
    )
    restored = available(aws, "here-now", THERE)
    assert restored["KmsKeyId"] == far
    with connect(aws, restored, secret=secret) as connection:
        assert rows(connection) == list(range(1, 31))


def test_a_cut_region_stops_its_servers_and_freezes_what_was_copied(aws: LocalAws) -> None:
    made = new(aws, "cut-off")
    arn = aws.client("rds", THERE).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=made["DBInstanceArn"], BackupRetentionPeriod=5
    )["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"]
    copy_until(aws, arn)
    with connect(aws, made) as connection:
        write(connection, *range(1, 11))
        secret = password(aws, made)
        aws.application.follow(lambda region: region == HERE)
        try:
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")
            frozen = copy_until(aws, arn)["RestoreWindow"]["LatestTime"]
            time.sleep(2.0)
            assert copy_until(aws, arn)["RestoreWindow"]["LatestTime"] == frozen
        finally:
            aws.application.follow(lambda region: False)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with connect(aws, made, secret=secret, connect_timeout=2) as connection:
                assert rows(connection) == list(range(1, 11))  # nothing that was acknowledged is lost
                break
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.2)
    copy_until(aws, arn, frozen + timedelta(seconds=2))


def test_snapshots_hold_what_was_there_and_travel(aws: LocalAws) -> None:
    made = new(aws, "pictured", StorageEncrypted=True, KmsKeyId=a_key(aws))
    secret, rds = password(aws, made), aws.client("rds")
    with connect(aws, made) as connection:
        write(connection, 1, 2, 3)
        rds.create_db_snapshot(DBInstanceIdentifier="pictured", DBSnapshotIdentifier="picture")
        rds.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="picture", WaiterConfig={"Delay": 1})
        write(connection, 4)
    rds.delete_db_instance(
        DBInstanceIdentifier="pictured", SkipFinalSnapshot=False, FinalDBSnapshotIdentifier="last-picture"
    )
    there, far = aws.client("rds", THERE), a_key(aws, THERE)
    source = rds.describe_db_snapshots(DBSnapshotIdentifier="last-picture")["DBSnapshots"][0]
    assert source["Status"] == "available"
    with pytest.raises(ClientError, match="KmsKeyId"):
        there.copy_db_snapshot(
            SourceDBSnapshotIdentifier=source["DBSnapshotArn"], TargetDBSnapshotIdentifier="far", SourceRegion=HERE
        )
    there.copy_db_snapshot(
        SourceDBSnapshotIdentifier=source["DBSnapshotArn"],
        TargetDBSnapshotIdentifier="far",
        KmsKeyId=far,
        SourceRegion=HERE,
    )
    there.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="far", WaiterConfig={"Delay": 1})
    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="picture", DBInstanceIdentifier="from-picture")
    there.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="far", DBInstanceIdentifier="from-far")
    for region, identifier, expected in ((HERE, "from-picture", [1, 2, 3]), (THERE, "from-far", [1, 2, 3, 4])):
        with connect(aws, available(aws, identifier, region), secret=secret) as connection:
            assert rows(connection) == expected
    assert available(aws, "from-far", THERE)["KmsKeyId"] == far


def test_automated_backups_are_kept_or_go_as_the_deletion_says(aws: LocalAws) -> None:
    rds = aws.client("rds")
    for keep in (True, False):
        made = new(aws, f"kept-{str(keep).lower()}")
        with connect(aws, made) as connection:
            write(connection, 7)
        secret = password(aws, made)
        rds.delete_db_instance(
            DBInstanceIdentifier=made["DBInstanceIdentifier"], SkipFinalSnapshot=True, DeleteAutomatedBackups=not keep
        )
        by_resource = {"SourceDbiResourceId": made["DbiResourceId"], "UseLatestRestorableTime": True}
        if keep:
            rds.restore_db_instance_to_point_in_time(TargetDBInstanceIdentifier="brought-back", **by_resource)
            with connect(aws, available(aws, "brought-back"), secret=secret) as connection:
                assert rows(connection) == [7]
        else:
            with pytest.raises(ClientError, match="DBInstanceNotFound"):
                rds.restore_db_instance_to_point_in_time(TargetDBInstanceIdentifier="not-back", **by_resource)


def test_what_the_servers_cannot_do_is_refused_by_name(aws: LocalAws) -> None:
    for asked, words in (({"Engine": "mysql"}, "postgres only"), ({"EngineVersion": "17.7"}, "17.7.*only")):
        with pytest.raises(ClientError, match=words):
            a_database(aws, "other", **asked)
    a_database(aws, "hasty", DBName="app")
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        aws.client("rds").modify_db_instance(DBInstanceIdentifier="hasty", BackupRetentionPeriod=3)
    available(aws, "hasty")


# Last, because it takes this process's AWS over.
def test_a_restart_brings_the_servers_back_with_their_rows_and_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(UPLOAD_VARIABLE, "0.5")
    places = (tmp_path / "aws", tmp_path / "databases")
    with local_aws(*places) as aws:
        made = new(aws, "lasting")
        with connect(aws, made) as connection:
            write(connection, 1, 2)
        a_database(aws, "unfinished", DBName="app")  # stopped while it is being made
    with local_aws(*places) as aws:
        again = available(aws, "lasting")
        assert again["Endpoint"] == made["Endpoint"]
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with connect(aws, again, connect_timeout=2) as connection:
                    assert rows(connection) == [1, 2]
                    break
            except psycopg.OperationalError:
                assert time.monotonic() < end
                time.sleep(0.1)
        connect(aws, available(aws, "unfinished")).close()
    with local_aws(*places) as aws:
        aws.application.follow(lambda region: region == HERE)  # it was cut off when the local cloud was stopped
        for _ in range(10):
            with pytest.raises(psycopg.OperationalError, match="refused"):  # not a wrong password: the server is down
                connect(aws, made, secret="any", connect_timeout=2)
            time.sleep(0.2)
