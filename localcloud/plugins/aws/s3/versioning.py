"""The versioning of a bucket, and its object lock."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    Keys,
    Member,
    to_api,
)
from localcloud.plugins.aws.s3 import object_lock
from localcloud.plugins.aws.s3.setting import setting
from localcloud.plugins.table import Property, Props, RefusedError

_VERSIONING: Final[Keys] = {"status": Member("Status")}


def _put_versioning(s3: Any, bucket: str, inputs: Props) -> None:
    wanted = to_api(_VERSIONING, inputs["versioningConfiguration"], "versioningConfiguration")
    now = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    match wanted.get("Status"):
        case "Enabled" | "Suspended":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=wanted)
        case "Disabled":  # a new bucket's state; no bucket returns to it
            if now is not None:
                raise RefusedError(
                    f"versioning of {bucket} is {now}; once enabled it can be suspended, but not disabled"
                )
        case other:
            raise RefusedError(
                f"`versioningConfiguration.status` is {other!r}; allowed: 'Enabled', 'Suspended', 'Disabled'"
            )


def _get_versioning(s3: Any, bucket: str) -> Props:
    return {"versioningConfiguration": {"status": s3.get_bucket_versioning(Bucket=bucket).get("Status") or "Disabled"}}


def _remove_versioning(s3: Any, bucket: str, state: Props) -> None:
    """Suspend versioning. With an object lock S3 refuses that, so the provider leaves it enabled."""
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled" and not object_lock.enabled(s3, bucket):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


RESOURCES: Final = (
    setting(
        "aws:s3/bucketVersioning:BucketVersioning",
        {"versioningConfiguration": Property(required=True)},
        _put_versioning,
        _get_versioning,
        _remove_versioning,
    ),
    setting(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        object_lock.PROPERTIES,
        object_lock.put,
        object_lock.get,
        object_lock.remove,
        (object_lock.ABSENT,),
    ),
)
