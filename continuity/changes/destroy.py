"""Destroy a stack, after listing the data that would be lost. Protected resources prevent it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from continuity.engine import pulumi_cli
from continuity.engine.stacks import Stack
from continuity.errors import StackError
from plan.stateful import BY_TYPE

# A host is needed as long as this target points at it, so the target is deleted before the host.
_SENDS_REQUESTS: Final = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"


@dataclass(frozen=True)
class Loss:
    """A resource that holds data: its name, the data that would be lost, and whether Pulumi protects it."""

    name: str
    what: str
    protected: bool


@dataclass(frozen=True)
class Destruction:
    """The consequences of destroying a stack."""

    stack: Stack
    resources: int
    protected: int
    losses: tuple[Loss, ...]
    kept: tuple[str, ...]
    """The resources that Pulumi removes from the state and leaves in the clouds: their names and ids."""

    first: tuple[str, ...]
    """URNs that are deleted first: resources that only a hook of the program may delete, and load balancer targets."""

    def sentences(self) -> list[str]:
        kept = [
            "It leaves these in the clouds. A later `continuity up` imports those of prod:",
            *(f"  {name}" for name in self.kept),
        ]
        return [
            f"{self.stack} has {self.resources} resources, {self.protected} of them protected. Destroying it loses:",
            *(f"  {loss.name}: {loss.what}" + ("" if loss.protected else " (not protected)") for loss in self.losses),
            *(kept if self.kept else []),
        ]


def inspect_stack(stack: Stack) -> Destruction:
    """Read the consequences from the stack's state. Raises `StackError` if the stack has no resources."""
    resources = pulumi_cli.read_resources(stack)
    if not resources:
        raise StackError(f"{stack} has no resources: there is nothing to destroy")
    return Destruction(
        stack=stack,
        resources=len(resources),
        protected=sum(1 for resource in resources if resource.get("protect")),
        losses=tuple(_losses(resources)),
        kept=tuple(
            f"{_name(resource)} ({resource['type']}): {resource['id']}"
            for resource in resources
            if _holds_data(resource) and resource.get("retainOnDelete")
        ),
        first=tuple(
            str(resource["urn"])
            for resource in resources
            if resource.get("resourceHooks") or resource["type"] == _SENDS_REQUESTS
        ),
    )


def _losses(resources: Sequence[Mapping[str, Any]]) -> Iterator[Loss]:
    """Find the resources that hold data. All others can be created again from this repository."""
    for resource in resources:
        if _holds_data(resource) and not resource.get("retainOnDelete"):
            yield Loss(
                name=_name(resource),
                what=BY_TYPE[resource["type"]].loss,
                protected=bool(resource.get("protect")),
            )


def _holds_data(resource: Mapping[str, Any]) -> bool:
    stateful = BY_TYPE.get(resource["type"])
    return stateful is not None and stateful.kind == "data"


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["urn"]).rsplit("::", 1)[1]


def destroy_stack(found: Destruction) -> None:
    """Destroy a stack without protected resources. An operator removes protection by hand, deliberately."""
    if found.protected:
        raise StackError(
            f"{found.stack} is not destroyed: {found.protected} resources are protected. To destroy it, remove their "
            f"protection with `pulumi state unprotect URN --stack {found.stack}` (or --all), then the protection that "
            "the clouds keep themselves"
        )
    options = ["--stack", found.stack, "--yes", "--skip-preview"]
    if found.first:
        # Hooks need the program to run, and the program protects everything again. So protection is removed once more.
        targets = [f"--target={urn}" for urn in found.first]
        pulumi_cli.run(["destroy", *options, "--run-program", "--target-dependents", *targets])
        pulumi_cli.run(["state", "unprotect", "--all", "--yes", "--stack", found.stack])
    pulumi_cli.run(["destroy", *options])
