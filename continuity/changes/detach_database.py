"""A database that has been overtaken is taken out of its stack's state, and stays in AWS as it is.

After Germany was lost and came back, production's old database is there again, with the rows of the day on which it was
lost; what customers have written since is in the recovery region. The one that comes home from there gets another
name, and stands beside the old one until people have looked at that and deleted it by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from continuity.clouds.aws import Aws
from continuity.engine import stacks
from continuity.engine.stacks import Stack
from continuity.errors import StackError

_INSTANCE: Final = "aws:rds/instance:Instance"
# It names the database, and is made again for the next one.
_SELECTION: Final = "aws:backup/selection:Selection"


@dataclass(frozen=True)
class Selection:
    """What tells AWS Backup to copy that one database."""

    urn: str
    region: str
    plan_id: str
    selection_id: str

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Selection:
        said = resource.get("outputs") or {}
        try:
            region, plan_id, number = said["region"], said["planId"], resource["id"]
        except KeyError as error:
            raise StackError(f"the state says nothing of {error} of {resource['urn']}: run `pulumi refresh`") from None
        return cls(str(resource["urn"]), str(region), str(plan_id), str(number).rpartition("|")[2])


@dataclass(frozen=True)
class Overtaken:
    """The instance, what leads to it, and what is deleted because it is about that instance alone."""

    stack: Stack
    identifier: str
    instance: str
    followers: tuple[str, ...]
    selections: tuple[Selection, ...]

    def sentences(self) -> list[str]:
        names = ", ".join(urn.rsplit("$", 1)[-1] for urn in (self.instance, *self.followers))
        return [
            f"{self.stack} forgets {self.identifier}, which stays in AWS with its protections and its backups:",
            f"  out of the state: {names}",
            *(f"  deleted, to be made again: {one.urn.rsplit('$', 1)[-1]}" for one in self.selections),
        ]


def look(stack: Stack) -> Overtaken:
    """From the stack's state. Raises `StackError` when it has no database, or more than one."""
    resources = stacks.resources(stack)
    instances = [resource for resource in resources if resource["type"] == _INSTANCE]
    if len(instances) != 1:
        raise StackError(f"{stack} has {len(instances)} databases in its state; there must be one to set aside")
    urn = str(instances[0]["urn"])
    identifier = (instances[0].get("outputs") or {}).get("identifier")
    if not identifier:
        raise StackError(f"the state says nothing of the identifier of {urn}: run `pulumi refresh`")
    dependents = [resource for resource in resources if urn in (resource.get("dependencies") or [])]
    return Overtaken(
        stack=stack,
        identifier=str(identifier),
        instance=urn,
        followers=tuple(str(found["urn"]) for found in dependents if found["type"] != _SELECTION),
        selections=tuple(Selection.of(found) for found in dependents if found["type"] == _SELECTION),
    )


def do(found: Overtaken) -> None:
    """Each step looks for nothing that an earlier one left: after a kill, `look` finds what is still to be done."""
    aws = Aws()
    for one in found.selections:
        # Not by way of Pulumi, which deletes nothing of this stack without its program, and the program protects this.
        aws.find(
            "backup",
            one.region,
            "delete_backup_selection",
            {"ResourceNotFoundException"},
            BackupPlanId=one.plan_id,
            SelectionId=one.selection_id,
        )
        stacks.run(["state", "delete", one.urn, "--stack", found.stack, "--force", "--yes"])
    stacks.run(["state", "delete", found.instance, "--stack", found.stack, "--force", "--target-dependents", "--yes"])
