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


def _put_encryption(s3: Any, bucket: str, inputs: Props) -> None:
    rules = [to_api(_ENCRYPTION, rule, f"rules[{n}]") for n, rule in enumerate(inputs["rules"])]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _get_encryption(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return {"rules": [from_api(_ENCRYPTION, rule) for rule in rules]}


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
