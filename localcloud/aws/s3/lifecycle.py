"""Lifecycle rules of S3 buckets. moto checks them and loses parts; here they are returned unchanged.

The rules are not executed: objects do not age in the local cloud.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from localcloud.aws.patching import wrap_method
from localcloud.aws.s3.documents import parsed

_OPERATION = "GetBucketLifecycleConfiguration"


def patch() -> None:
    wrap_method(S3Backend, "put_bucket_lifecycle", _put)
    wrap_method(S3Response, "get_bucket_lifecycle", _get)


def _put(original: Callable[..., None], backend: S3Backend, bucket_name: str, rules: list[dict[str, Any]]) -> None:
    original(backend, bucket_name, rules)
    bucket: Any = backend.get_bucket(bucket_name)
    bucket.lifecycle_as_put = parsed(_OPERATION, "Rules", rules)
    for rule in bucket.lifecycle_as_put:
        rule.setdefault("ID", secrets.token_urlsafe(36))


def _get(original: Callable[..., Any], response: S3Response) -> Any:
    answer = original(response)  # it refuses if there are no rules
    bucket: Any = response.backend.get_bucket(response.bucket_name)
    if not hasattr(bucket, "lifecycle_as_put"):
        return answer
    response.data["Action"] = _OPERATION
    return response.serialized(
        ActionResult(
            {
                "Rules": bucket.lifecycle_as_put,
                "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K",
            }
        )
    )
