"""Restore RDS instances to a point in time, or from a snapshot.

After terraform-provider-aws, internal/service/rds/instance.go of May 2026: the inputs of each of the two calls, and of
the one change that follows when the instance is available. Any other input stays as RDS sets it, until a refresh finds
the difference: after a restore to a point in time, for example, the windows and Performance Insights.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from localcloud.plugins.aws.common import all_tags, given, tag_list
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.rds.instance_inputs import CREATE, MODIFY, PROPERTIES
from localcloud.plugins.table import Props, RefusedError

# Sent with both calls.
_BOTH: Final = (
    "instanceClass",
    "dedicatedLogVolume",
    "engine",
    "engineLifecycleSupport",
    "licenseModel",
    "multiAz",
    "availabilityZone",
    "port",
    "dbSubnetGroupName",
    "vpcSecurityGroupIds",
    "parameterGroupName",
    "optionGroupName",
    "backupTarget",
    "iamDatabaseAuthenticationEnabled",
    "enabledCloudwatchLogsExports",
)
# Always sent: without them RDS would use the source's values or its own.
_ALWAYS: Final = ("autoMinorVersionUpgrade", "copyTagsToSnapshot", "deletionProtection", "publiclyAccessible")
_POINT_IN_TIME_ALONE: Final = ("dbName", "iops", "maxAllocatedStorage", "storageType")
_SNAPSHOT_ALONE: Final = ("networkType",)
# Sent once the instance is available. Neither restore ever sends `caCertIdentifier`.
_AFTER_BOTH: Final = ("manageMasterUserPassword", "masterUserSecretKmsKeyId", "monitoringInterval", "monitoringRoleArn")
_AFTER_SNAPSHOT: Final = (
    "allocatedStorage",
    "backupRetentionPeriod",
    "backupWindow",
    "databaseInsightsMode",
    "engineVersion",
    "iops",
    "maintenanceWindow",
    "maxAllocatedStorage",
    "performanceInsightsEnabled",
    "performanceInsightsKmsKeyId",
    "performanceInsightsRetentionPeriod",
    "storageThroughput",
    "storageType",
)
_SOURCES: Final = {
    "sourceDbInstanceIdentifier": "SourceDBInstanceIdentifier",
    "sourceDbiResourceId": "SourceDbiResourceId",
    "sourceDbInstanceAutomatedBackupsArn": "SourceDBInstanceAutomatedBackupsArn",
}
_MOMENTS: Final = {"restoreTime": "RestoreTime", "useLatestRestorableTime": "UseLatestRestorableTime"}


def restored(inputs: Props) -> bool:
    """Whether an instance with these inputs is restored."""
    return bool(inputs.get("restoreToPointInTime") or inputs.get("snapshotIdentifier"))


def restore(cloud: Cloud, rds: Any, inputs: Props) -> str:
    """Request the restore and return the resource id."""
    moment, snapshot = inputs.get("restoreToPointInTime"), inputs.get("snapshotIdentifier")
    if moment and snapshot:
        raise RefusedError("`restoreToPointInTime` and `snapshotIdentifier` are two sources; keep one")
    if moment:
        answer = rds.restore_db_instance_to_point_in_time(
            **_asked(cloud, inputs, _POINT_IN_TIME_ALONE),
            **_origin(moment),
            TargetDBInstanceIdentifier=inputs["identifier"],
        )
    else:
        answer = rds.restore_db_instance_from_db_snapshot(
            # A PostgreSQL snapshot contains the database's name, and the call accepts none.
            **_asked(cloud, inputs, _SNAPSHOT_ALONE),
            DBSnapshotIdentifier=snapshot,
            DBInstanceIdentifier=inputs["identifier"],
        )
    return str(answer["DBInstance"]["DbiResourceId"])


def _asked(cloud: Cloud, inputs: Props, alone: tuple[str, ...]) -> dict[str, Any]:
    named = {key: CREATE[key] for key in (*_BOTH, *alone)}
    # RDS writes engines in lowercase letters.
    said = {**inputs, "engine": inputs["engine"].lower()} if inputs.get("engine") else inputs
    return {
        **{CREATE[key]: inputs.get(key, PROPERTIES[key].default) for key in _ALWAYS},
        **given(said, named),
        "Tags": tag_list(all_tags(cloud, inputs)),
    }


def _origin(moment: Props) -> dict[str, Any]:
    known = {**_SOURCES, **_MOMENTS}
    unknown = sorted(set(moment) - set(known))
    if unknown:
        raise RefusedError(f"`restoreToPointInTime` has no `{unknown[0]}`; it has {', '.join(known)}")
    for names in (_SOURCES, _MOMENTS):
        said = [key for key in names if moment.get(key) is not None]
        if len(said) != 1:
            found = f"has {' and '.join(said)}" if said else "has none"
            raise RefusedError(f"`restoreToPointInTime` needs exactly one of {', '.join(names)}; it {found}")
    if moment.get("useLatestRestorableTime") is False:
        raise RefusedError("`restoreToPointInTime.useLatestRestorableTime` is false, and there is no `restoreTime`")
    if moment.get("restoreTime") is not None:
        _check_moment(moment["restoreTime"])
    return given(moment, known)


def _check_moment(said: Any) -> None:
    try:
        # RFC 3339 in UTC. A different form could be read as a different time.
        parsed = datetime.fromisoformat(str(said))
    except ValueError:
        parsed = None
    if parsed is None or "T" not in str(said) or not str(said).endswith("Z"):
        raise RefusedError(f"`restoreToPointInTime.restoreTime` is {said!r}; allowed is UTC as in 2026-11-24T15:46:42Z")


def change_after(inputs: Props) -> dict[str, Any]:
    """Return the arguments of ModifyDBInstance once a restored instance is available."""
    keys = (*_AFTER_BOTH, *(_AFTER_SNAPSHOT if inputs.get("snapshotIdentifier") else ()))
    if not inputs.get("performanceInsightsEnabled"):
        keys = tuple(key for key in keys if "Insights" not in key)
    # The provider leaves out a false or empty value, except for the retention: 0 turns backups off.
    return {MODIFY[key]: inputs[key] for key in keys if inputs.get(key) or (key in inputs and "Retention" in key)}
