"""Policies on public exposure: security groups, buckets, and resource policies of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from policy_pack.rules.checks import WRITE_IT_OUT, listed, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_package, of_type
from policy_pack.rules.promises import security
from policy_pack.rules.resource_types import (
    BUCKET,
    BUCKET_ACCESS_BLOCK,
    BUCKET_ACL,
    BUCKET_POLICY,
    INGRESS_RULE,
    SECURITY_GROUP_RULE,
    SECURITY_GROUPS,
)
from policy_pack.rules.values import UNKNOWN, texts, written

if TYPE_CHECKING:
    from plan import Plan


_PUBLIC_PORTS: Final = (80, 443)
"""The ports of a public endpoint. Any other port is open to single hosts only."""

_WHO: Final = ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks")


def _ingress(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type == INGRESS_RULE:
        yield from _admits(resource.props, "", resource.props.get("ipProtocol"))
    elif resource.type == SECURITY_GROUP_RULE:
        if resource.props.get("type") != "egress":
            yield from _admits(resource.props, "", resource.props.get("protocol"))
    else:
        rules = resource.props.get("ingress")
        if rules is UNKNOWN:
            yield Finding("ingress", rules, "rules that are written out", WRITE_IT_OUT)
        for index, rule in enumerate(listed(rules)):
            if isinstance(rule, Mapping):
                yield from _admits(rule, f"ingress[{index}].", rule.get("protocol"))
            else:
                yield Finding(f"ingress[{index}]", rule, "a rule that is written out", WRITE_IT_OUT)


def _admits(rule: Mapping[str, object], where: str, protocol: object) -> Iterator[Finding]:
    start, end = rule.get("fromPort"), rule.get("toPort")
    if protocol == "tcp" and start in _PUBLIC_PORTS and start == end:
        return
    lists = rule.get("prefixListId"), rule.get("prefixListIds")
    if any(given not in (None, "", []) for given in lists):
        remedy = "Give the addresses of hosts: a prefix list can be changed without a check by a policy."
        yield Finding(f"{where}prefixListId", next(given for given in lists if given), "addresses of hosts", remedy)
    for name in _WHO:
        value = rule.get(name)
        for index, one in enumerate(listed(value) if not isinstance(value, str) else [value]):
            # An unknown value is judged again before it is deployed. `database-ingress-hosts-only` checks its source.
            if isinstance(one, str) and not _one_host(one):
                path = f"{where}{name}" if isinstance(value, str) else f"{where}{name}[{index}]"
                remedy = "Admit single hosts. Only port 80 or 443 of a public endpoint may be open to the internet."
                yield Finding(path, one, "the address of one host, as /32 or /128", remedy)


def _one_host(text: str) -> bool:
    try:
        return ip_network(text, strict=False).num_addresses == 1
    except ValueError:
        return False


def _private_bucket(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type in BUCKET_ACCESS_BLOCK:
        for name in _BLOCKS:
            remedy = "Set it to true. Left out it is false, and a policy or an ACL can make the bucket public."
            yield from literally(resource, name, True, remedy)
        return
    acl = resource.props.get("acl")
    if acl is not None and acl not in (
        "private",
        "bucket-owner-full-control",
        "bucket-owner-read",
        "log-delivery-write",
    ):
        yield Finding("acl", acl, "private", WRITE_IT_OUT if acl is UNKNOWN else "Set it to private, or leave it out.")
    for leaf in texts(resource.props):
        if leaf.text.startswith(_EVERYBODY):
            yield Finding(
                written(leaf.path), leaf.text, "the name of one account", "Grant access to single accounts only."
            )


_EVERYBODY: Final = "http://acs.amazonaws.com/groups/global/"
_BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _bucket_over_tls(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    policy = resource.props.get("policy")
    if policy is UNKNOWN:
        return  # it contains the bucket's ARN, and is judged again before it is deployed
    if not any(_denies_without_tls(statement) for statement in statements(policy)):
        remedy = 'Deny `s3:*` to every principal where `aws:SecureTransport` is "false".'
        yield Finding("policy", policy, "a policy that denies every request without TLS", remedy)


def _denies_without_tls(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition")
    insecure = condition.get("Bool", {}).get("aws:SecureTransport") if isinstance(condition, Mapping) else None
    return (
        statement.get("Effect") == "Deny"
        and _is_public(statement.get("Principal"))
        and statement.get("Action") in ("s3:*", "*", ["s3:*"], ["*"])
        and insecure in ("false", False, ["false"])
        and isinstance(condition, Mapping)
        and len(condition) == 1
    )


def statements(document: object) -> list[Mapping[str, Any]]:
    """The statements of an AWS policy document in JSON. A value of any other kind has none."""
    if isinstance(document, str):
        if '"Statement"' not in document:
            return []
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return []
    if not isinstance(document, Mapping):
        return []
    return [one for one in listed(document.get("Statement")) if isinstance(one, Mapping)]


def _is_public(principal: object) -> bool:
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return "*" in ([named] if isinstance(named, str) else listed(named))


_NARROWS: Final = frozenset(
    {
        "aws:principalaccount", "aws:principalorgid", "aws:principalarn", "aws:sourceaccount", "aws:sourcearn",
        "aws:sourcevpc", "aws:sourcevpce", "aws:sourceorgid", "kms:calleraccount",
    }
)  # fmt: skip
"""Conditions that narrow a public principal to an account, an organisation or a source."""


def _narrowed(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition")
    if not isinstance(condition, Mapping):
        return False
    # An operator that excludes principals, or that holds for an absent key, does not narrow.
    named = {
        str(key).lower()
        for operator, keys in condition.items()
        if "Not" not in str(operator) and not str(operator).endswith("IfExists") and isinstance(keys, Mapping)
        for key, value in keys.items()
        if value not in ("*", ["*"])
    }
    return not _NARROWS.isdisjoint(named)


def _no_public_principal(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    """Judges the policy documents of AWS resources, in every property."""
    for leaf in texts(resource.props):
        for statement in statements(leaf.text):
            if statement.get("Effect") != "Allow" or _narrowed(statement):
                continue
            if _is_public(statement.get("Principal")) or "NotPrincipal" in statement:
                remedy = "Name the principals, or add a condition on their account, organisation or source."
                found = f"a statement that allows {statement.get('Action', 'an action')} to every principal"
                yield Finding(written(leaf.path), found, "statements that name a principal", remedy)
    value = _PUBLIC_SWITCHES.get(resource.type)
    if value is not None:
        name, open_, allowed = value
        given = resource.props.get(name)
        if given is UNKNOWN or any(one in open_ for one in (given if isinstance(given, list) else [given])):
            remedy = (
                WRITE_IT_OUT
                if given is UNKNOWN
                else "Make it private, or share it with single accounts by their numbers."
            )
            yield Finding(name, given, allowed, remedy)
    if resource.type.startswith("aws:ecrpublic/"):
        remedy = "Use a private repository of `aws.ecr`."
        yield Finding("type", resource.type, "a private type", remedy)


_PUBLIC_SWITCHES: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "aws:rds/snapshot:Snapshot": ("sharedAccounts", ("all",), "numbers of accounts"),
    "aws:rds/snapshotCopy:SnapshotCopy": ("sharedAccounts", ("all",), "numbers of accounts"),
    "aws:rds/clusterSnapshot:ClusterSnapshot": ("sharedAccounts", ("all",), "numbers of accounts"),
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission": ("group", ("all",), "an account, not a group"),
    "aws:lambda/functionUrl:FunctionUrl": ("authorizationType", ("NONE",), "AWS_IAM"),
    "aws:lambda/permission:Permission": ("principal", ("*",), "a service, or the number of an account"),
}
"""Properties that can make a resource public: the property, its public values, and what is allowed."""

INGRESS: Final = Policy(
    id="no-open-ingress",
    title="Security groups admit single hosts only, except on the ports of a public endpoint.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Admit single hosts, by their addresses or by their security group.",
    concerns=of_type(INGRESS_RULE, SECURITY_GROUP_RULE, *SECURITY_GROUPS),
    rule=_ingress,
    asks_again=frozenset({"cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"}),
)

PRIVATE_BUCKET: Final = Policy(
    id="bucket-private",
    title="No setting of a bucket makes it public, and none can do so later.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Switch on all four blocks, and grant nothing to public groups.",
    concerns=of_type(*BUCKET_ACCESS_BLOCK, *BUCKET_ACL, *BUCKET),
    rule=_private_bucket,
)

BUCKET_OVER_TLS: Final = Policy(
    id="bucket-over-tls",
    title="A bucket denies requests without TLS.",
    severity="high",
    control="A.5.29",
    promise=security,
    remedy="Deny everything where `aws:SecureTransport` is false.",
    concerns=of_type(*BUCKET_POLICY),
    rule=_bucket_over_tls,
    asks_again=frozenset({"policy"}),
)

NO_PUBLIC_PRINCIPAL: Final = Policy(
    id="no-public-principal",
    title="No policy and no setting of an AWS resource makes it public.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Name the principals, or narrow them by account, organisation or source.",
    concerns=of_package("aws"),
    rule=_no_public_principal,
    asks_again=frozenset({"policy", "policies", "resourcePolicy"}),
)
