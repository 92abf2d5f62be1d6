"""What cannot be made again is protected in Pulumi too: its own protection refuses what a cloud's would let through.

A cloud's protection is lifted by the provider itself in some cases, and a replacement deletes as surely as a deletion.
Hosts are not among these: they hold nothing, and are replaced on purpose.
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
        remedy = "Set it, on the resource or on what it is part of, so that no change of the program takes it away."
        yield Finding("the option protect", False, "true", remedy)


KEPT: Final = Policy(
    id="protected-in-pulumi",
    title="Pulumi refuses to delete or replace what cannot be made again.",
    severity="high",
    control="A.8.13",
    promise=recovery,
    remedy="Set the resource option `protect` to true.",
    concerns=_cannot_be_made_again,
    rule=_kept,
)
