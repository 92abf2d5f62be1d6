"""The service's public entrance: a load balancer in each location, one certificate, and the name that leads to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.network.addressing import balancer_address
from components.network.load_balancer import HealthCheck, LoadBalancer, LoadBalancerArgs


@dataclass(frozen=True, kw_only=True)
class EntranceArgs:
    """Where it is, what it is called, and whom it leads to.

    Raises:
        ValueError: it has no location or no name.
    """

    locations: Sequence[str]
    """The Hetzner locations with a load balancer each."""

    load_balancer_type: str
    """Hetzner's name for their size."""

    subnet_id: pulumi.Input[str]
    subnet: str
    """The hosts' subnet, its id and its range."""

    pool: str
    """The pool of the hosts behind it."""

    server_port: int
    """The port that requests reach each host at."""

    zone: pulumi.Input[str]
    """The DNS zone at Hetzner that the names are in."""

    names: Sequence[str]
    """What the service is called, below the zone. The first one leads here; the certificate is for all."""

    ttl_seconds: int
    """For how long a resolver keeps the addresses. The plan says."""

    health_check: HealthCheck
    labels: dict[str, str]

    def __post_init__(self) -> None:
        if not self.locations or not self.names:
            raise ValueError(f"locations is {list(self.locations)}, names {list(self.names)}; one is needed of each")


@dataclass(frozen=True, kw_only=True)
class Balancer:
    """One of the load balancers, as the rest of the program sees it."""

    name: str
    location: str
    address: pulumi.Output[str]
    address_v6: pulumi.Output[str]


class Entrance(pulumi.ComponentResource):
    """A name that leads to the load balancers of all locations, each of which reaches all hosts.

    A location's loss takes its load balancer along. The name then has one address that is dead and one that lives, and
    clients try the next address when one does not answer (RFC 8305; browsers and curl do, and Python's sockets); who
    asks anew within the record's TTL need not know more. Taking the dead address out of the record is a person's work
    and changes nothing for them.
    """

    fqdn: pulumi.Output[str]
    """The name that leads here."""

    balancers: tuple[Balancer, ...]

    def __init__(self, name: str, args: EntranceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:Entrance", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        zone = pulumi.Output.from_input(args.zone)
        certificate = hcloud.ManagedCertificate(
            name,
            name=name,
            # Hetzner has it issued, and renewed, by way of the zone's records.
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
