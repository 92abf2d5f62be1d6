"""A database that has been overtaken is taken out of its stack's state, and stays in AWS as it is.

After Germany was lost and came back, production's old database is there again, with the rows of the day on which it was
lost; what customers have written since is in the recovery region. The one that comes home from there gets another
name, and stands beside the old one until people have looked at that and deleted it by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from continuity import stacks
from continuity.stacks import ContinuityError, Stack

_INSTANCE: Final = "aws:rds/instance:Instance"
# It names the database, and is made again for the next one.
_SELECTION: Final = "aws:backup/selection:Selection"


@dataclass(frozen=True)
class Overtaken:
    """The instance, what leads to it, and what is deleted because it is about that instance alone."""

    stack: Stack
    identifier: str
    instance: str
    followers: tuple[str, ...]
    selections: tuple[str, ...]

    def sentences(self) -> list[str]:
        names = ", ".join(urn.rsplit("$", 1)[-1] for urn in (self.instance, *self.followers))
        return [
            f"{self.stack} forgets {self.identifier}, which stays in AWS with its protections and its backups:",
            f"  out of the state: {names}",
            *(f"  deleted, to be made again: {urn.rsplit('$', 1)[-1]}" for urn in self.selections),
        ]


def look(stack: Stack) -> Overtaken:
    """From the stack's state. Raises `ContinuityError` when it has no database, or more than one."""
    resources = stacks.resources(stack)
    instances = [resource for resource in resources if resource["type"] == _INSTANCE]
    if len(instances) != 1:
        raise ContinuityError(f"{stack} has {len(instances)} databases in its state; there must be one to set aside")
    urn = str(instances[0]["urn"])
    dependents = [resource for resource in resources if urn in (resource.get("dependencies") or [])]
    return Overtaken(
        stack=stack,
        identifier=str(instances[0]["outputs"]["identifier"]),
        instance=urn,
        followers=tuple(str(found["urn"]) for found in dependents if found["type"] != _SELECTION),
        selections=tuple(str(found["urn"]) for found in dependents if found["type"] == _SELECTION),
    )


def do(found: Overtaken) -> None:
    """Each step looks for nothing that an earlier one left: after a kill, `look` finds what is still to be done."""
    for urn in found.selections:
        stacks.run(["state", "unprotect", urn, "--stack", found.stack, "--yes"])
        stacks.destroy(found.stack, "--target", urn)
    stacks.run(["state", "delete", found.instance, "--stack", found.stack, "--force", "--target-dependents", "--yes"])
