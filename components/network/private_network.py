"""The private network between the load balancer and the hosts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

# Room for the hosts of one stack and its load balancer; the rest of the range is left for what comes later.
_HOSTS_PREFIX = 24


def hosts_subnet(ip_range: str) -> str:
    """The range of the subnet of the hosts and the load balancers in a network of this range."""
    return str(next(ipaddress.IPv4Network(ip_range).subnets(new_prefix=_HOSTS_PREFIX)))


@dataclass(frozen=True, kw_only=True)
class PrivateNetworkArgs:
    """Where the network is, and its addresses.

    Raises:
        ValueError: the range is not an IPv4 network, or has no room for the hosts' subnet.
    """

    ip_range: str
    """The network's private IPv4 range in CIDR notation, /24 or larger."""

    zone: str
    """Hetzner's network zone. A network spans every location of its zone, and none outside of it."""

    labels: dict[str, str]

    def __post_init__(self) -> None:
        if ipaddress.IPv4Network(self.ip_range).prefixlen > _HOSTS_PREFIX:
            raise ValueError(f"ip_range is {self.ip_range}; the hosts' subnet needs a /{_HOSTS_PREFIX} in it")


class PrivateNetwork(pulumi.ComponentResource):
    """One network and, in it, the subnet of the hosts and the load balancer.

    One network for all locations is what lets a load balancer in one city reach a host in another without the internet
    between them.
    """

    subnet_id: pulumi.Output[str]
    subnet: str
    """The subnet's range."""

    def __init__(self, name: str, args: PrivateNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:PrivateNetwork", name, {}, opts)
        # Replacing either would take every host and the load balancer off the network at the same time.
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        network = hcloud.Network(
            name,
            name=name,
            ip_range=args.ip_range,
            delete_protection=True,
            labels=args.labels,
            opts=guarded,
        )
        self.subnet = hosts_subnet(args.ip_range)
        subnet = hcloud.NetworkSubnet(
            f"{name}-hosts",
            network_id=network.id.apply(int),
            type="cloud",
            network_zone=args.zone,
            ip_range=self.subnet,
            opts=guarded,
        )

        self.subnet_id = subnet.id
        self.register_outputs({"subnetId": self.subnet_id})
