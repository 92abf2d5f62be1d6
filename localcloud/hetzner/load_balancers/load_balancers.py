"""Load balancers: their records, creation and actions.

Their services are in `services.py`, their targets in `targets.py`.
"""

from __future__ import annotations

import ipaddress

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.addresses import primary_ips, private
from localcloud.hetzner.collection import Answer, Body, Collection, Command, acted
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import PROTECT_DELETE, Field, Form
from localcloud.hetzner.load_balancers import services, targets
from localcloud.hetzner.project import Project, Record

_ALGORITHM: Form = {"type": Field(forms.choice("round_robin", "least_connections"), required=True)}


def _show(project: Project, record: Record, health: targets.Health) -> Body:
    return {
        "id": record["id"],
        "name": record["name"],
        "public_net": {
            "enabled": record["public_interface"],
            "ipv4": _show_public(project, record, "ipv4"),
            "ipv6": _show_public(project, record, "ipv6"),
        },
        "private_net": private.shown(record),
        "location": catalogue.find("locations", record["location"]),
        "load_balancer_type": catalogue.find("load_balancer_types", record["load_balancer_type"]),
        "protection": record["protection"],
        "labels": record["labels"],
        "created": record["created"],
        "services": record["services"],
        "targets": [targets.show(project, record, target, health) for target in record["targets"]],
        "algorithm": record["algorithm"],
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 20 * 1024**4,
    }


def _show_public(project: Project, record: Record, kind: str) -> Body:
    """Show the address: a primary IP, or the load balancer's own. The own one is not a primary IP, so it has no id."""
    own = record["dns_ptr"]
    address = project.peek("primary_ips", record[kind])
    if address is not None:
        ip, own = address["ip"], {entry["ip"]: entry["dns_ptr"] for entry in primary_ips.dns_pointers(address)}
    else:
        ip = record[f"own_{kind}"]
    if kind == "ipv6":
        # The API shows a single address here, the first of its network.
        ip = str(ipaddress.ip_network(ip)[1])
    name = own.get(ip, primary_ips.default_pointer(ip) if kind == "ipv4" else None)
    return {"id": record[kind], "ip": ip, "dns_ptr": name}


# -- creation and deletion --------------------------------------------------------------------------------------------


def _create(project: Project, body: Body, health: targets.Health) -> Answer:
    kind = catalogue.find("load_balancer_types", body["load_balancer_type"])
    location = _location(body)
    record = project.add(
        "load_balancers",
        name=body["name"],
        labels=body["labels"],
        load_balancer_type=kind["name"],
        location=location,
        algorithm=body["algorithm"],
        public_interface=body["public_interface"],
        ipv4=None,
        ipv6=None,
        own_ipv4=None,
        own_ipv6=None,
        dns_ptr={},
        private_net=[],
        services=[],
        targets=[],
        protection={"delete": False},
    )
    for version, allocate in (("ipv4", project.new_ipv4), ("ipv6", project.new_ipv6)):
        named = body["public_net"].get(version)
        if named is None:
            record[f"own_{version}"] = allocate()
        else:
            address = primary_ips.claim(project, named, version, location, "load balancer")
            primary_ips.give(address, "load_balancer", record)
    resources = [("load_balancer", record["id"])]
    if "network" in body:
        _join(project, record, project.get("networks", body["network"]))
        resources.append(("network", body["network"]))
    for service in body["services"]:
        services.add(project, record, service)
    for target in body["targets"]:
        targets.add(project, record, target)
    action = project.act("create_load_balancer", *resources)
    return Answer(201, {"load_balancer": _show(project, record, health), "action": project.show_action(action)})


def _location(body: Body) -> str:
    if ("location" in body) == ("network_zone" in body):
        raise invalid_input({"location": ["exactly one of 'location' and 'network_zone' must be given"]})
    if "location" in body:
        return str(catalogue.find("locations", body["location"])["name"])
    return str(next(entry["name"] for entry in catalogue.LOCATIONS if entry["network_zone"] == body["network_zone"]))


def _delete(project: Project, record: Record) -> Answer:
    then = ["remove", record["id"], "load_balancers"]
    action = project.act("delete_load_balancer", ("load_balancer", record["id"]), then=then)
    return Answer(200, {"action": project.show_action(action)})


def removed(project: Project, record: Record) -> None:
    primary_ips.release(project, record)


# -- networks and the rest --------------------------------------------------------------------------------------------


def _join(
    project: Project, record: Record, network: Record, ip: str | None = None, ip_range: str | None = None
) -> None:
    if record["private_net"]:
        message = f"load balancer '{record['name']}' is already attached to a network"
        raise ApiError("load_balancer_already_attached", message)
    address = private.choose(project, network, targets.zone(record["location"]), ip, ip_range)
    record["private_net"] = [{"network": network["id"], "ip": address, "loopback": project.loopback(network, address)}]


