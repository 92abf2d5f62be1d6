"""Policies on customer managed KMS keys, and checks of the properties that name one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, at, at_least, given, is_number, literally, unless_left_out
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.residency.arns import arns
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import KMS_EXTERNAL_KEYS, KMS_KEY, KMS_REPLICA_KEY
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan


def region_of_arn(value: object) -> str | None:
    """The region of an ARN, or None for anything that is not one and for an ARN without a region."""
    if not isinstance(value, str) or not value.startswith("arn:"):
        return None
    return next((arn.region or None for arn in arns(value)), None)


def key_of_ours(resource: Resource, name: str, remedy: str) -> Iterator[Finding]:
    """The property has a customer managed key, in the resource's region if both are known."""
    yield from given(resource, name, "the ARN of a KMS key", remedy)
    yield from own_key_in_region(resource, name)


def own_key_in_region(resource: Resource, name: str) -> Iterator[Finding]:
    """The same for a property that may be left out."""
    value = at(resource.props, name)
    if isinstance(value, str) and "alias/aws/" in value:
        yield Finding(name, value, "a customer managed key", "Use one: access to an AWS managed key cannot be granted.")
    region, (_, own) = region_of_arn(value), effective_region(resource)
    if region is not None and isinstance(own, str) and region != own:
        remedy = "Use a key in the resource's region. Otherwise the loss of either region makes the data unreadable."
        yield Finding(name, value, f"a key in {own}", remedy)


_ROTATION_DAYS: Final = 365
"""The longest time between two rotations. Left out it is this one, in KMS as in the provider."""


def _rotated(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type in KMS_EXTERNAL_KEYS:
        remedy = "Use `aws.kms.Key`: KMS cannot rotate material that is imported."
        yield Finding("type", resource.type, "a key whose material KMS creates", remedy)
        return
    remedy = (
        "Use a symmetric key, which is the default: KMS rotates no other type, and RDS and S3 accept no other type."
    )
    spec = resource.props.get("customerMasterKeySpec")
    if present(spec) and spec != "SYMMETRIC_DEFAULT":
        yield Finding("customerMasterKeySpec", spec, "SYMMETRIC_DEFAULT", WRITE_IT_OUT if spec is UNKNOWN else remedy)
    remedy = "Set it to true. Left out it is false, and the key material never changes."
    yield from literally(resource, "enableKeyRotation", True, remedy)
    days = resource.props.get("rotationPeriodInDays")
    if days is not None and not (is_number(days) and days <= _ROTATION_DAYS):
        remedy = WRITE_IT_OUT if days is UNKNOWN else "Leave it out: KMS then rotates the key every year."
        yield Finding("rotationPeriodInDays", days, f"{_ROTATION_DAYS} days or fewer, or left out", remedy)


def _kept(resource: Resource, plan: Plan) -> Iterator[Finding]:
    window = plan.retention.key_deletion_window_days
    # Left out it is 30 days, the longest there is, in this provider as in KMS.
    if resource.props.get("deletionWindowInDays") is not None or window > 30:
        remedy = "Leave time to notice a wrong deletion: without the key, the data cannot be decrypted."
        yield from at_least(resource, "deletionWindowInDays", window, "days", remedy)
    remedy = "Leave the key enabled: replications that use a disabled key stop silently and do not resume."
    name = "enabled" if resource.type == KMS_REPLICA_KEY else "isEnabled"
    yield from unless_left_out(resource, name, True, remedy)


ROTATED: Final = Policy(
    id="key-rotated",
    title="KMS rotates the key every year.",
    severity="medium",
    control="A.5.29",
    promise=recovery,
    remedy="Set `enable_key_rotation` to true.",
    concerns=of_type(KMS_KEY, *KMS_EXTERNAL_KEYS),
    rule=_rotated,
    fixes={"enableKeyRotation": lambda _plan: True},
)

KEPT: Final = Policy(
    id="key-deletion-window",
    title="A deleted key can be restored for as long as the plan promises, and a key is never disabled.",
    severity="critical",
    control="A.8.13",
    promise=recovery,
    remedy="Set `deletion_window_in_days` to the plan's `retention.key_deletion_window_days`, or leave it out.",
    concerns=of_type(KMS_KEY, KMS_REPLICA_KEY),
    rule=_kept,
    fixes={"deletionWindowInDays": lambda plan: plan.retention.key_deletion_window_days},
    thresholds=(Threshold("days", "retention.key_deletion_window_days", "at least"),),
)
