"""The RDS tables against the local AWS."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made
from tests.localcloud.plugins.aws.network import network


@pytest.fixture(scope="module")
def database_network(cloud: Cloud) -> dict[str, Any]:
    vpc, subnets = network(cloud)
    # With an internet gateway, AWS gives an instance a public address by default.
    Made.create(cloud, "aws:ec2/internetGateway:InternetGateway", vpcId=vpc.identity)
    group = Made.create(cloud, "aws:ec2/securityGroup:SecurityGroup", name="postgres", vpcId=vpc.identity)
    subnet_group = Made.create(
        cloud, "aws:rds/subnetGroup:SubnetGroup", name="Databases", subnetIds=[each.identity for each in subnets]
    )
    assert subnet_group.identity == "databases"
    return {"dbSubnetGroupName": subnet_group.identity, "vpcSecurityGroupIds": [group.identity]}


PLAIN = {
    "engine": "postgres",
    "instanceClass": "db.t4g.small",
    "allocatedStorage": 20,
    "username": "root",
}


@pytest.fixture(scope="module")
def production(cloud: Cloud, database_network: dict[str, Any]) -> tuple[Made, Made]:
    """An instance with every setting of production, and its parameter group."""
    key = Made.create(cloud, "aws:kms/key:Key", description="test").outputs["arn"]
    parameters = Made.create(
        cloud,
        "aws:rds/parameterGroup:ParameterGroup",
        name="prod",
        family="postgres17",
        parameters=[
            {"name": "rds.force_ssl", "value": "1"},
            {"name": "max_connections", "value": "200", "applyMethod": "pending-reboot"},
        ],
    )
    parameters.change(parameters=[{"name": "rds.force_ssl", "value": "0"}, {"name": "log_statement", "value": "ddl"}])
    database = Made.create(
        cloud,
        "aws:rds/instance:Instance",
        **PLAIN,
        **database_network,
        identifier="prod",
        engineVersion="17",
        dbName="app",
        manageMasterUserPassword=True,
        masterUserSecretKmsKeyId=key,
        maxAllocatedStorage=100,
        storageType="gp3",
        storageEncrypted=True,
        kmsKeyId=key,
        multiAz=True,
        parameterGroupName="prod",
        caCertIdentifier="rds-ca-rsa4096-g1",
        backupRetentionPeriod=35,
        backupWindow="02:00-02:30",
        maintenanceWindow="Sun:03:00-Sun:04:00",
        copyTagsToSnapshot=True,
        deletionProtection=True,
        deleteAutomatedBackups=False,
        finalSnapshotIdentifier="prod-final",
        iamDatabaseAuthenticationEnabled=True,
        performanceInsightsEnabled=True,
        performanceInsightsKmsKeyId=key,
        enabledCloudwatchLogsExports=["upgrade", "postgresql"],
        applyImmediately=True,
        tags={"tier": "1"},
    )
    return database, parameters


def test_production_database_outputs(aws: LocalAws, cloud: Cloud, production: tuple[Made, Made]) -> None:
    database, _ = production
    shown = database.outputs
    assert re.fullmatch(r"db-[A-Z0-9]{26}", database.identity)
    assert shown["endpoint"] == f"{shown['address']}:5432"
    assert shown["engineVersionActual"].startswith("17.")
    assert shown["latestRestorableTime"]
    assert shown["hostedZoneId"]
    assert shown["status"] == "available"
    secret = json.loads(
        aws.client("secretsmanager").get_secret_value(SecretId=shown["masterUserSecrets"][0]["secretArn"])[
            "SecretString"
        ]
    )
    assert secret["username"] == "root"
    assert len(secret["password"]) >= 20
    assert shown["masterUserSecrets"][0]["kmsKeyId"] == database.inputs["kmsKeyId"]
    by_name = database.table.read(cloud, f"prod@{HERE}", {})
    assert by_name["id"] == database.identity


def test_production_database_changes(aws: LocalAws, production: tuple[Made, Made]) -> None:
    """Changes and deletes the instance, so it is the last test that uses it."""
    database, parameters = production
    database.change(
        instanceClass="db.m7g.large",
        allocatedStorage=50,
        maxAllocatedStorage=None,
        multiAz=False,
        backupRetentionPeriod=14,
        enabledCloudwatchLogsExports=["postgresql"],
        performanceInsightsEnabled=None,
        performanceInsightsKmsKeyId=None,
        port=6432,
        tags={"tier": "2"},
    )
    with pytest.raises(ClientError, match="AllowMajorVersionUpgrade flag must be present"):
        database.change(engineVersion="18")
    database.change(engineVersion="18", allowMajorVersionUpgrade=True)
    aws.client("rds").modify_db_instance(DBInstanceIdentifier="prod", BackupRetentionPeriod=1, MultiAZ=True)
    assert database.drift() == {"backupRetentionPeriod", "multiAz"}
    aws.client("rds").modify_db_instance(DBInstanceIdentifier="prod", BackupRetentionPeriod=14, MultiAZ=False)

    with pytest.raises(ClientError, match="Cannot delete protected DB Instance, please disable deletion protection"):
        database.delete()
    with pytest.raises(ClientError, match="still members of this parameter group"):
        parameters.delete()
    database.read()
    database.change(deletionProtection=False)
    with pytest.raises(GoneError):
        database.delete()
    snapshot = aws.client("rds").describe_db_snapshots(DBSnapshotIdentifier="prod-final")["DBSnapshots"][0]
    assert {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]}["tier"] == "2"
    kept = aws.client("rds").describe_db_instance_automated_backups(DbiResourceId=database.identity)
    assert [backup["Status"] for backup in kept["DBInstanceAutomatedBackups"]] == ["retained"]
    parameters.delete()
    for gone in (database, parameters):
        with pytest.raises(GoneError):
            gone.read()


def test_final_snapshot_needs_a_new_name(aws: LocalAws, cloud: Cloud, database_network: dict[str, Any]) -> None:
    declared = {**PLAIN, **database_network, "identifier": "twice", "password": "longenough"}
    for name in ("last", "last-2"):
        database = Made.create(cloud, "aws:rds/instance:Instance", **declared, finalSnapshotIdentifier="last")
        if name != "last":
            with pytest.raises(ClientError, match="DBSnapshotAlreadyExists"):
                database.delete()
        database.inputs["finalSnapshotIdentifier"] = name
        with pytest.raises(GoneError):
            database.delete()
        assert aws.client("rds").describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]


def test_plain_database_without_backups(aws: LocalAws, cloud: Cloud, database_network: dict[str, Any]) -> None:
    database = Made.create(
        cloud, "aws:rds/instance:Instance", **PLAIN, **database_network, identifier="plain", password="longenough"
    )
    assert database.outputs["backupRetentionPeriod"] == 0
    assert database.outputs["latestRestorableTime"] == ""
    assert database.outputs["masterUserSecrets"] == []
    assert "password" not in database.outputs
    with pytest.raises(ClientError, match="DBInstanceAutomatedBackupNotFound"):
        aws.client("rds").describe_db_instance_automated_backups(DbiResourceId=database.identity)
    database.change(manageMasterUserPassword=True, password=None)
    database.change(manageMasterUserPassword=None, password="anotherone")
    subnets = TABLES["aws:rds/subnetGroup:SubnetGroup"]
    with pytest.raises(ClientError, match="still using this subnet group"):
        subnets.delete(cloud, database_network["dbSubnetGroupName"], {})
    with pytest.raises(RefusedError, match=r"`finalSnapshotIdentifier` of plain is required"):
        database.delete()
    database.inputs["skipFinalSnapshot"] = True
    with pytest.raises(GoneError):
        database.delete()


def test_subnet_group_changes_in_place(cloud: Cloud) -> None:
    vpc, subnets = network(cloud)
    third = Made.create(
        cloud, "aws:ec2/subnet:Subnet", vpcId=vpc.identity, cidrBlock="10.20.9.0/24", availabilityZone=f"{HERE}c"
    )
    group = Made.create(
        cloud, "aws:rds/subnetGroup:SubnetGroup", name="changing", subnetIds=[each.identity for each in subnets]
    )
    assert group.outputs["vpcId"] == vpc.identity
    group.change(subnetIds=[third.identity, subnets[1].identity], description="ours", tags={"a": "1"})
    with pytest.raises(ClientError, match="DBSubnetGroupDoesNotCoverEnoughAZs"):
        group.change(subnetIds=[third.identity])
    group.delete()
    with pytest.raises(GoneError):
        group.read()


def test_replicated_backups_outlive_database(aws: LocalAws, cloud: Cloud, database_network: dict[str, Any]) -> None:
    near = Made.create(cloud, "aws:kms/key:Key", description="test").outputs["arn"]
    far = Made.create(cloud, "aws:kms/key:Key", description="test", region=THERE).outputs["arn"]
    database = Made.create(
        cloud,
        "aws:rds/instance:Instance",
        **PLAIN,
        **database_network,
        identifier="replicated",
        manageMasterUserPassword=True,
        storageEncrypted=True,
        kmsKeyId=near,
        backupRetentionPeriod=7,
        skipFinalSnapshot=True,
    )
    token = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
    declared = {"sourceDbInstanceArn": database.outputs["arn"], "retentionPeriod": 14, "region": THERE}
    with pytest.raises(ClientError, match="Encrypted instances require a valid KMS key ID"):
        TABLES[token].create(cloud, declared)
    replication = Made.create(cloud, token, **declared, kmsKeyId=far)
    assert replication.identity.startswith(f"arn:aws:rds:{THERE}:123456789012:auto-backup:ab-")
    assert TABLES[token].read(cloud, replication.identity, {})["region"] == THERE  # the ARN contains the region
    with pytest.raises(GoneError):
        database.delete()
    with pytest.raises(GoneError):  # retained: kept, but no longer replicated
        replication.read()
    kept = aws.client("rds", THERE).describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    assert [(backup["Status"], backup["KmsKeyId"]) for backup in kept] == [("retained", far)]


def test_public_database_needs_an_internet_gateway(aws: LocalAws, cloud: Cloud) -> None:
    vpc, subnets = network(cloud)
    group = Made.create(
        cloud, "aws:rds/subnetGroup:SubnetGroup", name="public", subnetIds=[each.identity for each in subnets]
    )
    public = {**PLAIN, "identifier": "public", "dbSubnetGroupName": group.identity, "skipFinalSnapshot": True}
    declared = {**public, "password": "longenough", "publiclyAccessible": True}
    with pytest.raises(ClientError, match="VPC has no internet gateway attached"):
        TABLES["aws:rds/instance:Instance"].create(cloud, declared)
    private = Made.create(
        cloud, "aws:rds/instance:Instance", **{**declared, "identifier": "private", "publiclyAccessible": False}
    )
    with pytest.raises(ClientError, match="VPC has no internet gateway attached"):
        private.change(publiclyAccessible=True)

    gateway = Made.create(cloud, "aws:ec2/internetGateway:InternetGateway", vpcId=vpc.identity)
    database = Made.create(cloud, "aws:rds/instance:Instance", **declared)
    with pytest.raises(ClientError, match="has some mapped public address"):
        aws.client("ec2").detach_internet_gateway(InternetGatewayId=gateway.identity, VpcId=vpc.identity)
    with pytest.raises(GoneError):
        database.delete()
    gateway.delete()
