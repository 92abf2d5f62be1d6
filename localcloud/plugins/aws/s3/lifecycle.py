"""The lifecycle rules of a bucket."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    Keys,
    Member,
    from_api,
    to_api,
)
from localcloud.plugins.aws.s3.setting import setting
from localcloud.plugins.table import Property, Props

_TAG: Final[Keys] = {"key": Member("Key"), "value": Member("Value")}
_LIFECYCLE: Final[Keys] = {
    "id": Member("ID"),
    "status": Member("Status"),
    "abortIncompleteMultipartUpload": Member(
        "AbortIncompleteMultipartUpload", {"daysAfterInitiation": Member("DaysAfterInitiation")}
    ),
    "expiration": Member(
        "Expiration",
        {
            "date": Member("Date"),
            "days": Member("Days"),
            "expiredObjectDeleteMarker": Member("ExpiredObjectDeleteMarker"),
        },
    ),
    "filter": Member(
        "Filter",
        {
            "prefix": Member("Prefix"),
            "objectSizeGreaterThan": Member("ObjectSizeGreaterThan"),
            "objectSizeLessThan": Member("ObjectSizeLessThan"),
            "tag": Member("Tag", _TAG),
            "and": Member(
                "And",
                {
                    "prefix": Member("Prefix"),
                    "objectSizeGreaterThan": Member("ObjectSizeGreaterThan"),
                    "objectSizeLessThan": Member("ObjectSizeLessThan"),
                    "tags": Member("Tags", tags=True),
                },
            ),
        },
    ),
    "noncurrentVersionExpiration": Member(
        "NoncurrentVersionExpiration",
        {
            "noncurrentDays": Member("NoncurrentDays"),
            "newerNoncurrentVersions": Member("NewerNoncurrentVersions"),
        },
    ),
    "noncurrentVersionTransitions": Member(
        "NoncurrentVersionTransitions",
        {
            "noncurrentDays": Member("NoncurrentDays"),
            "newerNoncurrentVersions": Member("NewerNoncurrentVersions"),
            "storageClass": Member("StorageClass"),
        },
        many=True,
    ),
    "transitions": Member(
        "Transitions",
        {"date": Member("Date"), "days": Member("Days"), "storageClass": Member("StorageClass")},
        many=True,
    ),
}


def _put_lifecycle(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [to_api(_LIFECYCLE, rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    for rule in rules:
        rule.setdefault("Filter", {"Prefix": ""})  # the provider's default: the whole bucket
        if not rule["Filter"]:
            rule["Filter"] = {"Prefix": ""}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _get_lifecycle(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return {"rules": [from_api(_LIFECYCLE, rule) for rule in rules]}


RESOURCES: Final = (
    setting(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {"rules": Property(required=True)},
        _put_lifecycle,
        _get_lifecycle,
        lambda s3, bucket, state: s3.delete_bucket_lifecycle(Bucket=bucket),
        ("NoSuchLifecycleConfiguration",),
    ),
)
