"""The report on access: all principals, and each promise of the plan that they break. Makes no calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import plan


class System(StrEnum):
    """A system with its own principals."""

    AWS = "AWS"
    HETZNER = "Hetzner"
    GITHUB = "GitHub"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A long-lived credential. It grants access until it is deleted."""

    kind: str
    name: str
    created: datetime
    last_used: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A person or machine with access."""

    system: System
    kind: str
    """The kind of account: a user, a role, an owner, an SSH key."""

    name: str
    person: str | None
    """The person in the plan, by the name of their account. None if the plan has no such person."""

    permissions: str
    """The permissions, in words."""

    administrator: bool = False
    mfa: bool | None = None
    """Whether a second factor is required. None if the system does not show it."""

    credentials: tuple[Credential, ...] = ()
    last_used: datetime | None = None
    machine: bool = False
    """Whether it belongs to a workflow or a service."""

    def as_data(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "kind": self.kind,
            "name": self.name,
            "person": self.person,
            "may": self.permissions,
            "administrator": self.administrator,
            "mfa": self.mfa,
            "keys": [
                {
                    "kind": credential.kind,
                    "name": credential.name,
                    "made": _moment(credential.created),
                    "last_used": _moment(credential.last_used),
                }
                for credential in self.credentials
            ],
            "last_used": _moment(self.last_used),
            "machine": self.machine,
        }


@dataclass(frozen=True)
class Finding:
    """A broken promise: its place in the plan, the system, the finding and the remedy."""

    promise: str
    """Its path in the plan, such as `access.mfa_required`."""

    system: System
    found: str
    remedy: str

    def sentence(self) -> str:
        return f"{self.system}: {self.found} ({self.promise}): {self.remedy}"


@dataclass(frozen=True)
class SystemAccess:
    """The access that one system shows: its principals, and findings about its settings."""

    principals: tuple[Principal, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences for the operator, such as facts that the system's API does not show."""


@dataclass(frozen=True)
class Report:
    """The principals and findings of all systems."""

    principals: tuple[Principal, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...] = field(default=())
    """Systems that could not be read, and the reasons."""

    notes: tuple[str, ...] = field(default=())

    @property
    def complete_and_kept(self) -> bool:
        return not self.findings and not self.unknown

    def as_data(self) -> dict[str, Any]:
        return {
            "right": self.complete_and_kept,
            "holders": [principal.as_data() for principal in self.principals],
            "findings": [asdict(finding) for finding in self.findings],
            "could_not_look": list(self.unknown),
            "notes": list(self.notes),
        }


def evaluate(promised: plan.Plan, systems: Sequence[SystemAccess], unknown: Sequence[str], now: datetime) -> Report:
    """Compare the access of all systems with the plan. An unreadable system never counts as a kept promise."""
    principals = tuple(principal for each in systems for principal in each.principals)
    findings = [finding for each in systems for finding in each.findings]
    for system in dict.fromkeys(principal.system for principal in principals):
        findings += _findings(
            promised, system, [principal for principal in principals if principal.system == system], now
        )
    return Report(principals, tuple(findings), tuple(unknown), tuple(words for each in systems for words in each.notes))


def people(promised: plan.Plan) -> dict[str, str]:
    """The names of the people in the plan, by their accounts."""
    return {role.person.lower(): role.person for role in promised.roles}


def _findings(promised: plan.Plan, system: System, principals: Sequence[Principal], now: datetime) -> Iterator[Finding]:
    yield from _strangers(promised, system, principals)
    yield from _administrators(promised, system, principals)
    if promised.access.mfa_required:
        yield from _second_factors(system, principals)
    for principal in principals:
        yield from _credentials(promised, principal, now)


def _strangers(promised: plan.Plan, system: System, principals: Sequence[Principal]) -> Iterator[Finding]:
    """Principals that are not in the plan, such as a person who left."""
    known = ", ".join(people(promised).values())
    for principal in principals:
        if principal.person is None and not principal.machine:
            yield Finding(
                "roles",
                system,
                f"the {principal.kind} {principal.name} is none of {known}, and {principal.permissions}",
                "delete it if the person has left (docs/access.md), or add the person to the plan's roles",
            )


def _administrators(promised: plan.Plan, system: System, principals: Sequence[Principal]) -> Iterator[Finding]:
    """The minimum number of administrators, each with separate credentials."""
    there = {principal.person for principal in principals if principal.administrator and principal.person}
    least = promised.access.administrators_minimum
    if len(there) < least:
        names = people(promised)
        missing = ", ".join(name for account, name in names.items() if account not in there)
        yield Finding(
            "access.administrators_minimum",
            system,
            f"{len(there)} of the plan's people can administer it"
            f" ({', '.join(sorted(names[each] for each in there)) or 'none'}), not {least}",
            f"give {missing} access: otherwise the service depends on one person",
        )


def _second_factors(system: System, principals: Sequence[Principal]) -> Iterator[Finding]:
    for principal in principals:
        if principal.mfa is False:
            yield Finding(
                "access.mfa_required",
                system,
                f"the {principal.kind} {principal.name} has no second factor, and {principal.permissions}",
                "add one, or remove the access",
            )


def _credentials(promised: plan.Plan, principal: Principal, now: datetime) -> Iterator[Finding]:
    for credential in principal.credentials:
        age = (now - credential.created).days
        if principal.system is System.AWS and not promised.access.aws_access_keys:
            yield Finding(
                "access.aws_access_keys",
                principal.system,
                f"{principal.name} has the {credential.kind} {credential.name}, created {age} days ago, "
                f"{_used(credential)}",
                "delete it: people sign in with `aws login`, workflows and hosts have sessions",
            )
        if age > promised.access.key_days:
            yield Finding(
                "access.key_days",
                principal.system,
                f"the {credential.kind} {credential.name} of {principal.name} is {age} days old; "
                f"{promised.access.key_days} are allowed",
                "replace it, and delete the old one",
            )


def _used(credential: Credential) -> str:
    return "never used" if credential.last_used is None else f"last used {credential.last_used:%Y-%m-%d}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
