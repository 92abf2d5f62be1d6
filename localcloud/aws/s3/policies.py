"""Bucket policies. moto checks principal, action and resource, and treats each condition as met.

So a policy that denies requests without TLS would deny every request. Traffic on loopback cannot be intercepted, so
plain HTTP counts as TLS here: a statement about requests without TLS matches no request.
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
