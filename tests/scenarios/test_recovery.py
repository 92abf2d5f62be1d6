"""Germany is lost, and the service comes up in Ireland with its rows; then it goes home again.

The tests of this module follow one another through one life, in the order in which they stand here.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from botocore.exceptions import ClientError

from tests.conftest import ROOT, LocalCloud
from tests.scenarios.asking import HOME, PLAN, RECOVERY, aws, outputs

CONTINUITY = (sys.executable, "-m", "continuity")
LOCALCLOUD = (sys.executable, "-m", "localcloud")
PATIENCE = 120.0


def requests(cloud: LocalCloud) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cloud.folder.requests.read_text().splitlines()]


def project(path: Path) -> Path:
    """A copy of the project, whose stacks' files a test may change."""
    for name in ("components", "plan", "policy_pack", "continuity", "localcloud"):
        shutil.copytree(ROOT / name, path / name)
    for file in (ROOT / "__main__.py", *ROOT.glob("Pulumi*.yaml")):
        shutil.copy2(file, path)
    (path / ".venv").symlink_to(ROOT / ".venv")
    return path


def configure(here: Path, stack: str, change: Callable[[dict[str, Any]], None]) -> None:
    file = here / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text())
    change(content["config"])
    file.write_text(yaml.safe_dump(content))


def database(cloud: LocalCloud, stack: str) -> psycopg.Connection:
    """As a client reaches it: where the stack says, over verified TLS, with the password that RDS keeps."""
    said = outputs(cloud, stack)
    arn = said["database_secret_arn"]
    secret = json.loads(aws(cloud, "secretsmanager", arn.split(":")[3]).get_secret_value(SecretId=arn)["SecretString"])
    host, port = said["database_endpoint"].split(":")
    return psycopg.connect(
        host=host,
        port=port,
        dbname=said["database_name"],
        user=secret["username"],
        password=secret["password"],
        sslmode="verify-full",
        sslrootcert=cloud.env["PGSSLROOTCERT"],
        autocommit=True,
    )


def numbers(connection: psycopg.Connection) -> list[int]:
    found = connection.execute("select number from continuity_drill.heartbeat order by number").fetchall()
    return [number for (number,) in found]


def instance(cloud: LocalCloud, region: str, identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = aws(cloud, "rds", region).describe_db_instances(DBInstanceIdentifier=identifier)[
        "DBInstances"
    ][0]
    return found


def copies(cloud: LocalCloud, region: str, identifier: str) -> list[dict[str, Any]]:
    """The automated backups of an instance of another region that are kept in this one."""
    found = aws(cloud, "rds", region).describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    return [backup for backup in found if backup["DBInstanceIdentifier"] == identifier and backup["Region"] != region]


def must_be_protected(cloud: LocalCloud, region: str, identifier: str, group: str) -> None:
    """Everything that a restore leaves at a default, and what keeps the data, from RDS itself."""
    found = instance(cloud, region, identifier)
    expected = {
        "MultiAZ": PLAN.redundancy.database_multi_az,
        "StorageEncrypted": True,
        "DeletionProtection": True,
        "IAMDatabaseAuthenticationEnabled": True,
        "BackupRetentionPeriod": PLAN.retention.database_backup_days,
        "CopyTagsToSnapshot": True,
        "PerformanceInsightsEnabled": True,
        "EnabledCloudwatchLogsExports": ["postgresql", "upgrade"],
    }
    assert {name: found[name] for name in expected} == expected
    assert found["KmsKeyId"].split(":")[3] == region
    assert found["MasterUserSecret"]["KmsKeyId"].split(":")[3] == region
    assert found["DBSubnetGroup"]["DBSubnetGroupName"] == group
    assert [one["DBParameterGroupName"] for one in found["DBParameterGroups"]] == [f"{group}-postgres18"]
    parameters = aws(cloud, "rds", region).describe_db_parameters(
        DBParameterGroupName=f"{group}-postgres18", Source="user"
    )["Parameters"]
    assert {one["ParameterName"]: one["ParameterValue"] for one in parameters}["rds.force_ssl"] == "1"
    groups = aws(cloud, "ec2", region).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [one["VpcSecurityGroupId"] for one in found["VpcSecurityGroups"]]}]
    )["SecurityGroupRules"]
    admitted = [rule for rule in groups if not rule["IsEgress"]]
    assert admitted
    assert all(rule["CidrIpv4"].endswith("/32") and rule["FromPort"] == 5432 for rule in admitted)


