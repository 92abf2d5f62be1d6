"""Policies on secrets: their recovery window, key and replicas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.aws_keys import key_of_ours, region_of_arn
from policy_pack.rules.checks import WRITE_IT_OUT, at, at_least, listed, unless_left_out
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import recovery
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.resource_types import SECRET
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan


def _recoverable(resource: Resource, plan: Plan) -> Iterator[Finding]:
    remedy = "Give it a customer managed key: another account cannot use an AWS managed key to recover."
    yield from key_of_ours(resource, "kmsKeyId", remedy)
    window = plan.retention.key_deletion_window_days
    # Left out it is 30 days, the longest there is.
    if resource.props.get("recoveryWindowInDays") is not None or window > 30:
        remedy = "Leave time to notice a wrong deletion. With 0 the secret is deleted at once."
        yield from at_least(resource, "recoveryWindowInDays", window, "days", remedy)
    remedy = "Leave it out: it overwrites a secret of the same name, which may be the last copy of a lost one."
    yield from unless_left_out(resource, "forceOverwriteReplicaSecret", False, remedy)


def _replicated(resource: Resource, plan: Plan) -> Iterator[Finding]:
    _, own = effective_region(resource)
    # In the recovery region it is the copy. The region that it could be copied to may be lost.
    if own == plan.residency.aws.recovery_region and resource.props.get("replicas") in (None, []):
        return
    elsewhere = [region for region in plan.residency.aws.allowed_regions if region != own]
    allowed = f"a replica in {' or '.join(elsewhere)}"
    replicas = resource.props.get("replicas")
    if not listed(replicas):
        remedy = WRITE_IT_OUT if replicas is UNKNOWN else "Add one: without it the secret is lost with its region."
        yield Finding("replicas", replicas, allowed, remedy)
    for index, replica in enumerate(listed(replicas)):
        region, key = at(replica, "region"), at(replica, "kmsKeyId")
        if region not in elsewhere:
            remedy = WRITE_IT_OUT if region is UNKNOWN else "Copy it to another region that the plan allows."
            yield Finding(f"replicas[{index}].region", region, " or ".join(elsewhere), remedy)
        if not present(key):
            remedy = "Give it a customer managed key in that region."
            yield Finding(f"replicas[{index}].kmsKeyId", key, "the ARN of a KMS key", remedy)
        elif (of := region_of_arn(key)) is not None and isinstance(region, str) and of != region:
            remedy = (
                "Use a key in the replica's region. Otherwise the loss of the key's region makes the copy unreadable."
            )
            yield Finding(f"replicas[{index}].kmsKeyId", key, f"a key in {region}", remedy)


RECOVERABLE: Final = Policy(
    id="secret-recoverable",
    title="A deleted secret can be restored, and is encrypted with a customer managed key.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Set `kms_key_id`, and leave `recovery_window_in_days` out or at the plan's days.",
    concerns=of_type(SECRET),
    rule=_recoverable,
    asks_again=frozenset({"kmsKeyId"}),
    thresholds=(Threshold("days", "retention.key_deletion_window_days", "at least"),),
    fixes={
        "recoveryWindowInDays": lambda plan: plan.retention.key_deletion_window_days,
        "forceOverwriteReplicaSecret": lambda _plan: False,
    },
)

REPLICATED: Final = Policy(
    id="secret-replicated",
    title="A secret has a replica in another region of the EU, with a key in that region.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Add the plan's recovery region to its `replicas`, with a customer managed key in that region.",
    concerns=of_type(SECRET),
    rule=_replicated,
    asks_again=frozenset({"replicas"}),
)
