"""S3 Object Lock, where moto accepts what AWS refuses, or refuses what AWS accepts.

Here a bucket that has objects can be locked too. A default retention applies to every new version, for each way of
writing it. A retention in force cannot be shortened in compliance mode, and in governance mode only with the bypass.
Versioning stays on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.s3.exceptions import (
    InvalidBucketState,
    LockNotEnabled,
    MalformedXML,
    MissingKey,
    MissingVersion,
    S3ClientError,
)
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response
from werkzeug.datastructures import Headers

from localcloud.aws.patching import add_methods, wrap_method

_MODES: Final = ("GOVERNANCE", "COMPLIANCE")
_LONGEST_DAYS, _LONGEST_YEARS = 36500, 100  # AWS's own limits
_BYPASS: Final = "x-amz-bypass-governance-retention"
_CHECKSUM: Final = "x-amz-checksum-"
_LOCK: Final = "x-amz-object-lock-"
_SETTINGS: Final = frozenset({"acl", "legal-hold", "retention", "tagging", "uploadId"})


def patch() -> None:
    wrap_method(S3Response, "_lock_config_from_body", _lock_config_from_body)
    wrap_method(S3Response, "get_object_lock_configuration", _get_object_lock_configuration)
    wrap_method(S3Backend, "put_object_lock_configuration", _put_object_lock_configuration)
    wrap_method(S3Backend, "put_bucket_versioning", _put_bucket_versioning)
    wrap_method(S3Backend, "put_object", _put_object)
    wrap_method(S3Backend, "delete_object", _delete_object)
    wrap_method(S3Response, "_key_response_put", _key_response_put)
    wrap_method(S3Response, "_key_response_post", _key_response_post)
    wrap_method(S3Response, "_key_response_get", _key_response_get)
    wrap_method(S3Response, "put_object_retention", _put_object_retention)
    add_methods(S3Response, _get_object_retention)


# -- a bucket's configuration -----------------------------------------------------------------------------------------


def _lock_config_from_body(original: Callable[..., dict[str, Any]], response: S3Response) -> dict[str, Any]:
    asked = original(response)
    if not asked["enabled"]:
        raise MalformedXML
    if asked["mode"] is not None:
        if asked["mode"] not in _MODES or bool(asked["days"]) == bool(asked["years"]):
            raise MalformedXML
        if asked["days"] < 0 or asked["years"] < 0:
            raise _invalid("Default retention period must be a positive integer value.")
        if asked["days"] > _LONGEST_DAYS or asked["years"] > _LONGEST_YEARS:
            raise _invalid("Default retention period too large.")
    return asked


def _put_object_lock_configuration(
    original: Callable[..., None],
    backend: S3Backend,
    bucket_name: str,
    lock_enabled: bool,
    *default_retention: Any,
) -> None:
    """moto accepts only empty buckets, like AWS until November 2023. `default_retention`: mode, days, years."""
    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
    bucket.object_lock_enabled = lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = default_retention


def _get_object_lock_configuration(original: Callable[..., Any], response: S3Response) -> Any:
    _, mode, days, years = response.backend.get_object_lock_configuration(response.bucket_name)
    shown: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
    if mode:  # days or years, not a zero for the other
        shown["Rule"] = {"DefaultRetention": {"Mode": mode, **({"Days": days} if days else {"Years": years})}}
    response.data["Action"] = "GetObjectLockConfiguration"
    return response.serialized(ActionResult({"ObjectLockConfiguration": shown}))


def _put_bucket_versioning(original: Callable[..., None], backend: S3Backend, bucket_name: str, status: str) -> None:
    if backend.get_bucket(bucket_name).object_lock_enabled and status != "Enabled":
        raise InvalidBucketState(
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        )
    original(backend, bucket_name, status)


# -- versions ---------------------------------------------------------------------------------------------------------


def _put_object(
    original: Callable[..., FakeKey], backend: S3Backend, bucket_name: str, *args: Any, **kwargs: Any
) -> Any:
    """Every version is created here: by put, copy, post, multipart upload and replication."""
    mode, until, bucket = kwargs.get("lock_mode"), kwargs.get("lock_until"), backend.get_bucket(bucket_name)
    if mode or until:
        kwargs["lock_until"] = _checked(mode, until)
    elif bucket.has_default_lock:
        kwargs |= {"lock_mode": bucket.default_lock_mode, "lock_until": bucket.default_retention()}
    return original(backend, bucket_name, *args, **kwargs)


def _delete_object(
    original: Callable[..., Any],
    backend: S3Backend,
    bucket_name: str,
    key_name: str,
    version_id: str | None = None,
    bypass: bool | str | None = False,
) -> Any:
    """moto treats the header's `false` as true."""
    return original(backend, bucket_name, key_name, version_id=version_id, bypass=str(bypass).lower() == "true")


