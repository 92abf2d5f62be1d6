"""RDS instances: creation, restore, change and deletion.

After terraform-provider-aws, internal/service/rds/instance.go. Restores are in `rds/restores.py`.
"""

from __future__ import annotations

import time
from typing import Any, Final

from localcloud.plugins.aws.common import all_tags, client, given, gone_at, tag_list
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.rds.instance_inputs import CREATE, MODIFY, PROPERTIES
from localcloud.plugins.aws.rds.instance_reading import (
    CREATE_MINUTES,
    DELETE_MINUTES,
    UPDATE_MINUTES,
    describe,
    read,
    wait,
)
from localcloud.plugins.aws.rds.restores import change_after, restore, restored
from localcloud.plugins.aws.rds.tags import retag
from localcloud.plugins.table import GoneError, Props, RefusedError, ResourceType
from localcloud.plugins.time_limit import TimeLimit

_INSIGHTS: Final = (
    "performanceInsightsEnabled",
    "performanceInsightsKmsKeyId",
    "performanceInsightsRetentionPeriod",
)


def _create_instance(cloud: Cloud, inputs: Props) -> str:
    password, rds = _password(inputs), client(cloud, "rds", inputs)
    if restored(inputs):
        return restore(cloud, rds, inputs)
    for needed in ("allocatedStorage", "engine", "username"):
        if not inputs.get(needed):
            raise RefusedError(f"an RDS instance that is not restored needs `{needed}`")
    created = rds.create_db_instance(
        # The provider's values for inputs that are left out: no backups, no public address.
        **{"BackupRetentionPeriod": 0, "PubliclyAccessible": False, **given(inputs, CREATE), **password},
        DBInstanceIdentifier=inputs["identifier"],
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(created["DBInstance"]["DbiResourceId"])


def _password(inputs: Props) -> dict[str, str]:
    """Return the argument for the declared master password, if any."""
    ways = [key for key in ("password", "passwordWo", "manageMasterUserPassword") if inputs.get(key)]
    if len(ways) > 1:
        raise RefusedError(f"`{ways[0]}` and `{ways[1]}` of an RDS instance are two ways to set the password; keep one")
    if (inputs.get("passwordWo") is None) is not (inputs.get("passwordWoVersion") is None):
        raise RefusedError("`passwordWo` and `passwordWoVersion` of an RDS instance need each other")
    said = inputs.get("password") or inputs.get("passwordWo")
    return {"MasterUserPassword": said} if said else {}


def _settle_instance(cloud: Cloud, identity: str, inputs: Props) -> None:
    """Wait for the instance, and send what the restore call does not take.

    The provider does this only in the update that creates the instance. If that update ends early, no later one sends
    it.
    """
    rds = client(cloud, "rds", inputs)
    wait(rds, identity, CREATE_MINUTES)
    if not restored(inputs):
        return
    # A restored instance has its source's password. RDS does not return it, so the declared one is always sent.
    arguments = {**change_after(inputs), **_password(inputs)}
    if arguments:
        rds.modify_db_instance(
            DBInstanceIdentifier=describe(rds, identity)["DBInstanceIdentifier"], ApplyImmediately=True, **arguments
        )
        wait(rds, identity, UPDATE_MINUTES)


def _update_instance(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    rds, password = client(cloud, "rds", new), _password(new)
    now = describe(rds, identity)
    arguments = _changes(now, new, changed)
    if "passwordWoVersion" in changed:
        arguments.update(password)
    if arguments:
        rds.modify_db_instance(
            DBInstanceIdentifier=now["DBInstanceIdentifier"],
            ApplyImmediately=bool(new.get("applyImmediately")),
            **arguments,
        )
        wait(rds, identity, UPDATE_MINUTES)
    retag(cloud, now["DBInstanceArn"], new)


def _changes(now: Any, new: Props, changed: frozenset[str]) -> dict[str, Any]:
    """Return the arguments of ModifyDBInstance for the changed inputs."""
    # An input without a documented default that is no longer declared keeps its value.
    asked = {key: new.get(key, PROPERTIES[key].default) for key in changed if key in MODIFY}
    arguments = {MODIFY[key]: value for key, value in asked.items() if value is not None}
    if "manageMasterUserPassword" in changed and not new.get("manageMasterUserPassword"):
        arguments.update({"ManageMasterUserPassword": False, **_password(new)})
    if "masterUserSecretKmsKeyId" in changed and new.get("manageMasterUserPassword"):
        arguments["ManageMasterUserPassword"] = True  # RDS accepts the key only together with it
    if "maxAllocatedStorage" in changed and not new.get("maxAllocatedStorage"):
        arguments["MaxAllocatedStorage"] = new.get("allocatedStorage") or now["AllocatedStorage"]  # autoscaling is off
    if changed & {"iops", "storageThroughput", "storageType", "allocatedStorage"}:
        # RDS requires these together.
        together = given(
            new, {"iops": "Iops", "storageThroughput": "StorageThroughput", "allocatedStorage": "AllocatedStorage"}
        )
        if "AllocatedStorage" in together and "allocatedStorage" not in changed:
            together["AllocatedStorage"] = now["AllocatedStorage"]  # autoscaling may have added storage
        arguments.update(together)
    if changed & {"monitoringInterval", "monitoringRoleArn"}:
        arguments.update(given(new, {"monitoringRoleArn": "MonitoringRoleArn"}))
        arguments["MonitoringInterval"] = new.get("monitoringInterval") or 0
    if changed & set(_INSIGHTS):
        arguments.update(given(new, {key: MODIFY[key] for key in _INSIGHTS}))
        arguments["EnablePerformanceInsights"] = bool(new.get("performanceInsightsEnabled"))
    if "EngineVersion" in arguments:
        arguments["AllowMajorVersionUpgrade"] = bool(new.get("allowMajorVersionUpgrade"))
    if "enabledCloudwatchLogsExports" in changed:
        wanted, there = set(new.get("enabledCloudwatchLogsExports") or []), set(now["EnabledCloudwatchLogsExports"])
        arguments["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(wanted - there),
            "DisableLogTypes": sorted(there - wanted),
        }
    return arguments


def _delete_instance(cloud: Cloud, identity: str, state: Props) -> None:
    rds = client(cloud, "rds", state)
    found = describe(rds, identity)
    final: dict[str, Any] = {"SkipFinalSnapshot": True}
    if not state.get("skipFinalSnapshot"):
        if not state.get("finalSnapshotIdentifier"):
            name = found["DBInstanceIdentifier"]
            raise RefusedError(f"`finalSnapshotIdentifier` of {name} is required when `skipFinalSnapshot` is false")
        final = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": state["finalSnapshotIdentifier"]}
    with gone_at("DBInstanceNotFound"):
        rds.delete_db_instance(
            DBInstanceIdentifier=found["DBInstanceIdentifier"],
            DeleteAutomatedBackups=state.get("deleteAutomatedBackups", True),
            **final,
        )
    limit = TimeLimit.of(DELETE_MINUTES)
    while not limit.passed():
        describe(rds, identity)  # raises `GoneError` when the instance is gone
        time.sleep(0.2)
    raise RefusedError(f"the RDS instance {found['DBInstanceIdentifier']} still exists {limit} after its deletion")


def _find_instance(cloud: Cloud, inputs: Props) -> str | None:
    try:
        return str(describe(client(cloud, "rds", inputs), inputs["identifier"])["DbiResourceId"])
    except GoneError:
        return None


INSTANCE: Final = ResourceType(
    token="aws:rds/instance:Instance",  # noqa: S106
    properties=PROPERTIES,
    computed=(
        "address",
        "allocatedStorage",
        "arn",
        "availabilityZone",
        "backupRetentionPeriod",
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
    read=read,
    update=_update_instance,
    delete=_delete_instance,
    delete_before_replace=True,
    find=_find_instance,
)