def must_be_durable(cloud: LocalCloud, region: str, bucket: str) -> dict[str, Any]:
    """A bucket as S3 shows it; the rule by which it is replicated."""
    s3 = aws(cloud, "s3", region)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert encryption["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].split(":")[3] == region
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert lock == {"Mode": "GOVERNANCE", "Days": PLAN.retention.object_lock_days}
    assert '"aws:SecureTransport"' in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    rules = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    assert [rule["Status"] for rule in rules] == ["Enabled"]
    return dict(rules[0])


def until(what: str, look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not after {PATIENCE} s"
        time.sleep(0.3)


def put(cloud: LocalCloud, region: str, bucket: str, key: str) -> None:
    aws(cloud, "s3", region).put_object(Bucket=bucket, Key=key, Body=key.encode())


def has(cloud: LocalCloud, region: str, bucket: str, key: str) -> bool:
    try:
        return bool(aws(cloud, "s3", region).get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode())
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey"
        return False


# -- Germany is lost --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("project"))


def test_production_is_protected_and_copied(local_cloud: LocalCloud, here: Path) -> None:
    assert local_cloud.run(*CONTINUITY, "up", "--yes", cwd=here).returncode == 0
    must_be_protected(local_cloud, HOME, "botbrains-prod-database", "botbrains-prod-database")
    replica = copies(local_cloud, RECOVERY, "botbrains-prod-database")
    assert [backup["Status"] for backup in replica] == ["replicating"]
    assert replica[0]["BackupRetentionPeriod"] == PLAN.retention.replicated_backup_days
    assert replica[0]["KmsKeyId"] == outputs(local_cloud, "vault")["database_key_arn"]
    assert replica[0]["RestoreWindow"]["LatestTime"]

    there = must_be_durable(local_cloud, HOME, "botbrains-prod-objects")
    back = must_be_durable(local_cloud, RECOVERY, "botbrains-vault-replica")
    assert there["Destination"]["Bucket"] == "arn:aws:s3:::botbrains-vault-replica"
    assert back["Destination"]["Bucket"] == "arn:aws:s3:::botbrains-prod-objects"

    for region, vault, locked_for_good in (
        (HOME, "botbrains-prod-second-copy", False),
        (RECOVERY, "botbrains-vault-backups", True),
    ):
        found = aws(local_cloud, "backup", region).describe_backup_vault(BackupVaultName=vault)
        days = PLAN.retention.vault_copy_days
        assert (found["Locked"], found["MinRetentionDays"], found["MaxRetentionDays"]) == (True, days, days)
        assert found["EncryptionKeyArn"].split(":")[3] == region
        assert ("LockDate" in found) is locked_for_good
    backup = aws(local_cloud, "backup", HOME)
    plan_id = backup.list_backup_plans()["BackupPlansList"][0]["BackupPlanId"]
    rule = backup.get_backup_plan(BackupPlanId=plan_id)["BackupPlan"]["Rules"][0]
    assert rule["CopyActions"][0]["DestinationBackupVaultArn"] == outputs(local_cloud, "vault")["backup_vault_arn"]

    secrets = aws(local_cloud, "secretsmanager", RECOVERY)
    for arn in outputs(local_cloud, "prod")["secrets"].values():
        name = aws(local_cloud, "secretsmanager", HOME).describe_secret(SecretId=arn)["Name"]
        assert secrets.describe_secret(SecretId=name)["PrimaryRegion"] == HOME


def test_a_wrong_source_is_refused_before_anything_is_made(local_cloud: LocalCloud, here: Path) -> None:
    original = (here / "Pulumi.dr.yaml").read_text()
    # Its beginning is known for good once a first backup has been copied, and log behind it.
    window = until(
        "a window",
        lambda: next(
            (
                found
                for found in [copies(local_cloud, RECOVERY, "botbrains-prod-database")[0]["RestoreWindow"]]
                if found["LatestTime"] > found["EarliestTime"]
            ),
            None,
        ),
    )
    cases = {
        "botbrains-prod-database": {"from": "replicatedBackup", "instance": "botbrains-prod-databse"},
        window["EarliestTime"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"): {
            "from": "replicatedBackup",
            "instance": "botbrains-prod-database",
            "time": "2020-01-01T00:00:00Z",
        },
        "botbrains:database.source.snapshot": {"from": "snapshot", "snapshot": "never-taken"},
    }
    before = len(requests(local_cloud))
    for words, source in cases.items():
        configure(here, "dr", lambda config, source=source: config["botbrains:database"].update(source=source))  # type: ignore[misc]
        said = local_cloud.run(*CONTINUITY, "preview", "dr", cwd=here)
        assert said.returncode != 0
        assert words in said.stdout
        said = local_cloud.run(
            "pulumi", "up", "--yes", "--stack", "dr", "--skip-preview", "--policy-pack", "policy_pack", cwd=here
        )
        assert said.returncode != 0
        assert words in said.stdout
    (here / "Pulumi.dr.yaml").write_text(original)
    # Asked was only what one reads; at Hetzner nothing at all.
    assert not [line for line in requests(local_cloud)[before:] if line["cloud"] != "aws"]
    assert aws(local_cloud, "rds", RECOVERY).describe_db_instances()["DBInstances"] == []
    assert aws(local_cloud, "rds", RECOVERY).describe_db_subnet_groups()["DBSubnetGroups"] == []


def test_a_key_that_cannot_be_used_is_refused_before_anything_is_made(local_cloud: LocalCloud, here: Path) -> None:
    key = outputs(local_cloud, "vault")["database_key_arn"]
    kms = aws(local_cloud, "kms", RECOVERY)
    # Losing its key ends a replication for good, so this is tried with another instance's.
    rds = aws(local_cloud, "rds", HOME)
    rds.create_db_instance(
        DBInstanceIdentifier="other",
        DBInstanceClass="db.t4g.small",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="root",
        ManageMasterUserPassword=True,
        StorageEncrypted=True,
    )
    until("the other instance", lambda: instance(local_cloud, HOME, "other")["DBInstanceStatus"] == "available")
    mine = kms.create_key()["KeyMetadata"]["Arn"]
    aws(local_cloud, "rds", RECOVERY).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=instance(local_cloud, HOME, "other")["DBInstanceArn"], KmsKeyId=mine
    )
    until("its copy", lambda: copies(local_cloud, RECOVERY, "other")[0]["RestoreWindow"].get("LatestTime"))
    kms.schedule_key_deletion(KeyId=mine, PendingWindowInDays=7)
    original = (here / "Pulumi.dr.yaml").read_text()
    configure(here, "dr", lambda config: config["botbrains:database"]["source"].update(instance="other"))
    said = local_cloud.run(*CONTINUITY, "preview", "dr", cwd=here)
    (here / "Pulumi.dr.yaml").write_text(original)
    assert said.returncode != 0
    assert mine in said.stdout
    assert "cancel-key-deletion" in said.stdout
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    rds.delete_db_instance(DBInstanceIdentifier="other", SkipFinalSnapshot=True)


def test_ireland_recovers_what_it_holds_and_asks_germany_nothing(local_cloud: LocalCloud, here: Path) -> None:
    put(local_cloud, HOME, "botbrains-prod-objects", "before")
    until("the replica", lambda: has(local_cloud, RECOVERY, "botbrains-vault-replica", "before"))
    before = len(requests(local_cloud))
    fault = f"{sys.executable} -m localcloud cut {{home_region}}"
    said = local_cloud.run(
        *CONTINUITY, "drill", "recovery", "--yes", "--json", "--write-seconds", "12", "--fault", fault, cwd=here
    )
    assert said.returncode == 0
    measured = json.loads(said.stdout[said.stdout.rindex("\n{\n") :])
    assert measured["kept"]
    assert measured["rows_wrong"] == 0
    assert 0 < measured["rows_recovered"] <= measured["rows_acknowledged"]
    assert measured["data_loss"] <= PLAN.severities.high.rpo_minutes * 60

    asked = requests(local_cloud)[before:]
    lost = next(place for place, line in enumerate(asked) if line["region"] == RECOVERY and line["cloud"] == "aws")
    assert not [line for line in asked[lost:] if line["region"] == HOME]
    assert not [line for line in asked if line.get("cut")]

    with database(local_cloud, "dr") as connection:
        assert numbers(connection) == list(range(1, measured["rows_recovered"] + 1))
    assert has(local_cloud, RECOVERY, outputs(local_cloud, "dr")["objects_bucket"], "before")


def test_what_came_up_is_protected_and_a_second_up_changes_nothing(local_cloud: LocalCloud, here: Path) -> None:
    must_be_protected(local_cloud, RECOVERY, "botbrains-dr-database", "botbrains-dr-database")
    assert (
        instance(local_cloud, RECOVERY, "botbrains-dr-database")["KmsKeyId"]
        == outputs(local_cloud, "vault")["database_key_arn"]
    )
    again = local_cloud.run(*CONTINUITY, "up", "dr", "--yes", cwd=here)
    assert again.returncode == 0
    assert "dr: no change" in again.stdout


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"from": "replicatedBackup", "instance": "gone-long-ago"}, id="changed"),
        pytest.param({"from": "new"}, id="another one"),
        pytest.param(None, id="removed"),
    ],
)
def test_where_it_came_from_is_history(local_cloud: LocalCloud, here: Path, source: dict[str, str] | None) -> None:
    original = (here / "Pulumi.dr.yaml").read_text()

    def change(config: dict[str, Any]) -> None:
        config["botbrains:database"].pop("source")
        if source is not None:
            config["botbrains:database"]["source"] = source

    configure(here, "dr", change)
    said = local_cloud.run("pulumi", "preview", "--stack", "dr", "--expect-no-changes", cwd=here)
    (here / "Pulumi.dr.yaml").write_text(original)
    assert said.returncode == 0


