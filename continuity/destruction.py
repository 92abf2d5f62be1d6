"""What destroying a stack would lose, and why it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from continuity import stacks
from continuity.stacks import ContinuityError, Stack

# What holds data or gives access to them, in words; everything else can be made again from this repository.
_HOLDS: Final = {
    "aws:rds/instance:Instance": "a database with all of its rows",
    "aws:s3/bucket:Bucket": "a bucket with all of its objects and their versions",
    "aws:kms/key:Key": "a key, and with it everything that is encrypted with it",
    "aws:backup/vault:Vault": "a backup vault with all of its recovery points",
    "aws:secretsmanager/secret:Secret": "a secret, and its replica",
    "github:index/repository:Repository": "a repository with all of its history",
}


@dataclass(frozen=True)
class Loss:
    """One thing that holds data: its name, what would be lost with it, and whether Pulumi protects it."""

    name: str
    what: str
    protected: bool


@dataclass(frozen=True)
class Destruction:
    """What destroying a stack would do."""

    stack: Stack
    resources: int
    protected: int
    losses: tuple[Loss, ...]

    def sentences(self) -> list[str]:
        return [
            f"{self.stack} has {self.resources} resources, {self.protected} of them protected. With it would go:",
            *(f"  {loss.name}: {loss.what}" + ("" if loss.protected else " (not protected)") for loss in self.losses),
        ]


def look(stack: Stack) -> Destruction:
    """From the stack's state. Raises `ContinuityError` when there is nothing to destroy."""
    resources = stacks.resources(stack)
    if not resources:
        raise ContinuityError(f"{stack}: nothing exists")
    return Destruction(
        stack=stack,
        resources=len(resources),
        protected=sum(1 for resource in resources if resource.get("protect")),
        losses=tuple(_loss(resource) for resource in resources if resource["type"] in _HOLDS),
    )


def _loss(resource: Mapping[str, Any]) -> Loss:
    return Loss(
        name=str(resource["urn"]).rsplit("::", 1)[1],
        what=_HOLDS[resource["type"]],
        protected=bool(resource.get("protect")),
    )


def destroy(found: Destruction) -> None:
    """Destroy it, if nothing in it is protected: protection is lifted by hand, one thing after another, on purpose."""
    if found.protected:
        raise ContinuityError(
            f"{found.stack} is not destroyed: {found.protected} resources are protected. To go on, lift it with "
            f"`pulumi state unprotect --stack {found.stack}`, for each or of --all, and then the clouds' own protection"
        )
    stacks.destroy(found.stack)
