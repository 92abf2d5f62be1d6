"""The database: who reaches it, what it is made from and encrypted with, and where its backups go."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi
import pytest

from components.database.instance import BackupReplicationArgs, Database, DatabaseArgs, ExistingKeyArgs, OwnKeyArgs
from components.database.network import DatabaseNetwork, DatabaseNetworkArgs
from components.database.source import Empty, Existing, FromBackups, FromSnapshot, Origin
from components.database.verification import VerificationError
from plan.names import NEEDS_REFRESH
from tests.components.recording import (
    ASSOCIATION,
    BACKUP_REPLICATION,
    DATABASE,
    GATEWAY,
    INGRESS_RULE,
    KEY,
    PARAMETER_GROUP,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    SUBNET_GROUP,
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
    identifier: str = "database",
    origin: Origin | None = None,
    preview: bool = False,
    rds_says: Mapping[str, Any] | None = None,
) -> Deployment:
    def program() -> None:
        network = DatabaseNetwork(
            "network", DatabaseNetworkArgs(region="xx-near-1", ip_range="10.1.0.0/16", clients=CLIENTS)
        )
        Database(
            "database",
            DatabaseArgs(
                identifier=identifier,
                origin=origin or Empty(),
                instance_class="db.small",
                engine_version=engine_version,
                storage_gib=100,
                max_storage_gib=400,
                subnet_group_name=network.subnet_group_name,
                security_group_id=network.security_group_id,
                backup_retention_days=backup_retention_days,
                multi_az=True,
                key=key or OwnKeyArgs(deletion_window_days=9),
                logs=network,
                replication=replication,
            ),
        )

    return deploy(program, preview=preview, answers={DATABASE: rds_says or {}})


def test_exactly_the_hosts_may_connect_and_only_to_postgresql() -> None:
    deployment = database()
    group = deployment.one(SECURITY_GROUP)
    rules = deployment.all(INGRESS_RULE)

    assert {rule.inputs["cidrIpv4"] for rule in rules} == {f"{address}/32" for address in CLIENTS.values()}
    for rule in rules:
        assert rule.inputs["securityGroupId"] == group.id
        assert (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("tcp", 5432, 5432)
    # There is no other rule, inside the group or separate.
    assert not {"ingress", "egress"} & set(group.inputs)
    assert not [resource for resource in deployment.resources if "Egress" in resource.type]
    assert deployment.one(DATABASE).inputs["vpcSecurityGroupIds"] == [group.id]


def test_the_network_has_subnets_in_three_zones_that_do_not_overlap() -> None:
    subnets = database().all(SUBNET)

    assert {subnet.inputs["availabilityZone"] for subnet in subnets} == {"xx-near-1a", "xx-near-1b", "xx-near-1c"}
    ranges = [ipaddress.IPv4Network(subnet.inputs["cidrBlock"]) for subnet in subnets]
    assert all(part.subnet_of(ipaddress.IPv4Network("10.1.0.0/16")) for part in ranges)
    assert not [(a, b) for a in ranges for b in ranges if a is not b and a.overlaps(b)]


def test_database_follows_its_route_to_the_internet() -> None:
    deployment = database()
    group = deployment.one(SUBNET_GROUP)
    route = [deployment.one(GATEWAY), deployment.one(ROUTE_TABLE), *deployment.all(ASSOCIATION)]

    assert len(route) == 5
    assert {it.urn for it in route} <= group.depends_on
    assert group.urn in deployment.one(DATABASE).depends_on


@pytest.mark.parametrize("ip_range", ["10.1.0.0/23", "10.1.0.0/28", "10.1.0.9/16"])
def test_a_network_without_room_for_three_zones_is_refused(ip_range: str) -> None:
    with pytest.raises(ValueError, match=ip_range):
        DatabaseNetworkArgs(region="xx-near-1", ip_range=ip_range, clients={})


def test_more_clients_than_a_security_group_has_rules_are_refused() -> None:
    hosts = {f"host-{number}": "198.51.100.1" for number in range(61)}
    with pytest.raises(ValueError, match="61 hosts may connect to the database; AWS allows 60"):
        DatabaseNetworkArgs(region="xx-near-1", ip_range="10.1.0.0/16", clients=hosts)


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


def test_nothing_is_left_to_a_default_that_would_take_the_backups_away_or_hide_what_happened() -> None:
    instance = database().one(DATABASE)

    assert instance.protect
    expected = {
        "deletionProtection": True,
        "deleteAutomatedBackups": False,
        "skipFinalSnapshot": False,
        "copyTagsToSnapshot": True,
        "multiAz": True,
        "iamDatabaseAuthenticationEnabled": True,
        "caCertIdentifier": "rds-ca-rsa2048-g1",
        "engineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "performanceInsightsEnabled": True,
        "performanceInsightsRetentionPeriod": 7,
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


def test_backup_and_maintenance_last_half_an_hour_and_do_not_overlap() -> None:
    """The limits of RDS for both windows (CreateDBInstance). The backup window is a daily one."""
    inputs: Any = database().one(DATABASE).inputs
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    def minutes(moment: str) -> int:
        *day, hour, minute = moment.split(":")
        return (days.index(day[0]) * 24 if day else 0) * 60 + int(hour) * 60 + int(minute)

    backup, maintenance = (tuple(map(minutes, inputs[f"{it}Window"].split("-"))) for it in ("backup", "maintenance"))
    assert backup[1] - backup[0] >= 30
    assert maintenance[1] - maintenance[0] >= 30
    assert not [
        day for day in range(7) if backup[0] + day * 1440 < maintenance[1] and maintenance[0] < backup[1] + day * 1440
    ]


MORNING = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
FOUND: dict[str, Any] = {"kms_key_arn": "arn:of-the-source", "storage_gib": 130}
MADE_EMPTY = {"dbName": "botbrains", "username": "botbrains"}


@pytest.mark.parametrize(
    ("origin", "declares"),
    [
        (Empty(), MADE_EMPTY),
        (Existing(**FOUND), MADE_EMPTY),
        (FromSnapshot(**FOUND, snapshot_arn="arn:snapshot"), {"snapshotIdentifier": "arn:snapshot"}),
        (
            FromBackups(**FOUND, instance="old", moment=None),
            {"restoreToPointInTime": {"sourceDbInstanceIdentifier": "old", "useLatestRestorableTime": True}},
        ),
        (
            FromBackups(**FOUND, automated_backups_arn="arn:backups", moment=MORNING),
            {
                "restoreToPointInTime": {
                    "sourceDbInstanceAutomatedBackupsArn": "arn:backups",
                    "restoreTime": "2026-03-01T02:30:00Z",
                }
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("key", [OwnKeyArgs(deletion_window_days=9), ExistingKeyArgs(arn="arn:of-the-vault")])
def test_what_it_is_made_from_is_declared_once_and_never_replaces_it(
    origin: Origin, declares: dict[str, Any], key: OwnKeyArgs | ExistingKeyArgs
) -> None:
    deployment = database(origin=origin, key=key)
    instance = deployment.one(DATABASE)

    how = {*MADE_EMPTY, "snapshotIdentifier", "restoreToPointInTime"}
    assert {name: value for name, value in instance.inputs.items() if name in how} == declares
    # All that differs between one origin and another, and would replace a database.
    assert instance.ignore_changes >= how | {"kmsKeyId"}
    assert instance.protect

    empty = isinstance(origin, Empty)
    assert instance.inputs["allocatedStorage"] == (100 if empty else 130)
    keys = deployment.all(KEY)
    made = f"arn:aws:kms:no-region:123456789012:key/{keys[0].id}" if keys else "arn:of-the-vault"
    expected = made if empty else "arn:of-the-source"
    for name in ("kmsKeyId", "masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId"):
        assert instance.inputs[name] == expected, name
    # A protected key that is declared no longer would stop every update.
    assert len(keys) == isinstance(key, OwnKeyArgs)
    assert all(it.urn in instance.depends_on for it in keys)


def test_another_identifier_is_another_database_beside_the_same_of_everything_else() -> None:
    one, two = database(), database(identifier="second")

    names = [{(it.type, it.name) for it in deployment.custom} for deployment in (one, two)]
    assert names[0] ^ names[1] == {
        (type_, name) for type_ in (DATABASE, BACKUP_REPLICATION) for name in ("database", "second")
    }
    assert two.one(DATABASE).inputs["identifier"] == "second"
    assert two.one(DATABASE).inputs["finalSnapshotIdentifier"] != one.one(DATABASE).inputs["finalSnapshotIdentifier"]


# The values that RestoreDBInstanceToPointInTime gives an instance without these parameters (API reference), by the
# input's name. The first ones are corrected by an update with a refresh.
CORRECTED_LATER: dict[str, Any] = {
    "multiAz": False,
    "deletionProtection": False,
    "iamDatabaseAuthenticationEnabled": False,
    "dbSubnetGroupName": "default",
    "backupRetentionPeriod": 1,
    "backupWindow": "22:00-22:30",
    "maintenanceWindow": "tue:22:00-tue:22:30",
    "copyTagsToSnapshot": False,
    "enabledCloudwatchLogsExports": [],
    "performanceInsightsEnabled": False,
    "performanceInsightsKmsKeyId": "",
    "performanceInsightsRetentionPeriod": 0,
}
FATAL: dict[str, Any] = {
    "publiclyAccessible": False,
    "parameterGroupName": "default.postgres18",
    "vpcSecurityGroupIds": ["sg-default"],
    "storageEncrypted": False,
    "kmsKeyId": "arn:of-another-key",
    "engineLifecycleSupport": "open-source-rds-extended-support",
}
RESTORED = FromBackups(**FOUND, automated_backups_arn="arn:backups", moment=None)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def named(differences: dict[str, Any]) -> list[str]:
    return sorted(f"{snake(name)} is {value!r}" for name, value in differences.items())


def differing(message: str) -> list[str]:
    """The settings that a message names, with the values that RDS has."""
    return sorted(line.partition(";")[0].strip() for line in message.splitlines() if "; declared is " in line)


@pytest.mark.parametrize(
    ("says", "names"),
    [
        *(({name: value}, named({name: value})) for name, value in FATAL.items()),
        ({"masterUserSecrets": []}, ["manage_master_user_password is False", "master_user_secret_kms_key_id is None"]),
        (
            {"masterUserSecrets": [{"secretArn": "arn:secret", "secretStatus": "active", "kmsKeyId": "arn:default"}]},
            ["master_user_secret_kms_key_id is 'arn:default'"],
        ),
        ({**FATAL, **CORRECTED_LATER}, named({**FATAL, **CORRECTED_LATER})),
    ],
    ids=lambda value: "+".join(value) if len(value) < 3 else "everything",
)
def test_uncorrectable_difference_fails_the_update(says: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(VerificationError) as refusal:
        database(origin=RESTORED, rds_says=says)
    assert differing(str(refusal.value)) == names
    # A preview has no values of RDS to compare.
    database(origin=RESTORED, rds_says=says, preview=True)


@pytest.mark.parametrize(
    "says",
    [*({name: value} for name, value in CORRECTED_LATER.items()), CORRECTED_LATER],
    ids=lambda says: "+".join(says),
)
def test_correctable_difference_is_a_warning(says: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda message, resource: warnings.append(message))
    database(origin=RESTORED, rds_says=says)
    (warning,) = warnings
    assert differing(warning) == named(says)
    assert NEEDS_REFRESH in warning


@pytest.mark.parametrize(
    "says",
    [
        {"maintenanceWindow": "Sun:03:00-Sun:04:00"},
        {"parameterGroupName": "Database-postgres18"},
        {"enabledCloudwatchLogsExports": ["upgrade", "postgresql"]},
    ],
    ids=str,
)
def test_different_spelling_is_no_difference(says: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.log, "warn", lambda message, resource: pytest.fail(message))
    database(origin=RESTORED, rds_says=says)
