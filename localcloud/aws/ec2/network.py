"""Patches of EC2's network: descriptions of rules, which moto loses, and deletions of resources that are in use."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups
from moto.rds.models import DBInstance, rds_backends

from localcloud.aws.patching import wrap_method, wrap_property


def patch() -> None:
    wrap_method(SecurityGroupRule, "__init__", _remember_description)
    wrap_property(SecurityGroupRule, "description", _description)
    wrap_method(SecurityGroups, "authorize_security_group_ingress", _authorize("ingress"))
    wrap_method(SecurityGroups, "authorize_security_group_egress", _authorize("egress"))
    wrap_method(EC2Backend, "modify_security_group_rules", _modify_rules)
    wrap_method(EC2Backend, "delete_security_group", _delete_group)
    wrap_method(EC2Backend, "delete_subnet", _delete_subnet)
    wrap_method(EC2Backend, "detach_internet_gateway", _detach_gateway)


def _remember_description(original: Callable[..., None], rule: SecurityGroupRule, *args: Any, **kwargs: Any) -> None:
    original(rule, *args, **kwargs)
    listed = kwargs.get("prefix_list_id") or (args[7] if len(args) > 7 else None) or {}
    if listed.get("Description"):
        rule.ip_range = {**rule.ip_range, "Description": listed["Description"]}


def _description(original: Callable[[Any], str | None], rule: SecurityGroupRule) -> str | None:
    return original(rule) or rule.source_group.get("Description")


def _authorize(direction: str) -> Callable[..., ActionResult]:
    """moto returns the rules of the last permission only."""

    def authorize(original: Callable[..., ActionResult], response: SecurityGroups) -> ActionResult:
        response.error_on_dryrun()
        grant = getattr(response.ec2_backend, f"authorize_security_group_{direction}")
        added = [grant(**asked)[0] for asked in response._process_rules_from_querystring()]
        return ActionResult({"Return": True, "SecurityGroupRules": list(itertools.chain(*added))})

    return authorize


def _modify_rules(original: Callable[..., None], backend: EC2Backend, group_id: str, rules: dict[str, Any]) -> None:
    """moto requires ports also for a rule for all protocols, which has none."""
    every = [rule_id for rule_id, rule in rules.items() if rule.get("IpProtocol") == "-1"]
    for rule_id in every:
        rules[rule_id] = {**rules[rule_id], "FromPort": -1, "ToPort": -1}
    original(backend, group_id, rules)
    group: Any = backend.get_security_group_by_name_or_id(group_id)
    for rule_id, asked in rules.items():
        rule = group.get_rule(rule_id)
        if rule_id in every:
            rule.from_port = rule.to_port = None
        if rule.source_group:
            rule.source_group = {**rule.source_group, "Description": asked.get("Description") or ""}


def _delete_group(
    original: Callable[..., None], backend: EC2Backend, name: str | None = None, group_id: str | None = None
) -> None:
    group = backend.get_security_group_by_name_or_id(group_id or name or "")
    if group is not None:
        used_by_instance = any(group.id in (instance.vpc_security_group_ids or []) for instance in _databases(backend))
        others = (other for groups in backend.groups.values() for other in groups.values() if other is not group)
        named_in_rule = any(
            rule.source_group.get("GroupId") == group.id
            for other in others
            for rule in (*other.ingress_rules, *other.egress_rules)
        )
        if used_by_instance or named_in_rule:
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
    original(backend, name=name, group_id=group_id)


def _delete_subnet(original: Callable[..., Any], backend: EC2Backend, subnet_id: str) -> Any:
    """An instance has its network interfaces in its zones."""
    for instance in _databases(backend):
        zones = {instance.availability_zone, getattr(instance, "secondary_availability_zone", None)}
        group: Any = getattr(instance, "db_subnet_group", None)
        if group is not None and any(
            subnet["SubnetIdentifier"] == subnet_id and subnet["SubnetAvailabilityZone"]["Name"] in zones
            for subnet in group.subnets
        ):
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return original(backend, subnet_id)


def _detach_gateway(original: Callable[..., Any], backend: EC2Backend, gateway_id: str, vpc_id: str) -> Any:
    if any(
        database.publicly_accessible and database.db_subnet_group.vpc_id == vpc_id for database in _databases(backend)
    ):
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
            "detaching the gateway."
        )
    return original(backend, gateway_id, vpc_id)


def _databases(backend: EC2Backend) -> Iterator[DBInstance]:
    regions = rds_backends[backend.account_id]
    if backend.region_name in list(regions.keys()):  # a look-up would create it
        yield from regions[backend.region_name].databases.values()
