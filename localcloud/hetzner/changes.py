"""Requests that change something: creation, update, deletion and actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.hetzner import catalogue
from localcloud.hetzner.collection import Answer, Collection
from localcloud.hetzner.errors import ApiError, not_unique, unsupported
from localcloud.hetzner.forms import read
from localcloud.hetzner.paths import find_collection, find_record, no_such_path
from localcloud.hetzner.project import Project, Record


def change(project: Project, collections: Mapping[str, Collection], method: str, path: list[str], body: Any) -> Answer:
    """Answer a request that changes something."""
    if path and path[0] in (*catalogue.LISTS, "actions"):
        raise ApiError("method_not_allowed", f"{method} is not allowed for /{'/'.join(path)}")
    entry, rest = find_collection(collections, path)
    match method, rest:
        case "POST", []:
            wanted = read(body, entry.creation)
            _check_unique(project, entry, wanted["name"])
            return entry.create(project, wanted)
        case "POST", [identity, "actions", command]:
            return _command(project, entry, find_record(project, entry, identity), command, body)
        case _, [identity, part, *below] if entry.part is not None and part == entry.part.name:
            return entry.part.change(project, find_record(project, entry, identity), method, below, body)
        case "PUT", [identity]:
            return _update(project, entry, find_record(project, entry, identity), body)
        case "DELETE", [identity]:
            record = find_record(project, entry, identity)
            if record.get("protection", {}).get("delete"):
                raise ApiError("protected", f"{entry.words} deletion is protected")
            _check_free(project, entry, record)
            return entry.delete(project, record)
    if len(rest) < 2 or rest[1:] in (["actions"], ["members"]):
        raise ApiError("method_not_allowed", f"{method} is not allowed for /{'/'.join(path)}")
    raise no_such_path(path)


def _update(project: Project, entry: Collection, record: Record, body: Any) -> Answer:
    changes = read(body, entry.changes)
    if changes.get("name", record["name"]) != record["name"]:
        if entry.name == "servers":
            read({"name": changes["name"]}, {"name": entry.form["name"]})
        _check_unique(project, entry, changes["name"])
    record.update({key: changes[key] for key in ("name", "labels") if key in changes})
    if entry.update is not None:
        entry.update(project, record, changes)
    return Answer(200, {entry.one: entry.show(project, record)})


def _command(project: Project, entry: Collection, record: Record, command: str, body: Any) -> Answer:
    if command in entry.unsupported:
        raise unsupported(f"the action {command} of {entry.words}s")
    known = entry.commands.get(command)
    if known is None:
        raise no_such_path([entry.name, str(record["id"]), "actions", command])
    if known.locks:
        _check_free(project, entry, record)
    return known.run(project, record, read({} if body is None else body, known.form))


def _check_free(project: Project, entry: Collection, record: Record) -> None:
    running = project.running(entry.one, record["id"])
    if running:
        message = f"{entry.words} '{record['id']}' is busy with the action {running[0]['command']}"
        raise ApiError(entry.busy, message)


def _check_unique(project: Project, entry: Collection, name: str) -> None:
    if any(record["name"] == name for record in project.all(entry.name)):
        raise not_unique(entry.words, "name")
