"""The private network between the load balancers and the hosts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

# Large enough for the hosts and the load balancers of one stack. The rest of the network's range stays free.
_HOSTS_PREFIX = 24


def hosts_subnet(ip_range: str) -> str:
    """Return the range of the subnet of hosts and load balancers, for a network's range."""
    return str(next(ipaddress.IPv4Network(ip_range).subnets(new_prefix=_HOSTS_PREFIX)))


@dataclass(frozen=True, kw_only=True)
class PrivateNetworkArgs:
    """The network's zone and range.

    Raises:
        ValueError: the range is not an IPv4 network, or is too small for the hosts' subnet.
    """

    ip_range: str
    """The network's private IPv4 range in CIDR notation, /24 or larger."""

    zone: str
    """Hetzner's network zone. A network spans the locations of one zone."""

    labels: dict[str, str]

    def __post_init__(self) -> None:
        if ipaddress.IPv4Network(self.ip_range).prefixlen > _HOSTS_PREFIX:
            raise ValueError(
                f"ip_range is {self.ip_range}; allowed is /{_HOSTS_PREFIX} or larger, which is the size of the hosts'"
                " subnet. Choose a larger range"
            )


class PrivateNetwork(pulumi.ComponentResource):
    """One network with the subnet of the hosts and the load balancers.

    One network spans all locations, so a load balancer in one city reaches a host in another city without the internet.
    """

    subnet_id: pulumi.Output[str]
    subnet: str
    """The subnet's range."""

    def __init__(self, name: str, args: PrivateNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:PrivateNetwork", name, {}, opts)
        # Replacing either would detach every host and every load balancer at the same time.
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
