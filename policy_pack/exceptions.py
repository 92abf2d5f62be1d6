"""Exceptions: violations that are accepted for a limited time, each with a reason, an approver and an end.

Exceptions are data (`exceptions.yaml`). So each is reviewed like code, and the history keeps it. An exception that has
expired, or that was not approved by a role of the plan, has no effect. It is itself a violation until it is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from policy_pack.renamed import current_id
from policy_pack.rules.policy import Finding, Resource, Stack, StackPolicy, Violation
from policy_pack.rules.promises import security

if TYPE_CHECKING:
    from plan import Plan

FILE: Final = Path(__file__).parent / "exceptions.yaml"
MOST_DAYS: Final = 90
"""The most days from the approval to the end. A violation that has to last longer needs a change of the plan."""

_KEYS: Final = ("policy", "stack", "resource", "reason", "approved_by", "approved", "expires")
_STACK: Final = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Waiver:
    """One exception."""

    policy: str
    """The id of the policy whose violation is accepted, as it is written in the file. It may be an old id."""
    stack: str
    resource: str
    """The resource, as `type::name`."""
    reason: str
    approved_by: str
    """A role that the plan allows to activate it."""
    approved: date
    expires: date
    """The first day on which the violation is refused again."""

    @property
    def hint(self) -> str:
        """The correction to make in the file, as a sentence, if the exception uses an old id; otherwise empty."""
        current = current_id(self.policy)
        if current == self.policy:
            return ""
        return f"The policy {self.policy} is now called {current}: write `policy: {current}` in exceptions.yaml."

    def covers(self, violation: Violation, stack: str) -> bool:
        """Whether the exception names this violation."""
        resource = violation.resource
        return (current_id(self.policy), self.stack, self.resource) == (
            violation.policy.id,
            stack,
            f"{resource.type}::{resource.name}",
        )

    def problems(self, plan: Plan, policies: frozenset[str], today: date) -> Iterator[Finding]:
        """The reasons why the exception has no effect."""
        if current_id(self.policy) not in policies:
            yield Finding("policy", self.policy, "the id of a policy", "Correct it, or remove the exception.")
        if not self.reason.strip():
            yield Finding("reason", self.reason, "a reason", "State why the violation is necessary.")
        if self.approved_by not in plan.activation.by:
            roles = " or ".join(plan.activation.by)
            yield Finding("approved_by", self.approved_by, roles, "Have one of these roles approve it, in a review.")
        if self.approved > today:
            remedy = "Wait until that day, or correct the date: a later approval is not an approval yet."
            yield Finding("approved", str(self.approved), f"{today} or earlier", remedy)
        last = self.approved + timedelta(days=MOST_DAYS)
        if self.expires > last:
            yield Finding("expires", str(self.expires), f"{last} or earlier", f"Let it end within {MOST_DAYS} days.")
        if self.expires <= today:
            remedy = "Comply, and remove the exception. If the violation has to last longer, have it approved again."
            yield Finding("expires", str(self.expires), f"later than {today}", remedy)


class ExceptionsError(ValueError):
    """The file does not contain valid exceptions. The message states the reason and the correction."""


def load(file: Path = FILE) -> tuple[Waiver, ...]:
    """Read the exceptions of a file.

    Raises:
        ExceptionsError: the file is missing, is not YAML, or an entry lacks a field of an exception.
    """
    try:
        text = file.read_text(encoding="utf-8")
        # The list is empty most of the time. Then the YAML parser, which is slow to start, is not needed.
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
    """The policy that refuses exceptions which have no effect."""

    def rule(stack: Stack, plan: Plan) -> Iterator[tuple[Resource, Finding]]:
        of = next(iter(stack.of([_STACK])), Resource(_STACK, "the stack", {}))
        for waiver in waivers:
            for problem in waiver.problems(plan, policies, today):
                name = f"{problem.property} of the exception of {waiver.resource} from {waiver.policy}"
                remedy = f"{problem.remedy} {waiver.hint}".rstrip()
                yield of, Finding(name, problem.found, problem.allowed, remedy)

    return StackPolicy(
        id="exceptions-valid",
        title=f"Every exception has a reason, an approver whom the plan names, and an end within {MOST_DAYS} days.",
        severity="high",
        control="A.5.29",
        promise=security,
        remedy="Comply and remove it from `policy_pack/exceptions.yaml`, or have it approved again.",
        rule=rule,
    )
