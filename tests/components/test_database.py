"""The database: who reaches it, what it is encrypted with, and where its backups go."""

from __future__ import annotations

import ipaddress
from datetime import time
from typing import Any

import pytest

from components.database import BackupReplicationArgs, Database, DatabaseArgs, ExistingKeyArgs, OwnKeyArgs
from components.database_network import DatabaseNetwork, DatabaseNetworkArgs
from tests.components.recording import (
    BACKUP_REPLICATION,
    DATABASE,
    INGRESS_RULE,
    KEY,
    PARAMETER_GROUP,
    SECURITY_GROUP,
    SUBNET,
    Deployment,
    deploy,
)

CLIENTS = {"api-1": "203.0.113.7", "worker-1": "203.0.113.8"}
COPIES = BackupReplicationArgs(region="xx-far-1", kms_key_arn="arn:of-the-vault", retention_days=21)


def database(
    *,
    key: OwnKeyArgs | ExistingKeyArgs | None = None,
    replication: BackupReplicationArgs | None = COPIES,
    engine_version: str = "18",
    backup_retention_days: int = 14,
    preview: bool = False,
) -> Deployment:
    def program() -> None:
        network = DatabaseNetwork(
            "network", DatabaseNetworkArgs(region="xx-near-1", ip_range="10.1.0.0/16", clients=CLIENTS)
        )
        Database(
            "database",
            DatabaseArgs(
                instance_class="db.small",
                engine_version=engine_version,
                storage_gib=100,
                max_storage_gib=400,
                subnet_group_name=network.subnet_group_name,
                security_group_id=network.security_group_id,
                backup_retention_days=backup_retention_days,
                multi_az=True,
                key=key or OwnKeyArgs(deletion_window_days=9),
                replication=replication,
            ),
        )

    return deploy(program, preview=preview)


def test_exactly_the_hosts_may_connect_and_only_to_postgresql() -> None:
    deployment = database()
    group = deployment.one(SECURITY_GROUP)
    rules = deployment.all(INGRESS_RULE)

    assert {rule.inputs["cidrIpv4"] for rule in rules} == {f"{address}/32" for address in CLIENTS.values()}
    for rule in rules:
        assert rule.inputs["securityGroupId"] == group.id
        assert (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("tcp", 5432, 5432)
    # No way in or out beside these rules, inline or as a rule of its own.
    assert not {"ingress", "egress"} & set(group.inputs)
    assert not [resource for resource in deployment.resources if "Egress" in resource.type]
    assert deployment.one(DATABASE).inputs["vpcSecurityGroupIds"] == [group.id]


def test_the_network_has_subnets_in_three_zones_that_do_not_overlap() -> None:
    subnets = database().all(SUBNET)

    assert {subnet.inputs["availabilityZone"] for subnet in subnets} == {"xx-near-1a", "xx-near-1b", "xx-near-1c"}
    ranges = [ipaddress.IPv4Network(subnet.inputs["cidrBlock"]) for subnet in subnets]
    assert all(part.subnet_of(ipaddress.IPv4Network("10.1.0.0/16")) for part in ranges)
    assert not [(a, b) for a in ranges for b in ranges if a is not b and a.overlaps(b)]


@pytest.mark.parametrize("ip_range", ["10.1.0.0/23", "10.1.0.0/28", "10.1.0.9/16"])
def test_a_network_without_room_for_three_zones_is_refused(ip_range: str) -> None:
    with pytest.raises(ValueError, match=ip_range):
        DatabaseNetworkArgs(region="xx-near-1", ip_range=ip_range, clients={})


def test_a_database_with_a_key_of_its_own_is_encrypted_with_it() -> None:
    deployment = database(key=OwnKeyArgs(deletion_window_days=9))
    key, instance = deployment.one(KEY), deployment.one(DATABASE)

    assert instance.inputs["storageEncrypted"] is True
    assert key.urn in instance.depends_on
    assert instance.inputs["kmsKeyId"].endswith(f"key/{key.id}")
    assert key.inputs["enableKeyRotation"] is True
    assert key.inputs["deletionWindowInDays"] == 9
    assert key.protect


def test_a_database_with_somebody_elses_key_makes_none() -> None:
    deployment = database(key=ExistingKeyArgs(arn="arn:of-the-vault"))

    assert deployment.all(KEY) == []
    assert deployment.one(DATABASE).inputs["kmsKeyId"] == "arn:of-the-vault"


@pytest.mark.parametrize("preview", [False, True])
def test_backups_are_copied_to_the_other_region_under_its_key(preview: bool) -> None:
    deployment = database(preview=preview)
    copies = deployment.one(BACKUP_REPLICATION)

    assert copies.inputs["region"] == "xx-far-1"
    assert copies.inputs["kmsKeyId"] == "arn:of-the-vault"
    assert copies.inputs["retentionPeriod"] == 21
    assert deployment.one(DATABASE).urn in copies.depends_on
    assert copies.protect


def test_backups_stay_where_there_is_no_further_region() -> None:
    assert database(replication=None).all(BACKUP_REPLICATION) == []


@pytest.mark.parametrize("days", [0, 1, 35])
def test_the_retention_is_taken_as_it_is_for_the_policy_pack_to_judge(days: int) -> None:
    assert database(backup_retention_days=days).one(DATABASE).inputs["backupRetentionPeriod"] == days


def test_nothing_that_brings_the_database_back_goes_with_it() -> None:
    instance = database().one(DATABASE)

    assert instance.protect
    expected = {
        "deletionProtection": True,
        "deleteAutomatedBackups": False,
        "skipFinalSnapshot": False,
        "copyTagsToSnapshot": True,
        "multiAz": True,
    }
    assert {key: instance.inputs[key] for key in expected} == expected
    assert instance.inputs["finalSnapshotIdentifier"]


def test_only_tls_is_spoken_and_nobody_knows_the_password() -> None:
    deployment = database()
    instance, parameters = deployment.one(DATABASE), deployment.one(PARAMETER_GROUP)

    assert [(it["name"], it["value"]) for it in parameters.inputs["parameters"]] == [("rds.force_ssl", "1")]
    assert instance.inputs["parameterGroupName"] == parameters.inputs["name"]
    assert instance.inputs["manageMasterUserPassword"] is True
    assert not [key for key in instance.inputs if key.startswith("password")]


@pytest.mark.parametrize(("version", "family"), [("18", "postgres18"), ("17.10", "postgres17")])
def test_the_parameters_are_those_of_the_major_version(version: str, family: str) -> None:
    deployment = database(engine_version=version)
    parameters = deployment.one(PARAMETER_GROUP)

    assert deployment.one(DATABASE).inputs["engineVersion"] == version
    assert parameters.inputs["family"] == family
    # Two versions' groups have to exist side by side during an upgrade.
    assert parameters.inputs["name"].endswith(family)


def test_backup_and_maintenance_do_not_overlap() -> None:
    inputs: Any = database().one(DATABASE).inputs

    def span(window: str) -> tuple[time, time]:
        begin, end = (time.fromisoformat(clock[-5:]) for clock in window.split("-"))
        return begin, end

    backup, maintenance = span(inputs["backupWindow"]), span(inputs["maintenanceWindow"])
    assert backup[0] < backup[1] <= maintenance[0] < maintenance[1]
