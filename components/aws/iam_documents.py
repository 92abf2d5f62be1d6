"""IAM policy documents and ARNs as plain data, with the size limits of IAM."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plan.geography import aws_partition

Statement = dict[str, Any]
Condition = Mapping[str, Mapping[str, Any]]
"""The required values by operator and key: `{"StringEquals": {"aws:SourceAccount": "123456789012"}}`."""

_VERSION: Final = "2012-10-17"
"""The current version of IAM's policy language (IAM User Guide, "IAM JSON policy elements: Version")."""

MANAGED_POLICY_LIMIT: Final = 6144
"""Characters of a managed policy, without white space (IAM User Guide, "IAM and AWS STS quotas")."""

TRUST_POLICY_LIMIT: Final = 2048
"""Characters of a role's trust policy (the same table)."""

INLINE_POLICY_LIMIT: Final = 10240
"""Characters of all inline policies of a role, without white space (the same table)."""

ANY_RESOURCE: Final = ("*",)


@dataclass(frozen=True, kw_only=True)
class Arn:
    """The fields of an ARN. `str` returns its text."""

    partition: str
    """`aws`, or `aws-eusc` for the European Sovereign Cloud."""

    service: str
    region: str = ""
    """Empty where the service has no regions, and for a bucket."""

    account: str = ""
    """The account's number. Empty for a bucket, and `aws` for a resource that AWS owns."""

    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Parse the text of an ARN.

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
class AccountScope:
    """The account and the allowed regions that ARNs and conditions are limited to."""

    partition: str
    account: str
    regions: tuple[str, ...]

    @classmethod
    def of(cls, arn: str, regions: Sequence[str]) -> AccountScope:
        """Return the scope of the account that an ARN belongs to, with these regions."""
        found = Arn.parse(arn)
        return cls(partition=found.partition, account=found.account, regions=tuple(regions))

    @classmethod
    def at(cls, region: str, account: str) -> AccountScope:
        """Return the scope of an account and one region, in the partition of that region."""
        return cls(partition=aws_partition(region), account=account, regions=(region,))

    def iam(self, *names: str) -> list[str]:
        """Return ARNs of IAM resources, such as `role/NAME`. IAM is global: they contain no region."""
        return [self._arn("iam", "", name) for name in names]

    def buckets(self, *names: str) -> list[str]:
        """Return ARNs of buckets, or of objects as `BUCKET/KEY`."""
        return [str(Arn(partition=self.partition, service="s3", resource=name)) for name in names]

    def arns(self, service: str, *names: str) -> list[str]:
        """Return ARNs of resources in each allowed region. A wildcard would match the other regions too."""
        return [self._arn(service, region, name) for name in names for region in self.regions]

    def arn(self, service: str, name: str) -> str:
        """Return the ARN of one resource in the only region.

        Raises:
            ValueError: the scope has several regions.
        """
        (arn,) = self.arns(service, name)
        return arn

    @property
    def root(self) -> str:
        """The account as a principal: every identity in the account that IAM permits."""
        return self._arn("iam", "", "root")

    @property
    def in_allowed_regions(self) -> dict[str, Any]:
        """The condition that a call goes to one of the allowed regions.

        Calls to IAM count as calls to us-east-1, regardless of their origin, so this is for the other services.
        """
        return {"StringEquals": {"aws:RequestedRegion": list(self.regions)}}

    def _arn(self, service: str, region: str, resource: str) -> str:
        return str(
            Arn(partition=self.partition, service=service, region=region, account=self.account, resource=resource)
        )


def managed_policy(partition: str, name: str) -> str:
    """Return the ARN of a policy that AWS manages, such as `AdministratorAccess`."""
    return str(Arn(partition=partition, service="iam", account="aws", resource=f"policy/{name}"))


# The names of services, `s3.amazonaws.com` as a principal and `s3.REGION.amazonaws.com` in `kms:ViaService`, have the
# same suffix in every partition (AWS KMS Developer Guide, "kms:ViaService"). So only ARNs depend on the scope.


def allow(
    sid: str | None,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    *conditions: Condition,
    principal: Any = None,
) -> Statement:
    """Return a statement that allows actions.

    Args:
        sid: the id of the statement; None omits it.
        actions: one as text, or several.
        resources: one as text, or several.
        conditions: the statement applies if all of them hold.
        principal: the identity that a resource policy allows; None in a policy of an identity.
    """
    return _statement("Allow", sid, principal, actions, resources, conditions)


def deny(
    sid: str | None,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    *conditions: Condition,
    principal: Any = None,
) -> Statement:
    """Return a statement that denies actions. The arguments are those of `allow`."""
    return _statement("Deny", sid, principal, actions, resources, conditions)


def trust(
    principal: Mapping[str, str | Sequence[str]],
    *conditions: Condition,
    sid: str | None = None,
    action: str = "sts:AssumeRole",
) -> str:
    """Return the trust policy of a role.

    Raises:
        ValueError: the policy is larger than IAM accepts.
    """
    return document([_statement("Allow", sid, dict(principal), action, None, conditions)], TRUST_POLICY_LIMIT)


def document(statements: Sequence[Statement], limit: int | None = None) -> str:
    """Return the policy document of these statements.

    Args:
        statements: at least one.
        limit: the most characters without white space; None for a resource policy, whose service has other limits.

    Raises:
        ValueError: the document is larger than IAM accepts.
    """
    text = json.dumps({"Version": _VERSION, "Statement": list(statements)}, separators=(",", ":"))
    length = len("".join(text.split()))
    if limit is not None and length > limit:
        raise ValueError(
            f"the policy with {statements[0].get('Sid', 'no id')} has {length} characters; IAM accepts {limit}"
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
        "Action": _json_value(actions),
        "Resource": None if resources is None else _json_value(resources),
        "Condition": merged or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _json_value(values: str | Sequence[str]) -> str | list[str]:
    return values if isinstance(values, str) else list(values)
