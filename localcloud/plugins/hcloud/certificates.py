"""Managed certificates, which the cloud issues, and uploaded certificates."""

from __future__ import annotations

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, NAME, change_name_and_labels, find_in
from localcloud.plugins.hcloud.values import same_elements
from localcloud.plugins.table import Property, Props, ResourceType

_COMPUTED = ("created", "fingerprint", "notValidAfter", "notValidBefore", "type")
# A load balancer may use the certificate until its change is complete.
_PASSING = ("resource_in_use",)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    found = cloud.get("certificates", id)
    return {
        "name": found["name"],
        "labels": found["labels"],
        "type": found["type"],
        "certificate": found["certificate"],
        "domainNames": found["domain_names"],
        "fingerprint": found["fingerprint"],
        "created": found["created"],
        "notValidBefore": found["not_valid_before"],
        "notValidAfter": found["not_valid_after"],
    }


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    change_name_and_labels(cloud, "certificates", id, new, changed)


def _delete(cloud: Cloud, id: str, state: Props) -> None:
    cloud.delete("certificates", id, _PASSING)


# -- managed certificates ---------------------------------------------------------------------------------------------


def _create_managed(cloud: Cloud, inputs: Props) -> str:
    return cloud.create(
        "certificates",
        {
            "name": inputs["name"],
            "type": "managed",
            "domain_names": inputs["domainNames"],
            "labels": inputs.get("labels"),
        },
    )


def _issued(cloud: Cloud, id: str, inputs: Props) -> None:
    """Wait until the certificate is issued. If it fails, the engine keeps it as partly created."""
    cloud.wait_for_actions("certificates", id)
    status = cloud.get("certificates", id)["status"]
    if status["issuance"] == "failed":
        error = status["error"]
        raise RuntimeError(f"{inputs['name']} could not be issued: {error['message']} ({error['code']})")


def _update_managed(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    """Update a certificate. If its issuance failed, try again."""
    _update(cloud, id, old, new, changed)
    if cloud.get("certificates", id)["status"]["issuance"] == "failed":
        cloud.act("certificates", id, "retry")
    _issued(cloud, id, new)


MANAGED_CERTIFICATE = ResourceType(
    token="hcloud:index/managedCertificate:ManagedCertificate",  # noqa: S106 - the name of a type
    properties={
        "name": NAME,
        "domainNames": Property(required=True, replaces=True, same=same_elements),
        "labels": LABELS,
    },
    computed=("certificate", *_COMPUTED),
    create=_create_managed,
    settle=_issued,
    read=_read,
    update=_update_managed,
    delete=_delete,
    find=find_in("certificates"),
    delete_before_replace=True,
)


# -- uploaded certificates --------------------------------------------------------------------------------------------


def _create_uploaded(cloud: Cloud, inputs: Props) -> str:
    return cloud.create(
        "certificates",
        {
            "name": inputs["name"],
            "type": "uploaded",
            "certificate": inputs["certificate"],
            "private_key": inputs["privateKey"],
            "labels": inputs.get("labels"),
        },
    )


def _same_chain(one: str, other: str) -> bool:
    """Whether two chains have the same lines, with any line endings."""
    return one.split() == other.split()


UPLOADED_CERTIFICATE = ResourceType(
    token="hcloud:index/uploadedCertificate:UploadedCertificate",  # noqa: S106 - the name of a type
    properties={
        "name": NAME,
        "certificate": Property(required=True, replaces=True, same=_same_chain),
        "privateKey": Property(required=True, replaces=True, secret=True, write_only=True),
        "labels": LABELS,
    },
    computed=("domainNames", *_COMPUTED),
    create=_create_uploaded,
    read=_read,
    update=_update,
    delete=_delete,
    find=find_in("certificates"),
    delete_before_replace=True,
)
