"""Questions about a resource that several policies on the stack have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy_pack.rules.policy import Finding, Resource
from policy_pack.rules.residency.aws_region import effective_region
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan

StackFindings = Iterator[tuple[Resource, Finding]]


def region_of(resource: Resource) -> object:
    """A resource's region in the engine's data about a whole stack.

    That data contains outputs. In a preview, a region that was left out is an output that is not known yet; then the
    provider's region counts. A region that was given and is not known has been refused before.
    """
    own = effective_region(resource)[1]
    return resource.provider.props.get("region") if own is UNKNOWN and resource.provider is not None else own


def is_the_copy(resource: Resource, plan: Plan) -> bool:
    """Whether a resource is in the region that holds the copies."""
    return region_of(resource) == plan.residency.aws.recovery_region
