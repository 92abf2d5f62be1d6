"""What destroying a stack would lose, and why it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from continuity.engine import stacks
from continuity.engine.stacks import Stack
from continuity.errors import StackError
from plan.stateful import BY_TYPE

# A host is not taken down while it is needed, and is needed as long as this finds it.
_SENDS_REQUESTS: Final = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"


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
    first: tuple[str, ...]
    """What goes first, by URN: what only a step of the program may delete, and what sends requests there."""

    def sentences(self) -> list[str]:
        return [
            f"{self.stack} has {self.resources} resources, {self.protected} of them protected. With it would go:",
            *(f"  {loss.name}: {loss.what}" + ("" if loss.protected else " (not protected)") for loss in self.losses),
        ]


def look(stack: Stack) -> Destruction:
    """From the stack's state. Raises `StackError` when there is nothing to destroy."""
    resources = stacks.resources(stack)
    if not resources:
        raise StackError(f"{stack}: nothing exists")
    return Destruction(
        stack=stack,
        resources=len(resources),
        protected=sum(1 for resource in resources if resource.get("protect")),
        losses=tuple(_losses(resources)),
        first=tuple(
            str(resource["urn"])
            for resource in resources
            if resource.get("resourceHooks") or resource["type"] == _SENDS_REQUESTS
        ),
    )


def _losses(resources: Sequence[Mapping[str, Any]]) -> Iterator[Loss]:
    """What holds data. Everything else can be made again from this repository."""
    for resource in resources:
        stateful = BY_TYPE.get(resource["type"])
        if stateful is not None and stateful.kind == "data":
            yield Loss(
                name=str(resource["urn"]).rsplit("::", 1)[1],
                what=stateful.loss,
                protected=bool(resource.get("protect")),
            )


def destroy(found: Destruction) -> None:
    """Destroy it, if nothing in it is protected: protection is lifted by hand, one thing after another, on purpose."""
    if found.protected:
        raise StackError(
            f"{found.stack} is not destroyed: {found.protected} resources are protected. To go on, lift it with "
            f"`pulumi state unprotect --stack {found.stack}`, for each or of --all, and then the clouds' own protection"
        )
    options = ["--stack", found.stack, "--yes", "--skip-preview"]
    if found.first:
        # The program's steps need the program, and it protects everything again: what was lifted is lifted once more.
        targets = [f"--target={urn}" for urn in found.first]
        stacks.run(["destroy", *options, "--run-program", "--target-dependents", *targets])
        stacks.run(["state", "unprotect", "--all", "--yes", "--stack", found.stack])
    stacks.run(["destroy", *options])
