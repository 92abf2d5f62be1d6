"""What IAM does not delete while something hangs on it, and moto does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend

from localcloud.aws.amend import mend


def amend() -> None:
    mend(IAMBackend, "delete_policy", _delete_policy)
    mend(IAMBackend, "delete_user", _delete_user)


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
