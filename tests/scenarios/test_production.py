"""Production through the real engine: from nothing, again, drifted, restarted, with recovery next to it, taken down.

`production` brings it up once for the module. Each test restores what it changes; the last one takes production down.
"""

from __future__ import annotations

import json
import os
import shutil

import pytest

from localcloud.runtime import process
from tests.conftest import ROOT, LocalCloud
from tests.scenarios.harness import (
    CONTINUITY,
    HOME,
    PACK,
    PLAN,
    RECOVERY,
    aws,
    changing_requests,
    hetzner,
    outputs,
    requests,
)
from tests.scenarios.harness.recovery import has, until
from tests.scenarios.harness.teardown import take_down


@pytest.fixture(scope="module")
def first_up(local_cloud: LocalCloud) -> str:
    """Bring production up from nothing; what the command printed."""
    done = local_cloud.run(*CONTINUITY, "up", "--yes")
    assert done.returncode == 0
    return done.stdout


@pytest.fixture
def production(local_cloud: LocalCloud, first_up: str) -> LocalCloud:
    """A cloud with production in it."""
    return local_cloud


def test_first_up_prints_where_production_is(production: LocalCloud, first_up: str) -> None:
    where = outputs(production, "prod")
    for what in (where["database_endpoint"], where["replicated_backup_arn"], where["load_balancers"][1]["address"]):
        assert what in first_up.replace("\n", "")


def test_second_up_changes_nothing_and_says_so(production: LocalCloud) -> None:
    before = changing_requests(production)
    said = production.run(*CONTINUITY, "up", "--yes")
    assert said.returncode == 0
    assert "vault: no change" in said.stdout
    assert "prod: no change" in said.stdout
    assert changing_requests(production) == before


def test_clouds_contain_what_production_declares(production: LocalCloud) -> None:
    where = outputs(production, "prod")
    client = hetzner(production)
    servers = client.servers.get_all(label_selector="stack=prod")
    per_role = PLAN.redundancy.minimum_active_hosts + PLAN.redundancy.minimum_standby_hosts
    for role in ("api", "worker"):
        hosts = [server for server in servers if server.labels["role"] == role]
        assert len(hosts) == per_role
        assert {host.location.name for host in hosts} == set(PLAN.residency.hetzner.home_locations)
    balancers = {one.location.name: one for one in client.load_balancers.get_all(label_selector="stack=prod")}
    assert set(balancers) == set(PLAN.residency.hetzner.home_locations)
    for said in where["load_balancers"]:
        balancer = balancers[said["location"]]
        assert balancer.public_net.ipv4.ip == said["address"]
        [target] = balancer.targets
        assert len(target.targets) == per_role
        [service] = balancer.services
        assert (service.protocol, service.http.redirect_http) == ("https", True)
        assert service.health_check.http.status_codes == ["200"]
        check = service.health_check
        assert check.interval * check.retries + check.timeout <= PLAN.redundancy.host_failover_seconds
    zone = client.zones.get("botbrains.io")
    records = client.zones.get_rrset(zone, "api", "A")
    assert {record.value for record in records.records} == {one["address"] for one in where["load_balancers"]}
    assert records.ttl == PLAN.redundancy.dns_ttl_seconds
    keys = {key.public_key for key in client.ssh_keys.get_all()}
    assert keys == {role.ssh_key for role in PLAN.roles}

    [database] = aws(production, "rds").describe_db_instances()["DBInstances"]
    assert database["MultiAZ"]
    assert database["StorageEncrypted"]
    assert database["DeletionProtection"]
    assert database["BackupRetentionPeriod"] == PLAN.retention.database_backup_days
    replicated = aws(production, "rds", RECOVERY).describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    [backup] = [backup for backup in replicated if backup["DBInstanceArn"] == database["DBInstanceArn"]]
    assert backup["DBInstanceAutomatedBackupsArn"] == where["replicated_backup_arn"]
    assert backup["KmsKeyId"] == outputs(production, "vault")["database_key_arn"]
    assert backup["BackupRetentionPeriod"] == PLAN.retention.replicated_backup_days

    groups = aws(production, "logs").describe_log_groups()["logGroups"]
    assert len(groups) == 3
    for group in groups:
        assert (group["logGroupName"], group.get("retentionInDays")) == (
            group["logGroupName"],
            PLAN.retention.host_log_days,
        )
        assert group["kmsKeyId"]

    s3 = aws(production, "s3")
    rules = s3.get_bucket_replication(Bucket=where["objects_bucket"])["ReplicationConfiguration"]["Rules"]
    assert [rule["Destination"]["Bucket"] for rule in rules] == [outputs(production, "vault")["replica_bucket_arn"]]
    assert s3.get_bucket_location(Bucket=where["replica_bucket"])["LocationConstraint"] == RECOVERY
    for bucket in (where["objects_bucket"], where["replica_bucket"]):
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_cost_prices_every_deployed_resource(production: LocalCloud) -> None:
    done = production.run(*CONTINUITY, "cost", "--json", "--stack", "vault", "--stack", "prod")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [(each["state"], each["no_price_known"]) for each in found.values()] == [("deployed", [])] * 2
    names = {each["name"] for each in found["prod"]["resources"]}
    assert {server.name for server in hetzner(production).servers.get_all()} <= names
    for each in found.values():
        assert sum(each["sums"].values()) == pytest.approx(
            sum(sum(one["items"].values()) for one in each["resources"]), abs=0.5
        )


