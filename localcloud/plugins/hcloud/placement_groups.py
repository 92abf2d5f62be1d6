"""Placement groups of servers."""

from __future__ import annotations

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, NAME, change_name_and_labels, find_in
from localcloud.plugins.table import Property, Props, ResourceType


def _create(cloud: Cloud, inputs: Props) -> str:
    body = {"name": inputs["name"], "type": inputs["type"], "labels": inputs.get("labels")}
    return cloud.create("placement_groups", body)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("placement_groups", id)
    return {key: found[key] for key in ("name", "type", "labels", "servers")}


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "placement_groups", id, new, changed)


PLACEMENT_GROUP = ResourceType(
    token="hcloud:index/placementGroup:PlacementGroup",  # noqa: S106 - the name of a type
    properties={"name": NAME, "type": Property(required=True, choices=("spread",)), "labels": LABELS},
    computed=("servers",),
    create=_create,
    read=_read,
    update=_update,
    delete=lambda cloud, id, state: cloud.delete("placement_groups", id),
    find=find_in("placement_groups"),
    delete_before_replace=True,
)
