"""The public addresses of a pool's hosts. They exist before the hosts and stay when a host is replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.hosts.placement import PlannedHost
from components.hosts.replacement import address_deletion_hook


@dataclass(frozen=True, kw_only=True)
class HostAddressesArgs:
    """The hosts that get an address, and the labels of the addresses."""

    hosts: Sequence[PlannedHost]
    labels: dict[str, str]


class HostAddresses(pulumi.ComponentResource):
    """One IPv4 address for each host. The host's outgoing connections come from it.

    The database admits only these addresses. So each must be known before its host is created, and must not change
    when the host is replaced. Hetzner protects them, from the provider too: only our deletion hook removes the
    protection.
    """

    ids: Mapping[str, pulumi.Output[int]]
    """Hetzner's ids, by the name of the host."""

    addresses: Mapping[str, pulumi.Output[str]]
    """The addresses, by the name of the host."""

    def __init__(self, name: str, args: HostAddressesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:compute:HostAddresses", name, {}, opts)
        hooks = pulumi.ResourceHookBinding(before_delete=[address_deletion_hook(name)])
        addresses = {
            host.name: hcloud.PrimaryIp(
                host.name,
                name=host.name,
                type="ipv4",
                location=host.offer.location,
                auto_delete=False,
                delete_protection=True,
                labels=args.labels,
                # An address cannot change its location, and two addresses cannot have the same name. So a host that
                # moves to another location loses its address first.
                opts=pulumi.ResourceOptions(parent=self, hooks=hooks, delete_before_replace=True),
            )
            for host in args.hosts
        }
        self.ids = {host: address.id.apply(int) for host, address in addresses.items()}
        self.addresses = {host: address.ip_address for host, address in addresses.items()}
        self.register_outputs({"addresses": dict(self.addresses)})