@pytest.mark.skipif(
    shutil.which("hcloud") is None and "CI" not in os.environ,
    reason="Debian's hcloud-cli is not on this machine; CI installs it",
)
def test_hcloud_command_lists_production(production: LocalCloud) -> None:
    listed = production.run(
        "hcloud", "server", "list", "-l", "stack=prod", "-o", "noheader", "-o", "columns=name,status,location"
    )
    assert listed.returncode == 0
    names = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}
    where = outputs(production, "prod")
    assert names == {host["name"] for role in ("api_hosts", "worker_hosts") for host in where[role]}
    balancer = where["load_balancers"][0]
    described = production.run("hcloud", "load-balancer", "describe", balancer["name"])
    assert described.returncode == 0
    assert balancer["address"] in described.stdout
    assert "Health Check" in described.stdout


def test_refresh_finds_a_change_made_by_hand(production: LocalCloud) -> None:
    refresh = ("pulumi", "refresh", "--preview-only", "--expect-no-changes", "--stack", "prod")
    assert production.run(*refresh).returncode == 0
    assert production.run(*refresh[:-1], "vault").returncode == 0
    [database] = aws(production, "rds").describe_db_instances()["DBInstances"]
    aws(production, "rds").modify_db_instance(
        DBInstanceIdentifier=database["DBInstanceIdentifier"], BackupRetentionPeriod=7, ApplyImmediately=True
    )
    drifted = production.run(*refresh, "--diff")
    assert drifted.returncode != 0
    assert "backupRetentionPeriod" in drifted.stdout
    assert (
        production.run("pulumi", "up", "--yes", "--refresh", "--skip-preview", "--stack", "prod", *PACK).returncode == 0
    )
    [database] = aws(production, "rds").describe_db_instances()["DBInstances"]
    assert database["BackupRetentionPeriod"] == PLAN.retention.database_backup_days


def test_production_survives_a_restart_of_the_local_cloud(production: LocalCloud) -> None:
    before = {server.id for server in hetzner(production).servers.get_all()}
    assert process.stop(production.folder)
    process.start(production.folder)
    assert {server.id for server in hetzner(production).servers.get_all()} == before
    assert (
        production.run("pulumi", "refresh", "--preview-only", "--expect-no-changes", "--stack", "prod").returncode == 0
    )


def test_running_locally_changes_no_tracked_file(production: LocalCloud) -> None:
    """Above all the stacks' files, into which the engine would write its salt."""
    for stack in ("vault", "prod", "dr"):
        assert "encryptionsalt" not in (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert "encryptionsalt" in (production.folder.path / "config/botbrains/Pulumi.prod.yaml").read_text()


def test_recovery_comes_up_next_to_production(production: LocalCloud, subtests: pytest.Subtests) -> None:
    asked_before = len(requests(production))
    assert production.run(*CONTINUITY, "up", "--yes", "dr").returncode == 0
    with subtests.test("it asks nothing of the home region"):
        regions = {line["region"] for line in requests(production)[asked_before:] if line["cloud"] == "aws"}
        assert regions
        assert HOME not in regions
    with subtests.test("its hosts are in the recovery locations"):
        servers = hetzner(production).servers.get_all(label_selector="stack=dr")
        assert {server.location.name for server in servers} == set(PLAN.residency.hetzner.recovery_locations)
    with subtests.test("it is taken down without protection"):
        take_down(production, "dr", RECOVERY)


def test_production_is_taken_down_only_without_protection(production: LocalCloud, subtests: pytest.Subtests) -> None:
    with subtests.test("the engine alone cannot destroy it"):
        # Hetzner protects the hosts, and only a step of the program lifts that protection.
        refused = production.run("pulumi", "destroy", "--yes", "--stack", "prod")
        assert refused.returncode != 0
        assert "--run-program" in refused.stdout + refused.stderr
    with subtests.test("the database and the bucket are protected"):
        before = changing_requests(production)
        refused = production.run("pulumi", "destroy", "--yes", "--run-program", "--stack", "prod")
        assert refused.returncode != 0
        for protected in ("botbrains-prod-database'", "botbrains-prod-objects'"):
            assert protected in refused.stdout
        assert "protected" in refused.stdout
        assert changing_requests(production) == before
        assert aws(production, "rds").describe_db_instances()["DBInstances"]
    secret, where = "botbrains/prod/application", outputs(production, "prod")
    aws(production, "secretsmanager").put_secret_value(SecretId=secret, SecretString="its value")
    aws(production, "s3").put_object(Bucket=where["objects_bucket"], Key="kept", Body=b"kept")
    until("the object's replica", lambda: has(production, RECOVERY, where["replica_bucket"], "kept"))
    with subtests.test("without protection only what is retained is left"):
        database = take_down(production, "prod", HOME)
        # Recovery uses the copies in the vault's region, which are not production's: they stay.
        kept = aws(production, "rds", RECOVERY).describe_db_instance_automated_backups(DBInstanceIdentifier=database)
        [copy] = kept["DBInstanceAutomatedBackups"]
        assert copy["Status"] == "retained"
        assert copy["RestoreWindow"]["LatestTime"]
        assert has(production, RECOVERY, where["replica_bucket"], "kept")
        for region in (HOME, RECOVERY):
            value = aws(production, "secretsmanager", region).get_secret_value(SecretId=secret)
            assert value["SecretString"] == "its value"
    with subtests.test("recovery comes up from what is left"):
        assert production.run(*CONTINUITY, "up", "--yes", "dr").returncode == 0
    with subtests.test("production comes up again with its keys, objects and secrets"):
        up = (*CONTINUITY, "up", "--yes")
        assert production.run(*up).returncode == 0
        assert "prod: no change" in production.run(*up).stdout
        for region in (HOME, RECOVERY):
            value = aws(production, "secretsmanager", region).get_secret_value(SecretId=secret)
            assert value["SecretString"] == "its value"
        assert has(production, HOME, where["objects_bucket"], "kept")
