"""Actions of servers.

Their effect on a machine is in its record: `powered`, and `boots`, which grows with each start. A shutdown is only a
request, like in ACPI. If machines run, it sets `stopping`, and the server is off when its machine reports that. If none
run, the server is off at once.
"""

from __future__ import annotations

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.addresses import primary_ips, private
from localcloud.hetzner.addresses.primary_ips import DNS_PTR
from localcloud.hetzner.collection import Answer, Body, Command, acted
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field
from localcloud.hetzner.load_balancers import targets
from localcloud.hetzner.project import Ending, Project, Record
from localcloud.hetzner.servers import placement_groups

_MOST_NETWORKS = 3
_MOST_ALIASES = 5

UNSUPPORTED = (
    "attach_iso",
    "create_image",
    "detach_iso",
    "disable_rescue",
    "enable_rescue",
    "request_console",
    "reset_password",
)


def _power_on(project: Project, record: Record, body: Body) -> Answer:
    if record["ipv4"] is None and record["ipv6"] is None and not record["private_net"]:
        raise ApiError("invalid_input", "a server needs at least one network interface to be powered on")
    action = project.act("start_server", ("server", record["id"]), then=["power on", record["id"]])
    return acted(project, action)


def _stop(command: str, then: str) -> Command:
    def run(project: Project, record: Record, body: Body) -> Answer:
        return acted(project, project.act(command, ("server", record["id"]), then=[then, record["id"]]))

    return Command(run)


def _restart(command: str) -> Command:
    def run(project: Project, record: Record, body: Body) -> Answer:
        return acted(project, project.act(command, ("server", record["id"]), then=["restart", record["id"]]))

    return Command(run)


def _powered_on(project: Project, identity: int) -> None:
    server = project.peek("servers", identity)
    if server is not None and not server["powered"]:
        server.update(powered=True, stopping=False, boots=server["boots"] + 1)


def powered_off(project: Project, identity: int) -> None:
    server = project.peek("servers", identity)
    if server is not None:
        server.update(powered=False, stopping=False)


def _restarted(project: Project, identity: int) -> None:
    """Count a new boot; a server that is off stays off."""
    server = project.peek("servers", identity)
    if server is not None and server["powered"]:
        server.update(stopping=False, boots=server["boots"] + 1)


def _booted(project: Project, identity: int) -> None:
    """Start the server with a new disk or type, even if it was off."""
    server = project.peek("servers", identity)
    if server is not None:
        server.update(powered=True, stopping=False, boots=server["boots"] + 1)


def _asked_to_stop(project: Project, identity: int) -> None:
    server = project.peek("servers", identity)
    if server is not None and server["powered"]:
        server["stopping"] = True


ENDINGS: dict[str, Ending] = {
    "power on": _powered_on,
    "power off": powered_off,
    "restart": _restarted,
    "boot": _booted,
}
MACHINES_ENDINGS: dict[str, Ending] = {**ENDINGS, "shut down": _asked_to_stop}
"""Effects of actions if machines run."""
RECORDS_ENDINGS: dict[str, Ending] = {**ENDINGS, "shut down": powered_off}
"""Effects of actions if servers are records only."""


def attach(
    project: Project,
    record: Record,
    network: Record,
    ip: str | None = None,
    ip_range: str | None = None,
    aliases: list[str] | None = None,
) -> Record:
    """Attach a server to a network. Return the action."""
    if private.network_of(record, network["id"]) is not None:
        raise ApiError("server_already_attached", f"server '{record['name']}' is already attached to the network")
    if len(record["private_net"]) >= _MOST_NETWORKS:
        raise ApiError("resource_limit_exceeded", f"a server is in at most {_MOST_NETWORKS} networks")
    for entry in record["private_net"]:
        if private.overlap(network, project.get("networks", entry["network"])):
            raise ApiError("networks_overlap", "the network's range overlaps with another network of the server")
    zone = catalogue.find("locations", record["location"])["network_zone"]
    address = private.choose(project, network, zone, ip, ip_range)
    entry = {
        "network": network["id"],
        "ip": address,
        "alias_ips": [],
        "mac_address": "86:00:00:" + (network["id"] << 12 ^ record["id"]).to_bytes(8, "big")[-3:].hex(":"),
        "loopback": project.loopback(network, address),
    }
    record["private_net"].append(entry)
    _set_aliases(project, network, entry, aliases or [])
    return project.act("attach_to_network", ("server", record["id"]), ("network", network["id"]))


def _set_aliases(project: Project, network: Record, entry: Record, aliases: list[str]) -> None:
    if len(aliases) > _MOST_ALIASES or len(set(aliases)) < len(aliases) or entry["ip"] in aliases:
        message = f"must be at most {_MOST_ALIASES} different addresses in addition to the main one"
        raise invalid_input({"alias_ips": [message]})
    private.check_aliases(project, network, aliases, entry["alias_ips"])
    entry["alias_ips"] = aliases


def _attach(project: Project, record: Record, body: Body) -> Answer:
    network = project.get("networks", body["network"])
    action = attach(project, record, network, body.get("ip"), body.get("ip_range"), body["alias_ips"])
    return acted(project, action)


def _attachment(record: Record, network: int) -> Record:
    entry = private.network_of(record, network)
    if entry is None:
        raise ApiError("not_found", f"server '{record['name']}' is not attached to network '{network}'")
    return entry


def _detach(project: Project, record: Record, body: Body) -> Answer:
    record["private_net"].remove(_attachment(record, body["network"]))
    targets.drop_unreachable(project)
    action = project.act("detach_from_network", ("server", record["id"]), ("network", body["network"]))
    return acted(project, action)


