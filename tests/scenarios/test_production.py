"""Production through the real engine: from nothing, again, looked at from outside, drifted, refused, taken down.

The tests of this module follow one another through one stack's life, in the order in which they stand here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from githubkit import GitHub
from hcloud import Client as Hetzner

from tests.conftest import ROOT, LocalCloud
from tests.scenarios.asking import HOME, PLAN, RECOVERY, aws, outputs

CONTINUITY = (sys.executable, "-m", "continuity")
PACK = ("--policy-pack", "policy_pack")


def hetzner(cloud: LocalCloud) -> Any:
    return Hetzner(cloud.env["HCLOUD_TOKEN"], api_endpoint=cloud.env["HCLOUD_ENDPOINT"], poll_interval=0.05)


def changing_requests(cloud: LocalCloud) -> list[dict[str, Any]]:
    """What the clouds were asked to change: everything but looking."""
    lines = map(json.loads, cloud.folder.requests.read_text().splitlines())
    return [line for line in lines if line["method"] not in ("GET", "HEAD") and line["cloud"] != "aws"]


def nothing_exists(cloud: LocalCloud) -> bool:
    github = GitHub(cloud.env["GITHUB_TOKEN"], base_url=f"{cloud.env['GITHUB_BASE_URL']}api/v3/")
    return not (
        hetzner(cloud).servers.get_all()
        or hetzner(cloud).networks.get_all()
        or aws(cloud, "rds").describe_db_instances()["DBInstances"]
        or [b for b in aws(cloud, "s3").list_buckets()["Buckets"] if "prod" in b["Name"]]
        or aws(cloud, "iam").list_roles()["Roles"]
        or github.rest.repos.list_for_org("botbrains").parsed_data
    )


def with_setting(change: Callable[[dict[str, Any]], None], into: Path) -> Path:
    """Production's configuration with one thing changed."""
    config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
    change(config["config"])
    file = into / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def test_production_can_be_seen_before_anything_exists(local_cloud: LocalCloud) -> None:
    before = len(local_cloud.folder.requests.read_text().splitlines()) if local_cloud.folder.requests.exists() else 0
    said = local_cloud.run(*CONTINUITY, "preview")
    assert said.returncode == 0
    assert len(re.findall(r"\+ \d+ to create", said.stdout)) == 2
    # What is asked is whether the database and the hosts are there already, and what hosts can be had.
    asked = [json.loads(line) for line in local_cloud.folder.requests.read_text().splitlines()[before:]]
    assert {(line["cloud"], line["region"]) for line in asked} == {("aws", HOME), ("hetzner", None)}
    looked = {(line["method"], line["path"]) for line in asked if line["cloud"] == "hetzner"}
    assert looked == {("GET", "/v1/servers"), ("GET", "/v1/server_types")}
    assert nothing_exists(local_cloud)


@pytest.mark.parametrize(
    ("change", "policy", "words"),
    [
        pytest.param(
            lambda config: config["botbrains:database"].update(backupRetentionDays=1),
            "database-backup-retention",
            (str(PLAN.retention.database_backup_days), "1"),
            id="retention of one day",
        ),
        pytest.param(
            lambda config: config["botbrains:database"].update(backupRetentionDays=0),
            "database-backup-retention",
            (str(PLAN.retention.database_backup_days),),
            id="no backups",
        ),
        pytest.param(
            lambda config: config.update({"botbrains:region": "us-east-1"}),
            "aws-region-in-eu",
            ("us-east-1", HOME, RECOVERY),
            id="the database in America",
        ),
        pytest.param(
            lambda config: config.update({"botbrains:region": "eu-west-2"}),
            "aws-region-in-eu",
            ("eu-west-2",),
            id="London, which is not in the EU",
        ),
        pytest.param(
            lambda config: config.update({"botbrains:locations": ["fsn1", "ash"]}),
            "hetzner-location-in-eu",
            ("ash", "fsn1", "nbg1", "hel1"),
            id="hosts in America",
        ),
    ],
)
def test_a_setting_that_breaks_a_promise_is_refused_before_anything_exists(
    local_cloud: LocalCloud,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
    policy: str,
    words: tuple[str, ...],
) -> None:
    before = changing_requests(local_cloud)
    file = with_setting(change, tmp_path)
    said = local_cloud.run("pulumi", "up", "--yes", "--stack", "prod", "--config-file", str(file), *PACK)
    assert said.returncode != 0
    assert policy in said.stdout
    for word in words:
        assert word in said.stdout
    assert changing_requests(local_cloud) == before
    assert nothing_exists(local_cloud)


