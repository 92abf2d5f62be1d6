"""Firewalls: their rules, and the servers that they apply to, by name or by label."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localcloud.hetzner import forms
from localcloud.hetzner.collection import Answer, Body, Collection, Command
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field, Form
from localcloud.hetzner.labels import Selector
from localcloud.hetzner.project import Project, Record

_MOST_RULES = 50
_MOST_ADDRESSES = 100
_ENDS = ("source_ips", "destination_ips")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")

_RULE: Form = {
    "direction": Field(forms.choice("in", "out"), required=True),
    "protocol": Field(forms.choice("tcp", "udp", "icmp", "esp", "gre"), required=True),
    "port": Field(forms.text(), nullable=True),
    "source_ips": Field(forms.listed(forms.cidr, _MOST_ADDRESSES), default=[]),
    "destination_ips": Field(forms.listed(forms.cidr, _MOST_ADDRESSES), default=[]),
    "description": Field(forms.text(), nullable=True),
}
_RESOURCE: Form = {
    "type": Field(forms.choice("server", "label_selector"), required=True),
    "server": Field(forms.nested({"id": Field(forms.integer(), required=True)})),
    "label_selector": Field(forms.nested({"selector": Field(forms.selector, required=True)})),
}
_RULES = forms.listed(forms.nested(_RULE), _MOST_RULES)
_RESOURCES = Field(forms.listed(forms.nested(_RESOURCE)), required=True)


def _show(project: Project, record: Record) -> Body:
    return {
        "id": record["id"],
        "name": record["name"],
        "labels": record["labels"],
        "created": record["created"],
        "rules": record["rules"],
        "applied_to": [_show_resource(project, entry) for entry in record["applied_to"]],
    }


def _show_resource(project: Project, entry: Body) -> Body:
    if entry["type"] == "server":
        return {"type": "server", "server": entry["server"]}
    found = project.matching("servers", Selector(entry["label_selector"]["selector"]).matches)
    return {
        "type": "label_selector",
        "label_selector": entry["label_selector"],
        "applied_to_resources": [{"type": "server", "server": {"id": server["id"]}} for server in found],
    }


def applied(project: Project, server: Record) -> Iterator[Body]:
    """The firewalls of a server, in the form of its `public_net`."""
    for record in project.all("firewalls"):
        if any(_covers(entry, server) for entry in record["applied_to"]):
            pending = any(
                action["command"] == "apply_firewall" and {"id": server["id"], "type": "server"} in action["resources"]
                for action in project.running("firewall", record["id"])
            )
            yield {"id": record["id"], "status": "pending" if pending else "applied"}


def _covers(entry: Body, server: Record) -> bool:
    if entry["type"] == "server":
        return bool(entry["server"]["id"] == server["id"])
    return Selector(entry["label_selector"]["selector"]).matches(server["labels"])


def forget(project: Project, server: int) -> None:
    """Remove a deleted server from all firewalls."""
    gone = {"type": "server", "server": {"id": server}}
    for record in project.all("firewalls"):
        record["applied_to"] = [entry for entry in record["applied_to"] if entry != gone]


def _checked(rules: list[Body]) -> list[Body]:
    problems: forms.Problems = {}
    for index, rule in enumerate(rules):
        named = f"rules.{index}"
        rule.setdefault("port", None)
        rule.setdefault("description", None)
        if (rule["protocol"] in ("tcp", "udp")) != (rule["port"] is not None):
            needs = "is required" if rule["port"] is None else "is not allowed"
            problems.setdefault(f"{named}.port", []).append(f"{needs} with the protocol {rule['protocol']}")
        elif rule["port"] not in (None, "any") and not _is_port(rule["port"]):
            problems.setdefault(f"{named}.port", []).append("must be a port, a range of ports, or 'any'")
        wanted, other = _ENDS if rule["direction"] == "in" else _ENDS[::-1]
        if not rule[wanted]:
            problems.setdefault(f"{named}.{wanted}", []).append(f"is required with the direction {rule['direction']}")
        if rule[other]:
            problems.setdefault(f"{named}.{other}", []).append(f"is not allowed with the direction {rule['direction']}")
    if problems:
        raise invalid_input(problems)
    return rules


def _is_port(text: str) -> bool:
    match = _PORTS.fullmatch(text)
    return match is not None and 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535


def _create(project: Project, body: Body) -> Answer:
    record = project.add(
        "firewalls", name=body["name"], labels=body["labels"], rules=_checked(body["rules"]), applied_to=[]
    )
    actions = [project.act("set_firewall_rules", ("firewall", record["id"]))] if record["rules"] else []
    # This is the one operation that answers 422 for a resource that does not exist.
    actions += [apply(project, record, entry, missing=422) for entry in body["apply_to"]]
    return Answer(
        201, {"firewall": _show(project, record), "actions": [project.show_action(action) for action in actions]}
    )


def apply(project: Project, record: Record, entry: Body, *, missing: int = 404) -> Record:
    """Apply a firewall to a server, or to all servers that match a selector."""
    entry = _resource(entry)
    if entry["type"] == "server":
        server = project.peek("servers", entry["server"]["id"])
        if server is None:
            message = f"server with ID '{entry['server']['id']}' not found"
            raise ApiError("firewall_resource_not_found", message, status=missing)
        if server["ipv4"] is None and server["ipv6"] is None:
            raise ApiError("private_net_only_server", f"server '{server['name']}' has no public interface")
    if entry in record["applied_to"]:
        raise ApiError("firewall_already_applied", f"firewall '{record['name']}' is already applied to the resource")
    record["applied_to"].append(entry)
    resources = [("firewall", record["id"])]
    if entry["type"] == "server":
        resources.append(("server", entry["server"]["id"]))
    return project.act("apply_firewall", *resources)


def _resource(entry: Body) -> Body:
    kind = entry["type"]
    if kind not in entry:
        raise invalid_input({kind: [f"is required with the type {kind}"]})
    return {"type": kind, kind: entry[kind]}


def _apply(project: Project, record: Record, body: Body) -> Answer:
    actions = [apply(project, record, entry) for entry in body["apply_to"]]
    return Answer(201, {"actions": [project.show_action(action) for action in actions]})


def _remove(project: Project, record: Record, body: Body) -> Answer:
    actions = []
    for entry in map(_resource, body["remove_from"]):
        server = project.peek("servers", entry["server"]["id"]) if entry["type"] == "server" else None
        if entry["type"] == "server" and server is None:
            raise ApiError("firewall_resource_not_found", f"server with ID '{entry['server']['id']}' not found")
        if entry in record["applied_to"]:
            record["applied_to"].remove(entry)
            resources = [("firewall", record["id"])] + ([("server", server["id"])] if server else [])
            actions.append(project.act("remove_firewall", *resources))
        elif server is not None and any(_covers(other, server) for other in record["applied_to"]):
            message = f"firewall '{record['name']}' is applied to server '{server['name']}' by a label selector"
            raise ApiError("firewall_managed_by_label_selector", message)
    return Answer(201, {"actions": [project.show_action(action) for action in actions]})


def _set_rules(project: Project, record: Record, body: Body) -> Answer:
    record["rules"] = _checked(body["rules"])
    actions = [project.act("set_firewall_rules", ("firewall", record["id"]))]
    for server in project.all("servers"):
        if any(_covers(entry, server) for entry in record["applied_to"]):
            actions.append(project.act("apply_firewall", ("firewall", record["id"]), ("server", server["id"])))
    return Answer(201, {"actions": [project.show_action(action) for action in actions]})


def _delete(project: Project, record: Record) -> Answer:
    if record["applied_to"]:
        raise ApiError("resource_in_use", f"firewall '{record['name']}' is still in use")
    project.remove("firewalls", record["id"])
    return Answer(204)


FIREWALLS = Collection(
    name="firewalls",
    one="firewall",
    show=_show,
    create=_create,
    delete=_delete,
    busy="conflict",
    form={
        "name": forms.NAME,
        "rules": Field(_RULES, default=[]),
        "apply_to": Field(forms.listed(forms.nested(_RESOURCE)), default=[]),
    },
    commands={
        "set_rules": Command(_set_rules, {"rules": Field(_RULES, required=True)}, locks=False),
        "apply_to_resources": Command(_apply, {"apply_to": _RESOURCES}, locks=False),
        "remove_from_resources": Command(_remove, {"remove_from": _RESOURCES}, locks=False),
    },
)
