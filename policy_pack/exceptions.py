"""What is let pass for a while although a policy refuses it: by name, with a reason, an approver and an end.

Exceptions are data (`exceptions.yaml`), so that each is seen in a review and is in the history for ever. One that has
run out, or that nobody could have approved, lets nothing pass, and is itself a violation until it is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy, Violation
from policy_pack.rules.promises import security

if TYPE_CHECKING:
    from plan import Plan

FILE: Final = Path(__file__).parent / "exceptions.yaml"
MOST_DAYS: Final = 90
"""From the approval to the end. What has to be so for longer is no exception, but another promise."""

_KEYS: Final = ("policy", "stack", "resource", "reason", "approved_by", "approved", "expires")
_STACK: Final = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Waiver:
    """One exception."""

    policy: str
    """The policy that lets it pass."""
    stack: str
    resource: str
    """The resource, as `type::name`."""
    reason: str
    approved_by: str
    """A role of the plan that may activate it."""
    approved: date
    expires: date
    """The first day on which it is refused again."""

    def covers(self, violation: Violation, stack: str) -> bool:
        """Whether it is about this violation."""
        resource = violation.resource
        return (self.policy, self.stack, self.resource) == (
            violation.policy.id,
            stack,
            f"{resource.type}::{resource.name}",
        )

    def problems(self, plan: Plan, policies: frozenset[str], today: date) -> Iterator[Finding]:
        """Why it lets nothing pass."""
        if self.policy not in policies:
            yield Finding("policy", self.policy, "the id of a policy", "Correct it, or remove the exception.")
        if not self.reason.strip():
            yield Finding("reason", self.reason, "a reason", "Say why it has to be.")
        if self.approved_by not in plan.activation.by:
            may = " or ".join(plan.activation.by)
            yield Finding("approved_by", self.approved_by, may, "Let one of them approve it, in a review.")
        if self.approved > today:
            yield Finding("approved", str(self.approved), f"{today} or earlier", "Nobody has approved it yet.")
        last = self.approved + timedelta(days=MOST_DAYS)
        if self.expires > last:
            yield Finding("expires", str(self.expires), f"{last} or earlier", f"Let it end within {MOST_DAYS} days.")
        if self.expires <= today:
            remedy = "Comply, and remove the exception. If it has to be for longer, have it approved again."
            yield Finding("expires", str(self.expires), f"later than {today}", remedy)


class ExceptionsError(ValueError):
    """The file cannot be read as exceptions. The message says why and what to do."""


def load(file: Path = FILE) -> tuple[Waiver, ...]:
    """The exceptions of a file.

    Raises:
        ExceptionsError: the file is missing, is not YAML, or one of its entries has not what an exception has.
    """
    try:
        text = file.read_text(encoding="utf-8")
        # Most of the time there is nothing in it, and then the reader need not even start.
        found = [] if text.rstrip().endswith("\nexceptions: []") else (yaml.safe_load(text) or {}).get("exceptions")
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise ExceptionsError(f"{file}: {error}. It needs a list of exceptions, which may be empty.") from error
    if not isinstance(found, list):
        raise ExceptionsError(f"{file}: exceptions is {found!r}; allowed is a list, which may be empty.")
    return tuple(_waiver(entry, f"{file}: exceptions[{index}]") for index, entry in enumerate(found))


def _waiver(entry: object, where: str) -> Waiver:
    if not isinstance(entry, dict) or set(entry) != set(_KEYS):
        raise ExceptionsError(f"{where} is {entry!r}; allowed is exactly {', '.join(_KEYS)}.")
    for key in _KEYS:
        wanted = date if key in ("approved", "expires") else str
        if type(entry[key]) is not wanted:
            raise ExceptionsError(f"{where}.{key} is {entry[key]!r}; allowed is a {wanted.__name__}.")
    return Waiver(**entry)


def validity(waivers: tuple[Waiver, ...], policies: frozenset[str], today: date) -> StackPolicy:
    """The policy that refuses exceptions which let nothing pass any more, or never could."""

    def rule(stack: Stack, plan: Plan) -> Iterator[tuple[Resource, Finding]]:
        of = next(iter(stack.of([_STACK])), Resource(_STACK, "the stack", {}))
        for waiver in waivers:
            for problem in waiver.problems(plan, policies, today):
                name = f"{problem.property} of the exception of {waiver.resource} from {waiver.policy}"
                yield of, Finding(name, problem.found, problem.allowed, problem.remedy)

    return StackPolicy(
        id="exceptions-valid",
        title=f"Every exception has a reason, an approver whom the plan names, and an end within {MOST_DAYS} days.",
        severity="high",
        control="A.5.29",
        promise=security,
        remedy="Comply and remove it from `policy_pack/exceptions.yaml`, or have it approved again.",
        rule=rule,
    )
