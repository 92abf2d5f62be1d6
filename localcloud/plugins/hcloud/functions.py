"""The data sources: servers, server types and their locations, load balancers, and zones."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any, Final

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.values import from_api
from localcloud.plugins.table import Function, GoneError, Props, RefusedError


def _one(cloud: Cloud, collection: str, kind: str, arguments: Props, **query: Any) -> Props:
    """Return the object that an id, a name or a selector finds, in the provider's order."""
    if arguments.get("id"):
        try:
            return cloud.get(collection, arguments["id"])
        except GoneError:
            raise RefusedError(f"no {kind} found with id {arguments['id']}") from None
    if arguments.get("name"):
        named = cloud.named(collection, arguments["name"])
        if named is None:
            raise RefusedError(f"no {kind} found with name {arguments['name']}")
        return named
    selector = arguments.get("withSelector") or arguments.get("selector")
    if not selector:
        raise RefusedError(f"a look-up of a {kind} needs an id, a name or a selector")
    found = cloud.all(collection, label_selector=selector, **query)
    if len(found) != 1:
        said = "no" if not found else "more than one"
        raise RefusedError(f"{said} {kind} found for selector {selector!r}")
    return found[0]


def _list_id(identities: list[Any]) -> str:
    """Return the id of a list, which depends on the objects in it."""
    return hashlib.sha1("".join(map(str, identities)).encode(), usedforsecurity=False).hexdigest()


def _given(arguments: Props, *names: str) -> Props:
    return {name: arguments[name] for name in names if name in arguments}


# -- servers ----------------------------------------------------------------------------------------------------------


def _server(found: Props) -> Props:
    ipv4, ipv6 = found["public_net"]["ipv4"], found["public_net"]["ipv6"]
    image = found["image"] or {}
    group = found["placement_group"]
    return {
        "id": found["id"],
        "name": found["name"],
        "serverType": found["server_type"]["name"],
        "image": image.get("name") or str(image.get("id", "")),
        "location": found["location"]["name"],
        # The API no longer has this field.
        "datacenter": "",
        "status": found["status"],
        "labels": found["labels"],
        "backups": bool(found["backup_window"]),
        "backupWindow": found["backup_window"] or "",
        "ipv4Address": ipv4["ip"] if ipv4 else "",
        "ipv6Address": str(ipaddress.ip_network(ipv6["ip"])[1]) if ipv6 else "",
        "ipv6Network": ipv6["ip"] if ipv6 else "",
        "iso": "",
        "rescue": "",
        "firewallIds": [entry["id"] for entry in found["public_net"]["firewalls"]],
        "networks": [
            {
                "networkId": entry["network"],
                "ip": entry["ip"],
                "aliasIps": entry["alias_ips"],
                "macAddress": entry["mac_address"],
            }
            for entry in found["private_net"]
        ],
        "deleteProtection": found["protection"]["delete"],
        "rebuildProtection": found["protection"]["rebuild"],
        "primaryDiskSize": found["primary_disk_size"],
        **({"placementGroupId": group["id"]} if group else {}),
    }


def _statuses(arguments: Props) -> Props:
    return {"status": arguments["withStatuses"]} if arguments.get("withStatuses") else {}


def _get_server(cloud: Cloud, arguments: Props) -> Props:
    found = _one(cloud, "servers", "Server", arguments, **_statuses(arguments))
    return {**_server(found), **_given(arguments, "selector", "withSelector", "withStatuses")}


def _get_servers(cloud: Cloud, arguments: Props) -> Props:
    selector = {"label_selector": arguments["withSelector"]} if arguments.get("withSelector") else {}
    servers = [_server(found) for found in cloud.all("servers", **selector, **_statuses(arguments))]
    return {
        "id": _list_id([server["id"] for server in servers]),
        "servers": servers,
        **_given(arguments, "withSelector", "withStatuses"),
    }


# -- server types -----------------------------------------------------------------------------------------------------


def _deprecation(entry: Props | None) -> Props:
    return {
        "isDeprecated": entry is not None,
        "deprecationAnnounced": entry["announced"] if entry else "",
        "unavailableAfter": entry["unavailable_after"] if entry else "",
    }


def _server_type(found: Props) -> Props:
    return {
        **{key: found[key] for key in ("id", "name", "description", "category", "cores", "memory", "disk")},
        "storageType": found["storage_type"],
        "cpuType": found["cpu_type"],
        "architecture": found["architecture"],
        # Traffic and deprecation are now properties of a location, not of a type.
        "includedTraffic": 0,
        **_deprecation(None),
        "locations": [
            {
                **{key: place[key] for key in ("id", "name", "available", "recommended")},
                **_deprecation(place["deprecation"]),
            }
            for place in found["locations"]
        ],
    }


