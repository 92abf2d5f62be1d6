"""SSM's hybrid activations, which moto lacks: they register machines outside AWS as managed nodes with a role.

An activation has a limit of registrations and an expiry. The nodes that it registered stay (nodes.py). Its code is
returned only once, when it is created.
"""

from __future__ import annotations

import json
import secrets
import string
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role, iam_backends
from moto.ssm.models import SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse

from localcloud.aws.patching import add_methods
from localcloud.aws.ssm.errors import invalid, refuse

_SERVICE: Final = "ssm.amazonaws.com"
_DAY: Final = 86400.0
_LONGEST: Final = 30 * _DAY
_MOST_REGISTRATIONS: Final = 1000
_PAGE: Final = 50
_CODE_LETTERS: Final = string.ascii_letters + string.digits
_FILTERS: Final = {"ActivationIds": "id", "DefaultInstanceName": "name", "IamRole": "iam_role"}


@dataclass
class Activation:
    iam_role: str
    """Its name, with its path if it has one."""
    expires_at: float
    """Seconds since 1970, like the other times."""
    limit: int
    name: str | None
    description: str | None
    tags: list[dict[str, str]]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    code: str = field(default_factory=lambda: "".join(secrets.choice(_CODE_LETTERS) for _ in range(20)))
    made_at: float = field(default_factory=time.time)
    registrations: int = 0

    @property
    def expired(self) -> bool:
        return time.time() >= self.expires_at

    def shown(self) -> dict[str, Any]:
        return {
            "ActivationId": self.id,
            "Description": self.description,
            "DefaultInstanceName": self.name,
            "IamRole": self.iam_role,
            "RegistrationLimit": self.limit,
            "RegistrationsCount": self.registrations,
            "ExpirationDate": moment(self.expires_at),
            "Expired": self.expired,
            "CreatedDate": moment(self.made_at),
            "Tags": self.tags,
        }


def patch() -> None:
    add_methods(SimpleSystemManagerResponse, create_activation, describe_activations, delete_activation)


def activations(backend: SimpleSystemManagerBackend) -> dict[str, Activation]:
    """The activations of this region, by id."""
    kept: dict[str, Activation] = backend.__dict__.setdefault("activations", {})
    return kept


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def role_named(backend: SimpleSystemManagerBackend, name: str) -> Role:
    """Return the role, or refuse one that does not trust SSM."""
    iam = iam_backends[backend.account_id][backend.partition]
    arn = f"arn:{backend.partition}:iam::{backend.account_id}:role/{name}"
    try:
        role = iam.get_role_by_arn(arn)
        trust = json.loads(role.assume_role_policy_document)
    except (NotFoundException, ValueError):
        trust = {}
    statements = trust.get("Statement", [])
    if not any(map(_trusts, statements if isinstance(statements, list) else [statements])):
        invalid(f"Nonexistent role or missing ssm service principal in trust policy: {arn}")
    return role


def _trusts(statement: Any) -> bool:
    principal = statement.get("Principal", {})
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return statement.get("Effect") == "Allow" and _SERVICE in (services if isinstance(services, list) else [services])


def create_activation(self: SimpleSystemManagerResponse) -> ActionResult:
    backend, now = self.ssm_backend, time.time()
    name, description = self._get_param("DefaultInstanceName"), self._get_param("Description")
    limit = self._get_param("RegistrationLimit", 1)
    if not 1 <= limit <= _MOST_REGISTRATIONS:
        invalid(f"RegistrationLimit is {limit}; it must be between 1 and {_MOST_REGISTRATIONS}")
    for key, text in (("DefaultInstanceName", name), ("Description", description)):
        if len(text or "") > 256:
            invalid(f"{key} has {len(text)} characters; 256 are allowed")
    expires_at = float(self._get_param("ExpirationDate", now + _DAY))
    if not now < expires_at <= now + _LONGEST:
        invalid(f"ExpirationDate is {moment(expires_at):%FT%TZ}; it must be in the next 30 days")
    role = self._get_param("IamRole") or ""
    role_named(backend, role)
    made = Activation(role, expires_at, limit, name or None, description or None, self._get_param("Tags", []))
    activations(backend)[made.id] = made
    return ActionResult({"ActivationId": made.id, "ActivationCode": made.code})


def describe_activations(self: SimpleSystemManagerResponse) -> ActionResult:
    kept: Iterable[Activation] = activations(self.ssm_backend).values()
    for asked in self._get_param("Filters", []):
        attribute, values = _FILTERS.get(asked.get("FilterKey")), asked.get("FilterValues", [])
        if attribute is None:
            refuse("InvalidFilter", f"The filter key {asked.get('FilterKey')} is not valid")
        kept = [each for each in kept if getattr(each, attribute) in values]
    shown = [each.shown() for each in kept]
    return ActionResult(page("ActivationList", shown, self._get_param("MaxResults"), self._get_param("NextToken")))


def page(key: str, every: list[dict[str, Any]], most: int | None, token: str | None) -> dict[str, Any]:
    """Return the page of `every` that starts at `token`. Entries leave out members that are None."""
    if token is not None and not token.isdecimal():
        refuse("InvalidNextToken", "The specified token is not valid.")
    start = int(token or 0)
    end = start + (most or _PAGE)
    part = [{name: value for name, value in each.items() if value is not None} for each in every[start:end]]
    return {key: part, **({"NextToken": str(end)} if end < len(every) else {})}


def delete_activation(self: SimpleSystemManagerResponse) -> EmptyResult:
    asked, kept = self._get_param("ActivationId"), activations(self.ssm_backend)
    try:
        uuid.UUID(asked)
    except ValueError:
        refuse("InvalidActivationId", f"The activation ID {asked} is not valid")
    if kept.pop(asked, None) is None:
        refuse("InvalidActivation", f"There is no activation {asked}")
    return EmptyResult()
