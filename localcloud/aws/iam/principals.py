"""The principal that makes a request, and its policies: a user by access key, or a role's session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import AWSManagedPolicy, IAMBackend, Policy, iam_backends
from moto.sts.models import AssumedRole, sts_backends

from localcloud.aws.iam.evaluation import Call, Decision, Document, decide_with, document

OWN_KEYS: Final = "LKIA"
"""The prefix of the access keys that a local cloud creates for itself. Their holder is the account's root user."""


@dataclass(frozen=True)
class Principal:
    """A principal: its ARN, the values that conditions compare, and its policies. The root user may do everything."""

    arn: str
    identity: tuple[Document, ...] = ()
    boundary: tuple[Document, ...] | None = None
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    user: str | None = None
    root: bool = False

    def may(self, call: Call) -> Decision:
        if self.root:
            return Decision.ALLOWED
        known = Call(call.action, call.resources, {**call.context, **self.context, "aws:principalarn": (self.arn,)})
        return decide_with(known, self.identity, self.boundary)


def resolve_principal(account: str, access_key: str, token: str | None, partition: str = "aws") -> Principal | None:
    """Return the holder of an access key, or `None`: unknown key, ended session, or wrong token."""
    if access_key.startswith(OWN_KEYS):
        return Principal(arn=f"arn:{partition}:iam::{account}:root", root=True)
    iam = iam_backends[account][partition]
    session = sts_backends[account][partition].get_assumed_role_from_access_key(access_key)
    if session is not None:
        return _in_role(iam, session) if token == session.session_token and _is_on(session) else None
    for user in iam.users.values():
        if any(key.access_key_id == access_key and key.status == "Active" for key in user.access_keys):
            return _user(iam, user)
    return None


def _is_on(session: AssumedRole) -> bool:
    return bool(session.expiration > utcnow())


def _user(iam: IAMBackend, user: Any) -> Principal:
    documents = [document(text) for text in user.policies.values()]
    documents += [_of(policy) for policy in user.managed_policies.values()]
    for group in iam.get_groups_for_user(user.name):
        documents += [document(text) for text in group.policies.values()]
        documents += [_of(policy) for policy in group.managed_policies.values()]
    return Principal(
        arn=user.arn,
        identity=tuple(documents),
        boundary=_boundary(iam, getattr(user, "permissions_boundary_arn", None)),
        context={"aws:username": (user.name,), "aws:userid": (user.id,)},
        user=user.name,
    )


def _in_role(iam: IAMBackend, session: AssumedRole) -> Principal | None:
    try:
        role = iam.get_role_by_arn(session.role_arn)
    except NotFoundException:
        return None
    documents = [document(text) for text in role.policies.values()]
    documents += [_of(policy) for policy in role.managed_policies.values()]
    return Principal(
        arn=session.arn,
        identity=tuple(documents),
        boundary=_boundary(iam, role.permissions_boundary_arn),
        context={"aws:userid": (session.user_id,)},
    )


def _boundary(iam: IAMBackend, arn: str | None) -> tuple[Document, ...] | None:
    """The permissions boundary. A boundary whose policy is deleted allows nothing."""
    if not arn:
        return None
    found = iam.managed_policies.get(arn)
    return () if found is None else (_of(found),)


def _of(policy: Policy | AWSManagedPolicy) -> Document:
    return document(next(version.document for version in policy.versions if version.is_default))