def test_a_setting_that_makes_no_sense_is_refused_with_its_key_and_value(
    local_cloud: LocalCloud, tmp_path: Path
) -> None:
    file = with_setting(lambda config: config["botbrains:hosts"]["api"].update(active="two"), tmp_path)
    said = local_cloud.run("pulumi", "up", "--yes", "--stack", "prod", "--config-file", str(file), *PACK)
    assert said.returncode != 0
    assert "botbrains:hosts.api.active" in said.stdout
    assert '"two"' in said.stdout
    assert nothing_exists(local_cloud)


def test_one_command_refuses_the_whole_before_the_first_part_exists(local_cloud: LocalCloud, tmp_path: Path) -> None:
    """As a person would: an edit of production's file, and `up` of everything."""
    project = tmp_path / "project"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    (project / ".venv").symlink_to(sys.prefix)
    with_setting(lambda config: config["botbrains:database"].update(backupRetentionDays=1), project)
    said = local_cloud.run(*CONTINUITY, "up", "--yes", cwd=project)
    assert said.returncode != 0
    assert "database-backup-retention" in said.stdout
    assert "nothing was changed, in any stack" in said.stderr
    assert changing_requests(local_cloud) == []
    assert nothing_exists(local_cloud)
    assert outputs(local_cloud, "vault") == {}


def test_production_comes_up_from_nothing_and_says_where_it_is(local_cloud: LocalCloud) -> None:
    said = local_cloud.run(*CONTINUITY, "up", "--yes")
    assert said.returncode == 0
    where = outputs(local_cloud, "prod")
    for what in (where["database_endpoint"], where["replicated_backup_arn"], where["load_balancers"][1]["address"]):
        assert what in said.stdout.replace("\n", "")


def test_a_second_up_changes_nothing_and_says_so(local_cloud: LocalCloud) -> None:
    before = changing_requests(local_cloud)
    said = local_cloud.run(*CONTINUITY, "up", "--yes")
    assert said.returncode == 0
    assert "vault: no change" in said.stdout
    assert "prod: no change" in said.stdout
    assert changing_requests(local_cloud) == before