def _attach(project: Project, record: Record, body: Body) -> Answer:
    _join(project, record, project.get("networks", body["network"]), body.get("ip"), body.get("ip_range"))
    resources = ("load_balancer", record["id"]), ("network", body["network"])
    return acted(project, project.act("attach_to_network", *resources))


def _detach(project: Project, record: Record, body: Body) -> Answer:
    if private.network_of(record, body["network"]) is None:
        message = f"load balancer '{record['name']}' is not attached to network '{body['network']}'"
        raise ApiError("not_found", message)
    record["private_net"] = []
    targets.drop_unreachable(project)
    resources = ("load_balancer", record["id"]), ("network", body["network"])
    return acted(project, project.act("detach_from_network", *resources))


def _public_interface(command: str, enabled: bool) -> Command:
    def run(project: Project, record: Record, body: Body) -> Answer:
        if not enabled and any(not target["use_private_ip"] for target in record["targets"]):
            message = f"load balancer '{record['name']}' has targets that use the public IP"
            raise ApiError("targets_without_use_private_ip", message)
        record["public_interface"] = enabled
        return acted(project, project.act(command, ("load_balancer", record["id"])))

    return Command(run)


def _change_algorithm(project: Project, record: Record, body: Body) -> Answer:
    record["algorithm"] = {"type": body["type"]}
    return acted(project, project.act("change_algorithm", ("load_balancer", record["id"])))


def _change_type(project: Project, record: Record, body: Body) -> Answer:
    kind = catalogue.find("load_balancer_types", body["load_balancer_type"])
    if len(record["services"]) > kind["max_services"] or len(record["targets"]) > kind["max_targets"]:
        message = f"a {kind['name']} does not have room for the services and targets of '{record['name']}'"
        raise ApiError("invalid_load_balancer_type", message)
    record["load_balancer_type"] = kind["name"]
    return acted(project, project.act("change_load_balancer_type", ("load_balancer", record["id"])))


def _change_protection(project: Project, record: Record, body: Body) -> Answer:
    record["protection"] = {"delete": body["delete"]}
    return acted(project, project.act("change_protection", ("load_balancer", record["id"])))


def _change_dns_ptr(project: Project, record: Record, body: Body) -> Answer:
    kind = "ipv6" if ":" in body["ip"] else "ipv4"
    address = project.peek("primary_ips", record[kind])
    if address is not None:
        primary_ips.change_pointer(address, body["ip"], body.get("dns_ptr"))
    elif ipaddress.ip_address(body["ip"]) not in ipaddress.ip_network(record[f"own_{kind}"]):
        raise invalid_input({"ip": ["is not an address of the load balancer"]})
    elif body.get("dns_ptr") is None:
        record["dns_ptr"].pop(body["ip"], None)
    else:
        record["dns_ptr"][body["ip"]] = body["dns_ptr"]
    return acted(project, project.act("change_dns_ptr", ("load_balancer", record["id"])))


def collection(health: targets.Health) -> Collection:
    """The collection of load balancers, with the targets' health from `health`."""
    network = Field(forms.integer(), required=True)
    return Collection(
        name="load_balancers",
        one="load_balancer",
        show=lambda project, record: _show(project, record, health),
        create=lambda project, body: _create(project, body, health),
        delete=_delete,
        busy="conflict",
        form={
            "name": forms.NAME,
            "load_balancer_type": Field(forms.reference, required=True),
            "location": Field(forms.reference),
            "network_zone": Field(forms.choice(*catalogue.ZONES)),
            "algorithm": Field(forms.nested(_ALGORITHM), default={"type": "round_robin"}),
            "network": Field(forms.integer()),
            "public_interface": Field(forms.boolean, default=True),
            "public_net": Field(
                forms.nested(
                    {
                        "ipv4": Field(forms.integer(), nullable=True),
                        "ipv6": Field(forms.integer(), nullable=True),
                    }
                ),
                default={},
            ),
            "services": Field(forms.listed(forms.nested(services.ADD)), default=[]),
            "targets": Field(forms.listed(forms.nested(targets.TARGET)), default=[]),
        },
        commands={
            "add_service": Command(services.add_service, services.ADD),
            "update_service": Command(services.update_service, services.UPDATE),
            "delete_service": Command(services.delete_service, {"listen_port": services.PORT}),
            "add_target": Command(targets.add_target, targets.TARGET),
            "remove_target": Command(targets.remove_target, targets.TARGET),
            "attach_to_network": Command(
                _attach,
                {"network": network, "ip": Field(forms.address), "ip_range": Field(forms.cidr)},
            ),
            "detach_from_network": Command(_detach, {"network": network}),
            "enable_public_interface": _public_interface("enable_public_interface", True),
            "disable_public_interface": _public_interface("disable_public_interface", False),
            "change_algorithm": Command(_change_algorithm, _ALGORITHM),
            "change_type": Command(_change_type, {"load_balancer_type": Field(forms.reference, required=True)}),
            "change_protection": Command(_change_protection, PROTECT_DELETE),
            "change_dns_ptr": Command(_change_dns_ptr, primary_ips.DNS_PTR),
        },
    )
