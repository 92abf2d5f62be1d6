"""Every resource of AWS is in a region that the plan allows.

A region is in one of two places: on the resource, since version 7 of the provider, or else on its provider. A check of
only one of them passes everything that is decided by the other, so both are read here, and neither is a violation too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT
from policy_pack.rules.policy import Finding, Policy, Resource, of_package
from policy_pack.rules.promises import residency
from policy_pack.rules.residency.aws_types import is_global, is_known, is_worldwide
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan


def effective_region(resource: Resource) -> tuple[str, object]:
    """The region that a resource will be in, and where that is decided.

    Returns:
        The property that has it, and its value: None if there is none, `UNKNOWN` if it is not known yet.
    """
    own = resource.props.get("region")
    if own is not None or resource.is_provider or resource.provider is None:
        return "region", own
    return f"region of its provider {resource.provider.name!r}", resource.provider.props.get("region")


def allowed_regions(plan: Plan) -> str:
    """The regions that the plan allows, for a message."""
    return f"one of {', '.join(plan.residency.aws.allowed_regions)}"


def _region_in_eu(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if not is_known(resource.type):
        remedy = "Find out where AWS keeps it, and add it to a table of `policy_pack/rules/residency/aws_types.py`."
        yield Finding("type", resource.type, "a type whose place this policy knows", remedy)
        return
    if is_worldwide(resource.type):
        remedy = "Remove it: no setting keeps its data inside the EU."
        yield Finding("type", resource.type, "a type that AWS keeps in a region", remedy)
        return
    if is_global(resource.type):
        return
    where, region = effective_region(resource)
    if region in plan.residency.aws.allowed_regions:
        return
    if region is None:
        remedy = (
            "Set `region` on its provider, or `aws:region` in the stack's configuration for the default provider. A"
            " region from AWS_REGION alone is not part of the program: it can differ between machines."
        )
    elif region is UNKNOWN:
        remedy = WRITE_IT_OUT
    else:
        remedy = "Deploy it in an allowed region. European is not EU: London and Zurich are outside."
    yield Finding(where, region, allowed_regions(plan), remedy)


REGIONS: Final = Threshold("regions", "residency.aws.allowed_regions", "among")
"""Fewer regions than the plan allows."""

REGION_IN_EU: Final = Policy(
    id="aws-region-in-eu",
    title="Every AWS resource is in a region that the continuity plan allows.",
    severity="critical",
    control="A.5.29",
    promise=residency,
    remedy="Give the resource, or its provider, one of the plan's regions, written out.",
    concerns=of_package("aws"),
    rule=_region_in_eu,
    thresholds=(REGIONS,),
)
