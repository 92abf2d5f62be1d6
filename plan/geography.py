"""The regions and locations in the European Union, by the names that the clouds give them.

`plan.yaml` may narrow this list and can never widen it: a place that is not here cannot be allowed by editing the plan.
European is not EU: `EUROPEAN_BUT_NOT_EU` lists the places that are left out, with the reason.

Sources: AWS, "Regions and Availability Zones" (aws.amazon.com/about-aws/global-infrastructure/regions_az) and "AWS
European Sovereign Cloud" (aws.eu); Hetzner, "Locations" (docs.hetzner.com/cloud/general/locations). The names were
compared with the regions that the AWS SDK knows and with the network zones that Hetzner's own clients know.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

AwsEuRegion = Literal[
    "eu-central-1",  # Frankfurt, Germany
    "eu-north-1",  # Stockholm, Sweden
    "eu-south-1",  # Milan, Italy
    "eu-south-2",  # Aragon, Spain
    "eu-west-1",  # Dublin, Ireland
    "eu-west-3",  # Paris, France
    "eusc-de-east-1",  # Brandenburg, Germany: the European Sovereign Cloud, a separate partition
]
"""A region of AWS whose data centres are in a member state of the EU."""

HetznerEuLocation = Literal[
    "fsn1",  # Falkenstein, Germany
    "hel1",  # Helsinki, Finland
    "nbg1",  # Nuremberg, Germany
]
"""A location of Hetzner Cloud in a member state of the EU."""

HetznerEuNetworkZone = Literal["eu-central"]
"""A network zone of Hetzner Cloud whose locations are all in the EU."""

AWS_EU_REGIONS: Final[frozenset[str]] = frozenset(get_args(AwsEuRegion))
HETZNER_EU_LOCATIONS: Final[frozenset[str]] = frozenset(get_args(HetznerEuLocation))
HETZNER_EU_NETWORK_ZONES: Final[frozenset[str]] = frozenset(get_args(HetznerEuNetworkZone))

AWS_EU_PARTITIONS: Final[frozenset[str]] = frozenset({"aws", "aws-eusc"})
"""The partitions of AWS (an ARN's second field) that have regions in the EU: not China's, not the US government's."""

EUROPEAN_BUT_NOT_EU: Final[dict[str, str]] = {
    "eu-west-2": "London, in the United Kingdom",
    "eu-central-2": "Zurich, in Switzerland",
}
"""The regions of AWS outside the EU whose name begins with `eu-`, with their city and country."""


def aws_partition(region: str) -> str:
    """Return the partition of a region. Regions of the European Sovereign Cloud begin with `eusc-`."""
    return "aws-eusc" if region.startswith("eusc-") else "aws"
