"""The network, zones and security groups of an RDS instance, and whether it may be public."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.rds.models import RDSBackend

from localcloud.aws.rds.errors import refuse


def place(backend: RDSBackend, wanted: MutableMapping[str, Any]) -> None:
    """Set the network, the zones and the security groups that the request leaves out."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    name = wanted.get("db_subnet_group_name")
    if not name:
        name = wanted["db_subnet_group_name"] = "default"
        if name not in backend.subnet_groups:
            subnets = [subnet for subnet in ec2.describe_subnets() if subnet.vpc_id == ec2.default_vpc.id]
            backend.create_subnet_group(name, "default", subnets, [])
    group = backend.describe_db_subnet_groups(name)[0]
    zones = sorted({subnet["SubnetAvailabilityZone"]["Name"] for subnet in group.subnets})
    zone = wanted.get("availability_zone")
    if zone and wanted.get("multi_az"):
        raise InvalidParameterCombination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )
    if zone and zone not in zones:
        raise InvalidParameterValue(f"The requested Availability Zone {zone} isn't in the subnet group {name}.")
    wanted["availability_zone"] = zone or zones[0]
    if not wanted.get("vpc_security_group_ids"):
        default_group = ec2.get_default_security_group(group.vpc_id)
        wanted["vpc_security_group_ids"] = [default_group.id] if default_group is not None else []
    for group_id in wanted["vpc_security_group_ids"]:
        security_group = ec2.get_security_group_from_id(group_id)
        if security_group is None:
            raise InvalidParameterValue(f"Invalid security group , groupId= {group_id}, groupName=.")
        if security_group.vpc_id != group.vpc_id:
            refuse(
                "InvalidVPCNetworkStateFault",
                "The DB instance and EC2 security group are in different VPCs. "
                f"The DB instance is in {group.vpc_id} and the EC2 security group is in {security_group.vpc_id}",
            )
    if wanted.get("publicly_accessible") is None:
        wanted["publicly_accessible"] = _has_gateway(backend, group.vpc_id)
    elif wanted["publicly_accessible"]:
        check_public(backend, group.vpc_id)


def _has_gateway(backend: RDSBackend, vpc_id: str) -> bool:
    gateways = ec2_backends[backend.account_id][backend.region_name].internet_gateways.values()
    return any(gateway.vpc is not None and gateway.vpc.id == vpc_id for gateway in gateways)


def check_public(backend: RDSBackend, vpc_id: str) -> None:
    if not _has_gateway(backend, vpc_id):
        refuse(
            "InvalidVPCNetworkStateFault",
            "Cannot create a publicly accessible DBInstance. The specified VPC has no internet gateway attached. "
            "Update the VPC and then try again",
        )
