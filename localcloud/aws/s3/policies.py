"""Bucket policies: moto looks at who, what and which object, and takes a condition for one that is met.

A policy that refuses whatever does not come over TLS would so refuse everything. On loopback there is nobody to listen
in, and plain HTTP stands for TLS: a statement about requests without it concerns none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from localcloud.aws.patching import wrap_method

_WITHOUT_TLS: Final = {"bool": {"aws:securetransport": "false"}}


def patch() -> None:
    wrap_method(IAMPolicyStatement, "is_action_permitted", _is_action_permitted)


def _is_action_permitted(
    original: Callable[..., PermissionResult], statement: Any, *args: Any, **kwargs: Any
) -> PermissionResult:
    if _lower(statement._statement.get("Condition")) == _WITHOUT_TLS:
        return PermissionResult.NEUTRAL
    return original(statement, *args, **kwargs)


def _lower(condition: Any) -> Any:
    """Names of operators and keys, and the values of `Bool`, are the same in any case."""
    if isinstance(condition, dict):
        return {str(key).lower(): _lower(value) for key, value in condition.items()}
    return str(condition[0] if isinstance(condition, list) and len(condition) == 1 else condition).lower()
