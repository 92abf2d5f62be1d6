"""Access to a bucket: public access, the ownership of objects, the policy."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    Keys,
    Member,
    document,
    from_api,
    same_policy,
    to_api,
)
from localcloud.plugins.aws.s3.setting import setting
from localcloud.plugins.table import Property, Props

_PUBLIC_ACCESS: Final = {
    "blockPublicAcls": "BlockPublicAcls",
    "blockPublicPolicy": "BlockPublicPolicy",
    "ignorePublicAcls": "IgnorePublicAcls",
    "restrictPublicBuckets": "RestrictPublicBuckets",
}


def _put_public_access(s3: Any, bucket: str, inputs: Props) -> None:
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={api: bool(inputs.get(key)) for key, api in _PUBLIC_ACCESS.items()},
    )


def _get_public_access(s3: Any, bucket: str) -> Props:
    found = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    return {key: bool(found.get(api)) for key, api in _PUBLIC_ACCESS.items()}


def _remove_public_access(s3: Any, bucket: str, state: Props) -> None:
    if not state.get("skipDestroy"):
        s3.delete_public_access_block(Bucket=bucket)


_OWNERSHIP: Final[Keys] = {"objectOwnership": Member("ObjectOwnership")}


def _put_ownership(s3: Any, bucket: str, inputs: Props) -> None:
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [to_api(_OWNERSHIP, inputs["rule"], "rule")]}
    )


def _get_ownership(s3: Any, bucket: str) -> Props:
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    return {"rule": from_api(_OWNERSHIP, rules[0])}


def _put_policy(s3: Any, bucket: str, inputs: Props) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=document(inputs["policy"]))


def _get_policy(s3: Any, bucket: str) -> Props:
    return {"policy": s3.get_bucket_policy(Bucket=bucket)["Policy"]}


RESOURCES: Final = (
    setting(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {
            **{key: Property(default=False) for key in _PUBLIC_ACCESS},
            "skipDestroy": Property(default=False, write_only=True),
        },
        _put_public_access,
        _get_public_access,
        _remove_public_access,
        ("NoSuchPublicAccessBlockConfiguration",),
    ),
    setting(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {"rule": Property(required=True)},
        _put_ownership,
        _get_ownership,
        lambda s3, bucket, state: s3.delete_bucket_ownership_controls(Bucket=bucket),
        ("OwnershipControlsNotFoundError",),
    ),
    setting(
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": Property(required=True, same=same_policy)},
        _put_policy,
        _get_policy,
        lambda s3, bucket, state: s3.delete_bucket_policy(Bucket=bucket),
        ("NoSuchBucketPolicy",),
    ),
)
