"""Load balancers. Their networks and services are in `parts.py`, their targets in `targets.py`."""

from __future__ import annotations

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import NAME, PROTECTION, change_name_and_labels, find_in, protect
from localcloud.plugins.hcloud.values import exactly_one, to_api
from localcloud.plugins.table import Property, Props, ResourceType


def _create(cloud: Cloud, inputs: Props) -> str:
    exactly_one("a load balancer", inputs, "location", "networkZone")
    public = {"ipv4": inputs.get("ipv4Id"), "ipv6": inputs.get("ipv6Id")}
    named = {version: identity for version, identity in public.items() if identity is not None}
    return cloud.create(
        "load_balancers",
        {
            "name": inputs["name"],
            "load_balancer_type": inputs["loadBalancerType"],
            "algorithm": _algorithm(inputs),
            "location": inputs.get("location"),
            "network_zone": inputs.get("networkZone"),
            "labels": inputs.get("labels"),
            "public_net": named or None,
        },
    )


def _algorithm(inputs: Props) -> Props | None:
    return to_api("algorithm", inputs.get("algorithm") or {}, {"type": None}) or None


def _settle(cloud: Cloud, id: str, inputs: Props) -> None:
    cloud.wait_for_actions("load_balancers", id)
    protect(cloud, "load_balancers", id, inputs)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("load_balancers", id)
    public = found["public_net"]
    joined = found["private_net"][0] if found["private_net"] else {"network": None, "ip": None}
    return {
        "name": found["name"],
        "loadBalancerType": found["load_balancer_type"]["name"],
        "algorithm": {"type": found["algorithm"]["type"]},
        "location": found["location"]["name"],
        "networkZone": found["location"]["network_zone"],
        "labels": found["labels"],
        "deleteProtection": found["protection"]["delete"],
        "ipv4": public["ipv4"]["ip"],
        "ipv4Id": public["ipv4"].get("id"),
        "ipv6": public["ipv6"]["ip"],
        "ipv6Id": public["ipv6"].get("id"),
        "networkId": joined["network"],
        "networkIp": joined["ip"],
        "targets": [_target(entry) for entry in found["targets"]],
    }


def _target(entry: Props) -> Props:
    server = {"serverId": entry["server"]["id"]} if entry["type"] == "server" else {}
    return {"type": entry["type"], **server}


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "load_balancers", id, new, changed)
    if "loadBalancerType" in changed:
        cloud.act("load_balancers", id, "change_type", load_balancer_type=new["loadBalancerType"])
    if "algorithm" in changed and (algorithm := _algorithm(new)):
        cloud.act("load_balancers", id, "change_algorithm", **algorithm)
    protect(cloud, "load_balancers", id, new)


LOAD_BALANCER = ResourceType(
    token="hcloud:index/loadBalancer:LoadBalancer",  # noqa: S106 - the name of a type
    # `targets` is deprecated, cannot use private addresses, and has no mapping. LoadBalancerTarget replaces it.
    properties={
        "name": NAME,
        "loadBalancerType": Property(required=True),
        "algorithm": Property(),
        "location": Property(replaces=True),
        "networkZone": Property(replaces=True),
        "labels": Property(),
        "ipv4Id": Property(replaces=True),
        "ipv6Id": Property(replaces=True),
        "deleteProtection": PROTECTION,
    },
    computed=(
        "algorithm",
        "ipv4",
        "ipv4Id",
        "ipv6",
        "ipv6Id",
        "labels",
        "location",
        "networkId",
        "networkIp",
        "networkZone",
        "targets",
    ),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=lambda cloud, id, state: cloud.delete("load_balancers", id),
    find=find_in("load_balancers"),
    delete_before_replace=True,
)
