"""RDS instances that are made from what there was: backups at a moment, or a snapshot.

After terraform-provider-aws, internal/service/rds/instance.go, as read of 2025 (the first with `password_wo`): which
inputs each of the two calls is sent, and that the rest is changed once the instance is available. The provider changes
after a restore from a snapshot whatever is declared, and after one to a point in time the passwords and the monitoring
alone; the rest it finds to differ, and leaves to the next update. Here it is changed at once in both cases, because
this stand-in compares an update with what was declared before, and would never find it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from localcloud.plugins.aws.common import all_tags, given, tag_list
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.rds.instance_inputs import CREATE, MODIFY, PROPERTIES, same
from localcloud.plugins.table import Props, Refused

# Sent with either call.
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
# Sent always: what is left out of the call would be taken over from the source, or be RDS's choice.
_ALWAYS: Final = ("autoMinorVersionUpgrade", "copyTagsToSnapshot", "deletionProtection", "publiclyAccessible")
_POINT_IN_TIME_ALONE: Final = ("dbName", "iops", "maxAllocatedStorage", "storageType")
_SNAPSHOT_ALONE: Final = ("networkType",)
_SOURCES: Final = {
    "sourceDbInstanceIdentifier": "SourceDBInstanceIdentifier",
    "sourceDbiResourceId": "SourceDbiResourceId",
    "sourceDbInstanceAutomatedBackupsArn": "SourceDBInstanceAutomatedBackupsArn",
}
_MOMENTS: Final = {"restoreTime": "RestoreTime", "useLatestRestorableTime": "UseLatestRestorableTime"}


def restored(inputs: Props) -> bool:
    """Whether an instance with these inputs is made from what there was."""
    return bool(inputs.get("restoreToPointInTime") or inputs.get("snapshotIdentifier"))


def restore(cloud: Cloud, rds: Any, inputs: Props) -> str:
    """Ask for the instance, and for nothing more; its resource id."""
    moment, snapshot = inputs.get("restoreToPointInTime"), inputs.get("snapshotIdentifier")
    if moment and snapshot:
        raise Refused("`restoreToPointInTime` and `snapshotIdentifier` are two sources: an instance has one")
    if moment:
        answer = rds.restore_db_instance_to_point_in_time(
            **_asked(cloud, inputs, _POINT_IN_TIME_ALONE),
            **_origin(moment),
            TargetDBInstanceIdentifier=inputs["identifier"],
        )
    else:
        answer = rds.restore_db_instance_from_db_snapshot(
            # Its database's name comes with a PostgreSQL snapshot, and the call takes none.
            **_asked(cloud, inputs, _SNAPSHOT_ALONE),
            DBSnapshotIdentifier=snapshot,
            DBInstanceIdentifier=inputs["identifier"],
        )
    return str(answer["DBInstance"]["DbiResourceId"])


def _asked(cloud: Cloud, inputs: Props, alone: tuple[str, ...]) -> dict[str, Any]:
    named = {key: CREATE[key] for key in (*_BOTH, *alone)}
    # RDS knows engines in small letters.
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
        raise Refused(f"`restoreToPointInTime` has no `{unknown[0]}`; it has {', '.join(known)}")
    for names in (_SOURCES, _MOMENTS):
        said = [key for key in names if moment.get(key) is not None]
        if len(said) != 1:
            found = f"has {' and '.join(said)}" if said else "has none"
            raise Refused(f"`restoreToPointInTime` needs exactly one of {', '.join(names)}; it {found}")
    if moment.get("useLatestRestorableTime") is False:
        raise Refused("`restoreToPointInTime.useLatestRestorableTime` is false, and there is no `restoreTime`")
    if moment.get("restoreTime") is not None:
        _check_moment(moment["restoreTime"])
    return given(moment, known)


def _check_moment(said: Any) -> None:
    try:
        # RFC 3339 in UTC: another form is read as another moment than the one that was meant, or not at all.
        parsed = datetime.fromisoformat(str(said))
    except ValueError:
        parsed = None
    if parsed is None or "T" not in str(said) or not str(said).endswith("Z"):
        raise Refused(f"`restoreToPointInTime.restoreTime` is {said!r}; allowed is UTC as in 2026-11-24T15:46:42Z")


def differing(inputs: Props, found: Props) -> frozenset[str]:
    """The declared inputs that the restored instance does not have, as far as it can be changed to have them."""
    return frozenset(
        key
        for key in MODIFY
        if inputs.get(key) is not None
        and not PROPERTIES[key].replaces
        and not PROPERTIES[key].write_only
        and not same(key, inputs[key], found.get(key))
    )
