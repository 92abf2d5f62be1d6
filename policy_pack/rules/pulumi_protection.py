"""The policy on the resource option `protect`, for resources that cannot be created again.

In some cases the provider itself lifts the cloud's deletion protection, and a replacement deletes the old resource too.
Hosts do not need the option: they hold no data, and are replaced on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.policy import Finding, Policy, Resource
from policy_pack.rules.promises import recovery

if TYPE_CHECKING:
    from plan import Plan


def _cannot_be_made_again(type_: str) -> bool:
    """Whether a type's loss is a loss of data, of the way to it, or of an address that customers know."""
    from plan.stateful import BY_TYPE  # here, for the reason that `analyzer.py` gives

    return type_ in BY_TYPE and BY_TYPE[type_].protect


def _kept(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if not resource.protect:
        remedy = "Set it on the resource or on its component, so that no change of the program deletes the resource."
        yield Finding("the option protect", False, "true", remedy)


KEPT: Final = Policy(
    id="protected-in-pulumi",
    title="Pulumi refuses to delete or replace a resource that cannot be created again.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Set the resource option `protect` to true.",
    concerns=_cannot_be_made_again,
    rule=_kept,
)
