"""EC2's VPCs, subnets and internet gateways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    client,
    from_tag_list,
    given,
    gone_at,
    locate,
    tags_found,
    unfinished,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.ec2.arn import arn_of
from localcloud.plugins.aws.ec2.tags import retag, tags_for
from localcloud.plugins.table import Property, Props, ResourceType

# -- VPCs -------------------------------------------------------------------------------------------------------------

_VPC_SWITCHES: Final = {
    "enableDnsSupport": "EnableDnsSupport",
    "enableDnsHostnames": "EnableDnsHostnames",
    "enableNetworkAddressUsageMetrics": "EnableNetworkAddressUsageMetrics",
}


def _create_vpc(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "ec2", inputs).create_vpc(
        **given(inputs, {"cidrBlock": "CidrBlock", "instanceTenancy": "InstanceTenancy"}),
        **tags_for(cloud, "vpc", inputs),
    )
    return str(created["Vpc"]["VpcId"])


def _settle_vpc(cloud: Cloud, identity: str, inputs: Props) -> None:
    changed = frozenset(key for key in _VPC_SWITCHES if inputs.get(key) is not None)
    _switch_vpc(client(cloud, "ec2", inputs), identity, inputs, changed)


def _switch_vpc(ec2: Any, identity: str, inputs: Props, changed: frozenset[str]) -> None:
    # DNS host names need DNS support, so the latter is switched on first and off last.
    order = list(_VPC_SWITCHES) if inputs.get("enableDnsSupport", True) else list(reversed(_VPC_SWITCHES))
    for key in order:
        if key in changed:
            value = inputs.get(key, _VPC_PROPERTIES[key].default)
            ec2.modify_vpc_attribute(VpcId=identity, **{_VPC_SWITCHES[key]: {"Value": value}})


def _read_vpc(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    ec2 = cloud.client("ec2", region)
    with gone_at("InvalidVpcID.NotFound"):
        vpc = ec2.describe_vpcs(VpcIds=[identity])["Vpcs"][0]
    switches = {
        key: ec2.describe_vpc_attribute(VpcId=identity, Attribute=f"{api[0].lower()}{api[1:]}")[api]["Value"]
        for key, api in _VPC_SWITCHES.items()
    }
    main = ec2.describe_route_tables(Filters=_of_vpc(identity, **{"association.main": "true"}))["RouteTables"]
    acls = ec2.describe_network_acls(Filters=_of_vpc(identity, default="true"))["NetworkAcls"]
    groups = ec2.describe_security_groups(Filters=_of_vpc(identity, **{"group-name": "default"}))["SecurityGroups"]
    table = main[0]["RouteTableId"] if main else ""
    return {
        "id": identity,
        "region": region,
        "arn": arn_of(cloud, region, "vpc", identity),
        "cidrBlock": vpc["CidrBlock"],
        "instanceTenancy": vpc["InstanceTenancy"],
        "dhcpOptionsId": vpc["DhcpOptionsId"],
        "ownerId": cloud.account,
        "mainRouteTableId": table,
        # The VPC's first table is known only until a different table becomes the main one.
        "defaultRouteTableId": state.get("defaultRouteTableId") or table,
        "defaultNetworkAclId": acls[0]["NetworkAclId"] if acls else "",
        "defaultSecurityGroupId": groups[0]["GroupId"] if groups else "",
        **switches,
        **tags_found(cloud, from_tag_list(vpc.get("Tags", [])), state),
    }


def _update_vpc(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if unfinished(old):
        _settle_vpc(cloud, identity, new)
    _switch_vpc(client(cloud, "ec2", new), identity, new, changed)
    retag(cloud, identity, new)


def _delete_vpc(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("InvalidVpcID.NotFound"):
        client(cloud, "ec2", state).delete_vpc(VpcId=identity)


def _of_vpc(identity: str, **more: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]} for name, value in {"vpc-id": identity, **more}.items()]


_VPC_PROPERTIES: Final[Mapping[str, Property]] = {
    "region": REGION,
    "cidrBlock": Property(required=True, replaces=True),
    "instanceTenancy": Property(default="default", replaces=True, choices=("default", "dedicated")),
    "enableDnsSupport": Property(default=True),
    "enableDnsHostnames": Property(default=False),
    "enableNetworkAddressUsageMetrics": Property(default=False),
    "tags": TAGS,
}


# -- subnets ----------------------------------------------------------------------------------------------------------


def _create_subnet(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "ec2", inputs).create_subnet(
        **given(
            inputs,
            {
                "vpcId": "VpcId",
                "cidrBlock": "CidrBlock",
                "availabilityZone": "AvailabilityZone",
                "availabilityZoneId": "AvailabilityZoneId",
            },
        ),
        **tags_for(cloud, "subnet", inputs),
    )
    return str(created["Subnet"]["SubnetId"])


def _settle_subnet(cloud: Cloud, identity: str, inputs: Props) -> None:
    if inputs.get("mapPublicIpOnLaunch"):
        client(cloud, "ec2", inputs).modify_subnet_attribute(SubnetId=identity, MapPublicIpOnLaunch={"Value": True})


def _read_subnet(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    with gone_at("InvalidSubnetID.NotFound"):
        subnet = cloud.client("ec2", region).describe_subnets(SubnetIds=[identity])["Subnets"][0]
    return {
        "id": identity,
        "region": region,
        "arn": subnet.get("SubnetArn") or arn_of(cloud, region, "subnet", identity),
        "ownerId": subnet.get("OwnerId") or cloud.account,
        "vpcId": subnet["VpcId"],
        "cidrBlock": subnet["CidrBlock"],
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        **tags_found(cloud, from_tag_list(subnet.get("Tags", [])), state),
    }


def _update_subnet(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "mapPublicIpOnLaunch" in changed or unfinished(old):
        client(cloud, "ec2", new).modify_subnet_attribute(
            SubnetId=identity, MapPublicIpOnLaunch={"Value": bool(new.get("mapPublicIpOnLaunch"))}
        )
    retag(cloud, identity, new)


def _delete_subnet(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("InvalidSubnetID.NotFound"):
        client(cloud, "ec2", state).delete_subnet(SubnetId=identity)


def _find_subnet(cloud: Cloud, inputs: Props) -> str | None:
    """Find a subnet by its addresses: two subnets of a VPC cannot have the same ones."""
    found = client(cloud, "ec2", inputs).describe_subnets(
        Filters=_of_vpc(inputs["vpcId"], **{"cidr-block": inputs["cidrBlock"]})
    )["Subnets"]
    return str(found[0]["SubnetId"]) if found else None


# -- internet gateways ------------------------------------------------------------------------------------------------


def _create_gateway(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "ec2", inputs).create_internet_gateway(**tags_for(cloud, "internet-gateway", inputs))
    return str(created["InternetGateway"]["InternetGatewayId"])


def _settle_gateway(cloud: Cloud, identity: str, inputs: Props) -> None:
    if inputs.get("vpcId"):
        client(cloud, "ec2", inputs).attach_internet_gateway(InternetGatewayId=identity, VpcId=inputs["vpcId"])


def _read_gateway(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    gateway = _gateway(cloud.client("ec2", region), identity)
    attached = gateway.get("Attachments") or []
    return {
        "id": identity,
        "region": region,
        "arn": arn_of(cloud, region, "internet-gateway", identity),
        "ownerId": cloud.account,
        "vpcId": attached[0]["VpcId"] if attached else "",
        **tags_found(cloud, from_tag_list(gateway.get("Tags", [])), state),
    }


def _gateway(ec2: Any, identity: str) -> Any:
    with gone_at("InvalidInternetGatewayID.NotFound"):
        return ec2.describe_internet_gateways(InternetGatewayIds=[identity])["InternetGateways"][0]


def _update_gateway(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "vpcId" in changed or unfinished(old):
        _detach(client(cloud, "ec2", new), identity)
        _settle_gateway(cloud, identity, new)
    retag(cloud, identity, new)


def _delete_gateway(cloud: Cloud, identity: str, state: Props) -> None:
    ec2 = client(cloud, "ec2", state)
    _detach(ec2, identity)
    with gone_at("InvalidInternetGatewayID.NotFound"):
        ec2.delete_internet_gateway(InternetGatewayId=identity)


def _detach(ec2: Any, identity: str) -> None:
    for attachment in _gateway(ec2, identity).get("Attachments") or []:
        ec2.detach_internet_gateway(InternetGatewayId=identity, VpcId=attachment["VpcId"])


RESOURCES: Final = (
    ResourceType(
        token="aws:ec2/vpc:Vpc",  # noqa: S106 - a type's name
        properties=_VPC_PROPERTIES,
        computed=(
            "arn",
            "defaultNetworkAclId",
            "defaultRouteTableId",
            "defaultSecurityGroupId",
            "dhcpOptionsId",
            "mainRouteTableId",
            "ownerId",
            "region",
            "tagsAll",
        ),
        create=_create_vpc,
        settle=_settle_vpc,
        read=_read_vpc,
        update=_update_vpc,
        delete=_delete_vpc,
    ),
    ResourceType(
        token="aws:ec2/subnet:Subnet",  # noqa: S106
        properties={
            "region": REGION,
            "vpcId": Property(required=True, replaces=True),
            "cidrBlock": Property(required=True, replaces=True),
            "availabilityZone": Property(replaces=True),
            "availabilityZoneId": Property(replaces=True),
            "mapPublicIpOnLaunch": Property(default=False),
            "tags": TAGS,
        },
        computed=("arn", "ownerId", "availabilityZone", "availabilityZoneId", "region", "tagsAll"),
        create=_create_subnet,
        settle=_settle_subnet,
        read=_read_subnet,
        update=_update_subnet,
        delete=_delete_subnet,
        delete_before_replace=True,
        find=_find_subnet,
    ),
    ResourceType(
        token="aws:ec2/internetGateway:InternetGateway",  # noqa: S106
        properties={"region": REGION, "vpcId": Property(), "tags": TAGS},
        computed=("arn", "ownerId", "vpcId", "region", "tagsAll"),
        create=_create_gateway,
        settle=_settle_gateway,
        read=_read_gateway,
        update=_update_gateway,
        delete=_delete_gateway,
    ),
)
