"""KMS keys in requests: the key that a name means, and the values of it that conditions compare."""

from __future__ import annotations

import base64
import struct
from typing import Any

from moto.kms.models import kms_backends
from moto.kms.utils import _deserialize_ciphertext_blob

from localcloud.aws.iam.requests import ParsedRequest
from localcloud.aws.kms.tags import tags_in_effect


def key_name(request: ParsedRequest) -> str | None:
    """The name of the key that a call of KMS uses. A ciphertext names its key, if the call does not."""
    given = request.parameters
    name = given.get("KeyId") or given.get("TargetKeyId")
    if name or "CiphertextBlob" not in given:
        return str(name) if name else None
    try:
        return str(_deserialize_ciphertext_blob(base64.b64decode(given["CiphertextBlob"])).key_id)
    except (ValueError, struct.error):  # KMS refuses it
        return None


def known_key(request: ParsedRequest, name: str) -> Any:
    """The key with this ARN, id or alias, or `None`."""
    parts = name.split(":")
    backend = kms_backends[request.account][parts[3] if len(parts) > 3 else request.region]
    try:
        return backend.keys.get(backend.any_id_to_key_id(name))
    except AttributeError:  # moto has no such alias
        return None


def key_arn(request: ParsedRequest, name: str) -> str:
    known = known_key(request, name)
    return request.arn_or(name, "kms", "key/") if known is None else str(known.arn)


def key_context(key: Any) -> dict[str, tuple[str, ...]]:
    """The values of a key that conditions compare."""
    tags = tags_in_effect(kms_backends[key.account_id][key.region], key)
    return {
        **{f"aws:resourcetag/{name.lower()}": (value,) for name, value in tags.items()},
        "kms:resourcealiases": tuple(key.aliases),
        "kms:multiregion": (str(bool(key.multi_region)).lower(),),
    }
