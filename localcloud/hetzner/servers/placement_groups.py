"""Placement groups: servers of one group run on different hosts."""

from __future__ import annotations

from localcloud.hetzner import forms
from localcloud.hetzner.collection import Answer, Body, Collection, equals
from localcloud.hetzner.errors import ApiError
from localcloud.hetzner.forms import Field
from localcloud.hetzner.project import Project, Record

_MOST_SERVERS = 10
_MOST_GROUPS = 50


def _show(project: Project, record: Record) -> Body:
    return {
        "id": record["id"],
        "name": record["name"],
        "labels": record["labels"],
        "type": record["type"],
        "servers": [server["id"] for server in _members(project, record["id"])],
        "created": record["created"],
    }


def _members(project: Project, identity: int) -> list[Record]:
    return [server for server in project.all("servers") if server["placement_group"] == identity]


def join(project: Project, identity: int) -> Record:
    """Return the group, if it has room for one more server."""
    record = project.get("placement_groups", identity)
    if len(_members(project, identity)) >= _MOST_SERVERS:
        message = f"placement group '{record['name']}' already contains {_MOST_SERVERS} servers"
        raise ApiError("resource_limit_exceeded", message)
    return record


def show(project: Project, identity: int | None) -> Body | None:
    record = project.peek("placement_groups", identity)
    return None if record is None else _show(project, record)


def _create(project: Project, body: Body) -> Answer:
    if len(project.all("placement_groups")) >= _MOST_GROUPS:
        raise ApiError("resource_limit_exceeded", f"a project has at most {_MOST_GROUPS} placement groups")
    record = project.add("placement_groups", **body)
    return Answer(201, {"placement_group": _show(project, record), "action": None})


def _delete(project: Project, record: Record) -> Answer:
    project.remove("placement_groups", record["id"])
    return Answer(204)


def removed(project: Project, record: Record) -> None:
    for server in _members(project, record["id"]):
        server["placement_group"] = None


PLACEMENT_GROUPS = Collection(
    name="placement_groups",
    one="placement_group",
    show=_show,
    create=_create,
    delete=_delete,
    form={"name": forms.NAME, "type": Field(forms.choice("spread"), required=True)},
    filters={"type": equals("type")},
)
