"""Servers: their records, creation and deletion. Their actions are in `commands.py`."""

from __future__ import annotations

import secrets

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.addresses import primary_ips, private
from localcloud.hetzner.collection import Answer, Body, Collection, equals
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field
from localcloud.hetzner.load_balancers import targets
from localcloud.hetzner.network import firewalls
from localcloud.hetzner.project import Project, Record
from localcloud.hetzner.servers import placement_groups
from localcloud.hetzner.servers.commands import COMMANDS, UNSUPPORTED, attach

_HOSTNAME = r"(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_USER_DATA_BYTES = 32 * 1024

# The status of a server while an action of this kind runs on it.
_BUSY = {
    "create_server": "initializing",
    "start_server": "starting",
    "stop_server": "stopping",
    "shutdown_server": "stopping",
    "delete_server": "deleting",
    "change_server_type": "migrating",
    "rebuild_server": "rebuilding",
}


def _show(project: Project, record: Record) -> Body:
    server_type = catalogue.with_stock(catalogue.find("server_types", record["server_type"]), project.settings.sold_out)
    image = next((entry for entry in catalogue.IMAGES if entry["id"] == record["image"]), None)
    balancers = (balancer for balancer in project.all("load_balancers") if targets.has_target(balancer, record))
    return {
        "id": record["id"],
        "name": record["name"],
        "status": status(project, record),
        "created": record["created"],
        "public_net": {
            "ipv4": _show_ipv4(project.peek("primary_ips", record["ipv4"])),
            "ipv6": _show_ipv6(project.peek("primary_ips", record["ipv6"])),
            "floating_ips": [],
            "firewalls": list(firewalls.applied(project, record)),
        },
        "private_net": private.shown(record),
        "server_type": server_type,
        "location": catalogue.find("locations", record["location"]),
        "image": image,
        "iso": None,
        "rescue_enabled": False,
        "locked": bool(project.running("server", record["id"])),
        "backup_window": record["backup_window"],
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 20 * 1024**4,
        "primary_disk_size": record["primary_disk_size"],
        "protection": record["protection"],
        "labels": record["labels"],
        "volumes": [],
        "load_balancers": [balancer["id"] for balancer in balancers],
        "placement_group": placement_groups.show(project, record["placement_group"]),
    }


def status(project: Project, record: Record) -> str:
    for action in project.running("server", record["id"]):
        if action["command"] in _BUSY:
            return _BUSY[action["command"]]
    return "running" if record["powered"] else "off"


def _show_ipv4(record: Record | None) -> Body | None:
    if record is None:
        return None
    name = primary_ips.dns_pointers(record)[0]["dns_ptr"]
    return {"id": record["id"], "ip": record["ip"], "blocked": False, "dns_ptr": name}


def _show_ipv6(record: Record | None) -> Body | None:
    if record is None:
        return None
    return {"id": record["id"], "ip": record["ip"], "blocked": False, "dns_ptr": primary_ips.dns_pointers(record)}


def _create(project: Project, body: Body) -> Answer:
    """Create a server in the given networks, and start it unless the request says otherwise.

    The record states what should run. `powered` is whether it is on. `boots` grows with each start, so that
    `localcloud.hosts` notices a restart. `stopping` requests a shutdown of the running machine (see `commands.py`).
    `user_data` is the text that it boots with.

    The official provider does not name networks here. It creates a server with a public address, waits until that is
    started, and then attaches it to its networks. So a first boot may happen before the private addresses exist.
    """
    server_type = catalogue.find("server_types", body["server_type"])
    location = _location(project, body, server_type)
    image = catalogue.image_for(body["image"], server_type["architecture"])
    catalogue.must_be_in_stock(server_type, location["name"], project.settings.sold_out)
    limit = project.settings.server_limit
    if limit is not None and len(project.all("servers")) >= limit:
        raise ApiError("resource_limit_exceeded", "server limit exceeded")
    keys = [project.lookup("ssh_keys", key) for key in body["ssh_keys"]]
    if len(body.get("user_data", "").encode()) > _USER_DATA_BYTES:
        raise invalid_input({"user_data": ["is too long, at most 32 KiB are allowed"]})
    group = body.get("placement_group")
    if group is not None:
        placement_groups.join(project, group)
    wants = body["public_net"]
    if body["start_after_create"] and not (wants["enable_ipv4"] or wants["enable_ipv6"] or body["networks"]):
        raise invalid_input({"public_net": ["a server needs a public or a private network to be started"]})
    record = project.add(
        "servers",
        name=body["name"],
        labels=body["labels"],
        server_type=server_type["name"],
        location=location["name"],
        image=image["id"],
        ssh_keys=[key["id"] for key in keys],
        user_data=body.get("user_data"),
        primary_disk_size=server_type["disk"],
        placement_group=group,
        ipv4=None,
        ipv6=None,
        private_net=[],
        backup_window=None,
        protection={"delete": False, "rebuild": False},
        powered=False,
        boots=0,
        stopping=False,
    )
    _give_addresses(project, record, wants)
    created = project.act("create_server", ("server", record["id"]))
    following = [attach(project, record, project.get("networks", network)) for network in body["networks"]]
    for entry in body["firewalls"]:
        firewall = project.get("firewalls", entry["firewall"])
        resource = {"type": "server", "server": {"id": record["id"]}}
        following.append(firewalls.apply(project, firewall, resource))
    if body["start_after_create"]:
        start = project.act("start_server", ("server", record["id"]), then=["power on", record["id"]], turn=2)
        following.append(start)
    return Answer(
        201,
        {
            "server": _show(project, record),
            "action": project.show_action(created),
            "next_actions": [project.show_action(action) for action in following],
            "root_password": None if keys else secrets.token_urlsafe(15),
        },
    )