def test_production_is_not_destroyed_and_it_is_said_what_would_be_lost(local_cloud: LocalCloud, here: Path) -> None:
    # Germany is lost, so production's program cannot run, and without it nothing is destroyed.
    raw = local_cloud.run("pulumi", "destroy", "--yes", "--stack", "prod", cwd=here)
    assert raw.returncode != 0
    assert "--run-program" in raw.stdout + raw.stderr
    said = local_cloud.run(*CONTINUITY, "destroy", "prod", "--yes", cwd=here)
    assert said.returncode != 0
    for what in ("botbrains-prod-database: a database with all of its rows", "botbrains-prod-objects: a bucket"):
        assert what in said.stderr


# -- and comes back ---------------------------------------------------------------------------------------------------


def test_going_home_is_the_same_in_the_other_direction(local_cloud: LocalCloud, here: Path) -> None:
    put(local_cloud, RECOVERY, "botbrains-vault-replica", "meanwhile")
    with database(local_cloud, "dr") as connection:
        connection.execute("insert into continuity_drill.heartbeat values (1000000, clock_timestamp())")
        expected = numbers(connection)
    assert local_cloud.run(*LOCALCLOUD, "restore", HOME).returncode == 0
    until("the object written meanwhile", lambda: has(local_cloud, HOME, "botbrains-prod-objects", "meanwhile"))

    configure(here, "vault", lambda config: config.update({"botbrains:failback": True}))
    configure(here, "dr", lambda config: config["botbrains:database"].update(replicateBackups=True))
    assert local_cloud.run(*CONTINUITY, "up", "dr", "--yes", cwd=here).returncode == 0
    now = datetime.now(UTC)
    copy = until(
        "the way home",
        lambda: [
            backup
            for backup in copies(local_cloud, HOME, "botbrains-dr-database")
            if (latest := backup["RestoreWindow"].get("LatestTime")) is not None and latest > now
        ],
    )[0]
    assert copy["KmsKeyId"] == outputs(local_cloud, "vault")["return_key_arn"]
    assert copy["KmsKeyId"].split(":")[3] == HOME

    def home(config: dict[str, Any]) -> None:
        config["botbrains:database"]["identifier"] = "botbrains-prod-database-2"
        config["botbrains:database"]["source"] = {"from": "replicatedBackup", "instance": "botbrains-dr-database"}

    configure(here, "prod", home)
    refused = local_cloud.run(*CONTINUITY, "up", "prod", "--yes", cwd=here)
    assert refused.returncode != 0
    assert "protected" in refused.stdout
    assert local_cloud.run(*CONTINUITY, "set-aside", "prod", "--yes", cwd=here).returncode == 0
    assert local_cloud.run(*CONTINUITY, "up", "prod", "--yes", cwd=here).returncode == 0
    with database(local_cloud, "prod") as connection:
        assert numbers(connection) == expected
    must_be_protected(local_cloud, HOME, "botbrains-prod-database-2", "botbrains-prod-database")
    assert copies(local_cloud, RECOVERY, "botbrains-prod-database-2")[0]["Status"] == "replicating"
    # The old one is where it was, for people to look at.
    assert instance(local_cloud, HOME, "botbrains-prod-database")["DeletionProtection"] is True
    again = local_cloud.run(*CONTINUITY, "up", "prod", "--yes", cwd=here)
    assert again.returncode == 0
    assert "prod: no change" in again.stdout
