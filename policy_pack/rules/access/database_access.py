"""Policies on access to a database: TLS, networks, and the master password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from policy_pack.rules.backups.database import is_replica
from policy_pack.rules.checks import WRITE_IT_OUT, at, given, listed, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import access, security
from policy_pack.rules.resource_types import RDS_INSTANCE, RDS_PARAMETER_GROUP
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan

_ON: Final = ("1", "true", "on")

_TLS_PARAMETER: Final[Mapping[str, str]] = {
    "postgres": "rds.force_ssl",
    "sqlserver": "rds.force_ssl",
    "mysql": "require_secure_transport",
    "mariadb": "require_secure_transport",
}
"""By engine, the parameter that refuses connections without TLS. The other engines of RDS have none."""

_IAM_ENGINES: Final = ("postgres", "mysql", "mariadb")
"""The engines of RDS that accept IAM authentication."""


def _engine(text: object) -> str | None:
    """The engine that a family (`postgres18`) or an engine's name (`sqlserver-se`) is of, if its TLS is known."""
    return next((name for name in _TLS_PARAMETER if isinstance(text, str) and text.startswith(name)), None)


def _tls(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == RDS_INSTANCE:
        parameter = _TLS_PARAMETER.get(_engine(resource.props.get("engine")) or "postgres")
        remedy = f"Give it a parameter group with {parameter}=1. AWS can change the parameters of a default group."
        yield from given(resource, "parameterGroupName", "the name of a custom parameter group", remedy)
        name = resource.props.get("parameterGroupName")
        if isinstance(name, str) and name.startswith("default."):
            yield Finding("parameterGroupName", name, "the name of a custom parameter group", remedy)
        return
    family = resource.props.get("family")
    engine = _engine(family)
    if engine is None:
        remedy = "Use one of these engines: no parameter of another one refuses connections without TLS."
        allowed = f"a family of {', '.join(_TLS_PARAMETER)}"
        yield Finding("family", family, allowed, WRITE_IT_OUT if family is UNKNOWN else remedy)
        return
    name, parameters = _TLS_PARAMETER[engine], resource.props.get("parameters")
    values = [at(one, "value") for one in listed(parameters) if at(one, "name") == name]
    if not values or any(str(value).lower() not in _ON for value in values):
        found = parameters if parameters is UNKNOWN else values[0] if values else None
        remedy = "Set it to 1, so that the database refuses connections without TLS."
        yield Finding(f"the parameter {name}", found, "1", WRITE_IT_OUT if found is UNKNOWN else remedy)


def _password(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if is_replica(resource):
        return  # it has the password of its source
    remedy = (
        "Set it to true: RDS then creates and rotates the password, and neither a person nor a state file contains it."
    )
    yield from literally(resource, "manageMasterUserPassword", True, remedy)
    for name in ("password", "passwordWo"):
        if present(resource.props.get(name)):
            yield Finding(name, "a password", "left out", "Leave it out: the state would contain it.")


def _private_network(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = (
        "Give it a security group. Left out it is the VPC's default group, which admits every member of that group."
    )
    yield from given(resource, "vpcSecurityGroupIds", "the id of a security group", remedy)
    if is_replica(resource):
        return  # it is in the subnet group of its source
    remedy = "Give it a subnet group. Left out the database is in the default VPC, whose subnets are public."
    yield from given(resource, "dbSubnetGroupName", "the name of a subnet group", remedy)


def _maintained(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.props.get("autoMinorVersionUpgrade") not in (None, True):
        value = resource.props["autoMinorVersionUpgrade"]
        yield Finding(
            "autoMinorVersionUpgrade", value, "true", "Let RDS install minor versions: they contain security fixes."
        )
    remedy = "Export the engine's log. Otherwise it is lost together with the database."
    yield from given(resource, "enabledCloudwatchLogsExports", "the names of logs", remedy)
    engine = resource.props.get("engine")
    if isinstance(engine, str) and _engine(engine) not in _IAM_ENGINES:
        return  # RDS refuses it for the others
    remedy = "Set it to true, so that people and hosts can sign in with credentials that last for minutes."
    yield from literally(resource, "iamDatabaseAuthenticationEnabled", True, remedy)


TLS: Final = Policy(
    id="database-over-tls",
    title="A database refuses connections without TLS.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Give it a custom parameter group in which `rds.force_ssl`, or `require_secure_transport` of MySQL, is 1.",
    concerns=of_type(RDS_INSTANCE, RDS_PARAMETER_GROUP),
    rule=_tls,
    asks_again=frozenset({"parameterGroupName"}),
)

PASSWORD: Final = Policy(
    id="database-password-managed",
    title="RDS creates, stores and rotates the master password of a database.",
    severity="high",
    control="A.5.29",
    promise=access,
    remedy="Set `manage_master_user_password` to true and leave `password` out.",
    concerns=of_type(RDS_INSTANCE),
    rule=_password,
)

PRIVATE_NETWORK: Final = Policy(
    id="database-private-network",
    title="A database has an explicit security group and an explicit subnet group.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Set `vpc_security_group_ids` and `db_subnet_group_name`.",
    concerns=of_type(RDS_INSTANCE),
    rule=_private_network,
)

MAINTAINED: Final = Policy(
    id="database-maintained",
    title="A database gets security updates, exports its logs, and accepts short-lived credentials.",
    severity="low",
    control="A.5.29",
    promise=security,
    remedy="Leave minor upgrades on, export the logs, and switch on IAM authentication.",
    concerns=of_type(RDS_INSTANCE),
    rule=_maintained,
    fixes={"iamDatabaseAuthenticationEnabled": lambda _plan: True},
    advisory=True,
)
