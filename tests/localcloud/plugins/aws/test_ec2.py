"""The EC2 tables against the local AWS."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import TABLES, THERE, LocalAws, Made
from tests.localcloud.plugins.aws.network import network


def test_network_with_routes(aws: LocalAws, cloud: Cloud) -> None:
    vpc, subnets = network(cloud, region=THERE, tags={"Name": "recovery"})
    vpc.change(enableDnsHostnames=True, tags={"Name": "dr"})
    vpc.change(enableDnsHostnames=None, enableDnsSupport=False)
    assert vpc.outputs["defaultSecurityGroupId"].startswith("sg-")
    assert vpc.outputs["mainRouteTableId"]
    subnets[0].change(mapPublicIpOnLaunch=True)
    gateway = Made.create(cloud, "aws:ec2/internetGateway:InternetGateway", region=THERE, vpcId=vpc.identity)
    table = Made.create(
        cloud,
        "aws:ec2/routeTable:RouteTable",
        region=THERE,
        vpcId=vpc.identity,
        routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": gateway.identity}],
    )
    association = Made.create(
        cloud,
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        region=THERE,
        routeTableId=table.identity,
        subnetId=subnets[0].identity,
    )
    imported = association.table.read(cloud, f"{subnets[0].identity}/{table.identity}@{THERE}", {})
    assert imported["id"] == association.identity
    table.change(
        routes=[
            {"cidrBlock": "192.168.0.0/16", "gatewayId": gateway.identity},
            {"cidrBlock": "0.0.0.0/0", "gatewayId": gateway.identity},
        ]
    )
    table.change(routes=[{"cidrBlock": "192.168.0.0/16", "gatewayId": gateway.identity}])
    aws.client("ec2", THERE).create_route(
        RouteTableId=table.identity, DestinationCidrBlock="172.16.0.0/12", GatewayId=gateway.identity
    )
    assert table.drift() == {"routes"}
    with pytest.raises(RefusedError, match=r"no mapping for `routes\[\].coreNetworkArn`"):
        table.change(routes=[{"cidrBlock": "0.0.0.0/0", "coreNetworkArn": "x"}])
    with pytest.raises(ClientError, match="DependencyViolation"):
        vpc.delete()
    table.change(routes=[])
    association.delete()
    for made in (table, gateway, *subnets, vpc):
        made.delete()
    for made in (association, table, gateway, *subnets, vpc):
        with pytest.raises(GoneError):
            made.read()


def test_security_group_without_rules(aws: LocalAws, cloud: Cloud) -> None:
    vpc, _ = network(cloud)
    group, other = (
        Made.create(cloud, "aws:ec2/securityGroup:SecurityGroup", name=name, vpcId=vpc.identity, tags={"n": name})
        for name in ("db", "app")
    )
    assert group.outputs["egress"] == []
    assert group.outputs["ingress"] == []
    ingress = Made.create(
        cloud,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        securityGroupId=group.identity,
        ipProtocol="tcp",
        fromPort=5432,
        toPort=5432,
        referencedSecurityGroupId=other.identity,
        description="the app",
        tags={"a": "1"},
    )
    egress = Made.create(
        cloud,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        securityGroupId=group.identity,
        ipProtocol="-1",
        cidrIpv4="10.0.0.0/8",
    )
    group.must_be_as_declared()  # separate rule resources are not drift of the group
    ingress.change(fromPort=6432, toPort=6432, tags={"a": "2"})
    ingress.change(description=None)
    egress.change(ipProtocol="udp", fromPort=53, toPort=53, description="names")
    egress.change(ipProtocol="-1", fromPort=None, toPort=None)
    assert ingress.outputs["arn"].endswith(f"security-group-rule/{ingress.identity}")
    with pytest.raises(ClientError, match="DependencyViolation"):
        other.delete()
    ingress.delete()
    egress.delete()
    for rule in (ingress, egress):
        with pytest.raises(GoneError):
            rule.read()
    with pytest.raises(RefusedError, match="needs exactly one of cidrIpv4"):
        TABLES["aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"].create(
            cloud, {"securityGroupId": group.identity, "ipProtocol": "-1"}
        )
    group.delete()
    with pytest.raises(GoneError):
        group.read()


def test_security_group_inline_rules_are_a_set(aws: LocalAws, cloud: Cloud) -> None:
    vpc, _ = network(cloud)
    web = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8", "192.168.0.0/16"]}
    out = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"], "ipv6CidrBlocks": ["::/0"]}
    group = Made.create(
        cloud,
        "aws:ec2/securityGroup:SecurityGroup",
        name="inline",
        vpcId=vpc.identity,
        ingress=[web, {"protocol": "tcp", "fromPort": 0, "toPort": 65535, "self": True}],
        egress=[out],
    )
    same = group.table.properties["ingress"].same
    assert same is not None
    assert same([web], [{**web, "cidrBlocks": [block]} for block in reversed(web["cidrBlocks"])])  # type: ignore[call-overload]
    group.change(ingress=[{**web, "cidrBlocks": ["10.0.0.0/8"], "description": "inside"}])
    aws.client("ec2").authorize_security_group_ingress(
        GroupId=group.identity, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    assert group.drift() == {"ingress"}
    group.inputs["revokeRulesOnDelete"] = True
    group.delete()
