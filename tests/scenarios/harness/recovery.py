"""The data of production and recovery: rows in the database, objects, and the settings that protect them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import psycopg
from botocore.exceptions import ClientError

from tests.conftest import LocalCloud
from tests.scenarios.harness import PLAN, aws, outputs

PATIENCE_SECONDS = 120.0


def database(cloud: LocalCloud, stack: str) -> psycopg.Connection:
    """Connect to a stack's database over verified TLS, with the password from Secrets Manager."""
    where = outputs(cloud, stack)
    arn = where["database_secret_arn"]
    secret = json.loads(aws(cloud, "secretsmanager", arn.split(":")[3]).get_secret_value(SecretId=arn)["SecretString"])
    host, port = where["database_endpoint"].split(":")
    return psycopg.connect(
        host=host,
        port=port,
        dbname=where["database_name"],
        user=secret["username"],
        password=secret["password"],
        sslmode="verify-full",
        sslrootcert=cloud.env["PGSSLROOTCERT"],
        autocommit=True,
    )


def numbers(connection: psycopg.Connection) -> list[int]:
    """The rows that the drill's writer has written."""
    found = connection.execute("select number from continuity_drill.heartbeat order by number").fetchall()
    return [number for (number,) in found]


def instance(cloud: LocalCloud, region: str, identifier: str) -> dict[str, Any]:
    """A database instance, described by RDS."""
    found: dict[str, Any] = aws(cloud, "rds", region).describe_db_instances(DBInstanceIdentifier=identifier)[
        "DBInstances"
    ][0]
    return found


def copies(cloud: LocalCloud, region: str, identifier: str) -> list[dict[str, Any]]:
    """The replicated automated backups of an instance that this region keeps."""
    found = aws(cloud, "rds", region).describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    return [backup for backup in found if backup["DBInstanceIdentifier"] == identifier and backup["Region"] != region]


def must_be_protected(cloud: LocalCloud, region: str, identifier: str, group: str) -> None:
    """Check with RDS the settings that protect the data, above all those that a restore resets to a default."""
    found = instance(cloud, region, identifier)
    expected = {
        "MultiAZ": PLAN.redundancy.database_multi_az,
        "StorageEncrypted": True,
        "DeletionProtection": True,
        "IAMDatabaseAuthenticationEnabled": True,
        "BackupRetentionPeriod": PLAN.retention.database_backup_days,
        "CopyTagsToSnapshot": True,
        "PerformanceInsightsEnabled": True,
        "PreferredBackupWindow": "01:00-02:00",
        "PreferredMaintenanceWindow": "sun:03:00-sun:04:00",
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
    """Check with S3 the settings that keep a bucket's objects; the rule that replicates the bucket."""
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
    """Wait until `look` returns something, and return that."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not after {PATIENCE_SECONDS} s"
        time.sleep(0.3)


def put(cloud: LocalCloud, region: str, bucket: str, key: str) -> None:
    aws(cloud, "s3", region).put_object(Bucket=bucket, Key=key, Body=key.encode())


def has(cloud: LocalCloud, region: str, bucket: str, key: str) -> bool:
    try:
        return bool(aws(cloud, "s3", region).get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode())
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey"
        return False
