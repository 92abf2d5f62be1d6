"""EC2's route tables, with the routes inside them, and their associations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    client,
    from_tag_list,
    given,
    gone_at,
    locate,
    same_set,
    tags_found,
    unfinished,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.ec2.arn import arn_of
from localcloud.plugins.aws.ec2.tags import retag, tags_for
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

_DESTINATIONS: Final = {
    "cidrBlock": "DestinationCidrBlock",
    "ipv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
_TARGETS: Final = {
    "gatewayId": "GatewayId",
    "natGatewayId": "NatGatewayId",
    "networkInterfaceId": "NetworkInterfaceId",
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "transitGatewayId": "TransitGatewayId",
    "vpcEndpointId": "VpcEndpointId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
}


def _create_table(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "ec2", inputs).create_route_table(
        VpcId=inputs["vpcId"], **tags_for(cloud, "route-table", inputs)
    )
    return str(created["RouteTable"]["RouteTableId"])


def _settle_table(cloud: Cloud, identity: str, inputs: Props) -> None:
    _change_routes(client(cloud, "ec2", inputs), identity, inputs.get("routes") or [])


def _change_routes(ec2: Any, identity: str, declared: Iterable[Props]) -> None:
    """Set the declared routes of a table, one for each destination."""
    wanted = {_destination(route): route for route in map(_route_arguments, declared)}
    now = {_destination(route): route for route in map(_route_arguments, _routes(ec2, identity))}
    for destination in now.keys() - wanted.keys():
        ec2.delete_route(RouteTableId=identity, **dict([destination]))
    for destination, route in wanted.items():
        if destination not in now:
            ec2.create_route(RouteTableId=identity, **route)
        elif now[destination] != route:
            ec2.replace_route(RouteTableId=identity, **route)


def _route_arguments(route: Mapping[str, Any]) -> dict[str, str]:
    arguments = {}
    for key, value in route.items():
        if value in (None, ""):
            continue
        api = _DESTINATIONS.get(key) or _TARGETS.get(key)
        if api is None:
            known = ", ".join((*_DESTINATIONS, *_TARGETS))
            raise RefusedError(f"the local cloud has no mapping for `routes[].{key}`; it has {known}")
        arguments[api] = value
    if sum(api in arguments for api in _DESTINATIONS.values()) != 1:
        raise RefusedError(f"a route needs exactly one of {', '.join(_DESTINATIONS)}: {dict(route)}")
    if sum(api in arguments for api in _TARGETS.values()) != 1:
        raise RefusedError(f"a route needs exactly one of {', '.join(_TARGETS)}: {dict(route)}")
    return arguments


def _destination(arguments: Mapping[str, str]) -> tuple[str, str]:
    return next((api, arguments[api]) for api in _DESTINATIONS.values() if api in arguments)


def _routes(ec2: Any, identity: str) -> list[Props]:
    """Return a table's own routes, without the VPC's local ones and those of gateway endpoints and propagation."""
    with gone_at("InvalidRouteTableID.NotFound"):
        table = ec2.describe_route_tables(RouteTableIds=[identity])["RouteTables"][0]
    return [
        {key: route[api] for key, api in (*_DESTINATIONS.items(), *_TARGETS.items()) if api in route}
        for route in table["Routes"]
        if route.get("GatewayId") != "local"
        and not route.get("GatewayId", "").startswith("vpce-")
        and route.get("Origin") != "EnableVgwRoutePropagation"
    ]


def _read_table(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    ec2 = cloud.client("ec2", region)
    routes = _routes(ec2, identity)
    table = ec2.describe_route_tables(RouteTableIds=[identity])["RouteTables"][0]
    return {
        "id": identity,
        "region": region,
        "arn": arn_of(cloud, region, "route-table", identity),
        "ownerId": table.get("OwnerId") or cloud.account,
        "vpcId": table["VpcId"],
        "routes": routes,
        **tags_found(cloud, from_tag_list(table.get("Tags", [])), state),
    }


def _update_table(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    # If `routes` is no longer declared, separate resources may declare the routes: they stay.
    if ("routes" in changed or unfinished(old)) and new.get("routes") is not None:
        _change_routes(client(cloud, "ec2", new), identity, new["routes"])
    retag(cloud, identity, new)


def _delete_table(cloud: Cloud, identity: str, state: Props) -> None:
    ec2 = client(cloud, "ec2", state)
    with gone_at("InvalidRouteTableID.NotFound"):
        table = ec2.describe_route_tables(RouteTableIds=[identity])["RouteTables"][0]
        for association in table.get("Associations", []):
            if not association.get("Main"):
                ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        ec2.delete_route_table(RouteTableId=identity)


def _create_association(cloud: Cloud, inputs: Props) -> str:
    if bool(inputs.get("subnetId")) == bool(inputs.get("gatewayId")):
        raise RefusedError("a route table association needs either `subnetId` or `gatewayId`")
    created = client(cloud, "ec2", inputs).associate_route_table(
        **given(inputs, {"routeTableId": "RouteTableId", "subnetId": "SubnetId", "gatewayId": "GatewayId"})
    )
    return str(created["AssociationId"])


def _read_association(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    ec2 = cloud.client("ec2", region)
    end, found, table = identity.partition("/")  # an import gives SUBNET/TABLE or GATEWAY/TABLE
    if found:
        conditions = [{"Name": "route-table-id", "Values": [table]}]
    else:
        conditions = [{"Name": "association.route-table-association-id", "Values": [identity]}]
    for candidate in ec2.describe_route_tables(Filters=conditions)["RouteTables"]:
        for association in candidate.get("Associations", []):
            if identity == association["RouteTableAssociationId"] or (
                found and end in (association.get("SubnetId"), association.get("GatewayId"))
            ):
                return {
                    "id": association["RouteTableAssociationId"],
                    "region": region,
                    "routeTableId": association["RouteTableId"],
                    "subnetId": association.get("SubnetId", ""),
                    "gatewayId": association.get("GatewayId", ""),
                }
    raise GoneError(f"{region} has no route table association {identity}")


def _delete_association(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("InvalidAssociationID.NotFound"):
        client(cloud, "ec2", state).disassociate_route_table(AssociationId=identity)


def _find_association(cloud: Cloud, inputs: Props) -> str | None:
    if not inputs.get("subnetId"):
        return None
    try:
        found = _read_association(cloud, f"{inputs['subnetId']}/{inputs['routeTableId']}", inputs)
    except GoneError:
        return None
    return str(found["id"])


RESOURCES: Final = (
    ResourceType(
        token="aws:ec2/routeTable:RouteTable",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "vpcId": Property(required=True, replaces=True),
            "routes": Property(same=same_set),
            "tags": TAGS,
        },
        computed=("arn", "ownerId", "routes", "region", "tagsAll"),
        create=_create_table,
        settle=_settle_table,
        read=_read_table,
        update=_update_table,
        delete=_delete_table,
    ),
    ResourceType(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",  # noqa: S106
        properties={
            "region": REGION,
            # AWS gives a changed association a new id. An update cannot report it to the engine, so a change replaces.
            "routeTableId": Property(required=True, replaces=True),
            "subnetId": Property(replaces=True),
            "gatewayId": Property(replaces=True),
        },
        computed=("region",),
        create=_create_association,
        read=_read_association,
        delete=_delete_association,
        delete_before_replace=True,
        find=_find_association,
    ),
)
