"""What most types have: a name, labels, a delete protection; and how an interrupted creation is found by its name."""

from __future__ import annotations

from collections.abc import Callable

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.table import Property, Props

NAME = Property(generated_name=True)
LABELS = Property(default={})
PROTECTION = Property(default=False)


def find_in(collection: str) -> Callable[[Cloud, Props], str | None]:
    """Names are unique in a project, so a creation that was interrupted is found by its name."""

    def find(cloud: Cloud, inputs: Props) -> str | None:
        found = cloud.named(collection, inputs.get("name"))
        return None if found is None else str(found["id"])

    return find


def change_name_and_labels(cloud: Cloud, collection: str, identity: str, new: Props, changed: frozenset[str]) -> None:
    """As the provider does it, one call for each. A name that is left out is kept, left-out labels are taken off."""
    if "name" in changed and "name" in new:
        cloud.change(collection, identity, name=new["name"])
    if "labels" in changed:
        cloud.change(collection, identity, labels=new.get("labels", {}))


def protect(cloud: Cloud, collection: str, identity: str, inputs: Props) -> None:
    """Set the delete protection to what is declared, if it is not so already."""
    wanted = bool(inputs.get("deleteProtection", False))
    if cloud.get(collection, identity)["protection"]["delete"] != wanted:
        cloud.act(collection, identity, "change_protection", delete=wanted)
