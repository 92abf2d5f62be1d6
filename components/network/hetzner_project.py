"""The resources that exist once in a Hetzner project, for all stacks: the DNS zone and the operators' SSH keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud


def ssh_key_name(person: str) -> str:
    """The name of a person's key at Hetzner. A project accepts each key only once."""
    return f"botbrains-{person}"


@dataclass(frozen=True, kw_only=True)
class HetznerProjectArgs:
    """The zone, and the SSH keys of the operators.

    Raises:
        ValueError: there is no SSH key.
    """

    zone: str
    """The domain of the service. Its registrar has to delegate it to Hetzner's name servers."""

    ttl_seconds: int
    """The TTL of records without their own TTL."""

    ssh_keys: Mapping[str, str]
    """The public half of each person's key, by the person's account."""

    labels: dict[str, str]

    def __post_init__(self) -> None:
        if not self.ssh_keys:
            raise ValueError(
                "ssh_keys is empty; allowed is one key or more, because a host without a key cannot be repaired. Add an"
                " `ssh_key` to each role in plan/plan.yaml"
            )


class HetznerProject(pulumi.ComponentResource):
    """The zone outlives production, because its records must change when production is lost."""

    zone_name: pulumi.Output[str]

    def __init__(self, name: str, args: HetznerProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:HetznerProject", name, {}, opts)
        zone = hcloud.Zone(
            name,
            name=args.zone,
            mode="primary",
            ttl=args.ttl_seconds,
            delete_protection=True,
            labels=args.labels,
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        for person, key in args.ssh_keys.items():
            hcloud.SshKey(
                f"{name}-{person}",
                name=ssh_key_name(person),
                public_key=key,
                labels=args.labels,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.zone_name = zone.name
        self.register_outputs({"zoneName": self.zone_name})
