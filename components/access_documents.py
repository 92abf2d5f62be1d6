"""IAM's policy documents as plain data: how they are written, how large they may be, and where things are named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Statement = dict[str, Any]

MANAGED_POLICY_LIMIT: Final = 6144
"""Characters of a managed policy, without white space (IAM User Guide, "IAM and AWS STS quotas")."""

TRUST_POLICY_LIMIT: Final = 2048
"""Characters of a role's trust policy (the same table)."""

INLINE_POLICY_LIMIT: Final = 10240
"""Characters of all policies in a role itself, without white space (the same table)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where ARNs lead: one account, and the regions that the plan allows."""

    partition: str
    account: str
    regions: tuple[str, ...]

    @classmethod
    def of(cls, arn: str, regions: Sequence[str]) -> Place:
        """The account that an ARN is in, with these regions."""
        _, partition, _, _, account, _ = arn.split(":", 5)
        return cls(partition=partition, account=account, regions=tuple(regions))

    def iam(self, *names: str) -> list[str]:
        """ARNs of IAM's things, such as `role/NAME`. They are in no region."""
        return [f"arn:{self.partition}:iam::{self.account}:{name}" for name in names]

    def buckets(self, *names: str) -> list[str]:
        return [f"arn:{self.partition}:s3:::{name}" for name in names]

    def arns(self, service: str, *names: str) -> list[str]:
        """ARNs of a service's things, in every allowed region: a pattern for the region would reach the others too."""
        return [
            f"arn:{self.partition}:{service}:{region}:{self.account}:{name}"
            for name in names
            for region in self.regions
        ]

    @property
    def here(self) -> dict[str, Any]:
        """The condition that a call is made to one of the allowed regions.

        IAM's own calls count as made to us-east-1, wherever they come from, so this is for the other services.
        """
        return {"StringEquals": {"aws:RequestedRegion": list(self.regions)}}


def allow(sid: str, actions: Sequence[str], resources: Sequence[str], *conditions: dict[str, Any]) -> Statement:
    return _statement("Allow", sid, actions, resources, conditions)


def deny(sid: str, actions: Sequence[str], resources: Sequence[str], *conditions: dict[str, Any]) -> Statement:
    return _statement("Deny", sid, actions, resources, conditions)


def _statement(
    effect: str, sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Sequence[dict[str, Any]]
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": effect, "Action": list(actions), "Resource": list(resources)}
    merged: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            merged.setdefault(operator, {}).update(keys)
    return statement | ({"Condition": merged} if merged else {})


def document(statements: Sequence[Statement], limit: int) -> str:
    """The policy that these make.

    Raises:
        ValueError: it is larger than IAM takes.
    """
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))
    length = len("".join(text.split()))
    if length > limit:
        raise ValueError(f"the policy with {statements[0]['Sid']} has {length} characters; IAM takes {limit}")
    return text