def _key_response_put(original: Callable[..., Any], response: S3Response, query: dict[str, Any], key_name: str) -> Any:
    """Require a checksum only for a locked body, and accept all kinds, like AWS.

    moto requires it for copies and settings too, and knows only two of the headers.
    """
    locked = any(header.lower().startswith(_LOCK) for header, _ in response.headers.items())
    has_body = _SETTINGS.isdisjoint(query) and "x-amz-copy-source" not in response.headers
    summed = any(
        header.lower() in ("content-md5", "x-amz-sdk-checksum-algorithm") or header.lower().startswith(_CHECKSUM)
        for header, _ in response.headers.items()
    )
    bucket = response.backend.get_bucket(response.bucket_name)
    if has_body and not summed and (locked or bucket.has_default_lock):
        raise S3ClientError(
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock "
            "parameters",
        )
    response.headers = Headers(list(response.headers.items()))
    response.headers.setdefault("Content-Md5", "checked")  # moto only checks that the header exists
    return original(response, query, key_name)


def _key_response_post(
    original: Callable[..., Any], response: S3Response, request: Any, body: bytes, *place: Any
) -> Any:
    _, query, _ = place  # bucket, query, key
    if "uploads" in query and any(header.lower().startswith(_LOCK) for header, _ in response.headers.items()):
        raise NotImplementedError("CreateMultipartUpload with its own lock; a default retention works")
    return original(response, request, body, *place)


def _key_response_get(original: Callable[..., Any], response: S3Response, query: dict[str, Any], key_name: str) -> Any:
    if "retention" in query:
        return response.get_object_retention()  # type: ignore[attr-defined]
    return original(response, query, key_name)


def _get_object_retention(response: S3Response) -> Any:
    key = _version(response)
    if not key.lock_mode:
        raise S3ClientError(
            "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration"
        )
    shown = {"Mode": key.lock_mode, "RetainUntilDate": _moment(key.lock_until)}
    response.data["Action"] = "GetObjectRetention"
    return response.serialized(ActionResult({"Retention": shown}))


def _put_object_retention(original: Callable[..., Any], response: S3Response) -> Any:
    if not response.backend.get_bucket(response.bucket_name).object_lock_enabled:
        raise LockNotEnabled
    key, (mode, until) = _version(response), response._mode_until_from_body()
    checked = _checked(mode, until) if mode or until else None
    bypassed = str(response.headers.get(_BYPASS)).lower() == "true"
    held = bool(key.lock_mode) and _moment(key.lock_until) > datetime.now(UTC)
    stronger = checked is not None and mode == key.lock_mode and _moment(checked) >= _moment(key.lock_until)
    if held and not stronger and (key.lock_mode == "COMPLIANCE" or not bypassed):
        raise S3ClientError("AccessDenied", "Access Denied because object protected by object lock.")
    answer = original(response)
    key.lock_mode, key.lock_until = mode, checked
    return answer


def _version(response: S3Response) -> FakeKey:
    name, version_id = response.parse_key_name(), response._get_param("versionId")
    key = response.backend.get_object(response.bucket_name, name, version_id=version_id)
    if key is None:
        raise MissingVersion() if version_id else MissingKey(key=name)
    return key


def _checked(mode: str | None, until: str | None) -> str:
    """Check a retention, and return its end in the form that moto reads."""
    if not mode or not until:
        raise _invalid("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
    if mode not in _MODES:
        raise _invalid("Unknown wormMode directive.")
    moment = _moment(until)
    if moment <= datetime.now(UTC):
        raise _invalid("The retain until date must be in the future!")
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise _invalid("The retain until date must be provided in ISO 8601 format") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(message: str) -> S3ClientError:
    return S3ClientError("InvalidArgument", message)
