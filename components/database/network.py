"""The network of the database, open to the hosts only."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import pulumi
import pulumi_aws as aws

POSTGRESQL_PORT: Final = 5432

# Multi-AZ needs two zones. RDS uses the third when one of them has no capacity.
_ZONES: Final = ("a", "b", "c")
_SUBNET_PREFIX: Final = 24
# A rule is a client, and AWS would refuse the next one in the middle of an update (Amazon VPC User Guide, "Amazon VPC
# quotas": inbound rules per security group; a prefix list counts with all of its entries).
_MOST_CLIENTS: Final = 60


@dataclass(frozen=True, kw_only=True)
class DatabaseNetworkArgs:
    """The place of the network, and the addresses that may open a connection.

    Raises:
        ValueError: the range is not an IPv4 network, or has no room for a subnet in each zone, or there are more
            clients than AWS allows rules in a security group.
    """

    region: str
    """The AWS region, for the names of its zones."""

    ip_range: str
    """The network's private IPv4 range in CIDR notation, /22 or larger."""

    clients: Mapping[str, pulumi.Input[str]]
    """The public IPv4 addresses that may connect, by the name of their host."""

    def __post_init__(self) -> None:
        if len(self._subnets()) < len(_ZONES):
            raise ValueError(f"ip_range is {self.ip_range}; {len(_ZONES)} subnets of /{_SUBNET_PREFIX} must fit in it")
        if len(self.clients) > _MOST_CLIENTS:
            raise ValueError(
                f"{len(self.clients)} hosts may connect to the database; AWS allows {_MOST_CLIENTS} rules in a security"
                " group: use fewer and larger hosts, or have the quota increased and change this limit"
            )

    def _subnets(self) -> tuple[ipaddress.IPv4Network, ...]:
        network = ipaddress.IPv4Network(self.ip_range)
        if network.prefixlen > _SUBNET_PREFIX:
            return ()
        return tuple(islice(network.subnets(new_prefix=_SUBNET_PREFIX), len(_ZONES)))

    def subnets(self) -> dict[str, str]:
        """The range of the subnet in each availability zone, by the zone's full name."""
        return {f"{self.region}{zone}": str(subnet) for zone, subnet in zip(_ZONES, self._subnets(), strict=True)}


class DatabaseNetwork(pulumi.ComponentResource):
    """A VPC with a subnet in three availability zones and a security group for the database.

    The hosts are at a different provider, so the subnets have a route to the internet. The security group keeps the
    rest of the internet out: it has one rule for each host's address, for PostgreSQL's port only. It has no rule for
    outgoing traffic, because a database opens no connections.
    """

    subnet_group_name: pulumi.Output[str]
    """Known when the network has its route to the internet."""

    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:database:DatabaseNetwork", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.ip_range,
            # RDS creates a publicly accessible database only with both of these.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": name},
            opts=child,
        )
        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags={"Name": name}, opts=child)
        routes = aws.ec2.RouteTable(
            name,
            vpc_id=vpc.id,
            routes=[aws.ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)],
            tags={"Name": name},
            opts=child,
        )
        subnets = {
            zone: aws.ec2.Subnet(
                f"{name}-{zone}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=cidr_block,
                # RDS brings its own public address. Nothing else in this network gets one by default.
                map_public_ip_on_launch=False,
                tags={"Name": f"{name}-{zone}"},
                opts=child,
            )
            for zone, cidr_block in args.subnets().items()
        }
        associations = [
            aws.ec2.RouteTableAssociation(
                f"{name}-{zone}",
                subnet_id=subnet.id,
                route_table_id=routes.id,
                opts=child,
            )
            for zone, subnet in subnets.items()
        ]
        subnet_group = aws.rds.SubnetGroup(
            name,
            name=name,
            description="Subnets of the application database",
            subnet_ids=[subnet.id for subnet in subnets.values()],
            tags={"Name": name},
            # RDS refuses a publicly accessible database in a VPC without an internet gateway, and EC2 does not detach
            # a gateway while the database has a public address. So the database is created after them, and deleted
            # before them.
            opts=pulumi.ResourceOptions.merge(
                child, pulumi.ResourceOptions(depends_on=[gateway, routes, *associations])
            ),
        )

        security_group = aws.ec2.SecurityGroup(
            name,
            name=name,
            description="PostgreSQL from the hosts",
            vpc_id=vpc.id,
            tags={"Name": name},
            opts=child,
        )
        for host, address in args.clients.items():
            aws.vpc.SecurityGroupIngressRule(
                host,
                security_group_id=security_group.id,
                description=host,
                ip_protocol="tcp",
                from_port=POSTGRESQL_PORT,
                to_port=POSTGRESQL_PORT,
                cidr_ipv4=pulumi.Output.concat(address, "/32"),
                opts=child,
            )

        self.subnet_group_name = subnet_group.name
        self.security_group_id = security_group.id
        self.register_outputs({"subnetGroupName": self.subnet_group_name, "securityGroupId": self.security_group_id})
