"""Every resource of Hetzner Cloud that is in a place is in one that the plan allows, by name.

A place that is left out is not a place: Hetzner would choose one, or take that of something which may not be ours. So
it is required, even where the API would let it be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

from policy_pack.rules.checks import WRITE_IT_OUT
from policy_pack.rules.policy import Finding, Policy, Resource, of_package
from policy_pack.rules.promises import hetzner_residency
from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan

Kind = Literal["location", "network zone", "retired"]

PLACES: Final[Mapping[str, Mapping[str, Kind]]] = {
    "hcloud:index/server:Server": {"location": "location", "datacenter": "retired"},
    "hcloud:index/primaryIp:PrimaryIp": {"location": "location", "datacenter": "retired"},
    # Without a location, a volume or an address goes to that of the server whose number it is given.
    "hcloud:index/volume:Volume": {"location": "location"},
    "hcloud:index/floatingIp:FloatingIp": {"homeLocation": "location"},
    "hcloud:index/loadBalancer:LoadBalancer": {"location": "location", "networkZone": "network zone"},
    "hcloud:index/networkSubnet:NetworkSubnet": {"networkZone": "network zone"},
    "hcloud:index/storageBox:StorageBox": {"location": "location"},
}
"""Types that are in a place, and the properties that say which. At least one of a type's properties must be there, and
each that is there must be allowed. Data centres are retired: the API has known only locations since 1 July 2026
(docs.hetzner.cloud/changelog#2026-07-01-removing-datacenters)."""

PLACELESS: Final[frozenset[str]] = frozenset(
    {
        "pulumi:providers:hcloud",
        # Of the whole project. A network is in no zone; its subnets are.
        "hcloud:index/certificate:Certificate",
        "hcloud:index/firewall:Firewall",
        "hcloud:index/managedCertificate:ManagedCertificate",
        "hcloud:index/network:Network",
        "hcloud:index/placementGroup:PlacementGroup",
        "hcloud:index/sshKey:SshKey",
        "hcloud:index/uploadedCertificate:UploadedCertificate",
        # Names, which anyone may query.
        "hcloud:index/rdns:Rdns",
        "hcloud:index/zone:Zone",
        "hcloud:index/zoneRecord:ZoneRecord",
        "hcloud:index/zoneRrset:ZoneRrset",
        # Parts of, or ties between, resources that are judged themselves.
        "hcloud:index/firewallAttachment:FirewallAttachment",
        "hcloud:index/floatingIpAssignment:FloatingIpAssignment",
        "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork",
        "hcloud:index/loadBalancerService:LoadBalancerService",
        "hcloud:index/loadBalancerTarget:LoadBalancerTarget",
        "hcloud:index/networkRoute:NetworkRoute",
        "hcloud:index/serverNetwork:ServerNetwork",
        "hcloud:index/snapshot:Snapshot",
        "hcloud:index/storageBoxSnapshot:StorageBoxSnapshot",
        "hcloud:index/storageBoxSubaccount:StorageBoxSubaccount",
        "hcloud:index/volumeAttachment:VolumeAttachment",
    }
)
"""Types that are in no place, or in that of a resource which is judged itself."""


def _location_in_eu(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if resource.type in PLACELESS:
        return
    properties = PLACES.get(resource.type)
    if properties is None:
        remedy = "Find out where Hetzner keeps it, and add it to a table of this rule (`hetzner_location.py`)."
        yield Finding("type", resource.type, "a type whose place this policy knows", remedy)
        return
    hetzner = plan.residency.hetzner
    allowed: Mapping[Kind, tuple[str, ...]] = {
        "location": hetzner.allowed_locations,
        "network zone": (hetzner.network_zone,),
        "retired": (),
    }
    for name, kind in properties.items():
        value = resource.props.get(name)
        if value is None or value in allowed[kind]:
            continue
        if kind == "retired":
            yield Finding(name, value, "nothing", "Remove it, and set `location`.")
        else:
            yield Finding(
                name, value, _one_of(allowed[kind]), WRITE_IT_OUT if value is UNKNOWN else "Choose an allowed place."
            )
    places = {name: kind for name, kind in properties.items() if kind != "retired"}
    if all(resource.props.get(name) is None for name in places):
        name, kind = next(iter(places.items()))
        remedy = "Set it, so that the program determines the place and Hetzner does not choose it."
        yield Finding(" or ".join(places), None, f"for {name} {_one_of(allowed[kind])}", remedy)


def _one_of(names: tuple[str, ...]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 1 else names[0]


LOCATION_IN_EU: Final = Policy(
    id="hetzner-location-in-eu",
    title="Every Hetzner resource is in a location that the continuity plan allows.",
    severity="critical",
    control="A.5.29",
    promise=hetzner_residency,
    remedy="Give the resource one of the plan's locations, or the plan's network zone, written out.",
    concerns=of_package("hcloud"),
    rule=_location_in_eu,
    thresholds=(Threshold("locations", "residency.hetzner.allowed_locations", "among"),),
)