def _location(project: Project, body: Body, server_type: Body) -> Body:
    """Choose a server's location: as requested, that of its primary IPs, or the first one with the type."""
    wanted: int | str | None = body.get("location")
    for kind in ("ipv4", "ipv6"):
        if wanted is None and body["public_net"].get(kind) is not None:
            wanted = project.get("primary_ips", body["public_net"][kind])["location"]
    if wanted is None:
        places = [place["name"] for place in server_type["locations"]]
        in_stock = (place for place in places if project.settings.sold_out(server_type["name"], place) is None)
        wanted = next(in_stock, places[0])
    location = catalogue.find("locations", wanted)
    if not catalogue.offered_in(server_type, location):
        message = f"unsupported location for server type: {server_type['name']} is not offered in {location['name']}"
        raise ApiError("invalid_input", message, {"fields": [{"name": "location", "messages": [message]}]})
    return location


def _give_addresses(project: Project, record: Record, wants: Body) -> None:
    for kind in ("ipv4", "ipv6"):
        if wants.get(kind) is not None and not wants[f"enable_{kind}"]:
            raise invalid_input({f"public_net.{kind}": [f"is not allowed when enable_{kind} is false"]})
        if wants.get(kind) is not None:
            address = primary_ips.claim(project, wants[kind], kind, record["location"], "server")
        elif wants[f"enable_{kind}"]:
            address = primary_ips.make_own(project, kind, record["location"])
        else:
            continue
        primary_ips.give(address, "server", record)


def _delete(project: Project, record: Record) -> Answer:
    action = project.act("delete_server", ("server", record["id"]), then=["remove", record["id"], "servers"])
    return Answer(200, {"action": project.show_action(action)})


def removed(project: Project, record: Record) -> None:
    primary_ips.release(project, record)
    firewalls.forget(project, record["id"])
    targets.forget_server(project, record["id"])


SERVERS = Collection(
    name="servers",
    one="server",
    show=_show,
    create=_create,
    delete=_delete,
    form={
        "name": Field(
            forms.text(pattern=_HOSTNAME, message="must be a valid hostname as per RFC 1123"),
            required=True,
        ),
        "server_type": Field(forms.reference, required=True),
        "image": Field(forms.reference, required=True),
        "location": Field(forms.reference),
        "datacenter": Field(forms.reference, refused="was removed from the API on 1 July 2026; use 'location'"),
        "start_after_create": Field(forms.boolean, default=True),
        "ssh_keys": Field(forms.listed(forms.reference), default=[]),
        "volumes": Field(forms.listed(forms.integer()), refused="the local cloud has no volumes"),
        "automount": Field(forms.boolean),
        "networks": Field(forms.listed(forms.integer()), default=[]),
        "firewalls": Field(forms.listed(forms.nested({"firewall": Field(forms.integer(), required=True)})), default=[]),
        "user_data": Field(forms.text(least=0, most=2**31)),
        "placement_group": Field(forms.integer()),
        "public_net": Field(
            forms.nested(
                {
                    "enable_ipv4": Field(forms.boolean, default=True),
                    "enable_ipv6": Field(forms.boolean, default=True),
                    "ipv4": Field(forms.integer(), nullable=True),
                    "ipv6": Field(forms.integer(), nullable=True),
                }
            ),
            default={"enable_ipv4": True, "enable_ipv6": True},
        ),
    },
    filters={"status": equals("status")},
    commands=COMMANDS,
    unsupported=UNSUPPORTED,
)
