"""RDS instances: made new, or restored to a point in time or from a snapshot.

After terraform-provider-aws, internal/service/rds/instance.go: a restore is asked for with what its call takes, and the
rest is changed once the instance is available. Of a restore to a point in time the sources that were read (2024) leave
backup window, maintenance window and Performance Insights to the next update; this stand-in sets them at once, as they
do after a restore from a snapshot.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    client,
    from_tag_list,
    given,
    gone_at,
    locate,
    same_lower,
    same_set,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.rds_tags import retag
from localcloud.plugins.table import Gone, Property, Props, Refused, ResourceType

# -- instances --------------------------------------------------------------------------------------------------------

# Inputs that both CreateDBInstance and ModifyDBInstance take, under their API names.
_BOTH: Final = {
    "instanceClass": "DBInstanceClass",
    "allocatedStorage": "AllocatedStorage",
    "maxAllocatedStorage": "MaxAllocatedStorage",
    "storageType": "StorageType",
    "iops": "Iops",
    "storageThroughput": "StorageThroughput",
    "dedicatedLogVolume": "DedicatedLogVolume",
    "engineVersion": "EngineVersion",
    "engineLifecycleSupport": "EngineLifecycleSupport",
    "licenseModel": "LicenseModel",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "multiAz": "MultiAZ",
    "publiclyAccessible": "PubliclyAccessible",
    "networkType": "NetworkType",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
    "parameterGroupName": "DBParameterGroupName",
    "optionGroupName": "OptionGroupName",
    "caCertIdentifier": "CACertificateIdentifier",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "backupWindow": "PreferredBackupWindow",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "copyTagsToSnapshot": "CopyTagsToSnapshot",
    "deletionProtection": "DeletionProtection",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "monitoringInterval": "MonitoringInterval",
    "monitoringRoleArn": "MonitoringRoleArn",
    "databaseInsightsMode": "DatabaseInsightsMode",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    "performanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
    "manageMasterUserPassword": "ManageMasterUserPassword",
    "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
    "password": "MasterUserPassword",
}
_CREATE: Final = {
    **_BOTH,
    "engine": "Engine",
    "dbName": "DBName",
    "username": "MasterUsername",
    "port": "Port",
    "availabilityZone": "AvailabilityZone",
    "backupTarget": "BackupTarget",
    "storageEncrypted": "StorageEncrypted",
    "kmsKeyId": "KmsKeyId",
    "characterSetName": "CharacterSetName",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
}
_MODIFY: Final = {**_BOTH, "port": "DBPortNumber"}


# What both restores take, under its API name, and what is changed after them.
_RESTORE: Final = {
    key: _CREATE[key]
    for key in (
        "instanceClass",
        "iops",
        "dedicatedLogVolume",
        "engine",
        "engineLifecycleSupport",
        "licenseModel",
        "autoMinorVersionUpgrade",
        "multiAz",
        "availabilityZone",
        "publiclyAccessible",
        "networkType",
        "port",
        "dbSubnetGroupName",
        "vpcSecurityGroupIds",
        "parameterGroupName",
        "optionGroupName",
        "caCertIdentifier",
        "backupTarget",
        "copyTagsToSnapshot",
        "deletionProtection",
        "iamDatabaseAuthenticationEnabled",
        "enabledCloudwatchLogsExports",
        "storageType",
        "dbName",
    )
}
_AFTER_RESTORE: Final = (
    "backupRetentionPeriod",
    "backupWindow",
    "maintenanceWindow",
    "manageMasterUserPassword",
    "masterUserSecretKmsKeyId",
    "maxAllocatedStorage",
    "monitoringInterval",
    "monitoringRoleArn",
    "databaseInsightsMode",
    "performanceInsightsEnabled",
    "performanceInsightsKmsKeyId",
    "performanceInsightsRetentionPeriod",
)
_TOGETHER: Final = (
    ("manageMasterUserPassword", "masterUserSecretKmsKeyId"),
    ("monitoringInterval", "monitoringRoleArn"),
    ("performanceInsightsEnabled", "performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod"),
)
_POINT_IN_TIME: Final = {
    "sourceDbInstanceIdentifier": "SourceDBInstanceIdentifier",
    "sourceDbiResourceId": "SourceDbiResourceId",
    "sourceDbInstanceAutomatedBackupsArn": "SourceDBInstanceAutomatedBackupsArn",
    "restoreTime": "RestoreTime",
    "useLatestRestorableTime": "UseLatestRestorableTime",
}


def _create_instance(cloud: Cloud, inputs: Props) -> str:
    identifier, rds = inputs["identifier"], client(cloud, "rds", inputs)
    asked = {"PubliclyAccessible": False, **given(inputs, _RESTORE), "Tags": tag_list(all_tags(cloud, inputs))}
    moment = inputs.get("restoreToPointInTime")
    if moment and inputs.get("snapshotIdentifier"):
        raise Refused("`restoreToPointInTime` and `snapshotIdentifier` are two sources: an instance has one")
    if moment:
        unknown = set(moment) - set(_POINT_IN_TIME)
        if unknown:
            raise Refused(f"`restoreToPointInTime` has no `{min(unknown)}`; it has {', '.join(_POINT_IN_TIME)}")
        restored = rds.restore_db_instance_to_point_in_time(
            **asked, **given(moment, _POINT_IN_TIME), TargetDBInstanceIdentifier=identifier
        )
        return str(restored["DBInstance"]["DbiResourceId"])
    if inputs.get("snapshotIdentifier"):
        restored = rds.restore_db_instance_from_db_snapshot(
            **asked, DBSnapshotIdentifier=inputs["snapshotIdentifier"], DBInstanceIdentifier=identifier
        )
        return str(restored["DBInstance"]["DbiResourceId"])
    for needed in ("engine", "username"):
        if not inputs.get(needed):
            raise Refused(f"an RDS instance that is not restored from anything needs `{needed}`")
    created = rds.create_db_instance(
        # What the provider sends where a program says nothing: no backups, no address of its own on the internet.
        **{"BackupRetentionPeriod": 0, "PubliclyAccessible": False, **given(inputs, _CREATE)},
        DBInstanceIdentifier=identifier,
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(created["DBInstance"]["DbiResourceId"])


def _settle_instance(cloud: Cloud, identity: str, inputs: Props) -> None:
    rds = client(cloud, "rds", inputs)
    _wait(lambda: _describe(rds, identity)["DBInstanceStatus"])
    if not (inputs.get("restoreToPointInTime") or inputs.get("snapshotIdentifier")):
        return
    # What is as declared already is left alone, so that this can be done again after it failed.
    found = _read_instance(cloud, identity, inputs)
    differing = {key for key in _AFTER_RESTORE if key in inputs and not _same(key, inputs[key], found[key])}
    for group in _TOGETHER:
        if differing & set(group):
            differing.update(key for key in group if key in inputs)
    arguments = {_MODIFY[key]: inputs[key] for key in differing}
    if inputs.get("password"):
        arguments["MasterUserPassword"] = inputs["password"]
    if arguments:
        rds.modify_db_instance(DBInstanceIdentifier=found["identifier"], ApplyImmediately=True, **arguments)
        _wait(lambda: _describe(rds, identity)["DBInstanceStatus"])


def _same(key: str, declared: Any, found: Any) -> bool:
    same = _INSTANCE[key].same
    return declared == found if same is None else same(declared, found)


_READY: Final = frozenset({"available", "storage-optimization", "stopped"})
_HOPELESS: Final = frozenset({"failed", "incompatible-network", "incompatible-parameters", "incompatible-restore"})
# The provider waits 40 minutes for an instance to be made, 60 for it to go.
_PATIENCE_SECONDS: Final = 2400


def _wait(status: Callable[[], str]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    pause = 0.1
    while (now := status()) not in _READY:
        if now in _HOPELESS or time.monotonic() > end:
            raise Refused(f"the RDS instance is {now}")
        time.sleep(pause)
        pause = min(2.0, pause * 1.5)


def _describe(rds: Any, identity: str) -> Any:
    """An instance by its resource id, or by its name, which an import says."""
    with gone_at("DBInstanceNotFound"):
        if re.fullmatch(r"db-[A-Z0-9]{26}", identity):
            found = rds.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [identity]}])
        else:
            found = rds.describe_db_instances(DBInstanceIdentifier=identity)
    if not found["DBInstances"]:
        raise Gone(f"there is no DB instance {identity}")
    return found["DBInstances"][0]


def _read_instance(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    rds = cloud.client("rds", region)
    found = _describe(rds, identity)
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
        "manageMasterUserPassword": bool(secret),
        "masterUserSecretKmsKeyId": (secret or {}).get("KmsKeyId", ""),
        "allocatedStorage": found["AllocatedStorage"],
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
    """A declared version prefix (`16`) stands as long as the actual one begins with it."""
    return str(declared) if declared and f"{actual}.".startswith(f"{declared}.") else actual


def _update_instance(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    rds = client(cloud, "rds", new)
    now = _describe(rds, identity)
    # What has no documented default and is no longer declared stays as it is.
    asked = {
        key: new.get(key, _INSTANCE[key].default)
        for key in changed
        if key in _MODIFY and new.get(key, _INSTANCE[key].default) is not None
    }
    arguments = {_MODIFY[key]: value for key, value in asked.items()}
    if "manageMasterUserPassword" in changed and not new.get("manageMasterUserPassword"):
        arguments["ManageMasterUserPassword"] = False
        arguments.update(given(new, {"password": "MasterUserPassword"}))
    if "maxAllocatedStorage" in changed and not new.get("maxAllocatedStorage"):
        arguments["MaxAllocatedStorage"] = new.get("allocatedStorage") or now["AllocatedStorage"]  # growth is off
    if changed & {"iops", "storageThroughput", "storageType", "allocatedStorage"}:
        # RDS wants these together.
        arguments.update(
            given(
                new,
                {"iops": "Iops", "storageThroughput": "StorageThroughput", "allocatedStorage": "AllocatedStorage"},
            )
        )
    if changed & {"monitoringInterval", "monitoringRoleArn"}:
        arguments.update(given(new, {"monitoringRoleArn": "MonitoringRoleArn"}))
        arguments["MonitoringInterval"] = new.get("monitoringInterval") or 0
    if changed & {"performanceInsightsEnabled", "performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod"}:
        arguments["EnablePerformanceInsights"] = bool(new.get("performanceInsightsEnabled"))
    if "engineVersion" in arguments or "EngineVersion" in arguments:
        arguments["AllowMajorVersionUpgrade"] = bool(new.get("allowMajorVersionUpgrade"))
    if "enabledCloudwatchLogsExports" in changed:
        wanted, there = set(new.get("enabledCloudwatchLogsExports") or []), set(now["EnabledCloudwatchLogsExports"])
        arguments["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(wanted - there),
            "DisableLogTypes": sorted(there - wanted),
        }
    if arguments:
        rds.modify_db_instance(
            DBInstanceIdentifier=now["DBInstanceIdentifier"],
            ApplyImmediately=bool(new.get("applyImmediately")),
            **arguments,
        )
        _wait(lambda: _describe(rds, identity)["DBInstanceStatus"])
    retag(cloud, now["DBInstanceArn"], new)


def _delete_instance(cloud: Cloud, identity: str, state: Props) -> None:
    rds = client(cloud, "rds", state)
    found = _describe(rds, identity)
    final: dict[str, Any] = {"SkipFinalSnapshot": True}
    if not state.get("skipFinalSnapshot"):
        if not state.get("finalSnapshotIdentifier"):
            name = found["DBInstanceIdentifier"]
            raise Refused(f"`finalSnapshotIdentifier` of {name} is required when `skipFinalSnapshot` is false")
        final = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": state["finalSnapshotIdentifier"]}
    with gone_at("DBInstanceNotFound"):
        rds.delete_db_instance(
            DBInstanceIdentifier=found["DBInstanceIdentifier"],
            DeleteAutomatedBackups=state.get("deleteAutomatedBackups", True),
            **final,
        )
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        _describe(rds, identity)  # says `Gone` when it is
        time.sleep(0.2)
    raise Refused(
        f"the RDS instance {found['DBInstanceIdentifier']} is still there {_PATIENCE_SECONDS} s after deletion"
    )


def _find_instance(cloud: Cloud, inputs: Props) -> str | None:
    try:
        return str(_describe(client(cloud, "rds", inputs), inputs["identifier"])["DbiResourceId"])
    except Gone:
        return None


def _same_window(one: Any, other: Any) -> bool:
    return same_lower(one, other)


_INSTANCE: Final[dict[str, Property]] = {
    "region": REGION,
    "identifier": Property(generated_name=True, replaces=True, same=same_lower),
    "instanceClass": Property(required=True),
    "engine": Property(replaces=True, same=same_lower),
    "engineVersion": Property(),
    "engineLifecycleSupport": Property(
        replaces=True,
        choices=("open-source-rds-extended-support", "open-source-rds-extended-support-disabled"),
    ),
    "licenseModel": Property(),
    "dbName": Property(replaces=True),
    "username": Property(replaces=True),
    "password": Property(secret=True, write_only=True),
    "manageMasterUserPassword": Property(default=False),
    "masterUserSecretKmsKeyId": Property(),
    "allocatedStorage": Property(),
    "maxAllocatedStorage": Property(default=0),
    "storageType": Property(choices=("standard", "gp2", "gp3", "io1", "io2")),
    "iops": Property(),
    "storageThroughput": Property(),
    "storageEncrypted": Property(default=False, replaces=True),
    "kmsKeyId": Property(replaces=True),
    "dedicatedLogVolume": Property(default=False),
    "multiAz": Property(default=False),
    "availabilityZone": Property(replaces=True),
    "publiclyAccessible": Property(default=False),
    "networkType": Property(choices=("IPV4", "DUAL")),
    "port": Property(),
    "dbSubnetGroupName": Property(same=same_lower),
    "vpcSecurityGroupIds": Property(same=same_set),
    "parameterGroupName": Property(same=same_lower),
    "optionGroupName": Property(),
    "caCertIdentifier": Property(),
    "characterSetName": Property(replaces=True),
    "autoMinorVersionUpgrade": Property(default=True),
    "backupRetentionPeriod": Property(default=0),
    "backupWindow": Property(),
    "backupTarget": Property(replaces=True, choices=("region", "outposts")),
    "maintenanceWindow": Property(same=_same_window),
    "copyTagsToSnapshot": Property(default=False),
    "deletionProtection": Property(default=False),
    "iamDatabaseAuthenticationEnabled": Property(default=False),
    "monitoringInterval": Property(default=0, choices=(0, 1, 5, 10, 15, 30, 60)),
    "monitoringRoleArn": Property(),
    "databaseInsightsMode": Property(choices=("standard", "advanced")),
    "performanceInsightsEnabled": Property(default=False),
    "performanceInsightsKmsKeyId": Property(),
    "performanceInsightsRetentionPeriod": Property(),
    "enabledCloudwatchLogsExports": Property(default=[], same=same_set),
    "tags": TAGS,
    # Where it comes from, which RDS does not say afterwards.
    "restoreToPointInTime": Property(replaces=True, write_only=True),
    "snapshotIdentifier": Property(replaces=True, write_only=True),
    # How to change and delete, which RDS does not keep.
    "applyImmediately": Property(default=False, write_only=True),
    "allowMajorVersionUpgrade": Property(default=False, write_only=True),
    "skipFinalSnapshot": Property(default=False, write_only=True),
    "finalSnapshotIdentifier": Property(write_only=True),
    "deleteAutomatedBackups": Property(default=True, write_only=True),
}


INSTANCE: Final = ResourceType(
    token="aws:rds/instance:Instance",  # noqa: S106
    properties=_INSTANCE,
    computed=(
        "address",
        "allocatedStorage",
        "arn",
        "availabilityZone",
        "backupTarget",
        "backupWindow",
        "caCertIdentifier",
        "databaseInsightsMode",
        "dbSubnetGroupName",
        "endpoint",
        "engineLifecycleSupport",
        "engineVersion",
        "engineVersionActual",
        "hostedZoneId",
        "iops",
        "kmsKeyId",
        "latestRestorableTime",
        "licenseModel",
        "listenerEndpoints",
        "maintenanceWindow",
        "masterUserSecrets",
        "networkType",
        "optionGroupName",
        "parameterGroupName",
        "port",
        "region",
        "replicas",
        "resourceId",
        "status",
        "storageThroughput",
        "storageType",
        "tagsAll",
        "vpcSecurityGroupIds",
    ),
    create=_create_instance,
    settle=_settle_instance,
    read=_read_instance,
    update=_update_instance,
    delete=_delete_instance,
    delete_before_replace=True,
    find=_find_instance,
)