def _change_aliases(project: Project, record: Record, body: Body) -> Answer:
    entry = _attachment(record, body["network"])
    _set_aliases(project, project.get("networks", body["network"]), entry, body["alias_ips"])
    return acted(project, project.act("change_alias_ips", ("server", record["id"]), ("network", body["network"])))


def _change_type(project: Project, record: Record, body: Body) -> Answer:
    _must_be_off(record)
    old, new = (catalogue.find("server_types", name) for name in (record["server_type"], body["server_type"]))
    if new["architecture"] != old["architecture"]:
        raise ApiError("invalid_server_type", f"a server of {old['architecture']} cannot become a {new['name']}")
    if new["disk"] < record["primary_disk_size"]:
        raise ApiError("invalid_server_type", f"the disk of a {new['name']} is smaller than the server's")
    if not catalogue.offered_in(new, catalogue.find("locations", record["location"])):
        raise ApiError("invalid_server_type", f"{new['name']} is not offered in {record['location']}")
    catalogue.must_be_in_stock(new, record["location"], project.settings.sold_out)
    record["server_type"] = new["name"]
    if body["upgrade_disk"]:
        record["primary_disk_size"] = new["disk"]
    # The API starts the server again when its disk has been copied.
    action = project.act("change_server_type", ("server", record["id"]), then=["boot", record["id"]])
    return acted(project, action)


def _must_be_off(record: Record) -> None:
    if record["powered"]:
        raise ApiError("server_not_stopped", f"server '{record['name']}' is running, but needs to be powered off")


def _change_protection(project: Project, record: Record, body: Body) -> Answer:
    wanted = {**record["protection"], **body}
    if wanted["delete"] != wanted["rebuild"]:
        raise invalid_input({"rebuild": ["must be the same as 'delete'"]})
    record["protection"] = wanted
    return acted(project, project.act("change_protection", ("server", record["id"])))


def _enable_backup(project: Project, record: Record, body: Body) -> Answer:
    start = 4 * (record["id"] % 6) + 2
    record["backup_window"] = record["backup_window"] or f"{start:02}-{(start + 4) % 24:02}"
    return acted(project, project.act("enable_backup", ("server", record["id"])))


def _disable_backup(project: Project, record: Record, body: Body) -> Answer:
    record["backup_window"] = None
    return acted(project, project.act("disable_backup", ("server", record["id"])))


def _join_group(project: Project, record: Record, body: Body) -> Answer:
    if record["placement_group"] is not None:
        raise ApiError("already_in_placement_group", f"server '{record['name']}' is already in a placement group")
    _must_be_off(record)
    record["placement_group"] = placement_groups.join(project, body["placement_group"])["id"]
    resources = ("server", record["id"]), ("placement_group", body["placement_group"])
    return acted(project, project.act("add_to_placement_group", *resources))


def _leave_group(project: Project, record: Record, body: Body) -> Answer:
    if record["placement_group"] is None:
        raise ApiError("invalid_input", f"server '{record['name']}' is not in a placement group")
    resources = ("server", record["id"]), ("placement_group", record["placement_group"])
    record["placement_group"] = None
    return acted(project, project.act("remove_from_placement_group", *resources))


def _rebuild(project: Project, record: Record, body: Body) -> Answer:
    if record["protection"]["rebuild"]:
        raise ApiError("protected", "server rebuild is protected")
    architecture = catalogue.find("server_types", record["server_type"])["architecture"]
    record["image"] = catalogue.image_for(body["image"], architecture)["id"]
    if "user_data" in body:
        record["user_data"] = body["user_data"]
    record["disk"] = record.get("disk", 0) + 1  # signals to `localcloud.hosts` that the old disk is gone
    action = project.act("rebuild_server", ("server", record["id"]), then=["boot", record["id"]])
    return Answer(201, {"action": project.show_action(action), "root_password": None})


def _change_dns_ptr(project: Project, record: Record, body: Body) -> Answer:
    kind = "ipv6" if ":" in body["ip"] else "ipv4"
    address = project.peek("primary_ips", record[kind])
    if address is None:
        raise invalid_input({"ip": [f"the server has no {kind} address"]})
    primary_ips.change_pointer(address, body["ip"], body.get("dns_ptr"))
    return acted(project, project.act("change_dns_ptr", ("server", record["id"])))


_NETWORK = Field(forms.integer(), required=True)

COMMANDS = {
    "poweron": Command(_power_on),
    "poweroff": _stop("stop_server", "power off"),
    "shutdown": _stop("shutdown_server", "shut down"),
    "reboot": _restart("reboot_server"),
    "reset": _restart("reset_server"),
    "attach_to_network": Command(
        _attach,
        {
            "network": _NETWORK,
            "ip": Field(forms.address),
            "ip_range": Field(forms.cidr),
            "alias_ips": Field(forms.listed(forms.address), default=[]),
        },
    ),
    "detach_from_network": Command(_detach, {"network": _NETWORK}),
    "change_alias_ips": Command(
        _change_aliases, {"network": _NETWORK, "alias_ips": Field(forms.listed(forms.address), required=True)}
    ),
    "change_type": Command(
        _change_type,
        {
            "server_type": Field(forms.reference, required=True),
            "upgrade_disk": Field(forms.boolean, required=True),
        },
    ),
    "change_protection": Command(_change_protection, {"delete": Field(forms.boolean), "rebuild": Field(forms.boolean)}),
    "enable_backup": Command(_enable_backup),
    "disable_backup": Command(_disable_backup),
    "add_to_placement_group": Command(_join_group, {"placement_group": Field(forms.integer(), required=True)}),
    "remove_from_placement_group": Command(_leave_group),
    "rebuild": Command(
        _rebuild, {"image": Field(forms.reference, required=True), "user_data": Field(forms.text(least=0, most=2**15))}
    ),
    "change_dns_ptr": Command(_change_dns_ptr, DNS_PTR),
}
