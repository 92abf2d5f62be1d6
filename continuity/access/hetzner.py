"""Who gets into Hetzner's hosts: the SSH keys of the project, beside the plan's. More, Hetzner shows nobody."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import plan
from continuity.access.report import Finding, Holder, Key, Seen, System
from continuity.errors import CannotLookError

_NOT_SHOWN = (
    "Hetzner: who is a member of the project, with which second factor, and which API tokens there are, it shows in"
    " its console alone: look at Security, Members and API tokens"
)


def look(promised: plan.Plan, environment: Mapping[str, str] = os.environ) -> Seen:
    """The project's keys. Each of the plan's people has one, and nobody else has.

    Raises:
        CannotLookError: there is no token, or Hetzner does not answer.
    """
    from hcloud import Client, HCloudException

    token = environment.get("HCLOUD_TOKEN")
    if not token:
        raise CannotLookError("Hetzner", "there is no token: set HCLOUD_TOKEN")
    endpoint = environment.get("HCLOUD_ENDPOINT")
    try:
        client = Client(token, api_endpoint=endpoint) if endpoint else Client(token)
        keys = client.ssh_keys.get_all()
    except (HCloudException, OSError, ValueError) as error:
        raise CannotLookError("Hetzner", f"it does not answer, or refuses ({error})") from None
    return seen(promised, keys)


def seen(promised: plan.Plan, keys: list[Any]) -> Seen:
    """What these keys say."""
    owners = {_body(role.ssh_key): role.person.lower() for role in promised.roles}
    holders = tuple(
        Holder(
            system=System.HETZNER,
            kind="SSH key",
            name=key.name,
            person=owners.get(_body(key.public_key)),
            may="gets into every host",
            administrator=True,
            keys=(Key(kind="SSH key", name=key.fingerprint, made=key.created),),
        )
        for key in keys
    )
    there = {holder.person for holder in holders}
    missing = tuple(
        Finding(
            "roles",
            System.HETZNER,
            f"{role.person}'s SSH key is not the plan's, or not there",
            "deploy the vault's stack, which puts it there",
        )
        for role in promised.roles
        if role.person.lower() not in there
    )
    return Seen(holders, missing, (_NOT_SHOWN,))


def _body(key: str) -> str:
    """A public key without its comment, which changes nothing."""
    return " ".join(key.split()[:2])
