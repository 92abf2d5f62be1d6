"""Firewalls, their rules, and the resources that they protect."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import NAME, change_name_and_labels, find_in
from localcloud.plugins.hcloud.values import cidr, exactly_one, from_api, same_elements, to_api
from localcloud.plugins.table import Property, Props, ResourceType

_RULE: Final = dict.fromkeys(("direction", "protocol", "port", "sourceIps", "destinationIps", "description"))
_APPLY_TO: Final = dict.fromkeys(("server", "labelSelector"))


def _rules(inputs: Props) -> list[Props]:
    rules = []
    for index, entry in enumerate(inputs.get("rules") or []):
        rule = to_api(f"rules[{index}]", entry, _RULE)
        for ends in ("source_ips", "destination_ips"):
            rule[ends] = [cidr(address) for address in rule.get(ends) or []]
        rules.append({key: value for key, value in rule.items() if value not in (None, "")})
    return rules


def _resources(inputs: Props) -> list[Props]:
    """Return the resources of a firewall in the API's form."""
    resources: list[Props] = []
    for index, entry in enumerate(inputs.get("applyTos") or []):
        to_api(f"applyTos[{index}]", entry, _APPLY_TO)
        if exactly_one(f"applyTos[{index}]", entry, "server", "labelSelector") == "server":
            resources.append({"type": "server", "server": {"id": entry["server"]}})
        else:
            resources.append({"type": "label_selector", "label_selector": {"selector": entry["labelSelector"]}})
    return resources


def _create(cloud: Cloud, inputs: Props) -> str:
    return cloud.create(
        "firewalls",
        {
            "name": inputs["name"],
            "labels": inputs.get("labels"),
            "rules": _rules(inputs),
            "apply_to": _resources(inputs),
        },
    )


def _settle(cloud: Cloud, id: str, inputs: Props) -> None:
    cloud.wait_for_actions("firewalls", id)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("firewalls", id)
    return {
        "name": found["name"],
        "labels": found["labels"],
        "rules": [from_api(rule) for rule in found["rules"]],
        "applyTos": [_apply_to(entry) for entry in found["applied_to"]],
    }


def _apply_to(entry: Props) -> Props:
    if entry["type"] == "server":
        return {"server": entry["server"]["id"]}
    return {"labelSelector": entry["label_selector"]["selector"]}


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "firewalls", id, new, changed)
    if "rules" in changed:
        cloud.act("firewalls", id, "set_rules", rules=_rules(new))
    if "applyTos" in changed and "applyTos" in new:
        wanted = _resources(new)
        actual = [_plain(entry) for entry in cloud.get("firewalls", id)["applied_to"]]
        gone = [entry for entry in actual if entry not in wanted and entry in _resources(old)]
        added = [entry for entry in wanted if entry not in actual]
        if gone:
            cloud.act("firewalls", id, "remove_from_resources", remove_from=gone)
        if added:
            cloud.act("firewalls", id, "apply_to_resources", apply_to=added)


def _plain(entry: Props) -> Props:
    """Return a resource of a firewall without the fields that the API adds."""
    return {"type": entry["type"], entry["type"]: entry[entry["type"]]}


def _delete(cloud: Cloud, id: str, state: Props) -> None:
    """Delete a firewall, after its removal from its resources: a firewall in use cannot be deleted."""
    applied = [_plain(entry) for entry in cloud.get("firewalls", id)["applied_to"]]
    if applied:
        cloud.act("firewalls", id, "remove_from_resources", remove_from=applied)
    cloud.delete("firewalls", id, ("resource_in_use", "conflict"))


def _same_rules(one: list[Any], other: list[Any]) -> bool:
    return same_elements(map(_canonical, one), map(_canonical, other))


def _canonical(rule: Props) -> list[Any]:
    ends = (sorted(cidr(address) for address in rule.get(key) or []) for key in ("sourceIps", "destinationIps"))
    return [rule.get(key) or "" for key in ("direction", "protocol", "port", "description")] + list(ends)


def _same_resources(one: list[Any], other: list[Any]) -> bool:
    return same_elements(one, other)


FIREWALL = ResourceType(
    token="hcloud:index/firewall:Firewall",  # noqa: S106 - the name of a type
    properties={
        "name": NAME,
        "labels": Property(),
        "rules": Property(default=[], same=_same_rules),
        "applyTos": Property(same=_same_resources),
    },
    computed=("labels", "applyTos"),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=_delete,
    find=find_in("firewalls"),
    delete_before_replace=True,
)