def _get_server_type(cloud: Cloud, arguments: Props) -> Props:
    return _server_type(_one(cloud, "server_types", "Server Type", arguments))


def _get_server_types(cloud: Cloud, arguments: Props) -> Props:
    types = [_server_type(found) for found in cloud.all("server_types")]
    return {
        "id": _list_id([entry["id"] for entry in types]),
        "serverTypes": types,
        "names": [entry["name"] for entry in types],
        "descriptions": [entry["description"] for entry in types],
        "serverTypeIds": [str(entry["id"]) for entry in types],
    }


# -- load balancers ---------------------------------------------------------------------------------------------------


def _load_balancer(found: Props) -> Props:
    joined = found["private_net"][0] if found["private_net"] else {"network": 0, "ip": ""}
    return {
        "id": found["id"],
        "name": found["name"],
        "loadBalancerType": found["load_balancer_type"]["name"],
        "location": found["location"]["name"],
        "networkZone": found["location"]["network_zone"],
        "algorithms": [{"type": found["algorithm"]["type"]}],
        "labels": found["labels"],
        "deleteProtection": found["protection"]["delete"],
        "ipv4": found["public_net"]["ipv4"]["ip"],
        "ipv6": found["public_net"]["ipv6"]["ip"],
        "networkId": joined["network"],
        "networkIp": joined["ip"],
        "services": [_service(entry) for entry in found["services"]],
        "targets": [
            {
                "type": entry["type"],
                "serverId": entry["server"]["id"] if entry["type"] == "server" else 0,
                "labelSelector": entry["label_selector"]["selector"] if entry["type"] == "label_selector" else "",
            }
            for entry in found["targets"]
        ],
    }


def _service(entry: Props) -> Props:
    """Return a service in the form of a data source, which has lists instead of single objects."""
    service: Props = from_api(entry)
    check, http = service.pop("healthCheck"), service.pop("http", None)
    asked = check.pop("http", None)
    if http:
        http["certificates"] = list(map(str, http["certificates"]))
    return {
        **service,
        "https": [http] if http else [],
        "healthChecks": [{**check, "https": [asked] if asked else []}],
    }


def _get_load_balancer(cloud: Cloud, arguments: Props) -> Props:
    found = _one(cloud, "load_balancers", "Load Balancer", arguments)
    return {**_load_balancer(found), **_given(arguments, "withSelector")}


def _get_load_balancers(cloud: Cloud, arguments: Props) -> Props:
    selector = {"label_selector": arguments["withSelector"]} if arguments.get("withSelector") else {}
    balancers = [_load_balancer(found) for found in cloud.all("load_balancers", **selector)]
    return {
        "id": _list_id([balancer["id"] for balancer in balancers]),
        "loadBalancers": balancers,
        **_given(arguments, "withSelector"),
    }


# -- DNS --------------------------------------------------------------------------------------------------------------


def _get_zone(cloud: Cloud, arguments: Props) -> Props:
    found = _one(cloud, "zones", "Zone", arguments)
    return {
        **{key: found[key] for key in ("id", "name", "mode", "ttl", "labels", "registrar")},
        "deleteProtection": found["protection"]["delete"],
        "primaryNameservers": [],
        "authoritativeNameservers": {"assigneds": found["authoritative_nameservers"]["assigned"]},
        **_given(arguments, "withSelector"),
    }


# -- the tables -------------------------------------------------------------------------------------------------------

_LOOK_UP = frozenset({"id", "name", "withSelector"})

FUNCTIONS: Final = (
    Function(
        token="hcloud:index/getServer:getServer",  # noqa: S106 - a function's name
        arguments=_LOOK_UP | {"selector", "withStatuses"},
        call=_get_server,
    ),
    Function(
        token="hcloud:index/getServers:getServers",  # noqa: S106
        arguments=frozenset({"withSelector", "withStatuses"}),
        call=_get_servers,
    ),
    Function(
        token="hcloud:index/getServerType:getServerType",  # noqa: S106
        arguments=frozenset({"id", "name"}),
        call=_get_server_type,
    ),
    Function(token="hcloud:index/getServerTypes:getServerTypes", call=_get_server_types),  # noqa: S106
    Function(
        token="hcloud:index/getLoadBalancer:getLoadBalancer",  # noqa: S106
        arguments=_LOOK_UP,
        call=_get_load_balancer,
    ),
    Function(
        token="hcloud:index/getLoadBalancers:getLoadBalancers",  # noqa: S106
        arguments=frozenset({"withSelector"}),
        call=_get_load_balancers,
    ),
    Function(token="hcloud:index/getZone:getZone", arguments=_LOOK_UP, call=_get_zone),  # noqa: S106
)
