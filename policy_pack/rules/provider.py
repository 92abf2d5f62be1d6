"""Nothing is deployed by a provider whose places no other policy judges.

The residency policies know AWS and Hetzner. A resource of another cloud would pass all of them, wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from plan import Plan
from policy_pack.rules.policy import Finding, Policy, Resource, package_of

JUDGED: Final = frozenset({"aws", "hcloud"})
"""Packages whose resources are judged by residency policies of their own."""

ACCEPTED: Final = frozenset(
    {
        "github",  # keeps the source code and the deployment configuration, as the plan says, and no customer's data
        "pulumi",  # the engine's own: stacks, and references to them
    }
)
"""Packages whose resources hold nothing that the residency promise is about."""


def _provider_judged(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    # A component has a type of our own and no provider: it is judged by what is inside it.
    if resource.provider is not None or resource.is_provider:
        remedy = "Use one of these, or write the policy that judges where this one keeps its resources."
        allowed = f"one of {', '.join(sorted(JUDGED | ACCEPTED))}"
        yield Finding("the package of its provider", resource.package, allowed, remedy)


def _promise(plan: Plan) -> str:
    return f"Data stays in the {plan.residency.jurisdiction}."


PROVIDER_JUDGED: Final = Policy(
    id="provider-judged",
    title="Every resource is deployed by a provider whose places the continuity policies judge.",
    severity="critical",
    control="A.5.29",
    promise=_promise,
    remedy="Deploy with a provider that is judged, or add the policy that judges it.",
    concerns=lambda type_: package_of(type_) not in JUDGED | ACCEPTED,
    rule=_provider_judged,
)
