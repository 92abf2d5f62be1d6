"""Paths of requests: the collection and the record that a path names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from localcloud.hetzner.collection import Collection
from localcloud.hetzner.errors import ApiError, invalid_input, unsupported
from localcloud.hetzner.project import Project, Record

# Parts of the real API that are refused by name.
_UNSUPPORTED = frozenset({"floating_ips", "isos", "pricing", "volumes"})
_REMOVED = {
    "datacenters": "https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated",
    "actions": "https://docs.hetzner.cloud/changelog"
    "#2025-01-30-listing-arbitrary-actions-in-the-actions-list-endpoint-is-removed",
}


def find_collection(collections: Mapping[str, Collection], path: list[str]) -> tuple[Collection, list[str]]:
    """Return the collection that a path names, and the rest of the path."""
    if path and path[0] in collections:
        return collections[path[0]], path[1:]
    if path and path[0] in _REMOVED:
        announcement = {"announcement": _REMOVED[path[0]]}
        raise ApiError("deprecated_api_endpoint", f"the API functionality /{path[0]} was removed", announcement)
    if path and path[0] in _UNSUPPORTED:
        raise unsupported(f"/{path[0]}")
    raise no_such_path(path)


def parse_id(text: str) -> int:
    """Return the id in a path."""
    if re.fullmatch(r"[1-9]\d{0,15}", text) is None:
        raise invalid_input({"id": ["must be a positive integer"]})
    return int(text)


def find_record(project: Project, entry: Collection, text: str) -> Record:
    """The record that a path names."""
    if entry.by_name and not text.isdigit():
        return project.lookup(entry.name, text)
    return project.get(entry.name, parse_id(text))


def concerns(action: Record, kind: str, identity: int | None = None) -> bool:
    """Whether an action is about a resource of this kind, and with this id if one is given."""
    return any(one["type"] == kind and identity in (None, one["id"]) for one in action["resources"])


def no_such_path(path: list[str]) -> ApiError:
    return ApiError("not_found", f"there is nothing at /{'/'.join(path)}")
