"""The AWS stand-in's tables against the local AWS, as the engine uses them."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.aws import PLUGIN
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Gone, Refused, ResourceType
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, local_aws

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)

# What the SDK's classes offer and the stand-in does not show. Whoever needs one adds it.
NOT_SHOWN = {
    "aws:s3/bucket:Bucket": {"websiteDomain", "websiteEndpoint"},
    "aws:ec2/vpc:Vpc": {"ipv6AssociationId"},
    "aws:ec2/subnet:Subnet": {"ipv6CidrBlockAssociationId"},
    "aws:sns/topic:Topic": {"beginningArchiveTime"},
    "aws:rds/instance:Instance": {"upgradeRolloutOrder"},
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


def bucket(cloud: Cloud, name: str, **inputs: Any) -> Made:
    return Made.create(cloud, "aws:s3/bucket:Bucket", bucket=name, **inputs)


def versioning(cloud: Cloud, name: str, **inputs: Any) -> Made:
    return Made.create(
        cloud,
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket=name,
        versioningConfiguration={"status": "Enabled"},
        **inputs,
    )


def network(cloud: Cloud, **inputs: Any) -> tuple[Made, list[Made]]:
    vpc = Made.create(cloud, "aws:ec2/vpc:Vpc", cidrBlock="10.20.0.0/16", **inputs)
    region = inputs.get("region", HERE)
    subnets = [
        Made.create(
            cloud,
            "aws:ec2/subnet:Subnet",
            vpcId=vpc.identity,
            cidrBlock=f"10.20.{number}.0/24",
            availabilityZone=f"{region}{zone}",
            **inputs,
        )
        for number, zone in enumerate("ab")
    ]
    return vpc, subnets


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the SDK's own older types
@pytest.mark.parametrize("table", PLUGIN.resources, ids=lambda table: table.token.rpartition(":")[2])
def test_names_are_the_sdks(table: ResourceType) -> None:
    """Every mapped input and output is one that the SDK has, and no output that it promises is missing unnoticed."""
    _, module, kind = table.token.split(":")
    path = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", module.replace("/", ".")).lower()
    sdk = importlib.import_module(f"pulumi_aws.{path}")
    declared = getattr(sdk, f"{kind}InitArgs", None) or getattr(sdk, f"{kind}Args")
    arguments = set(map(camel, inspect.signature(declared.__init__).parameters)) - {"Self"}
    outputs = set(map(camel, inspect.signature(getattr(sdk, f"_{kind}State").__init__).parameters)) - {"Self"}
    assert set(table.properties) <= arguments
    assert set(table.computed) <= outputs
    assert outputs - arguments - set(table.computed) == NOT_SHOWN.get(table.token, set())


def camel(name: str) -> str:
    head, *rest = name.strip("_").split("_")
    if not head or head == "self":
        return "Self"
    return head + "".join(word.capitalize() for word in rest)


# -- KMS --------------------------------------------------------------------------------------------------------------


def test_a_key_lives_in_its_region_and_is_deleted_with_a_window(aws: LocalAws, cloud: Cloud) -> None:
    key = Made.create(
        cloud,
        "aws:kms/key:Key",
        region=THERE,
        description="backups",
        enableKeyRotation=True,
        rotationPeriodInDays=180,
        deletionWindowInDays=7,
        tags={"tier": "vault"},
    )
    assert key.outputs["arn"].startswith(f"arn:aws:kms:{THERE}:")
    assert key.outputs["tagsAll"] == {"owner": "platform", "tier": "vault"}
    key.change(description="backups of prod", tags={"tier": "gold"}, rotationPeriodInDays=365)
    key.change(isEnabled=False)
    key.change(isEnabled=None)
    policy = json.loads(key.outputs["policy"])
    policy["Statement"][0]["Action"] = ["kms:*"]
    key.change(policy=json.dumps({**policy, "Id": "ours"}, indent=2))

    kms = aws.client("kms", THERE)
    kms.disable_key_rotation(KeyId=key.identity)
    kms.tag_resource(KeyId=key.identity, Tags=[{"TagKey": "by", "TagValue": "hand"}])
    assert key.drift() == {"enableKeyRotation", "rotationPeriodInDays", "tags"}
    key.delete()
    assert kms.describe_key(KeyId=key.identity)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    with pytest.raises(Gone):
        key.read()
    with pytest.raises(Gone):
        key.delete()


def test_an_alias_moves_to_another_key(cloud: Cloud) -> None:
    first, second = (Made.create(cloud, "aws:kms/key:Key", description="test") for _ in range(2))
    alias = Made.create(cloud, "aws:kms/alias:Alias", name="alias/state", targetKeyId=first.outputs["arn"])
    assert alias.outputs["targetKeyArn"] == first.outputs["arn"]
    alias.change(targetKeyId=second.identity)
    assert alias.outputs["targetKeyArn"] == second.outputs["arn"]
    alias.delete()
    with pytest.raises(Gone):
        alias.read()


# -- S3 ---------------------------------------------------------------------------------------------------------------


def test_a_bucket_with_objects_goes_only_by_force(aws: LocalAws, cloud: Cloud) -> None:
    made = bucket(cloud, "with-objects", region=THERE, tags={"a": "1"})
    assert made.outputs["bucketRegionalDomainName"] == f"with-objects.s3.{THERE}.amazonaws.com"
    assert made.outputs["hostedZoneId"] == "Z1BKCTXD74EZPE"
    made.change(tags={"b": "2"})
    assert made.outputs["tagsAll"] == {"owner": "platform", "b": "2"}
    versions = versioning(cloud, "with-objects", region=THERE)
    s3 = aws.client("s3", THERE)
    for body in (b"one", b"two"):
        s3.put_object(Bucket="with-objects", Key="k", Body=body)
    s3.delete_object(Bucket="with-objects", Key="k")
    s3.create_multipart_upload(Bucket="with-objects", Key="never-ended")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        made.delete()
    made.inputs["forceDestroy"] = True
    made.delete()
    for gone in (made, versions):
        with pytest.raises(Gone):
            gone.read()


def test_a_buckets_settings(aws: LocalAws, cloud: Cloud) -> None:
    made = bucket(cloud, "settings")
    name = made.identity
    key = Made.create(cloud, "aws:kms/key:Key", description="test")
    versions = versioning(cloud, name)
    encryption = Made.create(
        cloud,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        bucket=name,
        rules=[
            {
                "applyServerSideEncryptionByDefault": {
                    "sseAlgorithm": "aws:kms",
                    "kmsMasterKeyId": key.outputs["arn"],
                },
                "bucketKeyEnabled": True,
            }
        ],
    )
    access = Made.create(
        cloud,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        bucket=name,
        blockPublicAcls=True,
        blockPublicPolicy=True,
        ignorePublicAcls=True,
        restrictPublicBuckets=True,
    )
    ownership = Made.create(
        cloud,
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        bucket=name,
        rule={"objectOwnership": "BucketOwnerEnforced"},
    )
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:GetObject"],
        "Resource": f"{made.outputs['arn']}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = Made.create(
        cloud,
        "aws:s3/bucketPolicy:BucketPolicy",
        bucket=name,
        policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    lifecycle = Made.create(
        cloud,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        bucket=name,
        rules=[
            {
                "id": "old-versions",
                "status": "Enabled",
                "filter": {"prefix": "state/"},
                "noncurrentVersionExpiration": {"noncurrentDays": 90, "newerNoncurrentVersions": 5},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            },
            {
                "id": "tagged",
                "status": "Enabled",
                "filter": {"and": {"prefix": "log/", "tags": {"keep": "no"}}},
                "expiration": {"days": 30},
                "transitions": [{"days": 10, "storageClass": "GLACIER"}],
            },
            {"id": "markers", "status": "Disabled", "expiration": {"expiredObjectDeleteMarker": True}},
        ],
    )
    versions.change(versioningConfiguration={"status": "Suspended"})
    encryption.change(rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}])
    access.change(blockPublicAcls=False)
    ownership.change(rule={"objectOwnership": "BucketOwnerPreferred"})
    policy.change(policy=json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Action": "s3:GetObject"}]}))
    lifecycle.change(rules=[{"id": "all", "status": "Enabled", "filter": {}, "expiration": {"days": 400}}])

    s3 = aws.client("s3")
    s3.delete_public_access_block(Bucket=name)
    with pytest.raises(Gone):
        access.read()
    with pytest.raises(Refused, match=r"versioning of settings is Suspended; once it was enabled"):
        versions.change(versioningConfiguration={"status": "Disabled"})
    with pytest.raises(Refused, match=r"no mapping for `rules\[0\].expiration.hours`"):
        lifecycle.change(rules=[{"id": "x", "status": "Enabled", "expiration": {"hours": 1}}])
    for setting in (encryption, ownership, policy, lifecycle):
        setting.delete()
        with pytest.raises(Gone):
            setting.read()


def test_a_policy_is_compared_by_what_it_says() -> None:
    same = TABLES["aws:s3/bucketPolicy:BucketPolicy"].properties["policy"].same
    assert same is not None
    one = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": ["a", "b"]}}
    other = {"Statement": [{"Action": ["s3:*"], "Resource": ["b", "a"], "Effect": "Allow"}], "Version": "2012-10-17"}
    assert same(json.dumps(one), json.dumps(other, indent=1))
    other["Statement"][0]["Effect"] = "Deny"  # type: ignore[index]
    assert not same(json.dumps(one), json.dumps(other))


def test_replication_is_configured_and_happens(aws: LocalAws, cloud: Cloud) -> None:
    """Across regions: plain objects with their tags, and objects under KMS only with a key over there."""
    for name, region in (("from-here", HERE), ("to-there", THERE)):
        bucket(cloud, name, region=region)
        versioning(cloud, name, region=region)
    role = Made.create(cloud, "aws:iam/role:Role", name="replicator", assumeRolePolicy=TRUST)
    near = Made.create(cloud, "aws:kms/key:Key", description="test").outputs["arn"]
    far = Made.create(cloud, "aws:kms/key:Key", description="test", region=THERE).outputs["arn"]
    rule: dict[str, Any] = {
        "id": "all",
        "status": "Enabled",
        "priority": 1,
        "filter": {},
        "deleteMarkerReplication": {"status": "Disabled"},
        "destination": {
            "bucket": "arn:aws:s3:::to-there",
            "storageClass": "STANDARD_IA",
            "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
            "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
        },
    }
    replication = Made.create(
        cloud,
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        bucket="from-here",
        role=role.outputs["arn"],
        rules=[rule],
    )
    s3, over_there = aws.client("s3"), aws.client("s3", THERE)
    under_kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": near}
    put = s3.put_object(Bucket="from-here", Key="plain", Body=b"hello", Metadata={"m": "1"}, Tagging="t=2")
    s3.put_object(Bucket="from-here", Key="sealed-1", Body=b"secret", **under_kms)
    copy = over_there.get_object(Bucket="to-there", Key="plain")
    assert copy["Body"].read() == b"hello"
    assert (copy["Metadata"], copy["StorageClass"], copy["ReplicationStatus"]) == ({"m": "1"}, "STANDARD_IA", "REPLICA")
    assert copy["VersionId"] == put["VersionId"]
    assert over_there.get_object_tagging(Bucket="to-there", Key="plain")["TagSet"] == [{"Key": "t", "Value": "2"}]
    assert s3.head_object(Bucket="from-here", Key="plain")["ReplicationStatus"] == "COMPLETED"
    keys = [entry["Key"] for entry in over_there.list_objects_v2(Bucket="to-there")["Contents"]]
    assert keys == ["plain"]

    s3.delete_object(Bucket="from-here", Key="plain")
    assert over_there.get_object(Bucket="to-there", Key="plain")["Body"].read() == b"hello"
    replication.change(
        rules=[
            {
                **rule,
                "deleteMarkerReplication": {"status": "Enabled"},
                "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                "destination": {**rule["destination"], "encryptionConfiguration": {"replicaKmsKeyId": far}},
            }
        ]
    )
    s3.put_object(Bucket="from-here", Key="sealed-2", Body=b"secret", **under_kms)
    assert over_there.get_object(Bucket="to-there", Key="sealed-2")["SSEKMSKeyId"] == far
    s3.delete_object(Bucket="from-here", Key="sealed-2")
    with pytest.raises(ClientError, match="NoSuchKey"):
        over_there.get_object(Bucket="to-there", Key="sealed-2")
    with pytest.raises(ClientError, match="Destination bucket must exist"):
        replication.change(rules=[{**rule, "destination": {"bucket": "arn:aws:s3:::nowhere"}}])
    replication.delete()
    with pytest.raises(Gone):
        replication.read()


# -- IAM --------------------------------------------------------------------------------------------------------------


def test_a_role_keeps_its_policies_unless_they_are_detached_by_force(cloud: Cloud) -> None:
    role = Made.create(
        cloud, "aws:iam/role:Role", name="operator", assumeRolePolicy=TRUST, path="/ops/", tags={"a": "1"}
    )
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    policy = Made.create(
        cloud, "aws:iam/rolePolicy:RolePolicy", role="operator", name="read", policy=json.dumps(document)
    )
    assert policy.identity == "operator:read"
    role.change(
        description="who drills",
        maxSessionDuration=7200,
        assumeRolePolicy=TRUST.replace("s3.", "ec2."),
        tags={"b": "2"},
        permissionsBoundary="arn:aws:iam::123456789012:policy/limit",
    )
    role.change(permissionsBoundary=None, description=None)
    document["Statement"][0]["Action"] = "s3:*"  # type: ignore[index]
    policy.change(policy=json.dumps(document))
    with pytest.raises(ClientError, match="DeleteConflict"):
        role.delete()
    role.inputs["forceDetachPolicies"] = True
    role.delete()
    for gone in (policy, role):
        with pytest.raises(Gone):
            gone.read()


# -- EC2 --------------------------------------------------------------------------------------------------------------


def test_a_network(aws: LocalAws, cloud: Cloud) -> None:
    vpc, subnets = network(cloud, region=THERE, tags={"Name": "recovery"})
    vpc.change(enableDnsHostnames=True, tags={"Name": "dr"})
    vpc.change(enableDnsHostnames=None, enableDnsSupport=False)
    assert vpc.outputs["defaultSecurityGroupId"].startswith("sg-")
    assert vpc.outputs["mainRouteTableId"]
    subnets[0].change(mapPublicIpOnLaunch=True)
    gateway = Made.create(cloud, "aws:ec2/internetGateway:InternetGateway", region=THERE, vpcId=vpc.identity)
    table = Made.create(
        cloud,
        "aws:ec2/routeTable:RouteTable",
        region=THERE,
        vpcId=vpc.identity,
        routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": gateway.identity}],
    )
    association = Made.create(
        cloud,
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        region=THERE,
        routeTableId=table.identity,
        subnetId=subnets[0].identity,
    )
    imported = association.table.read(cloud, f"{subnets[0].identity}/{table.identity}@{THERE}", {})
    assert imported["id"] == association.identity
    table.change(
        routes=[
            {"cidrBlock": "192.168.0.0/16", "gatewayId": gateway.identity},
            {"cidrBlock": "0.0.0.0/0", "gatewayId": gateway.identity},
        ]
    )
    table.change(routes=[{"cidrBlock": "192.168.0.0/16", "gatewayId": gateway.identity}])
    aws.client("ec2", THERE).create_route(
        RouteTableId=table.identity, DestinationCidrBlock="172.16.0.0/12", GatewayId=gateway.identity
    )
    assert table.drift() == {"routes"}
    with pytest.raises(Refused, match=r"no mapping for `routes\[\].coreNetworkArn`"):
        table.change(routes=[{"cidrBlock": "0.0.0.0/0", "coreNetworkArn": "x"}])
    with pytest.raises(ClientError, match="DependencyViolation"):
        vpc.delete()
    table.change(routes=[])
    association.delete()
    for made in (table, gateway, *subnets, vpc):
        made.delete()
    for made in (association, table, gateway, *subnets, vpc):
        with pytest.raises(Gone):
            made.read()


def test_a_security_group_without_declared_rules_lets_nothing_through(aws: LocalAws, cloud: Cloud) -> None:
    vpc, _ = network(cloud)
    group, other = (
        Made.create(cloud, "aws:ec2/securityGroup:SecurityGroup", name=name, vpcId=vpc.identity, tags={"n": name})
        for name in ("db", "app")
    )
    assert group.outputs["egress"] == []
    assert group.outputs["ingress"] == []
    ingress = Made.create(
        cloud,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        securityGroupId=group.identity,
        ipProtocol="tcp",
        fromPort=5432,
        toPort=5432,
        referencedSecurityGroupId=other.identity,
        description="the app",
        tags={"a": "1"},
    )
    egress = Made.create(
        cloud,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        securityGroupId=group.identity,
        ipProtocol="-1",
        cidrIpv4="10.0.0.0/8",
    )
    group.must_be_as_declared()  # rules of their own are no drift of the group
    ingress.change(fromPort=6432, toPort=6432, tags={"a": "2"})
    ingress.change(description=None)
    egress.change(ipProtocol="udp", fromPort=53, toPort=53, description="names")
    egress.change(ipProtocol="-1", fromPort=None, toPort=None)
    assert ingress.outputs["arn"].endswith(f"security-group-rule/{ingress.identity}")
    with pytest.raises(ClientError, match="DependencyViolation"):
        other.delete()
    ingress.delete()
    egress.delete()
    for rule in (ingress, egress):
        with pytest.raises(Gone):
            rule.read()
    with pytest.raises(Refused, match="needs exactly one of cidrIpv4"):
        TABLES["aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"].create(
            cloud, {"securityGroupId": group.identity, "ipProtocol": "-1"}
        )
    group.delete()
    with pytest.raises(Gone):
        group.read()


def test_a_security_groups_inline_rules_are_a_set(aws: LocalAws, cloud: Cloud) -> None:
    vpc, _ = network(cloud)
    web = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8", "192.168.0.0/16"]}
    out = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"], "ipv6CidrBlocks": ["::/0"]}
    group = Made.create(
        cloud,
        "aws:ec2/securityGroup:SecurityGroup",
        name="inline",
        vpcId=vpc.identity,
        ingress=[web, {"protocol": "tcp", "fromPort": 0, "toPort": 65535, "self": True}],
        egress=[out],
    )
    same = group.table.properties["ingress"].same
    assert same is not None
    assert same([web], [{**web, "cidrBlocks": [block]} for block in reversed(web["cidrBlocks"])])  # type: ignore[call-overload]
    group.change(ingress=[{**web, "cidrBlocks": ["10.0.0.0/8"], "description": "inside"}])
    aws.client("ec2").authorize_security_group_ingress(
        GroupId=group.identity, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    assert group.drift() == {"ingress"}
    group.inputs["revokeRulesOnDelete"] = True
    group.delete()


# -- RDS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database_network(cloud: Cloud) -> dict[str, Any]:
    vpc, subnets = network(cloud)
    # With a way out, AWS would give an instance a public address unless it is told not to.
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


def test_a_production_database(aws: LocalAws, cloud: Cloud, database_network: dict[str, Any]) -> None:
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
    assert shown["masterUserSecrets"][0]["kmsKeyId"] == key
    by_name = database.table.read(cloud, f"prod@{HERE}", {})
    assert by_name["id"] == database.identity

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
    with pytest.raises(Gone):
        database.delete()
    snapshot = aws.client("rds").describe_db_snapshots(DBSnapshotIdentifier="prod-final")["DBSnapshots"][0]
    assert {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]}["tier"] == "2"
    kept = aws.client("rds").describe_db_instance_automated_backups(DbiResourceId=database.identity)
    assert [backup["Status"] for backup in kept["DBInstanceAutomatedBackups"]] == ["retained"]
    parameters.delete()
    for gone in (database, parameters):
        with pytest.raises(Gone):
            gone.read()


def test_a_plain_database_has_no_backups_and_needs_a_decision_to_go(
    aws: LocalAws, cloud: Cloud, database_network: dict[str, Any]
) -> None:
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
    with pytest.raises(Refused, match=r"`finalSnapshotIdentifier` of plain is required"):
        database.delete()
    database.inputs["skipFinalSnapshot"] = True
    with pytest.raises(Gone):
        database.delete()


def test_groups_change_in_place(cloud: Cloud) -> None:
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
    with pytest.raises(Gone):
        group.read()


def test_replicated_backups_outlive_their_database(
    aws: LocalAws, cloud: Cloud, database_network: dict[str, Any]
) -> None:
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
    assert TABLES[token].read(cloud, replication.identity, {})["region"] == THERE  # the ARN alone says where
    with pytest.raises(Gone):
        database.delete()
    with pytest.raises(Gone):  # retained: kept, but no replication any more
        replication.read()
    kept = aws.client("rds", THERE).describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    assert [(backup["Status"], backup["KmsKeyId"]) for backup in kept] == [("retained", far)]


# -- functions and connection -----------------------------------------------------------------------------------------


def test_functions(aws: LocalAws, cloud: Cloud) -> None:
    call = {function.token.rpartition(":")[2]: function.call for function in PLUGIN.functions}
    assert call["getCallerIdentity"](cloud, {})["accountId"] == "123456789012"
    assert call["getRegion"](cloud, {})["region"] == HERE
    assert call["getRegion"](cloud, {"region": THERE})["description"] == "Europe (Ireland)"
    zones = call["getAvailabilityZones"](cloud, {"region": THERE, "state": "available"})
    assert zones["names"][:2] == [f"{THERE}a", f"{THERE}b"]
    assert len(zones["zoneIds"]) == len(zones["names"])


def test_ignored_tags_are_left_alone(aws: LocalAws, cloud: Cloud) -> None:
    ignoring = aws.connect(ignoreTags={"keyPrefixes": ["cost:"]})
    key = Made.create(ignoring, "aws:kms/key:Key", tags={"a": "1"})
    aws.client("kms").tag_resource(KeyId=key.identity, Tags=[{"TagKey": "cost:centre", "TagValue": "7"}])
    assert key.drift() == set()
    key.change(tags={"a": "2"})
    tags = aws.client("kms").list_resource_tags(KeyId=key.identity)["Tags"]
    assert {"TagKey": "cost:centre", "TagValue": "7"} in tags


LOCAL = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": HERE}


@pytest.mark.parametrize(
    ("settings", "environment", "reason"),
    [
        ({}, {}, "no AWS region"),
        ({"region": HERE}, {}, "no AWS credentials"),
        ({"endpoints": [{"rds": "https://rds.eu-central-1.amazonaws.com"}]}, LOCAL, "not on loopback"),
        ({}, {**LOCAL, "AWS_ENDPOINT_URL_RDS": "http://127.0.0.1.example.org"}, "not on loopback"),
        ({}, {**LOCAL, "AWS_ENDPOINT_URL": "http://10.0.0.1:4566"}, "not on loopback"),
    ],
)
def test_connecting_is_refused(settings: dict[str, Any], environment: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        PLUGIN.connect(settings, environment)


def test_without_an_endpoint_nothing_is_called() -> None:
    cloud = PLUGIN.connect({}, LOCAL)
    with pytest.raises(Refused, match=r"no endpoint is known for AWS's rds.*AWS_ENDPOINT_URL_RDS"):
        TABLES["aws:rds/instance:Instance"].read(cloud, "x", {})


def test_another_account_is_refused(aws: LocalAws) -> None:
    assert aws.connect(allowedAccountIds=["123456789012"]).account == "123456789012"
    with pytest.raises(Refused, match="AWS account ID not allowed: 123456789012"):
        aws.connect(allowedAccountIds=["999999999999"])
