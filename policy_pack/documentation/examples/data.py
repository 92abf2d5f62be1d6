"""Resources that hold data, with everything that the policies demand of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from plan import Plan
from policy_pack.documentation.examples.model import Declared, Family, Ref
from policy_pack.rules.resource_types import (
    BACKUP_PLAN,
    BACKUP_SELECTION,
    BACKUP_VAULT,
    BACKUP_VAULT_LOCK,
    BUCKET,
    BUCKET_ACCESS_BLOCK,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_POLICY,
    BUCKET_REPLICATION,
    BUCKET_VERSIONING,
    DYNAMODB_TABLE,
    INGRESS_RULE,
    KMS_KEY,
    RDS_BACKUP_REPLICATION,
    RDS_INSTANCE,
    RDS_PARAMETER_GROUP,
    SECRET,
    SECURITY_GROUPS,
)


def key(_plan: Plan) -> Family:
    """A key. Properties whose default complies are left out."""
    return {"key": Declared(KMS_KEY, {"description": "what it is for", "enableKeyRotation": True})}


def database(plan: Plan) -> Family:
    """A database that keeps every promise of the plan."""
    recovery = plan.residency.aws.recovery_region
    return {
        "key": key(plan)["key"],
        "host": Declared(
            "hcloud:index/primaryIp:PrimaryIp",
            {"type": "ipv4", "location": home_location(plan, 0), "autoDelete": False, "deleteProtection": True},
        ),
        "security-group": Declared(SECURITY_GROUPS[0], {"description": "PostgreSQL from the hosts"}),
        "ingress": Declared(
            INGRESS_RULE,
            {
                "securityGroupId": Ref("security-group"),
                "ipProtocol": "tcp",
                "fromPort": 5432,
                "toPort": 5432,
                "cidrIpv4": Ref("host", "ipAddress"),
            },
        ),
        "subnets": Declared("aws:rds/subnetGroup:SubnetGroup", {"subnetIds": ["subnet-1", "subnet-2"]}),
        "parameters": Declared(
            RDS_PARAMETER_GROUP,
            {"family": "postgres18", "parameters": [{"name": "rds.force_ssl", "value": "1"}]},
        ),
        "database": Declared(
            RDS_INSTANCE,
            {
                "engine": "postgres",
                "backupRetentionPeriod": plan.retention.database_backup_days,
                "copyTagsToSnapshot": True,
                "dbSubnetGroupName": Ref("subnets"),
                "deleteAutomatedBackups": False,
                "deletionProtection": True,
                "enabledCloudwatchLogsExports": ["postgresql"],
                "finalSnapshotIdentifier": "main-final",
                "iamDatabaseAuthenticationEnabled": True,
                "kmsKeyId": Ref("key", "arn"),
                "manageMasterUserPassword": True,
                "multiAz": True,
                "parameterGroupName": Ref("parameters"),
                "storageEncrypted": True,
                "vpcSecurityGroupIds": [Ref("security-group")],
            },
        ),
        "replication": Declared(
            RDS_BACKUP_REPLICATION,
            {
                "region": recovery,
                "sourceDbInstanceArn": Ref("database", "arn"),
                "kmsKeyId": f"arn:aws:kms:{recovery}:123456789012:key/copies",
                "retentionPeriod": plan.retention.replicated_backup_days,
            },
        ),
        **_second_copy(plan, "database"),
    }


def _second_copy(plan: Plan, of: str) -> Family:
    recovery, days = plan.residency.aws.recovery_region, plan.retention.vault_copy_days
    return {
        "vault": Declared(BACKUP_VAULT, {"kmsKeyArn": Ref("key", "arn")}),
        "lock": Declared(
            BACKUP_VAULT_LOCK,
            {
                "backupVaultName": Ref("vault"),
                "minRetentionDays": days,
                "changeableForDays": plan.retention.vault_lock_cooling_off_days,
            },
        ),
        "plan": Declared(
            BACKUP_PLAN,
            {
                "rules": [
                    {
                        "ruleName": "daily",
                        "targetVaultName": Ref("vault"),
                        "schedule": "cron(0 5 * * ? *)",
                        "lifecycle": {"deleteAfter": days},
                        "copyActions": [
                            {
                                "destinationVaultArn": f"arn:aws:backup:{recovery}:123456789012:backup-vault:copies",
                                "lifecycle": {"deleteAfter": days},
                            }
                        ],
                    }
                ]
            },
        ),
        "selection": Declared(BACKUP_SELECTION, {"planId": Ref("plan"), "resources": [Ref(of, "arn")]}),
    }


def table(plan: Plan) -> Family:
    """A DynamoDB table that keeps every promise of the plan."""
    recovery = plan.residency.aws.recovery_region
    return {
        "key": key(plan)["key"],
        "table": Declared(
            DYNAMODB_TABLE,
            {
                "pointInTimeRecovery": {"enabled": True},
                "deletionProtectionEnabled": True,
                "serverSideEncryption": {"enabled": True, "kmsKeyArn": Ref("key", "arn")},
                "replicas": [{"regionName": recovery, "kmsKeyArn": f"arn:aws:kms:{recovery}:123456789012:key/copies"}],
            },
        ),
        **_second_copy(plan, "table"),
    }


def bucket(plan: Plan) -> Family:
    """A bucket that keeps every promise of the plan."""
    recovery = plan.residency.aws.recovery_region
    of = {"bucket": Ref("bucket")}
    return {
        "key": key(plan)["key"],
        "bucket": Declared(BUCKET[0], {"objectLockEnabled": True}),
        "versioning": Declared(BUCKET_VERSIONING[0], {**of, "versioningConfiguration": {"status": "Enabled"}}),
        "lock": Declared(
            BUCKET_LOCK[0],
            {**of, "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": plan.retention.object_lock_days}}},
        ),
        "lifecycle": Declared(
            BUCKET_LIFECYCLE[0],
            {
                **of,
                "rules": [
                    {
                        "id": "forget",
                        "status": "Enabled",
                        "noncurrentVersionExpiration": {"noncurrentDays": plan.retention.object_version_days},
                    }
                ],
            },
        ),
        "encryption": Declared(
            BUCKET_ENCRYPTION[0],
            {
                **of,
                "rules": [
                    {
                        "applyServerSideEncryptionByDefault": {
                            "sseAlgorithm": "aws:kms",
                            "kmsMasterKeyId": Ref("key", "arn"),
                        }
                    }
                ],
            },
        ),
        "block": Declared(
            BUCKET_ACCESS_BLOCK[0],
            {
                **of,
                "blockPublicAcls": True,
                "blockPublicPolicy": True,
                "ignorePublicAcls": True,
                "restrictPublicBuckets": True,
            },
        ),
        "policy": Declared(BUCKET_POLICY[0], {**of, "policy": policy_document(ONLY_TLS)}),
        "replication": Declared(
            BUCKET_REPLICATION[0],
            {
                **of,
                "role": "arn:aws:iam::123456789012:role/replication",
                "rules": [
                    {
                        "id": "everything",
                        "status": "Enabled",
                        "filter": {"prefix": ""},
                        "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                        "destination": {
                            "bucket": "arn:aws:s3:::copies",
                            "encryptionConfiguration": {
                                "replicaKmsKeyId": f"arn:aws:kms:{recovery}:123456789012:key/copies"
                            },
                            "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
                            "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
                        },
                    }
                ],
            },
        ),
    }


ONLY_TLS: Final = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::objects", "arn:aws:s3:::objects/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def policy_document(*statements: Mapping[str, Any]) -> str:
    """A policy document of AWS with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def secret(plan: Plan) -> Family:
    """A secret that keeps every promise of the plan."""
    recovery = plan.residency.aws.recovery_region
    replica = {"region": recovery, "kmsKeyId": f"arn:aws:kms:{recovery}:123456789012:key/copies"}
    return {
        "key": key(plan)["key"],
        "secret": Declared(
            SECRET,
            {
                "kmsKeyId": Ref("key", "arn"),
                "recoveryWindowInDays": plan.retention.key_deletion_window_days,
                "replicas": [replica],
            },
        ),
    }


def home_location(plan: Plan, index: int) -> str:
    """A home location of the plan for hosts; the locations repeat when the index passes the last one."""
    locations = plan.residency.hetzner.home_locations
    return locations[index % len(locations)]
