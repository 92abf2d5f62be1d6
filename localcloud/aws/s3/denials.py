"""Requests that S3 refuses and moto accepts.

These are deletions that the bucket's policy denies, an owner that differs from the expected one, and suspending the
versioning that a replication needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import AccessDeniedByLock, S3AccessDeniedError, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from localcloud.aws.patching import wrap_method


def patch() -> None:
    wrap_method(S3Response, "_bucket_response", _of_the_expected_owner)
    wrap_method(S3Response, "_key_response", _of_the_expected_owner)
    wrap_method(S3Response, "delete_bucket", _delete_bucket)
    wrap_method(S3Backend, "delete_object", _delete_object)
    wrap_method(S3Backend, "put_bucket_versioning", _put_versioning)


def _of_the_expected_owner(original: Callable[..., Any], response: S3Response, request: Any, *args: Any) -> Any:
    expected = request.headers.get("x-amz-expected-bucket-owner")
    if expected:
        name = response.parse_bucket_name_from_url(request, request.url)
        bucket = response.backend.get_bucket(name)
        if bucket.account_id != expected:
            raise S3AccessDeniedError
    return original(response, request, *args)


def _delete_bucket(original: Callable[..., Any], response: S3Response) -> Any:
    _must_not_be_denied(response.backend, response.bucket_name, "s3:DeleteBucket", "")
    return original(response)


def _delete_object(
    original: Callable[..., Any],
    backend: S3Backend,
    bucket_name: str,
    key_name: str,
    version_id: str | None = None,
    bypass: bool = False,
) -> Any:
    if version_id is not None:
        _must_not_be_denied(backend, bucket_name, "s3:DeleteObjectVersion", f"/{key_name}")
    return original(backend, bucket_name, key_name, version_id=version_id, bypass=bypass)


def _must_not_be_denied(backend: S3Backend, bucket_name: str, action: str, below: str) -> None:
    bucket = backend.get_bucket(bucket_name)
    permission = bucket.get_permission(action, f"arn:{bucket.partition}:s3:::{bucket_name}{below}")
    if permission == PermissionResult.DENIED:
        raise AccessDeniedByLock


def _put_versioning(original: Callable[..., None], backend: S3Backend, bucket_name: str, status: str) -> None:
    replication: Any = backend.get_bucket_replication(bucket_name)
    if status != "Enabled" and replication:
        raise S3ClientError(
            "InvalidBucketState",
            "A replication configuration is present on this bucket, so the versioning state cannot be changed.",
        )
    original(backend, bucket_name, status)
