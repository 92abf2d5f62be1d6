"""No argument of a resource leads to a place of AWS that the plan does not allow.

A resource in Frankfurt can still copy to Virginia: by the ARN of a bucket, a vault or a key, by a zone, by the address
of an endpoint, by a list of regions. So every text in its properties is read, JSON documents and the keys of mappings
included. A host at Hetzner can do so too, by what is in its user data, and GitHub by what is in a variable: there, ARNs
and hosts are looked for, since a name alone (`us-east`) may be one of Hetzner's.

A value that is not known yet is not refused here. ARNs of new resources are never known in a preview, and Pulumi asks
again with their values before it deploys the resource that uses them. A value that names no region cannot be judged
here either: the ARN of a bucket, for example, which is judged where the bucket is declared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.policy import Finding, Policy, Resource, of_package
from policy_pack.rules.promises import residency
from policy_pack.rules.residency.arns import arns, is_region, is_zone_id, regions_of_hosts, zone, zone_id_prefix
from policy_pack.rules.residency.aws_region import REGIONS
from policy_pack.rules.values import Leaf, texts, written

if TYPE_CHECKING:
    from plan import Plan

_TAGS: Final = frozenset({"tags", "tagsAll", "defaultTags"})
"""Where a region's name is only a label, and leads nowhere."""

_ZONE_KEYS: Final = ("availabilityzone", "availabilityzones", "availabilityzonename")
"""How the names of properties end, in lowercase letters, that hold names of zones and nothing else."""


def _region_in_arguments(resource: Resource, plan: Plan) -> Iterator[Finding]:
    allowed = plan.residency.aws.allowed_regions
    of_aws = resource.package == "aws"
    for leaf in texts(resource.props):
        # The resource's own region is what `aws-region-in-eu` judges. Of the rest, most say nothing of any place.
        if leaf.path == ("region",):
            continue
        if "arn:" in leaf.text:
            yield from _arns(leaf, allowed)
        if "aws" in leaf.text:
            yield from _hosts(leaf, allowed)
        if of_aws and ("-" in leaf.text or _names_zones(leaf)):
            yield from _names(leaf, allowed)


def _arns(leaf: Leaf, allowed: tuple[str, ...]) -> Iterator[Finding]:
    from plan.geography import AWS_EU_PARTITIONS  # here, for the reason that `analyzer.py` gives

    # One finding for each, however often a document repeats it.
    for arn in dict.fromkeys(arns(leaf.text)):
        if arn.partition not in AWS_EU_PARTITIONS:
            partitions = f"an ARN of the partition {' or '.join(sorted(AWS_EU_PARTITIONS))}"
            yield Finding(written(leaf.path), str(arn), partitions, "Refer to something in the EU.")
        elif arn.region and arn.region not in allowed:
            remedy = "Refer to something in one of these regions. A pattern such as `*` reaches the others too."
            yield Finding(written(leaf.path), str(arn), f"an ARN in {_or(allowed)}, or one without a region", remedy)


def _hosts(leaf: Leaf, allowed: tuple[str, ...]) -> Iterator[Finding]:
    for region in dict.fromkeys(regions_of_hosts(leaf.text)):
        if region not in allowed:
            remedy = "Use the endpoint of one of these regions."
            yield Finding(f"a host's region in {written(leaf.path)}", region, _or(allowed), remedy)


def _names(leaf: Leaf, allowed: tuple[str, ...]) -> Iterator[Finding]:
    """Judges a text that is the name of a region or of a zone, and of nothing else."""
    if not _TAGS.isdisjoint(leaf.path):
        return
    found = zone(leaf.text)
    if found is not None or _names_zones(leaf):
        region, rest = found or ("", "")
        # A local zone (`eu-central-1-ham-1a`) is in another place than the region that its name begins with.
        if region not in allowed or len(rest) != 1:
            zones = f"a zone of {_or(allowed)}: the region and one letter"
            yield Finding(written(leaf.path), leaf.text, zones, "Choose a zone of an allowed region.")
    elif is_zone_id(leaf.text):
        prefixes = tuple(zone_id_prefix(region) for region in allowed)
        if not leaf.text.startswith(prefixes):
            ids = f"the id of a zone that begins with {_or(prefixes)}"
            yield Finding(written(leaf.path), leaf.text, ids, "Choose a zone of an allowed region.")
    elif is_region(leaf.text) and leaf.text not in allowed:
        yield Finding(written(leaf.path), leaf.text, _or(allowed), "Choose an allowed region.")


def _names_zones(leaf: Leaf) -> bool:
    """Whether a text is the value of a property, or in the list of one, that holds names of zones and nothing else."""
    if leaf.is_key:
        return False
    key = leaf.path[-2] if len(leaf.path) > 1 and isinstance(leaf.path[-1], int) else leaf.path[-1]
    return isinstance(key, str) and key.lower().endswith(_ZONE_KEYS)


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(names)


REGION_IN_ARGUMENTS: Final = Policy(
    id="aws-region-in-arguments",
    title="No argument of a resource leads to a region of AWS that the continuity plan does not allow.",
    severity="critical",
    control="A.5.29",
    promise=residency,
    remedy="Refer only to resources, zones and endpoints in the plan's regions.",
    concerns=of_package("aws", "hcloud", "github"),
    rule=_region_in_arguments,
    asks_again=None,
    thresholds=(REGIONS,),
)
