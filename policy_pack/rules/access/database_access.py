"""A database is reached by the hosts alone, over TLS alone, and its password is nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, at, given, listed, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import access, security
from policy_pack.rules.resource_types import RDS_INSTANCE, RDS_PARAMETER_GROUP
from policy_pack.rules.values import UNKNOWN, present

if TYPE_CHECKING:
    from plan import Plan

_ON: Final = ("1", 1, True, "true", "on")


def _tls(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == RDS_INSTANCE:
        remedy = "Give it a parameter group with rds.force_ssl=1. What a default group says is AWS's to change."
        yield from given(resource, "parameterGroupName", "the name of a parameter group of ours", remedy)
        name = resource.props.get("parameterGroupName")
        if isinstance(name, str) and name.startswith("default."):
            yield Finding("parameterGroupName", name, "the name of a parameter group of ours", remedy)
        return
    family = resource.props.get("family")
    if isinstance(family, str) and not family.startswith("postgres"):
        return  # no other engine has this parameter; whether it may be used is for another policy
    parameters = resource.props.get("parameters")
    values = [at(one, "value") for one in listed(parameters) if at(one, "name") == "rds.force_ssl"]
    if not values or any(value not in _ON for value in values):
        found = parameters if parameters is UNKNOWN else values[0] if values else None
        remedy = "Set it to 1, so that PostgreSQL takes no connection without TLS."
        yield Finding("the parameter rds.force_ssl", found, "1", WRITE_IT_OUT if found is UNKNOWN else remedy)


def _password(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if present(resource.props.get("replicateSourceDb")):
        return  # a read replica has the password of what it replicates
    remedy = "Set it to true: RDS then makes the password and rotates it, and no person and no state file has it."
    yield from literally(resource, "manageMasterUserPassword", True, remedy)
    for name in ("password", "passwordWo"):
        if present(resource.props.get(name)):
            yield Finding(name, "a password", "left out", "Leave it out: it would be in the state.")


def _walled(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    remedy = "Give it a security group of ours. Left out it is the VPC's default one, which admits its whole network."
    yield from given(resource, "vpcSecurityGroupIds", "the id of a security group", remedy)
    remedy = "Give it subnets of ours. Left out it is in the default network, which the internet reaches."
    yield from given(resource, "dbSubnetGroupName", "the name of a subnet group", remedy)


def _maintained(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.props.get("autoMinorVersionUpgrade") not in (None, True):
        value = resource.props["autoMinorVersionUpgrade"]
        yield Finding("autoMinorVersionUpgrade", value, "true", "Let RDS install what closes holes.")
    remedy = "Export PostgreSQL's log, or what happened in the database is gone with it."
    yield from given(resource, "enabledCloudwatchLogsExports", "the names of logs", remedy)
    remedy = "Set it to true, so that people and hosts can come with credentials that last for minutes."
    yield from literally(resource, "iamDatabaseAuthenticationEnabled", True, remedy)


TLS: Final = Policy(
    id="database-over-tls",
    title="A database takes no connection without TLS.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Give it a parameter group of ours in which `rds.force_ssl` is 1.",
    concerns=of_type(RDS_INSTANCE, RDS_PARAMETER_GROUP),
    rule=_tls,
    asks_again=frozenset({"parameterGroupName"}),
)

PASSWORD: Final = Policy(
    id="database-password-managed",
    title="Nobody knows a database's master password: RDS makes it, keeps it and rotates it.",
    severity="high",
    control="A.5.29",
    promise=access,
    remedy="Set `manage_master_user_password` to true and leave `password` out.",
    concerns=of_type(RDS_INSTANCE),
    rule=_password,
)

WALLED: Final = Policy(
    id="database-private-network",
    title="A database is behind a security group and in subnets of ours.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Set `vpc_security_group_ids` and `db_subnet_group_name`.",
    concerns=of_type(RDS_INSTANCE),
    rule=_walled,
)

MAINTAINED: Final = Policy(
    id="database-maintained",
    title="A database gets its security updates, tells what happens in it, and takes credentials that do not last.",
    severity="low",
    control="A.5.29",
    promise=security,
    remedy="Leave minor upgrades on, export the logs, and switch on IAM authentication.",
    concerns=of_type(RDS_INSTANCE),
    rule=_maintained,
    fixes={"iamDatabaseAuthenticationEnabled": lambda _plan: True},
    advisory=True,
)
