"""Networks: their subnets, routes and members."""

from __future__ import annotations

import ipaddress
from typing import Any

from werkzeug.datastructures import MultiDict

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.addresses import private
from localcloud.hetzner.collection import Answer, Body, Collection, Command, acted
from localcloud.hetzner.errors import ApiError, invalid_input, unsupported
from localcloud.hetzner.forms import NEW_NAME, PROTECT_DELETE, Field, Form
from localcloud.hetzner.load_balancers import targets
from localcloud.hetzner.paging import page
from localcloud.hetzner.project import Project, Record

_MOST_SUBNETS = 50
_MOST_ROUTES = 100

_SUBNET: Form = {
    "type": Field(forms.choice("cloud", "server", "vswitch"), required=True),
    "network_zone": Field(forms.choice(*catalogue.ZONES), required=True),
    "ip_range": Field(forms.cidr),
    "gateway": Field(forms.ignored),
    "vswitch_id": Field(forms.integer(), refused="needs a Robot vSwitch, which the local cloud does not have"),
}
_ROUTE: Form = {
    "destination": Field(forms.cidr, required=True),
    "gateway": Field(forms.address, required=True),
}


def _show(project: Project, record: Record) -> Body:
    members = list(private.attached(project, record["id"]))
    return {
        "id": record["id"],
        "name": record["name"],
        "ip_range": record["ip_range"],
        "subnets": record["subnets"],
        "routes": record["routes"],
        "servers": [member["id"] for kind, member, _ in members if kind == "servers"],
        "load_balancers": [member["id"] for kind, member, _ in members if kind == "load_balancers"],
        "protection": record["protection"],
        "labels": record["labels"],
        "created": record["created"],
        "expose_routes_to_vswitch": record["expose_routes_to_vswitch"],
    }


def _create(project: Project, body: Body) -> Answer:
    record = project.add(
        "networks",
        name=body["name"],
        labels=body["labels"],
        ip_range=_whole(body["ip_range"]),
        subnets=[],
        routes=[],
        protection={"delete": False},
        expose_routes_to_vswitch=body["expose_routes_to_vswitch"],
    )
    for subnet in body["subnets"]:
        _place(record, subnet)
    for route in body["routes"]:
        _route(record, route)
    return Answer(201, {"network": _show(project, record)})


def _whole(text: str) -> str:
    """Check a network's range: private, and neither larger than /8 nor smaller than /24."""
    network = ipaddress.ip_network(text)
    if not isinstance(network, ipaddress.IPv4Network) or not any(network.subnet_of(one) for one in private.PRIVATE):
        raise invalid_input({"ip_range": ["must be one of the private IPv4 ranges of RFC 1918"]})
    if network.prefixlen > 24:
        raise invalid_input({"ip_range": ["must not be smaller than /24"]})
    return text


def _delete(project: Project, record: Record) -> Answer:
    project.remove("networks", record["id"])
    return Answer(204)


def removed(project: Project, record: Record) -> None:
    """Detach the resources of a deleted network, and remove the load balancer targets that were reached through it."""
    for _, member, entry in list(private.attached(project, record["id"])):
        member["private_net"].remove(entry)
    targets.drop_unreachable(project)


def _place(record: Record, body: Body) -> None:
    """Add a subnet to a network's record."""
    if body["type"] == "vswitch":
        raise unsupported("subnets of the type vswitch")
    if len(record["subnets"]) >= _MOST_SUBNETS:
        raise ApiError("resource_limit_exceeded", f"a network has at most {_MOST_SUBNETS} subnets")
    whole = ipaddress.IPv4Network(record["ip_range"])
    others = [ipaddress.IPv4Network(entry["ip_range"]) for entry in record["subnets"]]
    others += [ipaddress.IPv4Network(entry["destination"]) for entry in record["routes"]]
    wanted = body.get("ip_range")
    if wanted is None:
        # Like the API, take the next free /24.
        free = (one for one in whole.subnets(new_prefix=24) if not any(one.overlaps(other) for other in others))
        subnet = next(free, None)
        if subnet is None:
            raise ApiError("no_subnet_available", "the network has no free range for another subnet")
    else:
        range_ = ipaddress.ip_network(wanted)
        if not isinstance(range_, ipaddress.IPv4Network) or not range_.subnet_of(whole):
            raise invalid_input({"ip_range": [f"must be within the network's range {record['ip_range']}"]})
        if range_.prefixlen > 30:
            raise invalid_input({"ip_range": ["must not be smaller than /30"]})
        if any(range_.overlaps(other) for other in others):
            raise invalid_input({"ip_range": ["overlaps with another subnet or a route of the network"]})
        subnet = range_
    record["subnets"].append(
        {
            "type": body["type"],
            "ip_range": str(subnet),
            "network_zone": body["network_zone"],
            "gateway": str(whole.network_address + 1),
        }
    )


