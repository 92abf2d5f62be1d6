"""Germany is lost, and the service comes up in Ireland with its rows. Then it goes home again.

The fixtures take one cloud through these stages: `production_up`, then `recovered`. The tests of a stage are defined
before those of the next one, and restore what they change. The last test goes home.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud, a_local_cloud
from tests.scenarios.harness import (
    CONTINUITY,
    HOME,
    PACK,
    PLAN,
    RECOVERY,
    aws,
    configure,
    localcloud,
    outputs,
    requests,
    working_copy,
)
from tests.scenarios.harness.recovery import (
    copies,
    database,
    has,
    instance,
    must_be_durable,
    must_be_protected,
    numbers,
    put,
    until,
)

OBJECTS, REPLICA = (f"botbrains-{name}-123456789012" for name in ("prod-objects", "vault-replica"))


@contextmanager
def configured(project: Path, stack: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """A stack's settings with a change, which is undone at the end."""
    file = project / f"Pulumi.{stack}.yaml"
    original = file.read_text()
    configure(file, change)
    try:
        yield
    finally:
        file.write_text(original)


@pytest.fixture(scope="module")
def local_cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud whose restores take an hour, more than the provider's default limit. An hour passes in 30 seconds."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCALCLOUD_CLOCK", "120")
        environment.setenv("LOCALCLOUD_RDS_RESTORE_MINUTES", "60")
        with a_local_cloud(engine, tmp_path_factory.mktemp("cloud")) as cloud:
            yield cloud


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working copy, whose settings the tests change."""
    return working_copy(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def production_up(local_cloud: LocalCloud, project: Path) -> LocalCloud:
    """A cloud with production in it."""
    assert local_cloud.run(*CONTINUITY, "up", "--yes", cwd=project).returncode == 0
    return local_cloud


@dataclass(frozen=True)
class Drill:
    """The measurements of the recovery drill, and the requests that the clouds received while it ran."""

    measured: dict[str, Any]
    requests: list[dict[str, Any]]


@pytest.fixture(scope="module")
def drill(production_up: LocalCloud, project: Path) -> Drill:
    """Lose Germany while rows are written, and recover in Ireland."""
    cloud = production_up
    put(cloud, HOME, OBJECTS, "before")
    until("the replica", lambda: has(cloud, RECOVERY, REPLICA, "before"))
    before = len(requests(cloud))
    # IAM's only control plane is in us-east-1. A recovery must not need it.
    fault = f"{sys.executable} -m localcloud cut {{home_region}} us-east-1"
    done = cloud.run(
        *CONTINUITY, "drill", "recovery", "--yes", "--json", "--write-seconds", "12", "--fault", fault, cwd=project
    )
    assert done.returncode == 0
    return Drill(json.loads(done.stdout[done.stdout.rindex("\n{\n") :]), requests(cloud)[before:])


@pytest.fixture
def recovered(production_up: LocalCloud, drill: Drill) -> LocalCloud:
    """A cloud that has lost Germany, and the recovery stack in Ireland."""
    return production_up


# -- production is up -------------------------------------------------------------------------------------------------


def use_source(source: dict[str, str] | None, config: dict[str, Any]) -> None:
    """Change the source that the recovery stack's database is restored from."""
    config["botbrains:database"].pop("source")
    if source is not None:
        config["botbrains:database"]["source"] = source


def test_production_is_protected_and_replicated(production_up: LocalCloud) -> None:
    must_be_protected(production_up, HOME, "botbrains-prod-database", "botbrains-prod-database")
    replica = copies(production_up, RECOVERY, "botbrains-prod-database")
    assert [backup["Status"] for backup in replica] == ["replicating"]
    assert replica[0]["BackupRetentionPeriod"] == PLAN.retention.replicated_backup_days
    assert replica[0]["KmsKeyId"] == outputs(production_up, "vault")["database_key_arn"]
    assert replica[0]["RestoreWindow"]["LatestTime"]

    there = must_be_durable(production_up, HOME, OBJECTS)
    back = must_be_durable(production_up, RECOVERY, REPLICA)
    assert there["Destination"]["Bucket"] == f"arn:aws:s3:::{REPLICA}"
    assert back["Destination"]["Bucket"] == f"arn:aws:s3:::{OBJECTS}"

    for region, vault, locked_for_good in (
        (HOME, "botbrains-prod-second-copy", False),
        (RECOVERY, "botbrains-vault-backups", True),
    ):
        found = aws(production_up, "backup", region).describe_backup_vault(BackupVaultName=vault)
        assert (found["Locked"], found["MinRetentionDays"]) == (True, PLAN.retention.vault_copy_days)
        assert found["MaxRetentionDays"] == 90
        assert found["EncryptionKeyArn"].split(":")[3] == region
        assert ("LockDate" in found) is locked_for_good
    backup = aws(production_up, "backup", HOME)
    plan_id = backup.list_backup_plans()["BackupPlansList"][0]["BackupPlanId"]
    rule = backup.get_backup_plan(BackupPlanId=plan_id)["BackupPlan"]["Rules"][0]
    assert rule["CopyActions"][0]["DestinationBackupVaultArn"] == outputs(production_up, "vault")["backup_vault_arn"]

    secrets = aws(production_up, "secretsmanager", RECOVERY)
    for arn in outputs(production_up, "prod")["secrets"].values():
        name = aws(production_up, "secretsmanager", HOME).describe_secret(SecretId=arn)["Name"]
        assert secrets.describe_secret(SecretId=name)["PrimaryRegion"] == HOME


