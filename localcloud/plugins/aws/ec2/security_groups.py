"""EC2's security groups, with inline rules or with rules as separate resources.

An inline list can express the same rules in many ways: one entry with two addresses, two entries with one each, in any
order. So inline lists are compared and changed as sets of single rules. A single rule has a protocol, its ports, and
one address range, prefix list or group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

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
from localcloud.plugins.aws.ec2.tags import retag, tags_for
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

# The protocols to which EC2 gives a name, by number.
_PROTOCOLS: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1"}
_SELF: Final = "self"


class _Rule(NamedTuple):
    protocol: str
    first: int
    last: int
    kind: str  # the key of an inline entry: cidrBlocks, ipv6CidrBlocks, prefixListIds, securityGroups
    target: str
    description: str


# The keys of an inline entry, with the API's names of the list and of the target in it.
_KINDS: Final = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}
_ENTRY_KEYS: Final = frozenset({*_KINDS, "protocol", "fromPort", "toPort", "self", "description"})


def _protocol(name: Any) -> str:
    lower = str(name).lower()
    return _PROTOCOLS.get(lower, lower)


def _rules(entries: Iterable[Mapping[str, Any]]) -> set[_Rule]:
    """Return the single rules of an inline list."""
    rules = set()
    for entry in entries:
        unknown = set(entry) - _ENTRY_KEYS
        if unknown:
            raise RefusedError(f"the local cloud has no mapping for `{min(unknown)}` of a security group's rule")
        protocol = _protocol(entry.get("protocol"))
        every = protocol == "-1"
        first, last = (-1, -1) if every else (int(entry.get("fromPort") or 0), int(entry.get("toPort") or 0))
        description = entry.get("description") or ""
        targets = [(kind, target) for kind in _KINDS for target in entry.get(kind) or ()]
        if entry.get("self"):
            targets.append(("securityGroups", _SELF))
        rules |= {_Rule(protocol, first, last, kind, target, description) for kind, target in targets}
    return rules


def _entries(rules: Iterable[_Rule]) -> list[Props]:
    """Return an inline list that has one entry for the same traffic."""
    grouped: dict[tuple[str, int, int, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for rule in sorted(rules):
        grouped[rule.protocol, rule.first, rule.last, rule.description][rule.kind].append(rule.target)
    return [
        {
            "protocol": protocol,
            "fromPort": 0 if protocol == "-1" else first,
            "toPort": 0 if protocol == "-1" else last,
            "description": description,
            "self": _SELF in targets.get("securityGroups", []),
            **{kind: [target for target in targets.get(kind, []) if target != _SELF] for kind in _KINDS},
        }
        for (protocol, first, last, description), targets in grouped.items()
    ]


def _same_rules(one: Any, other: Any) -> bool:
    return _rules(one) == _rules(other)


def _permissions(rules: Iterable[_Rule], group_id: str) -> list[dict[str, Any]]:
    """Return the rules in the API's form, one permission for each."""
    permissions = []
    for rule in sorted(rules):
        listed, target = _KINDS[rule.kind]
        entry = {target: group_id if rule.target == _SELF else rule.target}
        if rule.description:
            entry["Description"] = rule.description
        ports = {} if rule.protocol == "-1" else {"FromPort": rule.first, "ToPort": rule.last}
        permissions.append({"IpProtocol": rule.protocol, **ports, listed: [entry]})
    return permissions


def _found(permissions: Iterable[Mapping[str, Any]], group_id: str) -> set[_Rule]:
    rules = set()
    for permission in permissions:
        protocol = _protocol(permission["IpProtocol"])
        every = protocol == "-1"
        first, last = (-1, -1) if every else (permission.get("FromPort", 0), permission.get("ToPort", 0))
        for kind, (listed, target) in _KINDS.items():
            for entry in permission.get(listed, []):
                name = _SELF if entry[target] == group_id else entry[target]
                rules.add(_Rule(protocol, first, last, kind, name, entry.get("Description", "")))
    return rules


# -- groups -----------------------------------------------------------------------------------------------------------


def _create_group(cloud: Cloud, inputs: Props) -> str:
    created = client(cloud, "ec2", inputs).create_security_group(
        GroupName=inputs["name"],
        Description=inputs.get("description") or "Managed by Pulumi",
        **given(inputs, {"vpcId": "VpcId"}),
        **tags_for(cloud, "security-group", inputs),
    )
    return str(created["GroupId"])


def _settle_group(cloud: Cloud, identity: str, inputs: Props) -> None:
    """Set the rules. EC2 gives a new group a rule that allows all egress, which the provider always removes."""
    ec2 = client(cloud, "ec2", inputs)
    _change_rules(ec2, identity, "ingress", inputs.get("ingress") or [])
    _change_rules(ec2, identity, "egress", inputs.get("egress") or [])


