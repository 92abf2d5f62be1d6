"""Read an RDS instance, and wait until it is available."""

from __future__ import annotations

import re
import time
from typing import Any, Final

from localcloud.plugins.aws.common import from_tag_list, gone_at, locate, tags_found
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Props, RefusedError
from localcloud.plugins.time_limit import TimeLimit

_READY: Final = frozenset({"available", "storage-optimization", "stopped"})
# An instance does not leave these states without help (RDS User Guide, "Viewing Amazon RDS DB instance status").
_HOPELESS: Final = frozenset(
    {
        "deleting",
        "failed",
        "inaccessible-encryption-credentials",
        "incompatible-create",
        "incompatible-credentials",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "restore-error",
    }
)
CREATE_MINUTES: Final = 40
UPDATE_MINUTES: Final = 80
DELETE_MINUTES: Final = 60


def wait(rds: Any, identity: str, minutes: float) -> None:
    """Wait until the instance is available. The error states its status."""
    limit = TimeLimit.of(minutes)
    pause = 0.1
    while (found := describe(rds, identity))["DBInstanceStatus"] not in _READY:
        now, name = found["DBInstanceStatus"], found["DBInstanceIdentifier"]
        if now in _HOPELESS:
            raise RefusedError(
                f"the RDS instance {name} ({found['DBInstanceArn']}) is {now}, and will not be available"
            )
        if limit.passed():
            raise RefusedError(f"the RDS instance {name} ({found['DBInstanceArn']}) is {now} after {limit}")
        time.sleep(pause)
        pause = min(2.0, pause * 1.5)


def describe(rds: Any, identity: str) -> Any:
    """Return an instance by its resource id, or by its name, which an import gives."""
    with gone_at("DBInstanceNotFound"):
        if re.fullmatch(r"db-[A-Z0-9]{26}", identity):
            found = rds.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [identity]}])
        else:
            found = rds.describe_db_instances(DBInstanceIdentifier=identity)
    if not found["DBInstances"]:
        raise GoneError(f"the DB instance {identity} does not exist")
    return found["DBInstances"][0]


def read(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    rds = cloud.client("rds", region)
    found = describe(rds, identity)
    endpoint = found.get("Endpoint") or {}
    secret = found.get("MasterUserSecret")
    latest = found.get("LatestRestorableTime")
    return {
        "id": found["DbiResourceId"],
        "region": region,
        "arn": found["DBInstanceArn"],
        "resourceId": found["DbiResourceId"],
        "identifier": found["DBInstanceIdentifier"],
        "status": found["DBInstanceStatus"],
        "address": endpoint.get("Address", ""),
        "port": endpoint.get("Port"),
        "endpoint": f"{endpoint['Address']}:{endpoint['Port']}" if endpoint.get("Address") else "",
        "hostedZoneId": endpoint.get("HostedZoneId", ""),
        "latestRestorableTime": latest.strftime("%Y-%m-%dT%H:%M:%SZ") if latest else "",
        "engine": found["Engine"],
        "engineVersion": _as_declared(found["EngineVersion"], state.get("engineVersion")),
        "engineVersionActual": found["EngineVersion"],
        "engineLifecycleSupport": found.get("EngineLifecycleSupport"),
        "licenseModel": found.get("LicenseModel"),
        "instanceClass": found["DBInstanceClass"],
        "dbName": found.get("DBName", ""),
        "username": found["MasterUsername"],
        "masterUserSecrets": [
            {
                "secretArn": secret.get("SecretArn"),
                "secretStatus": secret.get("SecretStatus"),
                "kmsKeyId": secret.get("KmsKeyId"),
            }
        ]
        if secret
        else [],
        "allocatedStorage": _storage(found["AllocatedStorage"], state),
        "maxAllocatedStorage": found.get("MaxAllocatedStorage") or 0,
        "storageType": found["StorageType"],
        "iops": found.get("Iops") or 0,
        "storageThroughput": found.get("StorageThroughput") or 0,
        "storageEncrypted": found["StorageEncrypted"],
        "kmsKeyId": found.get("KmsKeyId", ""),
        "dedicatedLogVolume": bool(found.get("DedicatedLogVolume")),
        "multiAz": found["MultiAZ"],
        "availabilityZone": found.get("AvailabilityZone", ""),
        "publiclyAccessible": bool(found.get("PubliclyAccessible")),
        "networkType": found.get("NetworkType"),
        "dbSubnetGroupName": found.get("DBSubnetGroup", {}).get("DBSubnetGroupName", ""),
        "vpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in found["VpcSecurityGroups"]],
        "parameterGroupName": _first(found.get("DBParameterGroups"), "DBParameterGroupName"),
        "optionGroupName": _first(found.get("OptionGroupMemberships"), "OptionGroupName"),
        "caCertIdentifier": found.get("CACertificateIdentifier"),
        "characterSetName": found.get("CharacterSetName", ""),
        "autoMinorVersionUpgrade": found["AutoMinorVersionUpgrade"],
        "backupRetentionPeriod": found["BackupRetentionPeriod"],
        "backupWindow": found["PreferredBackupWindow"],
        "backupTarget": found.get("BackupTarget"),
        "maintenanceWindow": found["PreferredMaintenanceWindow"],
        "copyTagsToSnapshot": bool(found.get("CopyTagsToSnapshot")),
        "deletionProtection": bool(found.get("DeletionProtection")),
        "iamDatabaseAuthenticationEnabled": bool(found.get("IAMDatabaseAuthenticationEnabled")),
        "monitoringInterval": found.get("MonitoringInterval") or 0,
        "monitoringRoleArn": found.get("MonitoringRoleArn", ""),
        "databaseInsightsMode": found.get("DatabaseInsightsMode"),
        "performanceInsightsEnabled": bool(found.get("PerformanceInsightsEnabled")),
        "performanceInsightsKmsKeyId": found.get("PerformanceInsightsKMSKeyId", ""),
        "performanceInsightsRetentionPeriod": found.get("PerformanceInsightsRetentionPeriod") or 0,
        "enabledCloudwatchLogsExports": found.get("EnabledCloudwatchLogsExports") or [],
        "replicas": found.get("ReadReplicaDBInstanceIdentifiers") or [],
        "listenerEndpoints": [],
        **tags_found(cloud, from_tag_list(found.get("TagList") or []), state),
    }


def _first(entries: Any, key: str) -> str:
    return str(entries[0][key]) if entries else ""


def _as_declared(actual: str, declared: Any) -> str:
    """Return the declared version prefix (`16`) if the actual version begins with it."""
    return str(declared) if declared and f"{actual}.".startswith(f"{declared}.") else actual


def _storage(actual: int, state: Props) -> int:
    """Return the declared size if autoscaling added the rest, like the provider's `allocated_storage`."""
    declared, most = state.get("allocatedStorage"), state.get("maxAllocatedStorage") or 0
    return int(declared) if declared is not None and declared < actual and declared < most else actual
