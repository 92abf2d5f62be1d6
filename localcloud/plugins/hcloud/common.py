"""Helpers of the hcloud tables: names, labels, delete protection, and finding an interrupted creation by its name."""

from __future__ import annotations

from collections.abc import Callable

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.table import Property, Props

NAME = Property(generated_name=True)
LABELS = Property(default={})
PROTECTION = Property(default=False)


def find_in(collection: str) -> Callable[[Cloud, Props], str | None]:
    """Return a `find` function by name. Names are unique in a project."""

    def find(cloud: Cloud, inputs: Props) -> str | None:
        found = cloud.named(collection, inputs.get("name"))
        return None if found is None else str(found["id"])

    return find


def change_name_and_labels(cloud: Cloud, collection: str, identity: str, new: Props, changed: frozenset[str]) -> None:
    """Change the name and the labels with one call each. A name that is left out stays; labels are removed."""
    if "name" in changed and "name" in new:
        cloud.change(collection, identity, name=new["name"])
    if "labels" in changed:
        cloud.change(collection, identity, labels=new.get("labels", {}))


def protect(cloud: Cloud, collection: str, identity: str, inputs: Props) -> None:
    """Set the declared delete protection, if it differs."""
    wanted = bool(inputs.get("deleteProtection", False))
    if cloud.get(collection, identity)["protection"]["delete"] != wanted:
        cloud.act(collection, identity, "change_protection", delete=wanted)
