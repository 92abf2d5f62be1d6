"""Remove a superseded database from its stack's state, and keep it unchanged in AWS.

After an outage of Germany, production's old database is available again, with the rows from the day of the outage.
Newer rows of customers are in the recovery region. The database that returns from there gets a different name. Both
exist until an operator has compared them and deleted the old one by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from continuity.clouds.aws import Aws
from continuity.engine import pulumi_cli
from continuity.engine.stacks import Stack
from continuity.errors import StackError

_INSTANCE: Final = "aws:rds/instance:Instance"
# It contains the ARN of the database. The next update creates one for the new database.
_SELECTION: Final = "aws:backup/selection:Selection"


@dataclass(frozen=True)
class Selection:
    """The selection of AWS Backup that backs up this one database."""

    urn: str
    region: str
    plan_id: str
    selection_id: str

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Selection:
        outputs = resource.get("outputs") or {}
        try:
            region, plan_id, number = outputs["region"], outputs["planId"], resource["id"]
        except KeyError as error:
            raise StackError(f"the state has no {error} for {resource['urn']}: run `pulumi refresh`") from None
        return cls(str(resource["urn"]), str(region), str(plan_id), str(number).rpartition("|")[2])


@dataclass(frozen=True)
class Superseded:
    """A superseded instance, the resources that depend on it, and the backup selections that are deleted with it."""

    stack: Stack
    identifier: str
    instance: str
    followers: tuple[str, ...]
    selections: tuple[Selection, ...]

    def sentences(self) -> list[str]:
        names = ", ".join(urn.rsplit("$", 1)[-1] for urn in (self.instance, *self.followers))
        return [
            f"{self.stack} stops managing {self.identifier}. It stays in AWS, with its protection and its backups:",
            f"  removed from the state: {names}",
            *(
                f"  deleted, and created again by the next `continuity up`: {one.urn.rsplit('$', 1)[-1]}"
                for one in self.selections
            ),
        ]


def find_superseded(stack: Stack) -> Superseded:
    """Read the database from the stack's state. Raises `StackError` unless it has exactly one."""
    resources = pulumi_cli.read_resources(stack)
    instances = [resource for resource in resources if resource["type"] == _INSTANCE]
    if len(instances) != 1:
        raise StackError(f"{stack} has {len(instances)} databases in its state; `set-aside` needs exactly one")
    urn = str(instances[0]["urn"])
    identifier = (instances[0].get("outputs") or {}).get("identifier")
    if not identifier:
        raise StackError(f"the state has no identifier for {urn}: run `pulumi refresh`")
    dependents = [resource for resource in resources if urn in (resource.get("dependencies") or [])]
    return Superseded(
        stack=stack,
        identifier=str(identifier),
        instance=urn,
        followers=tuple(str(found["urn"]) for found in dependents if found["type"] != _SELECTION),
        selections=tuple(Selection.of(found) for found in dependents if found["type"] == _SELECTION),
    )


def detach_database(found: Superseded) -> None:
    """Remove it from the state. After an interruption, `find_superseded` finds the steps that remain."""
    aws = Aws()
    for one in found.selections:
        # Called directly: Pulumi deletes nothing in this stack without its program, and the program protects this.
        aws.find(
            "backup",
            one.region,
            "delete_backup_selection",
            {"ResourceNotFoundException"},
            BackupPlanId=one.plan_id,
            SelectionId=one.selection_id,
        )
        pulumi_cli.run(["state", "delete", one.urn, "--stack", found.stack, "--force", "--yes"])
    pulumi_cli.run(
        ["state", "delete", found.instance, "--stack", found.stack, "--force", "--target-dependents", "--yes"]
    )
