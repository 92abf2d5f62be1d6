"""When the tags of a key take effect. KMS decides by them up to five minutes after they were added.

After "ABAC for AWS KMS" in the KMS developer guide. Whether tags that a key is created with are late too is not
documented, so they are: a role that depends on them then works in either case. `LOCALCLOUD_KMS_TAG_SECONDS` sets the
delay.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

from moto.kms.models import KmsBackend

from localcloud.aws.patching import wrap_method
from localcloud.instance.folder import LocalCloudError

TAG_VARIABLE: Final = "LOCALCLOUD_KMS_TAG_SECONDS"
_TAG_SECONDS: Final = 300


def patch() -> None:
    wrap_method(KmsBackend, "create_key", _create_key)
    wrap_method(KmsBackend, "tag_resource", _tag_resource)


def tags_in_effect(backend: KmsBackend, key: Any) -> dict[str, str]:
    """The tags of a key that conditions see now."""
    since = time.time() - _delay()
    return {
        tag["TagKey"]: tag["TagValue"]
        for tag in backend.list_resource_tags(key.id)["Tags"]
        if _moments(key).get(tag["TagKey"], 0.0) <= since
    }


def _moments(key: Any) -> dict[str, float]:
    """When each tag was added, in seconds since 1970."""
    found: dict[str, float] = vars(key).get("tag_moments", {})
    return found


def _create_key(original: Callable[..., Any], backend: KmsBackend, *args: Any, **kwargs: Any) -> Any:
    key = original(backend, *args, **kwargs)
    key.tag_moments = {tag["TagKey"]: time.time() for tag in backend.list_resource_tags(key.id)["Tags"]}
    return key


def _tag_resource(original: Callable[..., None], backend: KmsBackend, arn: str, tags: dict[str, str]) -> None:
    original(backend, arn, tags)
    key: Any = backend.keys[backend.get_key_id(arn)]
    # A new object each time: a replica begins as a copy of its primary key.
    key.tag_moments = {**_moments(key), **dict.fromkeys(tags, time.time())}


def _delay() -> int:
    said = os.environ.get(TAG_VARIABLE) or str(_TAG_SECONDS)
    if not said.isdecimal() or int(said) > _TAG_SECONDS:
        raise LocalCloudError(f"{TAG_VARIABLE} is {said!r}; allowed: whole seconds from 0 to {_TAG_SECONDS}")
    return int(said)