def _add_subnet(project: Project, record: Record, body: Body) -> Answer:
    _place(record, body)
    return acted(project, project.act("add_subnet", ("network", record["id"])))


def _delete_subnet(project: Project, record: Record, body: Body) -> Answer:
    subnet = next((entry for entry in record["subnets"] if entry["ip_range"] == body["ip_range"]), None)
    if subnet is None:
        raise ApiError("not_found", f"the network has no subnet '{body['ip_range']}'")
    within = ipaddress.IPv4Network(subnet["ip_range"])
    if any(ipaddress.IPv4Address(address) in within for address in private.taken(project, record["id"])):
        raise ApiError("service_error", "cannot remove subnet because servers are attached to it")
    record["subnets"].remove(subnet)
    return acted(project, project.act("delete_subnet", ("network", record["id"])))


def _route(record: Record, body: Body) -> None:
    if len(record["routes"]) >= _MOST_ROUTES:
        raise ApiError("resource_limit_exceeded", f"a network has at most {_MOST_ROUTES} routes")
    destination = ipaddress.ip_network(body["destination"])
    if any(destination.overlaps(ipaddress.ip_network(entry["ip_range"])) for entry in record["subnets"]):
        raise invalid_input({"destination": ["overlaps with a subnet of the network"]})
    if any(entry["destination"] == body["destination"] for entry in record["routes"]):
        raise invalid_input({"destination": ["the network already has a route to it"]})
    if ipaddress.ip_address(body["gateway"]) not in ipaddress.ip_network(record["ip_range"]):
        raise invalid_input({"gateway": [f"must be within the network's range {record['ip_range']}"]})
    record["routes"].append({"destination": body["destination"], "gateway": body["gateway"]})


def _add_route(project: Project, record: Record, body: Body) -> Answer:
    _route(record, body)
    return acted(project, project.act("add_route", ("network", record["id"])))


def _delete_route(project: Project, record: Record, body: Body) -> Answer:
    if body not in record["routes"]:
        raise ApiError("not_found", f"the network has no route to '{body['destination']}' via '{body['gateway']}'")
    record["routes"].remove(body)
    return acted(project, project.act("delete_route", ("network", record["id"])))


def _change_ip_range(project: Project, record: Record, body: Body) -> Answer:
    new, old = ipaddress.IPv4Network(_whole(body["ip_range"])), ipaddress.IPv4Network(record["ip_range"])
    if new.network_address != old.network_address or new.prefixlen > old.prefixlen:
        raise invalid_input({"ip_range": ["can only be extended: the base address must stay"]})
    record["ip_range"] = str(new)
    return acted(project, project.act("change_ip_range", ("network", record["id"])))


def _change_protection(project: Project, record: Record, body: Body) -> Answer:
    record["protection"] = {"delete": body["delete"]}
    return acted(project, project.act("change_protection", ("network", record["id"])))


def _update(project: Project, record: Record, body: Body) -> None:
    if "expose_routes_to_vswitch" in body:
        record["expose_routes_to_vswitch"] = body["expose_routes_to_vswitch"]


def _members(project: Project, record: Record, query: MultiDict[str, str]) -> Body:
    shown: list[dict[str, Any]] = []
    for kind, member, entry in private.attached(project, record["id"]):
        address = ipaddress.IPv4Address(entry["ip"])
        home = next(s["ip_range"] for s in record["subnets"] if address in ipaddress.IPv4Network(s["ip_range"]))
        shown.append(
            {
                "id": member["id"],
                "type": "server" if kind == "servers" else "load_balancer",
                "ip": entry["ip"],
                "alias_ips": entry.get("alias_ips", []),
                "subnet": home,
                "status": "ok",
            }
        )
    for name in ("type", "status", "subnet"):
        wanted = query.getlist(name)
        shown = [entry for entry in shown if not wanted or entry[name] in wanted]
    return page("members", shown, query)


NETWORKS = Collection(
    name="networks",
    one="network",
    show=_show,
    create=_create,
    delete=_delete,
    update=_update,
    members=_members,
    busy="conflict",
    form={
        "name": forms.NAME,
        "ip_range": Field(forms.cidr, required=True),
        "subnets": Field(forms.listed(forms.nested(_SUBNET)), default=[]),
        "routes": Field(forms.listed(forms.nested(_ROUTE)), default=[]),
        "expose_routes_to_vswitch": Field(forms.boolean, default=False),
    },
    changes={**NEW_NAME, "expose_routes_to_vswitch": Field(forms.boolean)},
    commands={
        "add_subnet": Command(_add_subnet, _SUBNET),
        "delete_subnet": Command(_delete_subnet, {"ip_range": Field(forms.cidr, required=True)}),
        "add_route": Command(_add_route, _ROUTE),
        "delete_route": Command(_delete_route, _ROUTE),
        "change_ip_range": Command(_change_ip_range, {"ip_range": Field(forms.cidr, required=True)}),
        "change_protection": Command(_change_protection, PROTECT_DELETE),
    },
)
