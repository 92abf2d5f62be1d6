"""SSH keys."""

from __future__ import annotations

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, NAME, change_name_and_labels, find_in
from localcloud.plugins.table import Property, Props, ResourceType


def _create(cloud: Cloud, inputs: Props) -> str:
    return cloud.create(
        "ssh_keys",
        {"name": inputs["name"], "public_key": inputs["publicKey"], "labels": inputs.get("labels")},
    )


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("ssh_keys", id)
    return {
        "name": found["name"],
        "publicKey": found["public_key"],
        "labels": found["labels"],
        "fingerprint": found["fingerprint"],
    }


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "ssh_keys", id, new, changed)


def _same_key(one: str, other: str) -> bool:
    """Whether two keys have the same type and bytes. The comment does not count."""
    return one.split()[:2] == other.split()[:2]


SSH_KEY = ResourceType(
    token="hcloud:index/sshKey:SshKey",  # noqa: S106 - the name of a type
    properties={
        "name": NAME,
        "publicKey": Property(required=True, replaces=True, same=_same_key),
        "labels": LABELS,
    },
    computed=("fingerprint",),
    create=_create,
    read=_read,
    update=_update,
    delete=lambda cloud, id, state: cloud.delete("ssh_keys", id),
    find=find_in("ssh_keys"),
    delete_before_replace=True,
)
