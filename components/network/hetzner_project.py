"""What a Hetzner project has once, whichever stacks are in it: the DNS zone, and the keys of the people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud


def ssh_key_name(person: str) -> str:
    """What a person's key is called at Hetzner: there can be only one of a key in a project."""
    return f"botbrains-{person}"


@dataclass(frozen=True, kw_only=True)
class HetznerProjectArgs:
    """The zone, and who reaches hosts.

    Raises:
        ValueError: nobody does.
    """

    zone: str
    """The domain of the service. Its registrar has to delegate it to Hetzner's name servers."""

    ttl_seconds: int
    """What records have that say nothing else."""

    ssh_keys: Mapping[str, str]
    """The public half of each person's key, by the person's account."""

    labels: dict[str, str]

    def __post_init__(self) -> None:
        if not self.ssh_keys:
            raise ValueError("ssh_keys is empty; a host that nobody reaches is a host that nobody can mend")


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
