"""RDS: instances, the groups that they need, and the replication of their backups to another region."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    change_tags,
    client,
    code,
    from_tag_list,
    given,
    gone_at,
    locate,
    same_lower,
    same_set,
    tag_list,
    tags_found,
    unfinished,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Gone, Property, Props, Refused, ResourceType


def _retag(cloud: Cloud, arn: str, inputs: Props) -> None:
    rds = client(cloud, "rds", inputs)
    change_tags(
        cloud,
        from_tag_list(rds.list_tags_for_resource(ResourceName=arn)["TagList"]),
        inputs,
        lambda tags: rds.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags)),
        lambda keys: rds.remove_tags_from_resource(ResourceName=arn, TagKeys=keys),
    )


# -- subnet groups ----------------------------------------------------------------------------------------------------


def _create_subnets(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "rds", inputs).create_db_subnet_group(
        DBSubnetGroupName=inputs["name"],
        DBSubnetGroupDescription=inputs.get("description") or "Managed by Pulumi",
        SubnetIds=inputs["subnetIds"],
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(inputs["name"]).lower()


def _read_subnets(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    rds = cloud.client("rds", region)
    with gone_at("DBSubnetGroupNotFoundFault"):
        group = rds.describe_db_subnet_groups(DBSubnetGroupName=identity)["DBSubnetGroups"][0]
    tags = rds.list_tags_for_resource(ResourceName=group["DBSubnetGroupArn"])["TagList"]
    return {
        "id": group["DBSubnetGroupName"],
        "region": region,
        "arn": group["DBSubnetGroupArn"],
        "name": group["DBSubnetGroupName"],
        "description": group["DBSubnetGroupDescription"],
        "subnetIds": [subnet["SubnetIdentifier"] for subnet in group["Subnets"]],
        "vpcId": group["VpcId"],
        "supportedNetworkTypes": group.get("SupportedNetworkTypes") or ["IPV4"],
        **tags_found(cloud, from_tag_list(tags), state),
    }


def _update_subnets(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed & {"description", "subnetIds"}:
        client(cloud, "rds", new).modify_db_subnet_group(
            DBSubnetGroupName=identity,
            DBSubnetGroupDescription=new.get("description") or "Managed by Pulumi",
            SubnetIds=new["subnetIds"],
        )
    _retag(cloud, old["arn"], new)


def _delete_subnets(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("DBSubnetGroupNotFoundFault"):
        client(cloud, "rds", state).delete_db_subnet_group(DBSubnetGroupName=identity)


def _find_by_name(read: Callable[[Cloud, str, Props], Props]) -> Callable[[Cloud, Props], str | None]:
    def find(cloud: Cloud, inputs: Props) -> str | None:
        try:
            return str(read(cloud, inputs["name"], {**inputs, "region": inputs.get("region") or cloud.region})["id"])
        except Gone:
            return None

    return find


# -- parameter groups -------------------------------------------------------------------------------------------------


def _create_parameters(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "rds", inputs).create_db_parameter_group(
        DBParameterGroupName=inputs["name"],
        DBParameterGroupFamily=inputs["family"],
        Description=inputs.get("description") or "Managed by Pulumi",
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(inputs["name"]).lower()


def _settle_parameters(cloud: Cloud, identity: str, inputs: Props) -> None:
    _change_parameters(client(cloud, "rds", inputs), identity, [], inputs.get("parameters") or [])


def _change_parameters(rds: Any, name: str, old: list[Props], new: list[Props]) -> None:
    before, after = ({parameter["name"].lower(): _parameter(parameter) for parameter in each} for each in (old, new))
    changed = [parameter for key, parameter in after.items() if before.get(key) != parameter]
    removed = [parameter for key, parameter in before.items() if key not in after]
    # RDS takes 20 at once.
    for start in range(0, len(changed), 20):
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=changed[start : start + 20])
    for start in range(0, len(removed), 20):
        rds.reset_db_parameter_group(
            DBParameterGroupName=name, ResetAllParameters=False, Parameters=removed[start : start + 20]
        )


def _parameter(declared: Props) -> dict[str, str]:
    unknown = set(declared) - {"name", "value", "applyMethod"}
    if unknown:
        raise Refused(
            f"the local cloud has no mapping for `parameters[].{min(unknown)}`; it has name, value, applyMethod"
        )
    return {
        "ParameterName": declared["name"].lower(),
        "ParameterValue": str(declared["value"]),
        "ApplyMethod": (declared.get("applyMethod") or "immediate").lower(),
    }


def _same_parameters(one: Any, other: Any) -> bool:
    return same_set([_parameter(parameter) for parameter in one], [_parameter(parameter) for parameter in other])


def _read_parameters(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    rds = cloud.client("rds", region)
    with gone_at("DBParameterGroupNotFound"):
        group = rds.describe_db_parameter_groups(DBParameterGroupName=identity)["DBParameterGroups"][0]
    tags = rds.list_tags_for_resource(ResourceName=group["DBParameterGroupArn"])["TagList"]
    pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=identity, Source="user")
    return {
        "id": group["DBParameterGroupName"],
        "region": region,
        "arn": group["DBParameterGroupArn"],
        "name": group["DBParameterGroupName"],
        "family": group["DBParameterGroupFamily"],
        "description": group["Description"],
        "parameters": [
            {
                "name": parameter["ParameterName"],
                "value": parameter["ParameterValue"],
                "applyMethod": parameter.get("ApplyMethod", "immediate"),
            }
            for page in pages
            for parameter in page["Parameters"]
            if "ParameterValue" in parameter
        ],
        **tags_found(cloud, from_tag_list(tags), state),
    }


def _update_parameters(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if unfinished(old):
        _settle_parameters(cloud, identity, new)
    elif "parameters" in changed:
        rds = client(cloud, "rds", new)
        _change_parameters(rds, identity, old.get("parameters") or [], new.get("parameters") or [])
    _retag(cloud, _read_parameters(cloud, identity, new)["arn"], new)


def _delete_parameters(cloud: Cloud, identity: str, state: Props) -> None:
    if not state.get("skipDestroy"):
        with gone_at("DBParameterGroupNotFound"):
            client(cloud, "rds", state).delete_db_parameter_group(DBParameterGroupName=identity)


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


def _create_instance(cloud: Cloud, inputs: Props) -> str:
    identifier = inputs["identifier"]
    for needed in ("engine", "username"):
        if not inputs.get(needed):
            raise Refused(f"an RDS instance that is not restored from anything needs `{needed}`")
    created = client(cloud, "rds", inputs).create_db_instance(
        # What the provider sends where a program says nothing: no backups, no address of its own on the internet.
        **{"BackupRetentionPeriod": 0, "PubliclyAccessible": False, **given(inputs, _CREATE)},
        DBInstanceIdentifier=identifier,
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(created["DBInstance"]["DbiResourceId"])


def _settle_instance(cloud: Cloud, identity: str, inputs: Props) -> None:
    _wait(lambda: _describe(client(cloud, "rds", inputs), identity)["DBInstanceStatus"])


_READY: Final = frozenset({"available", "storage-optimization", "stopped"})
_HOPELESS: Final = frozenset({"failed", "incompatible-network", "incompatible-parameters", "incompatible-restore"})
_PATIENCE_SECONDS: Final = 600


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
    _retag(cloud, now["DBInstanceArn"], new)


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
    # How to change and delete, which RDS does not keep.
    "applyImmediately": Property(default=False, write_only=True),
    "allowMajorVersionUpgrade": Property(default=False, write_only=True),
    "skipFinalSnapshot": Property(default=False, write_only=True),
    "finalSnapshotIdentifier": Property(write_only=True),
    "deleteAutomatedBackups": Property(default=True, write_only=True),
}


# -- replication of automated backups ---------------------------------------------------------------------------------


def _start_replication(cloud: Cloud, inputs: Props) -> str:
    started = client(cloud, "rds", inputs).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=inputs["sourceDbInstanceArn"],
        BackupRetentionPeriod=inputs.get("retentionPeriod") or 7,
        **given(inputs, {"kmsKeyId": "KmsKeyId", "preSignedUrl": "PreSignedUrl"}),
    )
    return str(started["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"])


def _settle_replication(cloud: Cloud, identity: str, inputs: Props) -> None:
    rds = client(cloud, "rds", inputs)
    end = time.monotonic() + _PATIENCE_SECONDS
    while (status := _replicated(rds, identity)["Status"].lower()) != "replicating":
        if time.monotonic() > end:
            raise Refused(f"{identity} is {status}, not replicating, after {_PATIENCE_SECONDS} s")
        time.sleep(0.5)


def _replicated(rds: Any, arn: str) -> Any:
    """The copy that has this ARN; one that is no longer fed is no replication, though it is still there."""
    with gone_at("DBInstanceAutomatedBackupNotFound"):
        found = rds.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)
    backup = found["DBInstanceAutomatedBackups"][0]
    if backup["Status"].lower() == "retained":
        raise Gone(f"{arn} is retained: nothing is replicated to it")
    return backup


def _read_replication(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    if not state.get("region"):
        region = identity.split(":")[3]  # the ARN says where the copy is
    backup = _replicated(cloud.client("rds", region), identity)
    return {
        "id": identity,
        "region": region,
        "sourceDbInstanceArn": backup["DBInstanceArn"],
        "kmsKeyId": backup.get("KmsKeyId", ""),
        "retentionPeriod": backup["BackupRetentionPeriod"],
    }


def _stop_replication(cloud: Cloud, identity: str, state: Props) -> None:
    rds = client(cloud, "rds", state)
    backup = _replicated(rds, identity)
    try:
        with gone_at("DBInstanceNotFound"):
            rds.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=backup["DBInstanceArn"])
    except ClientError as error:
        if code(error) == "InvalidDBInstanceState" and "not replicating to the current region" in str(error):
            raise Gone(str(error)) from error
        raise


def _find_replication(cloud: Cloud, inputs: Props) -> str | None:
    pages = client(cloud, "rds", inputs).get_paginator("describe_db_instance_automated_backups").paginate()
    return next(
        (
            str(backup["DBInstanceAutomatedBackupsArn"])
            for page in pages
            for backup in page["DBInstanceAutomatedBackups"]
            if backup["DBInstanceArn"] == inputs["sourceDbInstanceArn"] and backup["Status"].lower() == "replicating"
        ),
        None,
    )


RESOURCES: Final = (
    ResourceType(
        token="aws:rds/subnetGroup:SubnetGroup",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True, same=same_lower),
            "description": Property(default="Managed by Pulumi"),
            "subnetIds": Property(required=True, same=same_set),
            "tags": TAGS,
        },
        computed=("arn", "vpcId", "supportedNetworkTypes", "region", "tagsAll"),
        create=_create_subnets,
        read=_read_subnets,
        update=_update_subnets,
        delete=_delete_subnets,
        delete_before_replace=True,
        find=_find_by_name(_read_subnets),
    ),
    ResourceType(
        token="aws:rds/parameterGroup:ParameterGroup",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True, same=same_lower),
            "family": Property(required=True, replaces=True),
            "description": Property(default="Managed by Pulumi", replaces=True),
            "parameters": Property(default=[], same=_same_parameters),
            "skipDestroy": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "region", "tagsAll"),
        create=_create_parameters,
        settle=_settle_parameters,
        read=_read_parameters,
        update=_update_parameters,
        delete=_delete_parameters,
        delete_before_replace=True,
        find=_find_by_name(_read_parameters),
    ),
    ResourceType(
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
    ),
    ResourceType(
        token="aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",  # noqa: S106
        properties={
            "region": REGION,
            "sourceDbInstanceArn": Property(required=True, replaces=True),
            "kmsKeyId": Property(replaces=True),
            "retentionPeriod": Property(default=7, replaces=True),
            "preSignedUrl": Property(replaces=True, write_only=True),
        },
        computed=("kmsKeyId", "region"),
        create=_start_replication,
        settle=_settle_replication,
        read=_read_replication,
        delete=_stop_replication,
        delete_before_replace=True,
        find=_find_replication,
    ),
)
