"""The public endpoint: a load balancer in each location, one certificate, and the DNS name of all load balancers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.network.addressing import balancer_address
from components.network.load_balancer import HealthCheck, LoadBalancer, LoadBalancerArgs


@dataclass(frozen=True, kw_only=True)
class PublicEndpointArgs:
    """The endpoint's locations, names and hosts.

    Raises:
        ValueError: there is no location or no name.
    """

    locations: Sequence[str]
    """The Hetzner locations. Each gets a load balancer."""

    load_balancer_type: str
    """Hetzner's name for the size of the load balancers."""

    subnet_id: pulumi.Input[str]
    subnet: str
    """The range of the hosts' subnet, of which `subnet_id` is the id."""

    pool: str
    """The pool of hosts behind the load balancers."""

    server_port: int
    """The port of each host that receives requests."""

    zone: pulumi.Input[str]
    """The DNS zone at Hetzner that contains the names."""

    names: Sequence[str]
    """The names of the service, below the zone. The first gets the DNS records; the certificate is for all of them."""

    ttl_seconds: int
    """How long a resolver keeps the addresses. The plan decides."""

    health_check: HealthCheck
    labels: dict[str, str]

    def __post_init__(self) -> None:
        if not self.locations or not self.names:
            raise ValueError(
                f"locations is {list(self.locations)} and names is {list(self.names)}; allowed is one or more of each"
            )


@dataclass(frozen=True, kw_only=True)
class Balancer:
    """The name, location and addresses of one load balancer."""

    name: str
    location: str
    address: pulumi.Output[str]
    address_v6: pulumi.Output[str]


class PublicEndpoint(pulumi.ComponentResource):
    """A DNS name with the addresses of the load balancers in all locations. Each load balancer reaches all hosts.

    When a location is lost, so is its load balancer. The name then has one dead address and one that answers. Clients
    try the next address when one does not answer (RFC 8305; browsers, curl and Python's sockets do), so they need no
    new record. An operator can remove the dead address from the record, which changes nothing for such clients.
    """

    fqdn: pulumi.Output[str]
    """The fully qualified DNS name."""

    balancers: tuple[Balancer, ...]

    def __init__(self, name: str, args: PublicEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:Entrance", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        zone = pulumi.Output.from_input(args.zone)
        certificate = hcloud.ManagedCertificate(
            name,
            name=name,
            # Hetzner has the certificate issued and renewed through records in the zone.
            domain_names=[pulumi.Output.format("{0}.{1}", below, zone) for below in args.names],
            labels=args.labels,
            opts=child,
        )
        made = [
            (
                location,
                f"{name}-{location}",
                LoadBalancer(
                    f"{name}-{location}",
                    LoadBalancerArgs(
                        location=location,
                        load_balancer_type=args.load_balancer_type,
                        subnet_id=args.subnet_id,
                        private_address=balancer_address(args.subnet, index),
                        pool=args.pool,
                        server_port=args.server_port,
                        certificate_id=certificate.id.apply(int),
                        health_check=args.health_check,
                        labels=args.labels,
                    ),
                    opts=child,
                ),
            )
            for index, location in enumerate(args.locations)
        ]
        self.balancers = tuple(
            Balancer(name=full_name, location=location, address=one.address, address_v6=one.address_v6)
            for location, full_name, one in made
        )
        for kind, addresses in (
            ("A", [one.address for one in self.balancers]),
            ("AAAA", [one.address_v6 for one in self.balancers]),
        ):
            hcloud.ZoneRrset(
                f"{name}-{kind.lower()}",
                zone=zone,
                name=args.names[0],
                type=kind,
                ttl=args.ttl_seconds,
                records=[hcloud.ZoneRrsetRecordArgs(value=address) for address in addresses],
                labels=args.labels,
                opts=child,
            )

        self.fqdn = pulumi.Output.format("{0}.{1}", args.names[0], zone)
        self.register_outputs({"fqdn": self.fqdn, "addresses": [one.address for one in self.balancers]})
