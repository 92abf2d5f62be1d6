"""Targets of load balancers: which ones exist, whether they can be reached, and their health."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.addresses import private
from localcloud.hetzner.collection import Answer, Body, acted
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field, Form
from localcloud.hetzner.labels import Selector
from localcloud.hetzner.project import Project, Record

Probe = Callable[[Body, Body, Body], bool | None]
"""Whether a server answers the health check of a load balancer's service; None if that is not known yet."""

TARGET: Form = {
    "type": Field(forms.choice("server", "label_selector", "ip"), required=True),
    "server": Field(forms.nested({"id": Field(forms.integer(), required=True)})),
    "label_selector": Field(forms.nested({"selector": Field(forms.selector, required=True)})),
    "ip": Field(forms.nested({"ip": Field(forms.address, required=True)})),
    "use_private_ip": Field(forms.boolean, default=False),
}


class Health:
    """Health of the targets. Without a probe, a running server counts as healthy."""

    probe: Probe | None = None

    def of(self, balancer: Record, server: Record, service: Body) -> Body:
        up = server["powered"]
        if self.probe is not None:
            up = self.probe(dict(balancer), dict(server), dict(service))
        if up:
            return {"listen_port": service["listen_port"], "status": "healthy"}
        if up is None:
            return {"listen_port": service["listen_port"], "status": "unknown"}
        return {"listen_port": service["listen_port"], "status": "unhealthy", "detail": "layer4_no_connection"}


def show(project: Project, record: Record, target: Body, health: Health) -> Body:
    if target["type"] == "server":
        server = project.get("servers", target["server"]["id"])
        return {**target, "health_status": [health.of(record, server, service) for service in record["services"]]}
    if target["type"] == "ip":
        # The health of a machine outside of the project is unknown here.
        unknown = [{"listen_port": service["listen_port"], "status": "unknown"} for service in record["services"]]
        return {key: target[key] for key in ("type", "ip")} | {"health_status": unknown}
    return {
        **target,
        "targets": [
            {
                "type": "server",
                "server": {"id": server["id"]},
                "use_private_ip": target["use_private_ip"],
                "health_status": [health.of(record, server, service) for service in record["services"]],
            }
            for server in _selected(project, record, target)
        ],
    }


def _selected(project: Project, record: Record, target: Body) -> Iterator[Record]:
    """The servers that match a selector and that the load balancer can reach."""
    for server in project.matching("servers", Selector(target["label_selector"]["selector"]).matches):
        if _reaches(project, record, server, target["use_private_ip"]) is None:
            yield server


def has_target(record: Record, server: Record) -> bool:
    """Whether a server is a target of a load balancer, by name or by its labels."""
    return any(
        (target["type"] == "server" and target["server"]["id"] == server["id"])
        or (
            target["type"] == "label_selector"
            and Selector(target["label_selector"]["selector"]).matches(server["labels"])
        )
        for target in record["targets"]
    )


def _reaches(project: Project, record: Record, server: Record, privately: bool) -> ApiError | None:
    """The reason why a load balancer cannot send requests to a server; None if it can."""
    if privately:
        if not record["private_net"]:
            message = f"load balancer '{record['name']}' is not attached to a network"
            return ApiError("load_balancer_not_attached_to_network", message)
        if private.network_of(server, record["private_net"][0]["network"]) is None:
            message = f"server '{server['name']}' is not attached to the load balancer's network"
            return ApiError("resolve_cloud_private_targets_error", message)
        return None
    if not record["public_interface"]:
        message = f"the public interface of load balancer '{record['name']}' is disabled"
        return ApiError("load_balancer_public_interface_disabled", message)
    if server["ipv4"] is None:
        message = f"server '{server['name']}' has no public IPv4 address"
        return ApiError("resolve_cloud_public_targets_error", message)
    return None


def zone(location: str) -> str:
    return str(catalogue.find("locations", location)["network_zone"])


def _target(body: Body) -> Body:
    kind = body["type"]
    if kind not in body:
        raise invalid_input({kind: [f"is required with the type {kind}"]})
    return {"type": kind, kind: body[kind], "use_private_ip": body["use_private_ip"]}


def add(project: Project, record: Record, body: Body) -> list[tuple[str, int]]:
    """Add a target to a record. Return the resources that its action names."""
    target = _target(body)
    kind = target["type"]
    if any(other["type"] == kind and other[kind] == target[kind] for other in record["targets"]):
        raise ApiError("target_already_defined", "the load balancer target is already defined")
    most = catalogue.find("load_balancer_types", record["load_balancer_type"])["max_targets"]
    if len(record["targets"]) >= most:
        raise ApiError("resource_limit_exceeded", f"a {record['load_balancer_type']} has at most {most} targets")
    resources = [("load_balancer", record["id"])]
    if kind == "server":
        server = project.get("servers", target["server"]["id"])
        if zone(server["location"]) != zone(record["location"]):
            raise invalid_input({"server": ["is not in the load balancer's network zone"]})
        obstacle = _reaches(project, record, server, target["use_private_ip"])
        if obstacle is not None:
            raise obstacle
        resources.append(("server", server["id"]))
    elif kind == "label_selector":
        if target["use_private_ip"] and not record["private_net"]:
            message = f"load balancer '{record['name']}' is not attached to a network"
            raise ApiError("load_balancer_not_attached_to_network", message)
    elif target["use_private_ip"]:
        raise invalid_input({"use_private_ip": ["is not allowed with the type ip"]})
    elif any(ipaddress.ip_address(target["ip"]["ip"]) in range_ for range_ in private.PRIVATE):
        raise ApiError("network_has_no_vswitch_subnet", "the network of the load balancer has no vSwitch subnet")
    elif _is_ours(project, target["ip"]["ip"]):
        message = f"IP '{target['ip']['ip']}' belongs to a Hetzner Cloud resource; add the server as a target instead"
        raise ApiError("cloud_resource_ip_not_allowed", message)
    record["targets"].append(target)
    return resources


def _is_ours(project: Project, ip: str) -> bool:
    """Whether a public address belongs to this project."""
    owned = [record["ip"] for record in project.all("primary_ips")]
    owned += [
        record[own] for record in project.all("load_balancers") for own in ("own_ipv4", "own_ipv6") if record[own]
    ]
    return any(ipaddress.ip_address(ip) in ipaddress.ip_network(address) for address in owned)


def add_target(project: Project, record: Record, body: Body) -> Answer:
    return acted(project, project.act("add_target", *add(project, record, body)))


def remove_target(project: Project, record: Record, body: Body) -> Answer:
    kind = body["type"]
    wanted = _target(body)[kind]
    found = next((one for one in record["targets"] if one["type"] == kind and one[kind] == wanted), None)
    if found is None:
        raise ApiError("not_found", "load balancer target not found")
    record["targets"].remove(found)
    return acted(project, project.act("remove_target", ("load_balancer", record["id"])))


def forget_server(project: Project, server: int) -> None:
    """Remove a deleted server from all targets."""
    for record in project.all("load_balancers"):
        record["targets"] = [
            target for target in record["targets"] if target["type"] != "server" or target["server"]["id"] != server
        ]


def drop_unreachable(project: Project) -> None:
    """Remove the targets that were reached through a network that something has left."""
    for record in project.all("load_balancers"):
        record["targets"] = [
            target
            for target in record["targets"]
            if not target["use_private_ip"]
            or (
                bool(record["private_net"])
                if target["type"] == "label_selector"
                else _reaches(project, record, project.get("servers", target["server"]["id"]), True) is None
            )
        ]
