"""The public addresses of a pool's hosts, which are there before the hosts and stay when these are rolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.hosts.placement import PlannedHost
from components.hosts.replacement import before_address


@dataclass(frozen=True, kw_only=True)
class HostAddressesArgs:
    """Whose they are."""

    hosts: Sequence[PlannedHost]
    labels: dict[str, str]


class HostAddresses(pulumi.ComponentResource):
    """One IPv4 address for each host, from which its outgoing connections come.

    The database admits these addresses and no others, so they have to be known before a host is made, and must not
    change with it. Hetzner protects them, from the provider too: only a step of ours gives one up for good.
    """

    ids: Mapping[str, pulumi.Output[int]]
    """Hetzner's ids, by the name of the host."""

    addresses: Mapping[str, pulumi.Output[str]]
    """The addresses, by the name of the host."""

    def __init__(self, name: str, args: HostAddressesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:compute:HostAddresses", name, {}, opts)
        step = pulumi.ResourceHookBinding(before_delete=[before_address(name)])
        made = {
            host.name: hcloud.PrimaryIp(
                host.name,
                name=host.name,
                type="ipv4",
                location=host.offer.location,
                auto_delete=False,
                delete_protection=True,
                labels=args.labels,
                # An address is in one location for good, and two cannot have one name: a host that moves gives it up.
                opts=pulumi.ResourceOptions(parent=self, hooks=step, delete_before_replace=True),
            )
            for host in args.hosts
        }
        self.ids = {host: address.id.apply(int) for host, address in made.items()}
        self.addresses = {host: address.ip_address for host, address in made.items()}
        self.register_outputs({"addresses": dict(self.addresses)})
