"""The encryption of a bucket's objects."""

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

_ENCRYPTION: Final[Keys] = {
    "applyServerSideEncryptionByDefault": Member(
        "ApplyServerSideEncryptionByDefault",
        {"sseAlgorithm": Member("SSEAlgorithm"), "kmsMasterKeyId": Member("KMSMasterKeyID")},
    ),
    "bucketKeyEnabled": Member("BucketKeyEnabled"),
}
_BLOCKED: Final = "blockedEncryptionTypes"


def _put_encryption(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [_rule(rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _get_encryption(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return {"rules": [_found(rule) for rule in rules]}


def _rule(rule: Props, where: str) -> dict[str, Any]:
    made = to_api(_ENCRYPTION, {key: value for key, value in rule.items() if key != _BLOCKED}, where)
    blocked = {"BlockedEncryptionTypes": {"EncryptionType": rule[_BLOCKED]}} if rule.get(_BLOCKED) else {}
    return {**made, **blocked}


def _found(rule: Any) -> Props:
    blocked = rule.get("BlockedEncryptionTypes", {}).get("EncryptionType")
    return {**from_api(_ENCRYPTION, rule), **({_BLOCKED: blocked} if blocked else {})}


RESOURCES: Final = (
    setting(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {"rules": Property(required=True)},
        _put_encryption,
        _get_encryption,
        lambda s3, bucket, state: s3.delete_bucket_encryption(Bucket=bucket),
        ("ServerSideEncryptionConfigurationNotFoundError",),
    ),
)