def _change_rules(ec2: Any, identity: str, direction: str, declared: Iterable[Props]) -> None:
    group = _group(ec2, identity)
    now = _found(group["IpPermissions" if direction == "ingress" else "IpPermissionsEgress"], identity)
    wanted = _rules(declared)
    if now - wanted:
        revoke = ec2.revoke_security_group_ingress if direction == "ingress" else ec2.revoke_security_group_egress
        revoke(GroupId=identity, IpPermissions=_permissions(now - wanted, identity))
    if wanted - now:
        grant = ec2.authorize_security_group_ingress if direction == "ingress" else ec2.authorize_security_group_egress
        grant(GroupId=identity, IpPermissions=_permissions(wanted - now, identity))


def _group(ec2: Any, identity: str) -> Any:
    with gone_at("InvalidGroup.NotFound"):
        return ec2.describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]


def _read_group(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    group = _group(cloud.client("ec2", region), identity)
    return {
        "id": identity,
        "region": region,
        "arn": f"arn:aws:ec2:{region}:{cloud.account}:security-group/{identity}",
        "ownerId": group["OwnerId"],
        "name": group["GroupName"],
        "description": group["Description"],
        "vpcId": group["VpcId"],
        "ingress": _entries(_found(group["IpPermissions"], identity)),
        "egress": _entries(_found(group["IpPermissionsEgress"], identity)),
        **tags_found(cloud, from_tag_list(group.get("Tags", [])), state),
    }


def _update_group(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    ec2 = client(cloud, "ec2", new)
    if unfinished(old):
        _settle_group(cloud, identity, new)
    for direction in ("ingress", "egress"):
        # If a list is no longer declared, separate resources may declare its rules: they stay.
        if direction in changed and new.get(direction) is not None:
            _change_rules(ec2, identity, direction, new[direction])
    retag(cloud, identity, new)


def _delete_group(cloud: Cloud, identity: str, state: Props) -> None:
    ec2 = client(cloud, "ec2", state)
    if state.get("revokeRulesOnDelete"):
        _change_rules(ec2, identity, "ingress", [])
        _change_rules(ec2, identity, "egress", [])
    with gone_at("InvalidGroup.NotFound"):
        ec2.delete_security_group(GroupId=identity)


def _find_group(cloud: Cloud, inputs: Props) -> str | None:
    if not inputs.get("vpcId"):
        return None
    found = client(cloud, "ec2", inputs).describe_security_groups(
        Filters=[
            {"Name": "group-name", "Values": [inputs["name"]]},
            {"Name": "vpc-id", "Values": [inputs["vpcId"]]},
        ]
    )["SecurityGroups"]
    return str(found[0]["GroupId"]) if found else None


# -- rules as resources -----------------------------------------------------------------------------------------------

_RULE_TARGETS: Final = {
    "cidrIpv4": ("IpRanges", "CidrIp", "CidrIpv4"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId", "PrefixListId"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId", "ReferencedGroupId"),
}


def _rule_target(inputs: Props) -> str:
    named = [key for key in _RULE_TARGETS if inputs.get(key)]
    if len(named) != 1:
        raise RefusedError(f"a security group rule needs exactly one of {', '.join(_RULE_TARGETS)}")
    return named[0]


def _ports(inputs: Props) -> dict[str, int]:
    protocol = _protocol(inputs["ipProtocol"])
    if protocol == "-1":
        if inputs.get("fromPort") is not None or inputs.get("toPort") is not None:
            raise RefusedError(
                "a security group rule for all protocols (`ipProtocol` -1) has no `fromPort` and `toPort`"
            )
        return {}
    if protocol in ("tcp", "udp", "icmp", "icmpv6") and (
        inputs.get("fromPort") is None or inputs.get("toPort") is None
    ):
        raise RefusedError(f"a security group rule for {protocol} needs `fromPort` and `toPort`")
    return given(inputs, {"fromPort": "FromPort", "toPort": "ToPort"})


def _create_rule(cloud: Cloud, inputs: Props, egress: bool) -> str:
    ec2 = client(cloud, "ec2", inputs)
    target = _rule_target(inputs)
    listed, key, _ = _RULE_TARGETS[target]
    grant = ec2.authorize_security_group_egress if egress else ec2.authorize_security_group_ingress
    created = grant(
        GroupId=inputs["securityGroupId"],
        IpPermissions=[
            {
                "IpProtocol": inputs["ipProtocol"],
                **_ports(inputs),
                listed: [{key: inputs[target], **given(inputs, {"description": "Description"})}],
            }
        ],
        **tags_for(cloud, "security-group-rule", inputs),
    )
    return str(created["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def _read_rule(cloud: Cloud, identity: str, state: Props, egress: bool) -> Props:
    identity, region = locate(cloud, identity, state)
    with gone_at("InvalidSecurityGroupRuleId.NotFound", "InvalidSecurityGroupRuleIds.NotFound"):
        found = cloud.client("ec2", region).describe_security_group_rules(SecurityGroupRuleIds=[identity])
    rules = [rule for rule in found["SecurityGroupRules"] if rule["IsEgress"] == egress]
    if not rules:
        raise GoneError(f"{region} has no security group rule {identity}")
    rule = rules[0]
    ports = {} if rule["IpProtocol"] == "-1" else {"fromPort": rule.get("FromPort"), "toPort": rule.get("ToPort")}
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return {
        "id": identity,
        "region": region,
        "arn": f"arn:aws:ec2:{region}:{cloud.account}:security-group-rule/{identity}",
        "securityGroupRuleId": identity,
        "securityGroupId": rule["GroupId"],
        "ipProtocol": rule["IpProtocol"],
        **ports,
        "cidrIpv4": rule.get("CidrIpv4", ""),
        "cidrIpv6": rule.get("CidrIpv6", ""),
        "prefixListId": rule.get("PrefixListId", ""),
        "referencedSecurityGroupId": group or "",
        "description": rule.get("Description", ""),
        **tags_found(cloud, from_tag_list(rule.get("Tags", [])), state),
    }


def _update_rule(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed - {"tags"}:
        target = _rule_target(new)
        client(cloud, "ec2", new).modify_security_group_rules(
            GroupId=new["securityGroupId"],
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": identity,
                    "SecurityGroupRule": {
                        "IpProtocol": new["ipProtocol"],
                        **_ports(new),
                        _RULE_TARGETS[target][2]: new[target],
                        "Description": new.get("description") or "",
                    },
                }
            ],
        )
    retag(cloud, identity, new)


def _delete_rule(cloud: Cloud, identity: str, state: Props, egress: bool) -> None:
    ec2 = client(cloud, "ec2", state)
    revoke = ec2.revoke_security_group_egress if egress else ec2.revoke_security_group_ingress
    with gone_at("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound"):
        revoke(GroupId=state["securityGroupId"], SecurityGroupRuleIds=[identity])


def _find_rule(cloud: Cloud, inputs: Props, egress: bool) -> str | None:
    """Find a rule by its traffic: EC2 refuses a second rule for the same traffic."""
    pages = client(cloud, "ec2", inputs).get_paginator("describe_security_group_rules")
    target = _rule_target(inputs)
    protocol = _protocol(inputs["ipProtocol"])
    for page in pages.paginate(Filters=[{"Name": "group-id", "Values": [inputs["securityGroupId"]]}]):
        for rule in page["SecurityGroupRules"]:
            there = rule.get("ReferencedGroupInfo", {}).get("GroupId") or rule.get(_RULE_TARGETS[target][2])
            ports_match = protocol == "-1" or all(
                rule.get(api) == inputs.get(key) for key, api in (("fromPort", "FromPort"), ("toPort", "ToPort"))
            )
            if (
                rule["IsEgress"] == egress
                and _protocol(rule["IpProtocol"]) == protocol
                and there == inputs[target]
                and ports_match
            ):
                return str(rule["SecurityGroupRuleId"])
    return None


def _rule_type(token: str, egress: bool) -> ResourceType:
    return ResourceType(
        token=token,
        properties={
            "region": REGION,
            "securityGroupId": Property(required=True, replaces=True),
            "ipProtocol": Property(required=True, same=lambda one, other: _protocol(one) == _protocol(other)),
            "fromPort": Property(),
            "toPort": Property(),
            # EC2 cannot change the kind of a target, so a changed target replaces the rule.
            "cidrIpv4": Property(replaces=True),
            "cidrIpv6": Property(replaces=True),
            "prefixListId": Property(replaces=True),
            "referencedSecurityGroupId": Property(replaces=True),
            "description": Property(default=""),
            "tags": TAGS,
        },
        computed=("arn", "securityGroupRuleId", "region", "tagsAll"),
        create=lambda cloud, inputs: _create_rule(cloud, inputs, egress),
        read=lambda cloud, id, state: _read_rule(cloud, id, state, egress),
        update=_update_rule,
        delete=lambda cloud, id, state: _delete_rule(cloud, id, state, egress),
        delete_before_replace=True,
        find=lambda cloud, inputs: _find_rule(cloud, inputs, egress),
    )


RESOURCES: Final = (
    ResourceType(
        token="aws:ec2/securityGroup:SecurityGroup",  # noqa: S106 - a type's name
        properties={
            "region": REGION,
            "name": Property(generated_name=True, replaces=True),
            "description": Property(default="Managed by Pulumi", replaces=True),
            "vpcId": Property(replaces=True),
            "ingress": Property(same=_same_rules),
            "egress": Property(same=_same_rules),
            "revokeRulesOnDelete": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "ownerId", "vpcId", "ingress", "egress", "region", "tagsAll"),
        create=_create_group,
        settle=_settle_group,
        read=_read_group,
        update=_update_group,
        delete=_delete_group,
        delete_before_replace=True,
        find=_find_group,
    ),
    _rule_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", egress=False),
    _rule_type("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", egress=True),
)
