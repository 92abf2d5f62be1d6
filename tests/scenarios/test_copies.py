"""`continuity copies`: a copy that fails, lags or is missing is reported, with its remedy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from continuity.clouds.github import Repository
from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud, a_local_cloud
from tests.scenarios.harness import CONTINUITY, HOME, PLAN, RECOVERY, aws, outputs, unreachable
from tests.scenarios.harness.access import REPOSITORY
from tests.scenarios.harness.people import confirm_mail, mails

PATIENCE_SECONDS = 120.0


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Production, before the first daily backup."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("copies")) as made:
        full_name = f"{REPOSITORY['owner']}/{REPOSITORY['name']}"
        made = replace(made, env={**made.env, "GITHUB_REPOSITORY": full_name})
        assert made.run(*CONTINUITY, "up", "--yes", "prod", "github", timeout=900).returncode == 0
        assert set(faults(made)) == {"alarm", "daily backup"}
        confirm_mail(made)
        yield made


@contextmanager
def mail_to_both(cloud: LocalCloud, *texts: str) -> Iterator[None]:
    """Both people receive a mail that contains each of these texts, for what happens inside."""
    seen = len(mails(cloud))
    yield
    sent = mails(cloud)[seen:]
    for text in texts:
        assert {mail["to"] for mail in sent if text in mail["text"]} == {role.email for role in PLAN.roles}, sent


def faults(cloud: LocalCloud) -> dict[str, str]:
    """The faults that `continuity copies` reports, by the kind of copy."""
    report = cloud.run(*CONTINUITY, "copies", "--json")
    found = {copy["kind"]: copy["fault"] for copy in json.loads(report.stdout)["copies"] if copy["fault"]}
    assert report.returncode == (3 if found else 0)
    return found


def wait_for(job: Any, *done: str) -> Any:
    """Wait until a job of AWS Backup has ended, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = job()
        if found["State"] in done:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def back_up(cloud: LocalCloud, days: int = PLAN.retention.vault_copy_days) -> Any:
    """Back up production's database like its plan does, and copy the backup to the vault. Return the copy job."""
    home, where = aws(cloud, "backup"), outputs(cloud, "prod")
    role = aws(cloud, "iam").get_role(RoleName="botbrains-prod-second-copy")["Role"]["Arn"]
    job = home.start_backup_job(
        BackupVaultName="botbrains-prod-second-copy",
        ResourceArn=where["database_arn"],
        IamRoleArn=role,
        Lifecycle={"DeleteAfterDays": PLAN.retention.vault_copy_days},
    )
    wait_for(lambda: home.describe_backup_job(BackupJobId=job["BackupJobId"]), "COMPLETED")
    copy = home.start_copy_job(
        RecoveryPointArn=job["RecoveryPointArn"],
        SourceBackupVaultName="botbrains-prod-second-copy",
        DestinationBackupVaultArn=outputs(cloud, "vault")["backup_vault_arn"],
        IamRoleArn=role,
        Lifecycle={"DeleteAfterDays": days},
    )
    return wait_for(lambda: home.describe_copy_job(CopyJobId=copy["CopyJobId"])["CopyJob"], "COMPLETED", "FAILED")


@pytest.fixture(scope="module")
def copied(cloud: LocalCloud) -> LocalCloud:
    """Production, with every copy complete."""
    assert faults(cloud) == {"daily backup": "the vault has no recovery point of botbrains-prod-database"}
    assert back_up(cloud)["State"] == "COMPLETED"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cloud.run(*CONTINUITY, "copies").returncode and time.monotonic() < deadline:
        time.sleep(2)
    return cloud


@contextmanager
def disabled_key(cloud: LocalCloud, arn: str) -> Iterator[None]:
    kms = aws(cloud, "kms", arn.split(":")[3])
    kms.disable_key(KeyId=arn)
    try:
        yield
    finally:
        kms.enable_key(KeyId=arn)


def test_complete_copies_keep_the_promise(copied: LocalCloud) -> None:
    assert faults(copied) == {}


def test_stopped_replication_is_reported(copied: LocalCloud) -> None:
    rds, source = aws(copied, "rds", RECOVERY), outputs(copied, "prod")["database_arn"]
    with mail_to_both(copied, f"COPIES CHANGED: StopDBInstanceAutomatedBackupsReplication in {RECOVERY}"):
        rds.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
    try:
        assert "retained, not replicating" in faults(copied)["replicated backup"]
    finally:
        up = ("pulumi", "up", "--yes", "--skip-preview", "--refresh", "--stack", "prod")
        assert copied.run(*up).returncode == 0


