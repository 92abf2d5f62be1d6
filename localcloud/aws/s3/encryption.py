"""The encryption types that a bucket blocks. moto loses them.

S3 blocks SSE-C in every bucket that was made since March 2026, and refuses an upload with such a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.s3.exceptions import S3AccessDeniedError
from moto.s3.responses import S3Response

from localcloud.aws.patching import wrap_method
from localcloud.aws.s3.documents import parsed

_OPERATION: Final = "GetBucketEncryption"
_CUSTOMERS_KEY: Final = "x-amz-server-side-encryption-customer-algorithm"


def patch() -> None:
    wrap_method(S3Response, "get_bucket_encryption", _get)
    wrap_method(S3Response, "_key_response", _refuse_blocked)


def _get(original: Callable[..., Any], response: S3Response) -> Any:
    answer = original(response)  # it refuses if there is no rule
    configuration = response.backend.get_bucket_encryption(response.bucket_name)
    [rule] = parsed(_OPERATION, "ServerSideEncryptionConfiguration", configuration)["Rules"]
    if "BlockedEncryptionTypes" not in rule:
        return answer
    response.data["Action"] = _OPERATION
    return response.serialized(ActionResult({"ServerSideEncryptionConfiguration": {"Rules": [rule]}}))


def _refuse_blocked(original: Callable[..., Any], response: S3Response, request: Any, *args: Any) -> Any:
    if request.headers.get(_CUSTOMERS_KEY) and request.method in ("POST", "PUT"):
        name = response.parse_bucket_name_from_url(request, request.url)
        rule = (response.backend.get_bucket(name).encryption or {}).get("Rule", {})
        blocked = (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType", "SSE-C")
        if "SSE-C" in blocked:
            raise S3AccessDeniedError
    return original(response, request, *args)
