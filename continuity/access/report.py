"""Who has what, and which of the plan's promises about it are not kept. Pure: what was seen comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import plan


class System(StrEnum):
    """Where somebody has something."""

    AWS = "AWS"
    HETZNER = "Hetzner"
    GITHUB = "GitHub"


@dataclass(frozen=True, kw_only=True)
class Key:
    """Something that opens a door for whoever holds it, until somebody takes it away."""

    kind: str
    name: str
    made: datetime
    last_used: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Somebody, or something, that gets in."""

    system: System
    kind: str
    """What it is there: a user, a role, an owner, an SSH key."""

    name: str
    person: str | None
    """Who of the plan's people it is, by the name of their account; None for nobody of them."""

    may: str
    """What it lets them do, in words."""

    administrator: bool = False
    mfa: bool | None = None
    """Whether a second factor is asked for; None where that cannot be seen."""

    keys: tuple[Key, ...] = ()
    last_used: datetime | None = None
    machine: bool = False
    """Whether it is no person's: a workflow's role, a service's."""

    def as_data(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "last_used": _moment(self.last_used),
            "keys": [
                {**asdict(key), "made": _moment(key.made), "last_used": _moment(key.last_used)} for key in self.keys
            ],
        }


@dataclass(frozen=True)
class Finding:
    """A promise that is not kept: which, where, what was found, and what to do."""

    promise: str
    """Where it stands in the plan, as `access.mfa_required`."""

    system: System
    found: str
    remedy: str

    def sentence(self) -> str:
        return f"{self.system}: {self.found} ({self.promise}): {self.remedy}"


@dataclass(frozen=True)
class Seen:
    """What one system shows: who gets in, and what is wrong there beside that."""

    holders: tuple[Holder, ...]
    findings: tuple[Finding, ...] = ()
    not_shown: tuple[str, ...] = ()
    """What the system shows nobody by its API, and a person has to look at."""


@dataclass(frozen=True)
class Report:
    """Everything that was seen, and judged."""

    holders: tuple[Holder, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...] = field(default=())
    """Where it could not be looked, and why."""

    not_shown: tuple[str, ...] = field(default=())

    @property
    def right(self) -> bool:
        return not self.findings and not self.unknown

    def as_data(self) -> dict[str, Any]:
        return {
            "right": self.right,
            "holders": [holder.as_data() for holder in self.holders],
            "findings": [asdict(finding) for finding in self.findings],
            "could_not_look": list(self.unknown),
            "not_shown": list(self.not_shown),
        }


def report(promised: plan.Plan, seen: Sequence[Seen], unknown: Sequence[str], now: datetime) -> Report:
    """Judge what was seen. What could not be looked at is no finding, and never counts as kept."""
    holders = tuple(holder for each in seen for holder in each.holders)
    findings = [finding for each in seen for finding in each.findings]
    for system in dict.fromkeys(holder.system for holder in holders):
        findings += _judged(promised, system, [holder for holder in holders if holder.system == system], now)
    return Report(holders, tuple(findings), tuple(unknown), tuple(words for each in seen for words in each.not_shown))


def people(promised: plan.Plan) -> dict[str, str]:
    """The plan's people: their names, by their accounts."""
    return {role.person.lower(): role.person for role in promised.roles}


def _judged(promised: plan.Plan, system: System, holders: Sequence[Holder], now: datetime) -> Iterator[Finding]:
    yield from _strangers(promised, system, holders)
    yield from _administrators(promised, system, holders)
    if promised.access.mfa_required:
        yield from _second_factors(system, holders)
    for holder in holders:
        yield from _keys(promised, holder, now)


def _strangers(promised: plan.Plan, system: System, holders: Sequence[Holder]) -> Iterator[Finding]:
    """Somebody who left, or never was: what they still have."""
    known = ", ".join(people(promised).values())
    for holder in holders:
        if holder.person is None and not holder.machine:
            yield Finding(
                "roles",
                system,
                f"the {holder.kind} {holder.name} is none of {known}, and {holder.may}",
                "take it away, if it is a person's who left (docs/access.md), or add the person to the plan's roles",
            )


def _administrators(promised: plan.Plan, system: System, holders: Sequence[Holder]) -> Iterator[Finding]:
    """How many people administer it, each under credentials of their own."""
    there = {holder.person for holder in holders if holder.administrator and holder.person}
    least = promised.access.administrators_minimum
    if len(there) < least:
        names = people(promised)
        missing = ", ".join(name for account, name in names.items() if account not in there)
        yield Finding(
            "access.administrators_minimum",
            system,
            f"{len(there)} of the plan's people can administer it"
            f" ({', '.join(sorted(names[each] for each in there)) or 'nobody'}), not {least}",
            f"give {missing} access: without it, one person's absence is the service's",
        )


def _second_factors(system: System, holders: Sequence[Holder]) -> Iterator[Finding]:
    for holder in holders:
        if holder.mfa is False:
            yield Finding(
                "access.mfa_required",
                system,
                f"the {holder.kind} {holder.name} has no second factor, and {holder.may}",
                "add one, or take the access away",
            )


def _keys(promised: plan.Plan, holder: Holder, now: datetime) -> Iterator[Finding]:
    for key in holder.keys:
        age = (now - key.made).days
        if holder.system is System.AWS and not promised.access.aws_access_keys:
            yield Finding(
                "access.aws_access_keys",
                holder.system,
                f"{holder.name} has the {key.kind} {key.name}, made {age} days ago, {_used(key)}",
                "delete it: people sign in with `aws login`, workflows and hosts have sessions",
            )
        if age > promised.access.key_days:
            yield Finding(
                "access.key_days",
                holder.system,
                f"the {key.kind} {key.name} of {holder.name} is {age} days old; {promised.access.key_days} are allowed",
                "replace it, and delete the old one",
            )


def _used(key: Key) -> str:
    return "never used" if key.last_used is None else f"last used {key.last_used:%Y-%m-%d}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
