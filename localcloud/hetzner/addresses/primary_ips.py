"""Primary IPs: public addresses that outlive the server or load balancer that they are assigned to."""

from __future__ import annotations

import ipaddress

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.collection import Answer, Body, Collection, Command, acted, equals
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import NEW_NAME, PROTECT_DELETE, Field
from localcloud.hetzner.project import Project, Record

_HOLDERS = {"server": "servers", "load_balancer": "load_balancers"}


def _show(project: Project, record: Record) -> Body:
    return {
        "id": record["id"],
        "name": record["name"],
        "type": record["type"],
        "ip": record["ip"],
        "location": catalogue.find("locations", record["location"]),
        "assignee_id": record["assignee_id"],
        "assignee_type": record["assignee_type"],
        "auto_delete": record["auto_delete"],
        "blocked": False,
        "protection": record["protection"],
        "labels": record["labels"],
        "created": record["created"],
        "dns_ptr": dns_pointers(record),
    }


def dns_pointers(record: Record) -> list[Body]:
    """The reverse DNS names. An IPv4 address has one from the start; each address of an IPv6 network may have one."""
    pointers = dict(record["dns_ptr"])
    if record["type"] == "ipv4":
        pointers.setdefault(record["ip"], default_pointer(record["ip"]))
    return [{"ip": address, "dns_ptr": name} for address, name in sorted(pointers.items())]


def default_pointer(ip: str) -> str:
    """Return a name under `.invalid`, because the address belongs to no network."""
    return f"static.{'.'.join(reversed(ip.split('.')))}.clients.invalid"


def make(project: Project, *, kind: str, name: str, location: str, auto_delete: bool, labels: Body) -> Record:
    return project.add(
        "primary_ips",
        name=name,
        type=kind,
        ip=project.new_ipv4() if kind == "ipv4" else project.new_ipv6(),
        location=location,
        assignee_id=None,
        assignee_type="unassigned",
        auto_delete=auto_delete,
        protection={"delete": False},
        labels=labels,
        dns_ptr={},
    )


def make_own(project: Project, kind: str, location: str) -> Record:
    """The address of a server that names none. It is deleted with the server."""
    record = make(project, kind=kind, name="", location=location, auto_delete=True, labels={})
    record["name"] = f"primary_ip-{record['id']}"
    return record


def claim(project: Project, identity: int, kind: str, location: str, holder: str) -> Record:
    """Return the primary IP that a new server or load balancer names, or refuse if it is not usable."""
    record = project.get("primary_ips", identity)
    if record["type"] != kind:
        raise ApiError("primary_ip_version_mismatch", f"primary IP '{record['name']}' is not of the type {kind}")
    if record["assignee_id"] is not None:
        raise ApiError("primary_ip_assigned", f"primary IP '{record['name']}' is already assigned to a {holder}")
    if record["location"] != location:
        message = f"primary IP '{record['name']}' is in {record['location']}, not in {location}"
        raise ApiError("primary_ip_datacenter_mismatch", message)
    return record


def give(record: Record, kind: str, holder: Record) -> None:
    record["assignee_id"], record["assignee_type"] = holder["id"], kind
    holder[record["type"]] = record["id"]


def release(project: Project, holder: Record) -> None:
    """Delete or release the addresses of a deleted server or load balancer."""
    for kind in ("ipv4", "ipv6"):
        record = project.peek("primary_ips", holder[kind])
        if record is None:
            continue
        record["assignee_id"], record["assignee_type"] = None, "unassigned"
        if record["auto_delete"]:
            project.remove("primary_ips", record["id"])


def _create(project: Project, body: Body) -> Answer:
    server = None
    if body.get("assignee_id") is not None:
        if body.get("assignee_type") != "server":
            raise invalid_input({"assignee_type": ["must be 'server' when 'assignee_id' is given"]})
        server = project.get("servers", body["assignee_id"])
        _check_assignable(server, body["type"])
    if server is None and "location" not in body:
        raise invalid_input({"location": ["is required when the primary IP is not assigned to a resource"]})
    location = catalogue.find("locations", body["location"])["name"] if "location" in body else None
    if server is not None and location not in (None, server["location"]):
        raise invalid_input({"location": [f"must be the server's location {server['location']}"]})
    record = make(
        project,
        kind=body["type"],
        name=body["name"],
        location=location or (server or {})["location"],
        auto_delete=body["auto_delete"],
        labels=body["labels"],
    )
    action = None
    if server is not None:
        give(record, "server", server)
        action = project.show_action(
            project.act("create_primary_ip", ("primary_ip", record["id"]), ("server", server["id"]))
        )
    return Answer(201, {"primary_ip": _show(project, record), "action": action})