def test_disabled_key_is_reported_with_the_copies_that_it_stops(copied: LocalCloud) -> None:
    vault, objects = outputs(copied, "vault"), outputs(copied, "prod")["objects_bucket"]
    with (
        mail_to_both(
            copied, f"COPIES CHANGED: DisableKey in {RECOVERY}", 'ALARM: "botbrains-prod-objects-replication-failed"'
        ),
        disabled_key(copied, vault["objects_key_arn"]),
    ):
        aws(copied, "s3").put_object(Bucket=objects, Key="lost", Body=b"x")
        found = faults(copied)
        assert found["key"].startswith("it is Disabled")
        assert found["objects"].startswith("1 operations failed")


def test_failed_secret_replica_is_reported(copied: LocalCloud) -> None:
    home, there = aws(copied, "secretsmanager"), aws(copied, "secretsmanager", RECOVERY)
    arn = outputs(copied, "prod")["secrets"]["application"]
    name = home.describe_secret(SecretId=arn)["Name"]
    target = [{"Region": RECOVERY, "KmsKeyId": outputs(copied, "vault")["secrets_key_arn"]}]
    home.remove_regions_from_replication(SecretId=arn, RemoveReplicaRegions=[RECOVERY])
    assert faults(copied)["secret"] == "it has no replica"
    # A secret of the same name keeps the replica out. The call succeeds, and the replication fails later.
    there.create_secret(Name=name, SecretString="x")
    with mail_to_both(copied, f"COPIES CHANGED: ReplicationFailed in {HOME}"):
        home.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=target)
    assert "its replica is Failed" in faults(copied)["secret"]
    there.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    home.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=target)
    assert "secret" not in faults(copied)


def test_failed_copy_job_is_reported_until_a_later_one_succeeds(copied: LocalCloud) -> None:
    # The lock of the vault refuses a copy with another retention.
    with mail_to_both(
        copied, f"COPY FAILED: a job of AWS Backup for {outputs(copied, 'prod')['database_arn']} is FAILED"
    ):
        assert back_up(copied, days=1)["State"] == "FAILED"
    assert faults(copied)["copy job"].startswith("FAILED: ")
    assert back_up(copied)["State"] == "COMPLETED"
    assert "copy job" not in faults(copied)


def test_failover_of_the_database_is_reported(copied: LocalCloud) -> None:
    with mail_to_both(copied, "DATABASE: RDS reports RDS-EVENT-0049 about botbrains-prod-database"):
        aws(copied, "rds").reboot_db_instance(DBInstanceIdentifier="botbrains-prod-database", ForceFailover=True)


def test_rule_that_cannot_send_is_reported(copied: LocalCloud) -> None:
    """The topic admits CloudWatch still, so the alarm about the rule arrives."""
    sns, topic = aws(copied, "sns"), outputs(copied, "prod")["alarm_topic_arn"]
    policy = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    broken = json.loads(policy)
    for statement in broken["Statement"]:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": topic.split(":")[4]}}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(broken))
    try:
        with mail_to_both(copied, 'ALARM: "botbrains-prod-alarms-database-failed"'):
            aws(copied, "rds").reboot_db_instance(DBInstanceIdentifier="botbrains-prod-database", ForceFailover=True)
    finally:
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def test_lost_region_is_reported_as_not_read(copied: LocalCloud) -> None:
    with unreachable(copied, HOME):
        report = copied.run(*CONTINUITY, "copies", "--json")
    assert report.returncode == 1
    found = json.loads(report.stdout)
    assert [sentence.partition(":")[0] for sentence in found["could_not_look"]] == [HOME]
    # Ireland still answers: its copies are listed.
    assert {copy["kind"] for copy in found["copies"]} >= {"replicated backup", "daily backup", "key"}


def test_nightly_report_collects_all_checks_in_one_issue(copied: LocalCloud) -> None:
    with disabled_key(copied, outputs(copied, "vault")["copies_key_arn"]):
        done = copied.run(*CONTINUITY, "nightly", "--report")
    assert done.returncode == 3
    [issue] = Repository.from_environment(copied.env).all("issues?state=open")
    assert "#### Copies of the data" in issue["body"]
    assert "it is Disabled" in issue["body"]
    assert "#### Access" in issue["body"]
    assert "has no second factor" in issue["body"]