def test_the_clouds_show_what_was_declared(local_cloud: LocalCloud) -> None:
    where = outputs(local_cloud, "prod")
    servers = hetzner(local_cloud).servers.get_all()
    per_role = PLAN.redundancy.minimum_active_hosts + PLAN.redundancy.minimum_standby_hosts
    for role in ("api", "worker"):
        hosts = [server for server in servers if server.labels["role"] == role]
        assert len(hosts) == per_role
        assert {host.location.name for host in hosts} == set(PLAN.residency.hetzner.home_locations)
    balancers = {one.location.name: one for one in hetzner(local_cloud).load_balancers.get_all()}
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
    zone = hetzner(local_cloud).zones.get("botbrains.io")
    records = hetzner(local_cloud).zones.get_rrset(zone, "api", "A")
    assert {record.value for record in records.records} == {one["address"] for one in where["load_balancers"]}
    assert records.ttl == PLAN.redundancy.dns_ttl_seconds
    keys = {key.public_key for key in hetzner(local_cloud).ssh_keys.get_all()}
    assert keys == {role.ssh_key for role in PLAN.roles}

    [database] = aws(local_cloud, "rds").describe_db_instances()["DBInstances"]
    assert database["MultiAZ"]
    assert database["StorageEncrypted"]
    assert database["DeletionProtection"]
    assert database["BackupRetentionPeriod"] == PLAN.retention.database_backup_days
    replicated = aws(local_cloud, "rds", RECOVERY).describe_db_instance_automated_backups()[
        "DBInstanceAutomatedBackups"
    ]
    [backup] = [backup for backup in replicated if backup["DBInstanceArn"] == database["DBInstanceArn"]]
    assert backup["DBInstanceAutomatedBackupsArn"] == where["replicated_backup_arn"]
    assert backup["KmsKeyId"] == outputs(local_cloud, "vault")["database_key_arn"]
    assert backup["BackupRetentionPeriod"] == PLAN.retention.replicated_backup_days

    s3 = aws(local_cloud, "s3")
    rules = s3.get_bucket_replication(Bucket=where["objects_bucket"])["ReplicationConfiguration"]["Rules"]
    assert [rule["Destination"]["Bucket"] for rule in rules] == [outputs(local_cloud, "vault")["replica_bucket_arn"]]
    assert s3.get_bucket_location(Bucket=where["replica_bucket"])["LocationConstraint"] == RECOVERY
    for bucket in (where["objects_bucket"], where["replica_bucket"]):
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"

    github = GitHub(local_cloud.env["GITHUB_TOKEN"], base_url=f"{local_cloud.env['GITHUB_BASE_URL']}api/v3/")
    [repository] = github.rest.repos.list_for_org("botbrains").parsed_data
    assert repository.private is True


@pytest.mark.skipif(
    shutil.which("hcloud") is None and "CI" not in os.environ,
    reason="Debian's hcloud-cli is not on this machine; CI installs it",
)
def test_debians_own_hetzner_client_sees_production(local_cloud: LocalCloud) -> None:
    listed = local_cloud.run("hcloud", "server", "list", "-o", "noheader", "-o", "columns=name,status,location")
    assert listed.returncode == 0
    names = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}
    where = outputs(local_cloud, "prod")
    assert names == {host["name"] for role in ("api_hosts", "worker_hosts") for host in where[role]}
    balancer = where["load_balancers"][0]
    described = local_cloud.run("hcloud", "load-balancer", "describe", balancer["name"])
    assert described.returncode == 0
    assert balancer["address"] in described.stdout
    assert "Health Check" in described.stdout


def test_a_refresh_finds_nothing_until_somebody_changes_something(local_cloud: LocalCloud) -> None:
    refresh = ("pulumi", "refresh", "--preview-only", "--expect-no-changes", "--stack", "prod")
    assert local_cloud.run(*refresh).returncode == 0
    assert local_cloud.run(*refresh[:-1], "vault").returncode == 0
    [database] = aws(local_cloud, "rds").describe_db_instances()["DBInstances"]
    aws(local_cloud, "rds").modify_db_instance(
        DBInstanceIdentifier=database["DBInstanceIdentifier"], BackupRetentionPeriod=7, ApplyImmediately=True
    )
    drifted = local_cloud.run(*refresh, "--diff")
    assert drifted.returncode != 0
    assert "backupRetentionPeriod" in drifted.stdout
    assert (
        local_cloud.run("pulumi", "up", "--yes", "--refresh", "--skip-preview", "--stack", "prod", *PACK).returncode
        == 0
    )
    [database] = aws(local_cloud, "rds").describe_db_instances()["DBInstances"]
    assert database["BackupRetentionPeriod"] == PLAN.retention.database_backup_days


def test_what_is_up_survives_the_local_clouds_own_restart(local_cloud: LocalCloud) -> None:
    from localcloud.runtime import process

    before = {server.id for server in hetzner(local_cloud).servers.get_all()}
    assert process.stop(local_cloud.folder)
    process.start(local_cloud.folder)
    assert {server.id for server in hetzner(local_cloud).servers.get_all()} == before
    assert (
        local_cloud.run("pulumi", "refresh", "--preview-only", "--expect-no-changes", "--stack", "prod").returncode == 0
    )