def _check_assignable(server: Record, kind: str) -> None:
    if server["powered"]:
        raise ApiError("server_not_stopped", f"server '{server['name']}' is running, but needs to be powered off")
    if server[kind] is not None:
        raise ApiError(f"server_has_{kind}", f"server '{server['name']}' already has an {kind} address")


def _assign(project: Project, record: Record, body: Body) -> Answer:
    if record["assignee_id"] is not None:
        raise ApiError("primary_ip_already_assigned", f"primary IP '{record['name']}' is already assigned")
    server = project.get("servers", body["assignee_id"])
    _check_assignable(server, record["type"])
    if server["location"] != record["location"]:
        message = f"primary IP '{record['name']}' is in {record['location']}, the server in {server['location']}"
        raise ApiError("primary_ip_datacenter_mismatch", message)
    give(record, "server", server)
    return acted(project, project.act("assign_primary_ip", ("primary_ip", record["id"]), ("server", server["id"])))


def _unassign(project: Project, record: Record, body: Body) -> Answer:
    if record["assignee_type"] == "load_balancer":
        message = "a primary IP stays assigned to its load balancer for the load balancer's whole life"
        raise ApiError("unsupported_error", message)
    if record["assignee_id"] is None:
        raise ApiError("invalid_input", f"primary IP '{record['name']}' is not assigned")
    server = project.get("servers", record["assignee_id"])
    if server["powered"]:
        raise ApiError("server_not_stopped", f"server '{server['name']}' is running, but needs to be powered off")
    if record["type"] == "ipv4" and _is_public_target(project, server["id"]):
        raise ApiError("server_is_load_balancer_target", f"server '{server['name']}' is a load balancer's target")
    server[record["type"]] = None
    record["assignee_id"], record["assignee_type"] = None, "unassigned"
    return acted(project, project.act("unassign_primary_ip", ("primary_ip", record["id"]), ("server", server["id"])))


def _is_public_target(project: Project, server: int) -> bool:
    return any(
        target["type"] == "server" and target["server"]["id"] == server and not target["use_private_ip"]
        for balancer in project.all("load_balancers")
        for target in balancer["targets"]
    )


def change_pointer(record: Record, ip: str, name: str | None) -> None:
    """Set or reset the reverse DNS name of one address of a primary IP."""
    mine = ipaddress.ip_network(record["ip"])
    if ipaddress.ip_address(ip) not in mine:
        raise invalid_input({"ip": [f"is not an address of '{record['ip']}'"]})
    if name is None:
        record["dns_ptr"].pop(ip, None)
    else:
        record["dns_ptr"][ip] = name


def _change_dns_ptr(project: Project, record: Record, body: Body) -> Answer:
    change_pointer(record, body["ip"], body.get("dns_ptr"))
    return acted(project, project.act("change_dns_ptr", ("primary_ip", record["id"])))


def _change_protection(project: Project, record: Record, body: Body) -> Answer:
    record["protection"] = {"delete": body["delete"]}
    return acted(project, project.act("change_protection", ("primary_ip", record["id"])))


def _update(project: Project, record: Record, body: Body) -> None:
    if "auto_delete" in body:
        record["auto_delete"] = body["auto_delete"]


def _delete(project: Project, record: Record) -> Answer:
    if record["assignee_id"] is not None:
        raise ApiError("must_be_unassigned", f"primary IP '{record['name']}' must be unassigned before it is deleted")
    project.remove("primary_ips", record["id"])
    return Answer(204)


DNS_PTR = {"ip": Field(forms.address, required=True), "dns_ptr": Field(forms.text(), nullable=True)}

PRIMARY_IPS = Collection(
    name="primary_ips",
    one="primary_ip",
    show=_show,
    create=_create,
    delete=_delete,
    update=_update,
    form={
        "name": forms.NAME,
        "type": Field(forms.choice("ipv4", "ipv6"), required=True),
        "location": Field(forms.reference),
        "datacenter": Field(forms.reference, refused="was removed from the API on 1 July 2026; use 'location'"),
        "assignee_id": Field(forms.integer(), nullable=True),
        "assignee_type": Field(forms.choice("server", "load_balancer", "unassigned"), nullable=True),
        "auto_delete": Field(forms.boolean, default=False),
    },
    changes={**NEW_NAME, "auto_delete": Field(forms.boolean)},
    filters={"ip": equals("ip")},
    commands={
        "assign": Command(
            _assign,
            {
                "assignee_id": Field(forms.integer(), required=True),
                # A load balancer gets its addresses when it is created, and never later.
                "assignee_type": Field(forms.choice("server"), required=True),
            },
        ),
        "unassign": Command(_unassign),
        "change_dns_ptr": Command(_change_dns_ptr, DNS_PTR),
        "change_protection": Command(_change_protection, PROTECT_DELETE),
    },
)