def test_unknown_backup_source_is_refused(production_up: LocalCloud, project: Path) -> None:
    # The start of the window is final once a first backup and some of the log after it have been copied.
    window = until(
        "a window",
        lambda: next(
            (
                found
                for found in [copies(production_up, RECOVERY, "botbrains-prod-database")[0]["RestoreWindow"]]
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
    before = len(requests(production_up))
    for words, source in cases.items():
        with configured(project, "dr", partial(use_source, source)):
            preview = production_up.run(*CONTINUITY, "preview", "dr", cwd=project)
            up = production_up.run("pulumi", "up", "--yes", "--stack", "dr", "--skip-preview", *PACK, cwd=project)
        for refused in (preview, up):
            assert refused.returncode != 0
            assert words in refused.stdout
    # AWS was read, and no other cloud was called.
    assert not [line for line in requests(production_up)[before:] if line["cloud"] != "aws"]
    assert aws(production_up, "rds", RECOVERY).describe_db_instances()["DBInstances"] == []
    assert aws(production_up, "rds", RECOVERY).describe_db_subnet_groups()["DBSubnetGroups"] == []


def test_backup_with_an_unusable_key_is_refused(production_up: LocalCloud, project: Path) -> None:
    key = outputs(production_up, "vault")["database_key_arn"]
    kms = aws(production_up, "kms", RECOVERY)
    # A replication that loses its key never continues, so this uses the backups of a separate instance.
    rds = aws(production_up, "rds", HOME)
    rds.create_db_instance(
        DBInstanceIdentifier="other",
        DBInstanceClass="db.t4g.small",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="root",
        ManageMasterUserPassword=True,
        StorageEncrypted=True,
    )
    until("the other instance", lambda: instance(production_up, HOME, "other")["DBInstanceStatus"] == "available")
    mine = kms.create_key()["KeyMetadata"]["Arn"]
    aws(production_up, "rds", RECOVERY).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=instance(production_up, HOME, "other")["DBInstanceArn"], KmsKeyId=mine
    )
    until("its copy", lambda: copies(production_up, RECOVERY, "other")[0]["RestoreWindow"].get("LatestTime"))
    kms.schedule_key_deletion(KeyId=mine, PendingWindowInDays=7)
    with configured(project, "dr", partial(use_source, {"from": "replicatedBackup", "instance": "other"})):
        said = production_up.run(*CONTINUITY, "preview", "dr", cwd=project)
    assert said.returncode != 0
    assert mine in said.stdout
    assert "cancel-key-deletion" in said.stdout
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    rds.delete_db_instance(DBInstanceIdentifier="other", SkipFinalSnapshot=True)


# -- Germany is lost --------------------------------------------------------------------------------------------------


def test_recovery_loses_few_rows_and_asks_germany_nothing(recovered: LocalCloud, drill: Drill) -> None:
    measured, asked = drill.measured, drill.requests
    assert measured["kept"]
    assert measured["rows_wrong"] == 0
    assert 0 < measured["rows_recovered"] <= measured["rows_acknowledged"]
    assert measured["data_loss"] <= PLAN.severities.high.rpo_minutes * 60

    lost = next(place for place, line in enumerate(asked) if line["region"] == RECOVERY and line["cloud"] == "aws")
    assert not [line for line in asked[lost:] if line["region"] == HOME]
    assert not [line for line in asked if line.get("cut")]

    with database(recovered, "dr") as connection:
        assert numbers(connection) == list(range(1, measured["rows_recovered"] + 1))
    assert has(recovered, RECOVERY, outputs(recovered, "dr")["objects_bucket"], "before")


def test_recovered_database_is_protected_and_stable(recovered: LocalCloud, project: Path) -> None:
    must_be_protected(recovered, RECOVERY, "botbrains-dr-database", "botbrains-dr-database")
    # The command for the recovery has already made the second update, which sets what a restore cannot.
    state = recovered.run("pulumi", "preview", "--refresh", "--stack", "dr", "--expect-no-changes", cwd=project)
    assert state.returncode == 0
    assert (
        instance(recovered, RECOVERY, "botbrains-dr-database")["KmsKeyId"]
        == outputs(recovered, "vault")["database_key_arn"]
    )
    again = recovered.run(*CONTINUITY, "up", "dr", "--yes", cwd=project)
    assert again.returncode == 0
    assert "dr: no change" in again.stdout


def test_source_of_a_restored_database_is_ignored(
    recovered: LocalCloud, project: Path, subtests: pytest.Subtests
) -> None:
    sources: dict[str, dict[str, str] | None] = {
        "changed": {"from": "replicatedBackup", "instance": "gone-long-ago"},
        "new": {"from": "new"},
        "removed": None,
    }
    for name, source in sources.items():
        with subtests.test(name), configured(project, "dr", partial(use_source, source)):
            done = recovered.run("pulumi", "preview", "--stack", "dr", "--expect-no-changes", cwd=project)
            assert done.returncode == 0


def test_destroying_lost_production_is_refused(recovered: LocalCloud, project: Path) -> None:
    # Germany is lost, so production's program cannot run, and without it nothing is destroyed.
    raw = recovered.run("pulumi", "destroy", "--yes", "--stack", "prod", cwd=project)
    assert raw.returncode != 0
    assert "--run-program" in raw.stdout + raw.stderr
    said = recovered.run(*CONTINUITY, "destroy", "prod", "--yes", cwd=project)
    assert said.returncode != 0
    lost, _, kept = said.stderr.partition("botbrains-prod-database: a database with all of its rows")
    assert kept, said.stderr
    assert "botbrains-prod-objects" not in lost
    assert "botbrains-prod-objects (aws:s3/bucket:Bucket): " in kept


# -- and comes back ---------------------------------------------------------------------------------------------------


def test_production_goes_home_with_all_rows(recovered: LocalCloud, project: Path) -> None:
    put(recovered, RECOVERY, REPLICA, "meanwhile")
    with database(recovered, "dr") as connection:
        connection.execute("insert into continuity_drill.heartbeat values (1000000, clock_timestamp())")
        expected = numbers(connection)
    localcloud(recovered, "restore", HOME, "us-east-1")
    until("the object written meanwhile", lambda: has(recovered, HOME, OBJECTS, "meanwhile"))

    configure(project / "Pulumi.vault.yaml", lambda config: config.update({"botbrains:failback": True}))
    configure(project / "Pulumi.dr.yaml", lambda config: config["botbrains:database"].update(replicateBackups=True))
    assert recovered.run(*CONTINUITY, "up", "dr", "--yes", cwd=project, timeout=900).returncode == 0
    now = datetime.now(UTC)
    copy = until(
        "the replication to the home region",
        lambda: [
            backup
            for backup in copies(recovered, HOME, "botbrains-dr-database")
            if (latest := backup["RestoreWindow"].get("LatestTime")) is not None and latest > now
        ],
    )[0]
    assert copy["KmsKeyId"] == outputs(recovered, "vault")["return_key_arn"]
    assert copy["KmsKeyId"].split(":")[3] == HOME

    def home(config: dict[str, Any]) -> None:
        config["botbrains:database"]["identifier"] = "botbrains-prod-database-2"
        config["botbrains:database"]["source"] = {"from": "replicatedBackup", "instance": "botbrains-dr-database"}

    configure(project / "Pulumi.prod.yaml", home)
    refused = recovered.run(*CONTINUITY, "up", "prod", "--yes", cwd=project, timeout=900)
    assert refused.returncode != 0
    assert "protected" in refused.stdout
    assert recovered.run(*CONTINUITY, "set-aside", "prod", "--yes", cwd=project).returncode == 0
    assert recovered.run(*CONTINUITY, "up", "prod", "--yes", cwd=project, timeout=900).returncode == 0
    with database(recovered, "prod") as connection:
        assert numbers(connection) == expected
    must_be_protected(recovered, HOME, "botbrains-prod-database-2", "botbrains-prod-database")
    assert copies(recovered, RECOVERY, "botbrains-prod-database-2")[0]["Status"] == "replicating"
    # The old instance is kept, for people to examine.
    assert instance(recovered, HOME, "botbrains-prod-database")["DeletionProtection"] is True
    again = recovered.run(*CONTINUITY, "up", "prod", "--yes", cwd=project, timeout=900)
    assert again.returncode == 0
    assert "prod: no change" in again.stdout
