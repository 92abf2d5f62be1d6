"""The context of a stack: its settings, the plan, and the providers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pulumi

import plan
from plan.names import labels_of, name_prefix
from stacks import providers
from stacks.settings.model import CloudSettings, ProductionSettings, RecoverySettings

if TYPE_CHECKING:
    import pulumi_hcloud

Outputs = dict[str, Any]
"""The outputs of a stack, by name."""

S = TypeVar("S", bound=CloudSettings)


@dataclass(frozen=True)
class StackContext(Generic[S]):
    """A stack's settings, the plan, and the providers, each created once."""

    settings: S
    plan: plan.Plan

    @cached_property
    def name(self) -> str:
        """The prefix of the name of each of the stack's resources."""
        return name_prefix(self.settings.stack)

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels (Hetzner) or tags (AWS) of each of the stack's resources."""
        return labels_of(self.settings.stack)

    @cached_property
    def aws(self) -> pulumi.ResourceOptions:
        """Options for resources at AWS, in the stack's region."""
        return pulumi.ResourceOptions(providers=[providers.aws(region=self.settings.region, tags=self.labels)])

    @cached_property
    def hetzner_provider(self) -> pulumi_hcloud.Provider:
        return providers.hetzner()

    @cached_property
    def hetzner(self) -> pulumi.ResourceOptions:
        """Options for resources in the Hetzner project."""
        return pulumi.ResourceOptions(providers=[self.hetzner_provider])

    @property
    def operators(self) -> dict[str, str]:
        """The public SSH keys of the operators, by account."""
        return {role.person.lower(): role.ssh_key for role in self.plan.roles}


ServiceContext = StackContext[ProductionSettings] | StackContext[RecoverySettings]
