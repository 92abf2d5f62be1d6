"""Patches of subnet groups and parameter groups, where moto accepts what AWS refuses, or loses a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBParameterGroupNotFoundError, DBSubnetGroupNotFoundError
from moto.rds.models import DBParameterGroup, DBSubnetGroup, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.aws.patching import add_methods, wrap_method
from localcloud.aws.rds.errors import refuse


def patch() -> None:
    wrap_method(RDSBackend, "create_subnet_group", _create_subnet_group)
    wrap_method(RDSBackend, "modify_db_subnet_group", _modify_subnet_group)
    wrap_method(RDSBackend, "delete_subnet_group", _delete_subnet_group)
    wrap_method(RDSBackend, "describe_db_parameter_groups", _describe_parameter_groups)
    wrap_method(RDSBackend, "modify_db_parameter_group", _modify_parameter_group)
    wrap_method(RDSBackend, "delete_db_parameter_group", _delete_parameter_group)
    wrap_method(RDSResponse, "describe_db_parameters", _describe_parameters)
    add_methods(RDSResponse, reset_db_parameter_group)


def _create_subnet_group(
    original: Callable[..., DBSubnetGroup], backend: RDSBackend, name: str, description: str, subnets: Any, tags: Any
) -> DBSubnetGroup:
    if name in backend.subnet_groups:
        refuse("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    _check_subnets(subnets)
    return original(backend, name, description, subnets, tags)


def _modify_subnet_group(
    original: Callable[..., DBSubnetGroup], backend: RDSBackend, name: str, description: str | None, subnets: Any
) -> DBSubnetGroup:
    """moto removes the group from its table and does not put it back."""
    if name not in backend.subnet_groups:
        raise DBSubnetGroupNotFoundError(name)
    _check_subnets(subnets)
    group = original(backend, name, description, subnets)
    group.vpc_id = subnets[0].vpc_id
    backend.subnet_groups[name] = group
    return group


def _check_subnets(subnets: Any) -> None:
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        zones = ", ".join(sorted({subnet.availability_zone for subnet in subnets}))
        refuse(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            f"Current AZ coverage: {zones}. Add subnets to cover at least 2 AZs.",
        )
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        refuse("InvalidSubnet", "The subnets of a DB subnet group must all be in one VPC.")


def _delete_subnet_group(original: Callable[..., DBSubnetGroup], backend: RDSBackend, name: str) -> DBSubnetGroup:
    for database in backend.databases.values():
        group = getattr(database, "db_subnet_group", None)
        if group is not None and group.name == name.lower():
            refuse(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance: "
                f"{database.db_instance_identifier} is still using this subnet group.",
            )
    return original(backend, name)


def _describe_parameter_groups(
    original: Callable[..., list[DBParameterGroup]], backend: RDSBackend, asked: Any
) -> list[DBParameterGroup]:
    name = asked.get("db_parameter_group_name")
    if name and name not in backend.db_parameter_groups:
        raise DBParameterGroupNotFoundError(name)
    return original(backend, {"db_parameter_group_name": name.lower()} if name else {})


def _modify_parameter_group(
    original: Callable[..., DBParameterGroup],
    backend: RDSBackend,
    db_parameter_group_name: str,
    db_parameter_group_parameters: Any,
) -> DBParameterGroup:
    if db_parameter_group_name.startswith("default."):
        refuse(
            "InvalidDBParameterGroupState",
            f"{db_parameter_group_name} is a default parameter group and can't be changed.",
        )
    group = original(backend, db_parameter_group_name, db_parameter_group_parameters)
    for parameter in group.parameters.values():
        parameter["Source"] = "user"
    return group


def _delete_parameter_group(
    original: Callable[..., DBParameterGroup], backend: RDSBackend, name: str
) -> DBParameterGroup:
    for database in backend.databases.values():
        if (database.db_parameter_group_name or "").lower() == name.lower():
            refuse(
                "InvalidDBParameterGroupState",
                f"One or more database instances are still members of this parameter group {name}, "
                "so the group cannot be deleted",
            )
    return original(backend, name)


def _describe_parameters(original: Callable[..., ActionResult], response: RDSResponse) -> ActionResult:
    """Only parameters set by the user are known here, so a query for the engine's own parameters finds none."""
    if response.params.get("Source") not in (None, "user"):
        response.backend.describe_db_parameter_groups(
            {"db_parameter_group_name": response.params["DBParameterGroupName"]}
        )
        return ActionResult({"Parameters": []})
    return original(response)


def reset_db_parameter_group(self: RDSResponse) -> ActionResult:
    """ResetDBParameterGroup, which moto lacks."""
    name = self.params["DBParameterGroupName"]
    group = self.backend.describe_db_parameter_groups({"db_parameter_group_name": name})[0]
    named = [parameter["ParameterName"] for parameter in self.params.get("Parameters", [])]
    every = self.params.get("ResetAllParameters")
    if named and every:
        refuse("InvalidParameterCombination", "ResetAllParameters and Parameters can't be specified together.")
    for parameter in named or list(group.parameters):
        group.parameters.pop(parameter, None)
    return ActionResult({"DBParameterGroupName": group.name})
