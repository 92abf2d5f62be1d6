"""The rules between the plan's fields: conflicts of fields that are valid on their own.

A rule declares the parts of the plan that it reads. So a mistake in one part does not hide mistakes in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from plan.model import Control, Plan, Role, Severity, TestKind
from plan.source import Location, dotted


@dataclass(frozen=True)
class Conflict:
    """A field that contradicts another field."""

    location: Location
    found: str
    allowed: str
    remedy: str


@dataclass(frozen=True)
class Rule:
    """A dependency between fields."""

    reads: frozenset[str]
    """The keys of the parts of the plan that `check` reads."""
    check: Callable[[Plan], Iterator[Conflict]]


def find_conflicts(plan: Plan, parts: Collection[str]) -> Iterator[Conflict]:
    """Return the conflicts between these parts of `plan`. The other parts may be missing."""
    for rule in RULES:
        if rule.reads <= set(parts):
            yield from rule.check(plan)


def _severities(plan: Plan) -> Iterator[Conflict]:
    """The recovery time rises with the severity: that is what distinguishes the severities."""
    order: list[tuple[str, Severity]] = [(name, getattr(plan.severities, name)) for name in ("low", "medium", "high")]
    for (lesser, less), (greater, more) in pairwise(order):
        if more.rto_hours <= less.rto_hours:
            yield Conflict(
                ("severities", greater, "rto_hours"),
                f"is {more.rto_hours}",
                f"more than {less.rto_hours}, which is severities.{lesser}.rto_hours",
                "Let the recovery time objectives rise with the severity.",
            )
        if more.rpo_minutes < less.rpo_minutes:
            yield Conflict(
                ("severities", greater, "rpo_minutes"),
                f"is {more.rpo_minutes}",
                f"{less.rpo_minutes} or more, because severities.{lesser}.rpo_minutes is {less.rpo_minutes}",
                "Do not promise a smaller data loss in a more severe disruption.",
            )


def _aws(plan: Plan) -> Iterator[Conflict]:
    aws = plan.residency.aws
    at: Location = ("residency", "aws")
    yield from _allowed(at, "home_region", aws.home_region, "allowed_regions", aws.allowed_regions)
    yield from _allowed(at, "recovery_region", aws.recovery_region, "allowed_regions", aws.allowed_regions)
    yield from _elsewhere(at, "recovery_region", aws.recovery_region, "home_region", aws.home_region)


def _hetzner(plan: Plan) -> Iterator[Conflict]:
    at: Location = ("residency", "hetzner")
    allowed = plan.residency.hetzner.allowed_locations
    home, recovery = plan.residency.hetzner.home_locations, plan.residency.hetzner.recovery_locations
    yield from _allowed(at, "home_locations", home, "allowed_locations", allowed)
    yield from _allowed(at, "recovery_locations", recovery, "allowed_locations", allowed)
    yield from _elsewhere(at, "recovery_locations", recovery, "home_locations", home)


Places = str | Sequence[str]


def _names(places: Places) -> Sequence[str]:
    return (places,) if isinstance(places, str) else places


def _verb(places: Places) -> str:
    return "is" if isinstance(places, str) else "has"


def _allowed(at: Location, key: str, places: Places, allowed_key: str, allowed: Sequence[str]) -> Iterator[Conflict]:
    for name in _names(places):
        if name not in allowed:
            yield Conflict(
                (*at, key),
                f"{_verb(places)} {name!r}",
                f"one of {', '.join(allowed)}, which {dotted((*at, allowed_key))} lists",
                f"Choose one of these, or add {name} to {dotted((*at, allowed_key))}.",
            )


def _elsewhere(at: Location, key: str, places: Places, home_key: str, home: Places) -> Iterator[Conflict]:
    for name in _names(places):
        if name in _names(home):
            yield Conflict(
                (*at, key),
                f"{_verb(places)} {name!r}",
                f"a place that is not in {dotted((*at, home_key))}",
                "Choose a different place: a disaster at home must not also destroy the recovery site.",
            )


def _providers(plan: Plan) -> Iterator[Conflict]:
    inference = plan.residency.inference
    at: Location = ("residency", "inference", "minimum_providers")
    yield from _enough(at, inference.minimum_providers, "residency.inference.providers", inference.providers)


def _locations(plan: Plan) -> Iterator[Conflict]:
    at: Location = ("redundancy", "minimum_locations")
    home = plan.residency.hetzner.home_locations
    yield from _enough(at, plan.redundancy.minimum_locations, "residency.hetzner.home_locations", home)


def _administrators(plan: Plan) -> Iterator[Conflict]:
    yield from _enough(("access", "administrators_minimum"), plan.access.administrators_minimum, "roles", plan.roles)


def _enough(location: Location, minimum: int, listed: str, items: Sequence[object]) -> Iterator[Conflict]:
    if minimum > len(items):
        yield Conflict(
            location,
            f"is {minimum}",
            f"{len(items)} or less, because {listed} has {len(items)}",
            f"Add to {listed}, or require fewer.",
        )


def _locks(plan: Plan) -> Iterator[Conflict]:
    """S3 does not delete a locked version, so the version would stay longer than the plan says."""
    locked, kept = plan.retention.object_lock_days, plan.retention.object_version_days
    if locked > kept:
        yield Conflict(
            ("retention", "object_lock_days"),
            f"is {locked}",
            f"{kept} or less, which is retention.object_version_days",
            "Shorten the lock, or keep versions for longer.",
        )


def _authority(plan: Plan) -> Iterator[Conflict]:
    """There is always a deputy, and the order of authority is unambiguous."""
    if len(plan.roles) < 2:
        remedy = "Add the role that decides when the first is unavailable."
        yield Conflict(("roles",), "has one role", "two roles or more", remedy)
    for index, (before, after) in enumerate(pairwise(plan.roles), start=1):
        if after.authority <= before.authority:
            yield Conflict(
                ("roles", index, "authority"),
                f"is {after.authority}",
                f"more than {before.authority}, which is roles[{index - 1}].authority",
                "Give each role a different authority, and list the roles in that order.",
            )


def _ids(part: Location, named: Sequence[Role | Control | TestKind]) -> Iterator[Conflict]:
    ids = [each.id for each in named]
    for index, name in enumerate(ids):
        if name in ids[:index]:
            found = f"is {name!r}, like {dotted((*part, ids.index(name), 'id'))}"
            yield Conflict((*part, index, "id"), found, "a unique id", "Rename it, or remove one of the two.")


def _own_keys(plan: Plan) -> Iterator[Conflict]:
    """Each person has separate credentials: two people never share a key or an account."""
    for key in ("person", "ssh_key", "email", "github"):
        values = [getattr(role, key) for role in plan.roles]
        for index, value in enumerate(values):
            if value in values[:index]:
                found = f"is {value!r}, like {dotted(('roles', values.index(value), key))}"
                remedy = "Give each person separate credentials."
                yield Conflict(("roles", index, key), found, f"a different {key} for each person", remedy)


def _refer(plan: Plan, fields: Mapping[Location, Places]) -> Iterator[Conflict]:
    """Each reference is the id of a role."""
    ids = [role.id for role in plan.roles]
    for location, named in fields.items():
        for name in _names(named):
            if name not in ids:
                allowed = f"the id of a role: {', '.join(ids)}"
                remedy = "Choose one of these, or add the role to `roles`."
                yield Conflict(location, f"{_verb(named)} {name!r}", allowed, remedy)


def _activators(plan: Plan) -> Iterator[Conflict]:
    holders: Location = ("activation", "offline_copy", "holders")
    named = {("activation", "by"): plan.activation.by, holders: plan.activation.offline_copy.holders}
    yield from _refer(plan, named)


RULES: Final = (
    Rule(frozenset({"severities"}), _severities),
    Rule(frozenset({"residency"}), _aws),
    Rule(frozenset({"residency"}), _hetzner),
    Rule(frozenset({"residency"}), _providers),
    Rule(frozenset({"residency", "redundancy"}), _locations),
    Rule(frozenset({"retention"}), _locks),
    Rule(frozenset({"roles"}), _authority),
    Rule(frozenset({"roles"}), lambda plan: _ids(("roles",), plan.roles)),
    Rule(frozenset({"roles"}), _own_keys),
    Rule(frozenset({"roles", "access"}), _administrators),
    Rule(frozenset({"roles", "policy"}), lambda plan: _refer(plan, {("policy", "owner"): plan.policy.owner})),
    Rule(frozenset({"roles", "review"}), lambda plan: _refer(plan, {("review", "owner"): plan.review.owner})),
    Rule(frozenset({"roles", "activation"}), _activators),
    Rule(frozenset({"controls"}), lambda plan: _ids(("controls",), plan.controls)),
    Rule(frozenset({"testing"}), lambda plan: _ids(("testing", "kinds"), plan.testing.kinds)),
)
