"""Primary IPs."""

from __future__ import annotations

import contextlib

from hcloud import APIException

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, NAME, PROTECTION, change_name_and_labels, find_in, protect
from localcloud.plugins.hcloud.values import exactly_one
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType


def _create(cloud: Cloud, inputs: Props) -> str:
    place = exactly_one("a primary IP", inputs, "location", "assigneeId")
    if place == "assigneeId" and inputs.get("assigneeType") is None:
        raise RefusedError("a primary IP with `assigneeId` needs `assigneeType` too")
    return cloud.create(
        "primary_ips",
        {
            "name": inputs["name"],
            "type": inputs["type"],
            "location": inputs.get("location"),
            "assignee_id": inputs.get("assigneeId"),
            "assignee_type": inputs.get("assigneeType") if place == "assigneeId" else None,
            "auto_delete": inputs.get("autoDelete", False),
            "labels": inputs.get("labels"),
        },
    )


def _settle(cloud: Cloud, id: str, inputs: Props) -> None:
    cloud.wait_for_actions("primary_ips", id)
    protect(cloud, "primary_ips", id, inputs)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("primary_ips", id)
    network = {"ipNetwork": found["ip"]} if found["type"] == "ipv6" else {}
    return {
        "name": found["name"],
        "type": found["type"],
        "location": found["location"]["name"],
        "assigneeId": found["assignee_id"],
        "assigneeType": found["assignee_type"],
        "autoDelete": found["auto_delete"],
        "deleteProtection": found["protection"]["delete"],
        "labels": found["labels"],
        "ipAddress": found["ip"].partition("/")[0],
        **network,
    }


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "primary_ips", id, new, changed)
    if "autoDelete" in changed:
        cloud.change("primary_ips", id, auto_delete=bool(new.get("autoDelete", False)))
    if "assigneeId" in changed:
        _assign(cloud, id, new.get("assigneeId"))
    protect(cloud, "primary_ips", id, new)


def _assign(cloud: Cloud, id: str, wanted: int | None) -> None:
    actual = cloud.get("primary_ips", id)["assignee_id"]
    if actual is not None and actual != wanted:
        cloud.act("primary_ips", id, "unassign")
    if wanted is not None and actual != wanted:
        cloud.act("primary_ips", id, "assign", assignee_id=wanted, assignee_type="server")


def _delete(cloud: Cloud, id: str, state: Props) -> None:
    """Delete an address. A server must be off to lose its address; it is started again afterwards."""
    found = cloud.get("primary_ips", id)
    if found["assignee_type"] == "server" and not found["protection"]["delete"]:
        with contextlib.suppress(GoneError):  # a parallel request may delete the server, and its addresses with it
            server = cloud.get("servers", found["assignee_id"])["id"]
            with contextlib.suppress(APIException):
                cloud.act("servers", server, "poweroff")
                cloud.act("primary_ips", id, "unassign")
            with contextlib.suppress(APIException):
                cloud.act("servers", server, "poweron")
    cloud.delete("primary_ips", id, ("must_be_unassigned",))


def _same_assignee_type(one: str, other: str) -> bool:
    """Whether the types are the same. A free address has no type."""
    return one == other or "unassigned" in (one, other)


PRIMARY_IP = ResourceType(
    token="hcloud:index/primaryIp:PrimaryIp",  # noqa: S106 - the name of a type
    properties={
        "name": NAME,
        "type": Property(required=True, replaces=True, choices=("ipv4", "ipv6")),
        "location": Property(replaces=True),
        "assigneeId": Property(),
        "assigneeType": Property(choices=("server", "load_balancer", "unassigned"), same=_same_assignee_type),
        "autoDelete": Property(default=False),
        "deleteProtection": PROTECTION,
        "labels": LABELS,
    },
    computed=("location", "assigneeId", "assigneeType", "ipAddress", "ipNetwork"),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=_delete,
    find=find_in("primary_ips"),
    delete_before_replace=True,
)