def test_dr_comes_up_beside_it_without_a_call_to_germany(local_cloud: LocalCloud) -> None:
    asked_before = len(local_cloud.folder.requests.read_text().splitlines())
    said = local_cloud.run(*CONTINUITY, "up", "--yes", "dr")
    assert said.returncode == 0
    asked = [json.loads(line) for line in local_cloud.folder.requests.read_text().splitlines()[asked_before:]]
    regions = {line["region"] for line in asked if line["cloud"] == "aws"}
    assert regions
    assert HOME not in regions
    servers = [server for server in hetzner(local_cloud).servers.get_all() if server.labels["stack"] == "dr"]
    assert {server.location.name for server in servers} == set(PLAN.residency.hetzner.recovery_locations)


def test_destroying_production_is_refused_while_protection_stands(local_cloud: LocalCloud) -> None:
    # Hetzner protects the hosts, and only a step of the program lifts that: nothing goes without it.
    said = local_cloud.run("pulumi", "destroy", "--yes", "--stack", "prod")
    assert said.returncode != 0
    assert "--run-program" in said.stdout + said.stderr
    before = changing_requests(local_cloud)
    said = local_cloud.run("pulumi", "destroy", "--yes", "--run-program", "--stack", "prod")
    assert said.returncode != 0
    for protected in ("botbrains-prod-database'", "botbrains-prod-objects'"):
        assert protected in said.stdout
        assert "protected" in said.stdout
    assert changing_requests(local_cloud) == before
    assert aws(local_cloud, "rds").describe_db_instances()["DBInstances"]


def lift_protection(cloud: LocalCloud, stack: str, region: str) -> str:
    """What a person has to do, on purpose, in three places before a stack can be deleted; the database's name."""
    assert cloud.run("pulumi", "state", "unprotect", "--all", "--yes", "--stack", stack).returncode == 0
    client = hetzner(cloud)
    for collection in (client.networks, client.load_balancers, client.primary_ips):
        for one in collection.get_all(label_selector=f"stack={stack}"):
            one.change_protection(delete=False).wait_until_finished()
    [database] = aws(cloud, "rds", region).describe_db_instances()["DBInstances"]
    name: str = database["DBInstanceIdentifier"]
    aws(cloud, "rds", region).modify_db_instance(
        DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
    )
    return name


@pytest.mark.parametrize("stack", ["dr", "prod"])
def test_with_protection_lifted_by_hand_it_is_taken_down_but_for_what_is_retained(
    local_cloud: LocalCloud, stack: str
) -> None:
    region = HOME if stack == "prod" else RECOVERY
    database = lift_protection(local_cloud, stack, region)
    # The hosts' own protection needs nobody: the step before a host goes lifts it.
    said = local_cloud.run(*CONTINUITY, "destroy", stack, "--yes")
    assert said.returncode == 0
    state: Mapping[str, Any] = json.loads(local_cloud.run("pulumi", "stack", "export", "--stack", stack).stdout)
    assert not state["deployment"].get("resources")
    assert [s for s in hetzner(local_cloud).servers.get_all() if s.labels["stack"] == stack] == []
    assert aws(local_cloud, "rds", region).describe_db_instances()["DBInstances"] == []
    # The final snapshot is there: deleting a database is not losing its data.
    snapshots = aws(local_cloud, "rds", region).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert [shot["DBInstanceIdentifier"] for shot in snapshots] == [database]
    if stack == "prod":
        # What `dr` recovers from is none of production's: its copies in the vault's region stay.
        kept = aws(local_cloud, "rds", RECOVERY).describe_db_instance_automated_backups(DBInstanceIdentifier=database)
        [copy] = kept["DBInstanceAutomatedBackups"]
        assert copy["Status"] == "retained"
        assert copy["RestoreWindow"]["LatestTime"]


def test_running_locally_changes_no_tracked_file(local_cloud: LocalCloud) -> None:
    """The stacks' files above all: the engine would write its salt into them."""
    for stack in ("vault", "prod", "dr"):
        assert "encryptionsalt" not in (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert "encryptionsalt" in (local_cloud.folder.path / "config/botbrains/Pulumi.prod.yaml").read_text()
