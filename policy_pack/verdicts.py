"""The judge: the policies' violations, less the accepted ones, for the engine's pack and for the program alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from policy_pack.catalogue import ALL, STACK_POLICIES, applied
from policy_pack.exceptions import Waiver, load, validity
from policy_pack.rules.inside import whole
from policy_pack.rules.policy import Finding, Policy, Resource, Stack, StackPolicy, Violation, violation

if TYPE_CHECKING:
    from plan import Plan


@dataclass(frozen=True)
class Verdict:
    """A violation, and whether it stops the deployment."""

    violation: Violation
    waiver: Waiver | None
    """The exception that accepts the violation."""

    @property
    def refuses(self) -> bool:
        """Whether the violation stops the deployment."""
        return self.waiver is None and not self.violation.policy.advisory

    @property
    def message(self) -> str:
        """The message for the developer. The pack and the program both print it."""
        if self.waiver is None:
            return self.violation.message
        accepted = (
            f"{self.violation.message} An exception accepts this until {self.waiver.expires}, approved by"
            f" {self.waiver.approved_by}: {self.waiver.reason}"
        )
        return f"{accepted.rstrip('.')}. {self.waiver.hint}" if self.waiver.hint else accepted


@dataclass(frozen=True)
class Judge:
    """Judges by a plan, on a day, with exceptions."""

    plan: Plan
    stack: str = ""
    """The stack's name. Exceptions are for one stack."""
    waivers: tuple[Waiver, ...] = field(default_factory=load)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    configured: Mapping[str, Plan] = field(default_factory=dict)
    """The plan that a policy judges by, by the policy's id, where configuration has made that stricter."""

    def resource(self, resource: Resource) -> list[Verdict]:
        """The verdicts on a resource, before it is deployed."""
        return [verdict for policy, part in applied(resource) for verdict in self._verdicts(policy, part, resource)]

    def whole(self, resources: Iterable[Resource]) -> list[Verdict]:
        """The verdicts on a stack, once all of its resources are known."""
        stack = whole(resources)
        of = next(iter(stack.resources), Resource("pulumi:pulumi:Stack", self.stack, {}))
        return [verdict for policy in self.stack_policies for verdict in self._verdicts(policy, stack, of)]

    @property
    def stack_policies(self) -> tuple[StackPolicy, ...]:
        """The policies on the stack as a whole, with the one that judges the exceptions."""
        return (*STACK_POLICIES, validity(self.waivers, frozenset(policy.id for policy in ALL), self.today))

    def _verdicts(self, policy: Policy | StackPolicy, judged: Resource | Stack, blamed: Resource) -> list[Verdict]:
        plan = self.configured.get(policy.id, self.plan)
        try:
            found = policy.judge(judged, plan)  # type: ignore[arg-type] # each kind of policy gets its kind
        except Exception as error:
            remedy = "Report this fault of the policy. Until it is corrected, write an exception for the resource."
            fault = Finding("the verdict", f"{type(error).__name__}: {error}", "a decision", remedy)
            found = [violation(policy, blamed, fault, plan)]
        return [Verdict(one, self._waiver(one)) for one in found]

    def _waiver(self, violation: Violation) -> Waiver | None:
        ids = frozenset(policy.id for policy in ALL)
        for waiver in self.waivers:
            if waiver.covers(violation, self.stack) and not any(waiver.problems(self.plan, ids, self.today)):
                return waiver
        return None
