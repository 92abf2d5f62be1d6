"""Patches of CloudWatch Logs: keys, which moto neither checks nor changes, and classes of groups, which it loses.

A log group's key has to be one that CloudWatch Logs may use: its policy must let `logs.REGION.amazonaws.com` encrypt
and decrypt. No role takes part: without that statement the service refuses the key to every caller.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable
from typing import Any, Final, NoReturn

from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend, kms_backends
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse

from localcloud.aws.patching import add_methods, wrap_method

_NEEDED: Final = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")


def patch() -> None:
    wrap_method(LogsBackend, "create_log_group", _create)
    wrap_method(LogGroup, "to_describe_dict", _describe)
    add_methods(LogsResponse, associate_kms_key, disassociate_kms_key)


def _create(
    original: Callable[..., LogGroup], backend: LogsBackend, log_group_name: str, tags: dict[str, str], **asked: Any
) -> LogGroup:
    if asked.get("kmsKeyId"):
        _check(backend, asked["kmsKeyId"])
    return original(backend, log_group_name, tags, **asked)


def _describe(original: Callable[..., dict[str, Any]], group: LogGroup) -> dict[str, Any]:
    return {**original(group), "logGroupClass": "STANDARD"}


def _check(backend: LogsBackend, arn: str) -> None:
    kms: KmsBackend = kms_backends[backend.account_id][backend.region_name]
    try:
        key = kms.describe_key(arn) if arn.startswith(f"arn:{backend.partition}:kms:{backend.region_name}:") else None
    except (KeyError, AttributeError, IndexError):
        key = None
    if key is None or key.key_state != "Enabled" or not _allowed(key.policy, backend.region_name):
        _refuse(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with CloudWatch Logs: {arn}",
        )


def _allowed(policy: str, region: str) -> bool:
    """Whether the statements for the service together allow all actions that it needs."""
    statements = json.loads(policy).get("Statement", [])
    granted: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and f"logs.{region}.amazonaws.com" in _listed(services):
            granted += _listed(statement.get("Action", []))
    return all(any(fnmatch.fnmatchcase(needed, pattern) for pattern in granted) for needed in _NEEDED)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _refuse(code: str, message: str) -> NoReturn:
    raise JsonRESTError(code, message)


def _group(response: LogsResponse) -> LogGroup:
    name = response._get_param("logGroupName") or ""
    found = response.logs_backend.groups.get(name)
    if found is None:
        _refuse("ResourceNotFoundException", f"The specified log group does not exist: {name}")
    return found


def associate_kms_key(self: LogsResponse) -> str:
    group, key = _group(self), self._get_param("kmsKeyId") or ""
    _check(self.logs_backend, key)
    group.kms_key_id = key
    return "{}"


def disassociate_kms_key(self: LogsResponse) -> str:
    _group(self).kms_key_id = None
    return "{}"
