"""IAM's policy documents and ARNs as plain data: how they are written, and how large they may be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plan.geography import aws_partition

Statement = dict[str, Any]
Condition = Mapping[str, Mapping[str, Any]]
"""By operator and key, what a value must be: `{"StringEquals": {"aws:SourceAccount": "123456789012"}}`."""

_VERSION: Final = "2012-10-17"
"""The current version of IAM's policy language (IAM User Guide, "IAM JSON policy elements: Version")."""

MANAGED_POLICY_LIMIT: Final = 6144
"""Characters of a managed policy, without white space (IAM User Guide, "IAM and AWS STS quotas")."""

TRUST_POLICY_LIMIT: Final = 2048
"""Characters of a role's trust policy (the same table)."""

INLINE_POLICY_LIMIT: Final = 10240
"""Characters of all policies in a role itself, without white space (the same table)."""


@dataclass(frozen=True, kw_only=True)
class Arn:
    """An ARN by its fields. `str` writes it."""

    partition: str
    """`aws`, or `aws-eusc` for the European Sovereign Cloud."""

    service: str
    region: str = ""
    """Empty where the service has no regions, and for a bucket."""

    account: str = ""
    """The account's number. Empty for a bucket, and `aws` for what AWS itself owns."""

    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """The fields of an ARN.

        Raises:
            ValueError: the text is not an ARN.
        """
        fields = text.split(":", 5)
        if len(fields) != 6 or fields[0] != "arn":
            raise ValueError(f"{text!r} is not an ARN")
        _, partition, service, region, account, resource = fields
        return cls(partition=partition, service=service, region=region, account=account, resource=resource)

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where ARNs lead: one account, and the regions that the plan allows."""

    partition: str
    account: str
    regions: tuple[str, ...]

    @classmethod
    def of(cls, arn: str, regions: Sequence[str]) -> Place:
        """The account that an ARN is in, with these regions."""
        found = Arn.parse(arn)
        return cls(partition=found.partition, account=found.account, regions=tuple(regions))

    @classmethod
    def at(cls, region: str, account: str) -> Place:
        """An account, in the partition of this one region."""
        return cls(partition=aws_partition(region), account=account, regions=(region,))

    def iam(self, *names: str) -> list[str]:
        """ARNs of IAM's things, such as `role/NAME`. They are in no region."""
        return [self._arn("iam", "", name) for name in names]

    def buckets(self, *names: str) -> list[str]:
        return [str(Arn(partition=self.partition, service="s3", resource=name)) for name in names]

    def arns(self, service: str, *names: str) -> list[str]:
        """ARNs of a service's things, in every allowed region: a pattern for the region would reach the others too."""
        return [self._arn(service, region, name) for name in names for region in self.regions]

    def arn(self, service: str, name: str) -> str:
        """The ARN of one thing, in the one region.

        Raises:
            ValueError: the place has several regions.
        """
        (arn,) = self.arns(service, name)
        return arn

    @property
    def root(self) -> str:
        """The account itself as a principal: whoever IAM lets, in this account."""
        return self._arn("iam", "", "root")

    @property
    def here(self) -> dict[str, Any]:
        """The condition that a call is made to one of the allowed regions.

        IAM's own calls count as made to us-east-1, wherever they come from, so this is for the other services.
        """
        return {"StringEquals": {"aws:RequestedRegion": list(self.regions)}}

    def _arn(self, service: str, region: str, resource: str) -> str:
        return str(
            Arn(partition=self.partition, service=service, region=region, account=self.account, resource=resource)
        )


def managed_policy(partition: str, name: str) -> str:
    """The ARN of one of AWS's own policies, such as `AdministratorAccess`."""
    return str(Arn(partition=partition, service="iam", account="aws", resource=f"policy/{name}"))


# The names of services, `s3.amazonaws.com` as a principal and `s3.REGION.amazonaws.com` in `kms:ViaService`, end alike
# in every partition (AWS KMS Developer Guide, "kms:ViaService"). So a statement takes nothing but ARNs from the place.


def allow(
    sid: str | None,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    *conditions: Condition,
    principal: Any = None,
) -> Statement:
    """A statement that allows.

    Args:
        sid: its id; None for a statement without one.
        actions: one as text, or several.
        resources: one as text, or several.
        conditions: all of them have to hold.
        principal: who it is about, in a policy of a resource.
    """
    return _statement("Allow", sid, principal, actions, resources, conditions)


def deny(
    sid: str | None,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    *conditions: Condition,
    principal: Any = None,
) -> Statement:
    """A statement that denies, with the arguments of `allow`."""
    return _statement("Deny", sid, principal, actions, resources, conditions)


def trust(
    principal: Mapping[str, str | Sequence[str]],
    *conditions: Condition,
    sid: str | None = None,
    action: str = "sts:AssumeRole",
) -> str:
    """The document by which a role lets itself be taken.

    Raises:
        ValueError: it is larger than IAM takes.
    """
    return document([_statement("Allow", sid, dict(principal), action, None, conditions)], TRUST_POLICY_LIMIT)


def document(statements: Sequence[Statement], limit: int | None = None) -> str:
    """The policy that these make.

    Args:
        statements: at least one.
        limit: the most characters without white space; None for a resource's policy, whose service has other limits.

    Raises:
        ValueError: it is larger than IAM takes.
    """
    text = json.dumps({"Version": _VERSION, "Statement": list(statements)}, separators=(",", ":"))
    length = len("".join(text.split()))
    if limit is not None and length > limit:
        raise ValueError(
            f"the policy with {statements[0].get('Sid', 'no id')} has {length} characters; IAM takes {limit}"
        )
    return text


def _statement(
    effect: str,
    sid: str | None,
    principal: Any,
    actions: str | Sequence[str],
    resources: str | Sequence[str] | None,
    conditions: Sequence[Condition],
) -> Statement:
    merged: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            merged.setdefault(operator, {}).update(keys)
    fields = {
        "Sid": sid,
        "Effect": effect,
        "Principal": principal,
        "Action": _as_written(actions),
        "Resource": None if resources is None else _as_written(resources),
        "Condition": merged or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _as_written(values: str | Sequence[str]) -> str | list[str]:
    return values if isinstance(values, str) else list(values)
