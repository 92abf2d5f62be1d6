"""The hosts of one role: active ones, a hot standby, spread over locations and over machines within each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pulumi
import pulumi_hcloud as hcloud

HostState = Literal["active", "standby"]

# Hetzner's limit on a placement group of type "spread" (docs.hetzner.com, Cloud, Placement Groups).
SERVERS_PER_PLACEMENT_GROUP: Final = 10


@dataclass(frozen=True, kw_only=True)
class HostPoolArgs:
    """How many hosts of which kind, and where.

    Raises:
        ValueError: there is no active host, a negative number of standbys, no location, or a location twice.
    """

    role: str
    """What the hosts do, such as `api`. A label of everything in the pool."""

    active: int
    """Hosts that do the work, at least 1."""

    standby: int
    """Hosts that run and wait to take over, 0 or more."""

    locations: Sequence[str]
    """Hetzner locations, in the order in which hosts are dealt to them. Another list moves hosts, replacing them."""

    server_type: str
    """Hetzner's name for the size of a host."""

    image: str
    """Hetzner's name for the operating system. A new one replaces the hosts."""

    subnet_id: pulumi.Input[str]
    """The subnet of the private network that the hosts join."""

    labels: dict[str, str]
    """Labels of everything in the pool, beside its role."""

    protect: bool = True
    """Whether Pulumi refuses to delete or replace the hosts and their addresses."""

    def __post_init__(self) -> None:
        if self.active < 1 or self.standby < 0:
            raise ValueError(f"active is {self.active}, standby {self.standby}; at least 1 and at least 0 are needed")
        if not self.locations or len(set(self.locations)) != len(self.locations):
            raise ValueError(f"locations is {list(self.locations)}; needed is at least one, and none of them twice")


@dataclass(frozen=True, kw_only=True)
class Host:
    """One host as the rest of the program sees it."""

    name: str
    location: str
    state: HostState
    server_id: pulumi.Output[int]
    """Hetzner's id, an integer where another resource takes it."""

    address: pulumi.Output[str]
    """The public IPv4 address that the host's outgoing connections come from."""


class HostPool(pulumi.ComponentResource):
    """Hosts that survive the loss of one of them, of the machine beneath it, and of its location.

    Host *i* goes to location *i* modulo their number, so the active hosts, which come first, are in different places as
    far as there are enough of them. Which host is active and which stands by is a label: promoting the standby, by
    raising `active`, changes it in place and rebuilds nothing.

    Every host has a public address of its own that stays when the host is rebuilt, because the database admits these
    addresses and no others.
    """

    hosts: tuple[Host, ...]

    def __init__(self, name: str, args: HostPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:compute:HostPool", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {**args.labels, "role": args.role}

        firewall = hcloud.Firewall(
            name,
            name=name,
            labels=labels,
            # Inbound, everything that no rule names is dropped: SSH and the application's port cannot be reached from
            # the internet. The load balancer needs no rule, because Hetzner does not filter the private network.
            # ICMP stays open so that path MTU discovery and a plain ping still work. Outbound, no rule means no limit.
            rules=[
                hcloud.FirewallRuleArgs(
                    description="ICMP from anywhere",
                    direction="in",
                    protocol="icmp",
                    source_ips=["0.0.0.0/0", "::/0"],
                )
            ],
            opts=child,
        )
        groups = {
            (location, number): hcloud.PlacementGroup(
                f"{name}-{location}-{number}",
                name=f"{name}-{location}-{number}",
                type="spread",
                labels=labels,
                opts=child,
            )
            for location, number in dict.fromkeys(_group(args, index) for index in range(_size(args)))
        }
        self.hosts = tuple(
            self._host(f"{name}-{index + 1}", args, index, labels, firewall, groups[_group(args, index)])
            for index in range(_size(args))
        )

        self.register_outputs(
            {
                "hosts": [
                    {"name": host.name, "location": host.location, "state": host.state, "address": host.address}
                    for host in self.hosts
                ]
            }
        )

    def _host(
        self,
        name: str,
        args: HostPoolArgs,
        index: int,
        labels: dict[str, str],
        firewall: hcloud.Firewall,
        group: hcloud.PlacementGroup,
    ) -> Host:
        """The public address and the server of one host, in that order."""
        location = args.locations[index % len(args.locations)]
        state: HostState = "active" if index < args.active else "standby"
        guarded = pulumi.ResourceOptions(parent=self, protect=args.protect)

        address = hcloud.PrimaryIp(
            name,
            name=name,
            type="ipv4",
            location=location,
            auto_delete=False,
            # The provider lifts a server's protection when it deletes the server, but never an address's: giving one
            # up for good takes somebody who means it.
            delete_protection=True,
            labels=labels,
            opts=guarded,
        )
        server = hcloud.Server(
            name,
            name=name,
            server_type=args.server_type,
            image=args.image,
            location=location,
            labels={**labels, "state": state},
            placement_group_id=group.id.apply(int),
            # Given with the server, not attached to it afterwards: a firewall must be there before the first boot.
            firewall_ids=[firewall.id.apply(int)],
            public_nets=[
                hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=address.id.apply(int), ipv6_enabled=False),
            ],
            # The empty list keeps the provider from detaching and attaching the network on every deployment.
            networks=[hcloud.ServerNetworkArgs(subnet_id=args.subnet_id, alias_ips=[])],
            # Hetzner accepts these two only together.
            delete_protection=True,
            rebuild_protection=True,
            shutdown_before_deletion=True,
            # A larger server type can be undone only as long as the disk has kept its size.
            keep_disk=True,
            # Neither the name nor the address can belong to the old and the new server at the same time.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(delete_before_replace=True)),
        )
        return Host(
            name=name,
            location=location,
            state=state,
            server_id=server.id.apply(int),
            address=address.ip_address,
        )


def _size(args: HostPoolArgs) -> int:
    return args.active + args.standby


def _group(args: HostPoolArgs, index: int) -> tuple[str, int]:
    """The placement group of a host: its location, and the number, from 1, of the group within it.

    A group keeps its servers on different physical machines, which means something only within one location, and takes
    ten servers at most. So a location with n hosts has n / 10 groups, rounded up.
    """
    turn, place = divmod(index, len(args.locations))
    return args.locations[place], turn // SERVERS_PER_PLACEMENT_GROUP + 1
