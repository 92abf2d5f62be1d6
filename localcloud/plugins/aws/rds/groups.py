"""RDS: the subnet groups and parameter groups of instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    client,
    from_tag_list,
    gone_at,
    locate,
    same_lower,
    same_set,
    tag_list,
    tags_found,
    unfinished,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.rds.tags import retag
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

# -- subnet groups ----------------------------------------------------------------------------------------------------


def _create_subnets(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "rds", inputs).create_db_subnet_group(
        DBSubnetGroupName=inputs["name"],
        DBSubnetGroupDescription=inputs.get("description") or "Managed by Pulumi",
        SubnetIds=inputs["subnetIds"],
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(inputs["name"]).lower()


def _read_subnets(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    rds = cloud.client("rds", region)
    with gone_at("DBSubnetGroupNotFoundFault"):
        group = rds.describe_db_subnet_groups(DBSubnetGroupName=identity)["DBSubnetGroups"][0]
    tags = rds.list_tags_for_resource(ResourceName=group["DBSubnetGroupArn"])["TagList"]
    return {
        "id": group["DBSubnetGroupName"],
        "region": region,
        "arn": group["DBSubnetGroupArn"],
        "name": group["DBSubnetGroupName"],
        "description": group["DBSubnetGroupDescription"],
        "subnetIds": [subnet["SubnetIdentifier"] for subnet in group["Subnets"]],
        "vpcId": group["VpcId"],
        "supportedNetworkTypes": group.get("SupportedNetworkTypes") or ["IPV4"],
        **tags_found(cloud, from_tag_list(tags), state),
    }


def _update_subnets(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed & {"description", "subnetIds"}:
        client(cloud, "rds", new).modify_db_subnet_group(
            DBSubnetGroupName=identity,
            DBSubnetGroupDescription=new.get("description") or "Managed by Pulumi",
            SubnetIds=new["subnetIds"],
        )
    retag(cloud, old["arn"], new)


def _delete_subnets(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("DBSubnetGroupNotFoundFault"):
        client(cloud, "rds", state).delete_db_subnet_group(DBSubnetGroupName=identity)


def _find_by_name(read: Callable[[Cloud, str, Props], Props]) -> Callable[[Cloud, Props], str | None]:
    def find(cloud: Cloud, inputs: Props) -> str | None:
        try:
            return str(read(cloud, inputs["name"], {**inputs, "region": inputs.get("region") or cloud.region})["id"])
        except GoneError:
            return None

    return find


# -- parameter groups -------------------------------------------------------------------------------------------------


def _create_parameters(cloud: Cloud, inputs: Props) -> str:
    client(cloud, "rds", inputs).create_db_parameter_group(
        DBParameterGroupName=inputs["name"],
        DBParameterGroupFamily=inputs["family"],
        Description=inputs.get("description") or "Managed by Pulumi",
        Tags=tag_list(all_tags(cloud, inputs)),
    )
    return str(inputs["name"]).lower()


def _settle_parameters(cloud: Cloud, identity: str, inputs: Props) -> None:
    _change_parameters(client(cloud, "rds", inputs), identity, [], inputs.get("parameters") or [])


def _change_parameters(rds: Any, name: str, old: list[Props], new: list[Props]) -> None:
    before, after = ({parameter["name"].lower(): _parameter(parameter) for parameter in each} for each in (old, new))
    changed = [parameter for key, parameter in after.items() if before.get(key) != parameter]
    removed = [parameter for key, parameter in before.items() if key not in after]
    # RDS accepts 20 in a call.
    for start in range(0, len(changed), 20):
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=changed[start : start + 20])
    for start in range(0, len(removed), 20):
        rds.reset_db_parameter_group(
            DBParameterGroupName=name, ResetAllParameters=False, Parameters=removed[start : start + 20]
        )


def _parameter(declared: Props) -> dict[str, str]:
    unknown = set(declared) - {"name", "value", "applyMethod"}
    if unknown:
        raise RefusedError(
            f"the local cloud has no mapping for `parameters[].{min(unknown)}`; it has name, value, applyMethod"
        )
    return {
        "ParameterName": declared["name"].lower(),
        "ParameterValue": str(declared["value"]),
        "ApplyMethod": (declared.get("applyMethod") or "immediate").lower(),
    }


def _same_parameters(one: Any, other: Any) -> bool:
    return same_set([_parameter(parameter) for parameter in one], [_parameter(parameter) for parameter in other])


def _read_parameters(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    rds = cloud.client("rds", region)
    with gone_at("DBParameterGroupNotFound"):
        group = rds.describe_db_parameter_groups(DBParameterGroupName=identity)["DBParameterGroups"][0]
    tags = rds.list_tags_for_resource(ResourceName=group["DBParameterGroupArn"])["TagList"]
    pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=identity, Source="user")
    return {
        "id": group["DBParameterGroupName"],
        "region": region,
        "arn": group["DBParameterGroupArn"],
        "name": group["DBParameterGroupName"],
        "family": group["DBParameterGroupFamily"],
        "description": group["Description"],
        "parameters": [
            {
                "name": parameter["ParameterName"],
                "value": parameter["ParameterValue"],
                "applyMethod": parameter.get("ApplyMethod", "immediate"),
            }
            for page in pages
            for parameter in page["Parameters"]
            if "ParameterValue" in parameter
        ],
        **tags_found(cloud, from_tag_list(tags), state),
    }


def _update_parameters(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if unfinished(old):
        _settle_parameters(cloud, identity, new)
    elif "parameters" in changed:
        rds = client(cloud, "rds", new)
        _change_parameters(rds, identity, old.get("parameters") or [], new.get("parameters") or [])
    retag(cloud, _read_parameters(cloud, identity, new)["arn"], new)


def _delete_parameters(cloud: Cloud, identity: str, state: Props) -> None:
    if not state.get("skipDestroy"):
        with gone_at("DBParameterGroupNotFound"):
            client(cloud, "rds", state).delete_db_parameter_group(DBParameterGroupName=identity)


GROUPS: Final = (
    ResourceType(
        token="aws:rds/subnetGroup:SubnetGroup",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True, same=same_lower),
            "description": Property(default="Managed by Pulumi"),
            "subnetIds": Property(required=True, same=same_set),
            "tags": TAGS,
        },
        computed=("arn", "vpcId", "supportedNetworkTypes", "region", "tagsAll"),
        create=_create_subnets,
        read=_read_subnets,
        update=_update_subnets,
        delete=_delete_subnets,
        delete_before_replace=True,
        find=_find_by_name(_read_subnets),
    ),
    ResourceType(
        token="aws:rds/parameterGroup:ParameterGroup",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True, same=same_lower),
            "family": Property(required=True, replaces=True),
            "description": Property(default="Managed by Pulumi", replaces=True),
            "parameters": Property(default=[], same=_same_parameters),
            "skipDestroy": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "region", "tagsAll"),
        create=_create_parameters,
        settle=_settle_parameters,
        read=_read_parameters,
        update=_update_parameters,
        delete=_delete_parameters,
        delete_before_replace=True,
        find=_find_by_name(_read_parameters),
    ),
)
