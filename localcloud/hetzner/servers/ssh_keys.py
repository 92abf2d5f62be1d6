"""SSH keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

from localcloud.hetzner import forms
from localcloud.hetzner.collection import Answer, Body, Collection, equals
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field
from localcloud.hetzner.project import Project, Record


def _show(project: Project, record: Record) -> Body:
    return {key: record[key] for key in ("id", "name", "fingerprint", "public_key", "labels", "created")}


def _create(project: Project, body: Body) -> Answer:
    fingerprint = _fingerprint(body["public_key"])
    if any(other["fingerprint"] == fingerprint for other in project.all("ssh_keys")):
        raise ApiError("uniqueness_error", "SSH key not unique", {"fields": [{"name": "public_key"}]})
    record = project.add("ssh_keys", **body, fingerprint=fingerprint)
    return Answer(201, {"ssh_key": _show(project, record)})


def _fingerprint(key: str) -> str:
    """The MD5 hash of the key's bytes in pairs of digits. OpenSSH used to show it, and the API still does."""
    parts = key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
        named = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode()
    except (IndexError, ValueError, binascii.Error):
        named = ""
    if not named or named != parts[0]:
        raise invalid_input({"public_key": ["is not an OpenSSH public key"]})
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")


def _delete(project: Project, record: Record) -> Answer:
    project.remove("ssh_keys", record["id"])
    return Answer(204)


SSH_KEYS = Collection(
    name="ssh_keys",
    one="ssh_key",
    show=_show,
    create=_create,
    delete=_delete,
    form={"name": forms.NAME, "public_key": Field(forms.text(most=65536), required=True)},
    filters={"fingerprint": equals("fingerprint")},
)
