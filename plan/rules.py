"""What must hold between the plan's fields, where each of them alone would be right.

A rule says which parts of the plan it reads, so that a mistake in one part does not hide what is wrong in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from plan.model import Plan, Severity
from plan.source import Location, written


@dataclass(frozen=True)
class Conflict:
    """A field that disagrees with another one."""

    location: Location
    found: str
    allowed: str
    remedy: str


@dataclass(frozen=True)
class Rule:
    """A dependency between fields."""

    reads: frozenset[str]
    """The parts of the plan that `check` looks at, by their keys."""
    check: Callable[[Plan], Iterator[Conflict]]


def conflicts(plan: Plan, parts: Collection[str]) -> Iterator[Conflict]:
    """Everything that is wrong between those parts of `plan`; the others may be missing from it."""
    for rule in RULES:
        if rule.reads <= set(parts):
            yield from rule.check(plan)


def _severities(plan: Plan) -> Iterator[Conflict]:
    """The more severe a disruption, the longer its recovery may take: that is what tells the severities apart."""
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
                f"{less.rpo_minutes} or more, for severities.{lesser}.rpo_minutes is {less.rpo_minutes}",
                "Do not promise to lose less in the more severe disruption.",
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
                f"one of {', '.join(allowed)}, which {written((*at, allowed_key))} has",
                "Choose one of these, or allow that place too.",
            )


def _elsewhere(at: Location, key: str, places: Places, home_key: str, home: Places) -> Iterator[Conflict]:
    for name in _names(places):
        if name in _names(home):
            yield Conflict(
                (*at, key),
                f"{_verb(places)} {name!r}",
                f"a place that {written((*at, home_key))} does not have",
                "Recover somewhere else: what is lost with home cannot be what saves it.",
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
            f"{len(items)} or less, as many as {listed} has",
            f"Add to {listed}, or require fewer.",
        )


def _locks(plan: Plan) -> Iterator[Conflict]:
    """S3 does not take away what is locked: a version would then stay for longer than the plan says."""
    locked, kept = plan.retention.object_lock_days, plan.retention.object_version_days
    if locked > kept:
        yield Conflict(
            ("retention", "object_lock_days"),
            f"is {locked}",
            f"{kept} or less, which is retention.object_version_days",
            "Lock versions for no longer than they are kept, or keep them for longer.",
        )


def _authority(plan: Plan) -> Iterator[Conflict]:
    """There is always somebody who stands in, and never a doubt about who decides."""
    if len(plan.roles) < 2:
        remedy = "Name who decides when the first is unavailable."
        yield Conflict(("roles",), "has one role", "two roles or more", remedy)
    for index, (before, after) in enumerate(pairwise(plan.roles), start=1):
        if after.authority <= before.authority:
            yield Conflict(
                ("roles", index, "authority"),
                f"is {after.authority}",
                f"more than {before.authority}, which roles[{index - 1}].authority is",
                "Give each role an authority of its own, and list them in that order.",
            )


def _ids(part: Location, ids: Sequence[str]) -> Iterator[Conflict]:
    for index, name in enumerate(ids):
        if name in ids[:index]:
            found = f"is {name!r}, as is {written((*part, ids.index(name), 'id'))}"
            yield Conflict((*part, index, "id"), found, "an id of its own", "Rename it, or remove one of the two.")


def _role_ids(plan: Plan) -> Iterator[Conflict]:
    yield from _ids(("roles",), [role.id for role in plan.roles])


def _own_keys(plan: Plan) -> Iterator[Conflict]:
    """Each person has credentials of their own: nobody's key or account is another's too."""
    for key in ("person", "ssh_key", "email", "github"):
        values = [getattr(role, key) for role in plan.roles]
        for index, value in enumerate(values):
            if value in values[:index]:
                found = f"is {value!r}, as is {written(('roles', values.index(value), key))}"
                yield Conflict(("roles", index, key), found, "that person's own", "Give each person credentials.")


def _control_ids(plan: Plan) -> Iterator[Conflict]:
    yield from _ids(("controls",), [control.id for control in plan.controls])


def _test_ids(plan: Plan) -> Iterator[Conflict]:
    yield from _ids(("testing", "kinds"), [kind.id for kind in plan.testing.kinds])


def _refer(plan: Plan, fields: Mapping[Location, Places]) -> Iterator[Conflict]:
    """Whoever is named has a role."""
    ids = [role.id for role in plan.roles]
    for location, named in fields.items():
        for name in _names(named):
            if name not in ids:
                allowed = f"the id of a role: {', '.join(ids)}"
                remedy = "Name one of these, or add the role to `roles`."
                yield Conflict(location, f"{_verb(named)} {name!r}", allowed, remedy)


def _owners(plan: Plan) -> Iterator[Conflict]:
    yield from _refer(plan, {("policy", "owner"): plan.policy.owner})


def _reviewers(plan: Plan) -> Iterator[Conflict]:
    yield from _refer(plan, {("review", "owner"): plan.review.owner})


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
    Rule(frozenset({"roles"}), _role_ids),
    Rule(frozenset({"roles"}), _own_keys),
    Rule(frozenset({"roles", "access"}), _administrators),
    Rule(frozenset({"roles", "policy"}), _owners),
    Rule(frozenset({"roles", "review"}), _reviewers),
    Rule(frozenset({"roles", "activation"}), _activators),
    Rule(frozenset({"controls"}), _control_ids),
    Rule(frozenset({"testing"}), _test_ids),
)
