"""Access to Hetzner: the SSH keys of the project, compared with the plan. Hetzner's API shows no other access."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import plan
from continuity.access.report import Credential, Finding, Principal, System, SystemAccess
from continuity.clouds.hetzner import reading_project

_NOT_SHOWN = (
    "Hetzner: only its console shows the members of the project, their second factors and the API tokens: check them"
    " under Security, Members and API tokens"
)


def read_access(promised: plan.Plan, environment: Mapping[str, str] = os.environ) -> SystemAccess:
    """Read the project's SSH keys. The project has one key for each person in the plan, and no others.

    Raises:
        CannotLookError: HCLOUD_TOKEN is not set, or Hetzner does not answer.
    """
    with reading_project(environment) as client:
        return from_ssh_keys(promised, client.ssh_keys.get_all())


def from_ssh_keys(promised: plan.Plan, keys: list[Any]) -> SystemAccess:
    """Compare SSH keys with the plan."""
    owners = {_body(role.ssh_key): role.person.lower() for role in promised.roles}
    principals = tuple(
        Principal(
            system=System.HETZNER,
            kind="SSH key",
            name=key.name,
            person=owners.get(_body(key.public_key)),
            permissions="may log in to every host",
            administrator=True,
            credentials=(Credential(kind="SSH key", name=key.fingerprint, created=key.created),),
        )
        for key in keys
    )
    found = {principal.person for principal in principals}
    missing = tuple(
        Finding(
            "roles",
            System.HETZNER,
            f"the project has no SSH key that the plan names for {role.person}",
            "deploy the vault's stack, which adds it",
        )
        for role in promised.roles
        if role.person.lower() not in found
    )
    return SystemAccess(principals, missing, (_NOT_SHOWN,))


def _body(key: str) -> str:
    """A public key without its comment."""
    return " ".join(key.split()[:2])
