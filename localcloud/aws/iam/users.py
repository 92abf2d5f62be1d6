"""Patches of IAM: policies and users in use cannot be deleted, and the root user can have an MFA device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import AccountSummary, IAMBackend

from localcloud.aws.patching import wrap_method, wrap_property

_OF_ROOT: Final = ":mfa/root-account-mfa-device"


def patch() -> None:
    wrap_method(IAMBackend, "delete_policy", _delete_policy)
    wrap_method(IAMBackend, "delete_user", _delete_user)
    wrap_property(AccountSummary, "summary_map", _summary)


def _delete_policy(original: Callable[..., None], backend: IAMBackend, policy_arn: str) -> None:
    policy = backend.managed_policies.get(policy_arn)
    if policy is not None and policy.attachment_count:
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    original(backend, policy_arn)


def _delete_user(original: Callable[..., None], backend: IAMBackend, user_name: str) -> None:
    user: Any = backend.users.get(user_name)
    if user is not None:
        for what, found in (
            ("access keys", user.access_keys),
            ("MFA devices", user.mfa_devices),
            ("a login profile", user.password),
        ):
            if found:
                raise DeleteConflictException(f"Cannot delete entity, it has {what}.")
    original(backend, user_name)


def _summary(original: Callable[[Any], dict[str, Any]], summary: Any) -> dict[str, Any]:
    """A virtual device with the console's name for the root user's device belongs to the root user."""
    devices = summary._iam_backend.virtual_mfa_devices
    return {**original(summary), "AccountMFAEnabled": int(any(serial.endswith(_OF_ROOT) for serial in devices))}
