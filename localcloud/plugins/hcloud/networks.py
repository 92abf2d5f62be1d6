"""Networks and their subnets."""

from __future__ import annotations

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, NAME, PROTECTION, change_name_and_labels, find_in, protect
from localcloud.plugins.hcloud.values import cidr, parse_subnet_id, same_cidr, subnet_id
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType


def _create(cloud: Cloud, inputs: Props) -> str:
    return cloud.create(
        "networks",
        {
            "name": inputs["name"],
            "ip_range": cidr(inputs["ipRange"]),
            "labels": inputs.get("labels"),
            "expose_routes_to_vswitch": inputs.get("exposeRoutesToVswitch"),
        },
    )


def _settle(cloud: Cloud, id: str, inputs: Props) -> None:
    protect(cloud, "networks", id, inputs)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("networks", id)
    return {
        "name": found["name"],
        "ipRange": found["ip_range"],
        "labels": found["labels"],
        "deleteProtection": found["protection"]["delete"],
        "exposeRoutesToVswitch": found["expose_routes_to_vswitch"],
    }


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "networks", id, new, changed)
    if "exposeRoutesToVswitch" in changed:
        cloud.change("networks", id, expose_routes_to_vswitch=bool(new.get("exposeRoutesToVswitch", False)))
    protect(cloud, "networks", id, new)


NETWORK = ResourceType(
    token="hcloud:index/network:Network",  # noqa: S106 - the name of a type
    properties={
        "name": NAME,
        "ipRange": Property(required=True, replaces=True, same=same_cidr),
        "labels": LABELS,
        "deleteProtection": PROTECTION,
        "exposeRoutesToVswitch": Property(default=False),
    },
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=lambda cloud, id, state: cloud.delete("networks", id),
    find=find_in("networks"),
    delete_before_replace=True,
)


# -- subnets ----------------------------------------------------------------------------------------------------------


def _create_subnet(cloud: Cloud, inputs: Props) -> str:
    ip_range = cidr(inputs["ipRange"])
    cloud.act(
        "networks",
        inputs["networkId"],
        "add_subnet",
        type=inputs["type"],
        network_zone=inputs["networkZone"],
        ip_range=ip_range,
    )
    return subnet_id(inputs["networkId"], ip_range)


def _read_subnet(cloud: Cloud, id: str, state: Props) -> Props:
    try:
        network, ip_range = parse_subnet_id(id)
    except RefusedError as fault:
        raise GoneError(id) from fault
    for subnet in cloud.get("networks", network)["subnets"]:
        if subnet["ip_range"] == ip_range:
            return {
                "networkId": network,
                "type": subnet["type"],
                "networkZone": subnet["network_zone"],
                "ipRange": subnet["ip_range"],
                "gateway": subnet["gateway"],
            }
    raise GoneError(id)


def _delete_subnet(cloud: Cloud, id: str, state: Props) -> None:
    _read_subnet(cloud, id, state)
    network, ip_range = parse_subnet_id(id)
    # The API answers `service_error` while a resource is attached, which a parallel request may detach.
    cloud.act("networks", network, "delete_subnet", ("service_error",), ip_range=ip_range)


def _find_subnet(cloud: Cloud, inputs: Props) -> str | None:
    identity = subnet_id(inputs["networkId"], inputs["ipRange"])
    try:
        _read_subnet(cloud, identity, {})
    except GoneError:
        return None
    return identity


NETWORK_SUBNET = ResourceType(
    token="hcloud:index/networkSubnet:NetworkSubnet",  # noqa: S106 - the name of a type
    properties={
        "networkId": Property(required=True, replaces=True),
        # The local cloud has no Robot and so no vSwitch: `vswitchId` has no mapping.
        "type": Property(required=True, replaces=True, choices=("cloud", "server")),
        "networkZone": Property(required=True, replaces=True),
        "ipRange": Property(required=True, replaces=True, same=same_cidr),
    },
    computed=("gateway",),
    create=_create_subnet,
    read=_read_subnet,
    delete=_delete_subnet,
    find=_find_subnet,
)
