"""Finds the places of AWS that a text speaks of: in ARNs, in host names, in the names of zones and regions.

The forms are those of the AWS General Reference ("Amazon Resource Names", "AWS service endpoints") and of the EC2 User
Guide ("Regions and Zones"). Everything here takes time in proportion to the text's length, for user data can be long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FIELD: Final = r"[^:\s\"'\\,]*"
_ARN: Final = re.compile(rf"\barn:({_FIELD}):({_FIELD}):({_FIELD})")

_REGION: Final = r"[a-z]{2,4}(?:-(?:gov|iso[a-z]?|de))?-(?:central|(?:north|south)(?:east|west)?|east|west)-[0-9]{1,2}"
_REGION_IN_HOST: Final = re.compile(rf"(?<![a-z0-9]){_REGION}(?![a-z0-9])")
_REGION_ALONE: Final = re.compile(_REGION)
_ZONE: Final = re.compile(rf"({_REGION})([a-z]|-[a-z]{{3}}-[0-9][a-z]|-wl[0-9]-[a-z0-9]+-wlz-[0-9])")
_ZONE_ID: Final = re.compile(r"[a-z]{2,4}[a-z]{1,3}[0-9]-[a-z0-9-]*az[0-9]{1,2}")
_HOST: Final = re.compile(r"[A-Za-z0-9.*-]+")
_LONGEST: Final = 40  # characters; no region's or zone's name comes near, and longer texts need not be looked at


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN, up to the field that names its region."""

    partition: str
    service: str
    region: str
    """Empty for a service that has no regions. It may be a pattern, such as `*`."""

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:"


def arns(text: str) -> Iterator[Arn]:
    """Every ARN in a text, be it JSON or prose."""
    for match in _ARN.finditer(text):
        yield Arn(*match.groups())


def regions_of_hosts(text: str) -> Iterator[str]:
    """The regions in a text's host names of AWS (`sqs.eu-west-1.amazonaws.com`) and VPC endpoint services.

    Buckets and databases have names of our choosing in front. Hence a region is recognised by the points of the compass
    that every one of them has in its name, and not by its mere form.
    """
    if "amazonaws" in text or ".aws" in text:
        for host in _HOST.findall(text):
            if "amazonaws" in host or host.endswith(".aws"):
                yield from _REGION_IN_HOST.findall(host)


def is_region(text: str) -> bool:
    """Whether a text is the name of a region and nothing else."""
    return len(text) <= _LONGEST and _REGION_ALONE.fullmatch(text) is not None


def zone(text: str) -> tuple[str, str] | None:
    """The region and the rest, if a text is the name of a zone: (`eu-west-1`, `a`), (`us-east-1`, `-bos-1a`)."""
    match = _ZONE.fullmatch(text) if len(text) <= _LONGEST else None
    return (match[1], match[2]) if match else None


def is_zone_id(text: str) -> bool:
    """Whether a text is the id of a zone and nothing else: `euc1-az2`."""
    return len(text) <= _LONGEST and _ZONE_ID.fullmatch(text) is not None


def zone_id_prefix(region: str) -> str:
    """How the ids of a region's zones begin: `euc1-` for `eu-central-1`.

    That is the form of the regions whose names have three words. Others (`eusc-de-east-1`) get a prefix that no id has.
    """
    words = region.split("-")
    return f"{words[0]}{words[1][0]}{words[2]}-" if len(words) == 3 else f"{region}-"
