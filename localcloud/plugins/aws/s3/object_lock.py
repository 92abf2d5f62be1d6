"""The object lock of a bucket: set, read and remove it."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import Keys, Member, call_or_none, from_api, to_api
from localcloud.plugins.table import Property, Props, RefusedError

ABSENT: Final = "ObjectLockConfigurationNotFoundError"
"""The code with which S3 answers if a bucket has no object lock."""

_RULE: Final[Keys] = {
    "defaultRetention": Member(
        "DefaultRetention", {"mode": Member("Mode"), "days": Member("Days"), "years": Member("Years")}
    )
}

PROPERTIES: Final = {
    "objectLockEnabled": Property(default="Enabled", replaces=True, choices=("Enabled",)),
    "rule": Property(default={}),
}


def put(s3: Any, bucket: str, inputs: Props) -> None:
    rule = to_api(_RULE, inputs.get("rule") or {}, "rule")
    retention = rule.get("DefaultRetention", {})
    if rule and ("Days" in retention) == ("Years" in retention):
        raise RefusedError(
            f"`rule.defaultRetention` of {bucket} has days {retention.get('Days')} and years {retention.get('Years')}; "
            "S3 needs exactly one of them"
        )
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **({"Rule": rule} if rule else {})},
    )


def get(s3: Any, bucket: str) -> Props:
    found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    return {"objectLockEnabled": found["ObjectLockEnabled"], "rule": from_api(_RULE, found.get("Rule", {}))}


def remove(s3: Any, bucket: str, state: Props) -> None:
    """Remove the default retention. The lock itself stays, because S3 cannot switch it off."""
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def enabled(s3: Any, bucket: str) -> bool:
    found = call_or_none((ABSENT,), get, s3=s3, bucket=bucket)
    return found is not None and bool(found["objectLockEnabled"] == "Enabled")
