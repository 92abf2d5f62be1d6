"""Nothing that holds data can be read, or reached, by the public."""

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


_FOR_EVERYBODY: Final = (80, 443)
"""The ports of a public entrance. Everything else is for hosts that are named one by one."""

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
    if protocol == "tcp" and start in _FOR_EVERYBODY and start == end:
        return
    lists = rule.get("prefixListId"), rule.get("prefixListIds")
    if any(given not in (None, "", []) for given in lists):
        remedy = "Name hosts by their addresses: a prefix list can be changed where no policy sees it."
        yield Finding(f"{where}prefixListId", next(given for given in lists if given), "addresses of hosts", remedy)
    for name in _WHO:
        value = rule.get(name)
        for index, one in enumerate(listed(value) if not isinstance(value, str) else [value]):
            # What is not known yet is asked again before it is deployed. Whose address it is, the stack's policy knows.
            if isinstance(one, str) and not _one_host(one):
                path = f"{where}{name}" if isinstance(value, str) else f"{where}{name}[{index}]"
                remedy = "Admit hosts one by one. Only a public entrance, on port 80 or 443, is for everybody."
                yield Finding(path, one, "the address of one host, as /32 or /128", remedy)


def _one_host(text: str) -> bool:
    try:
        return ip_network(text, strict=False).num_addresses == 1
    except ValueError:
        return False


def _private_bucket(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.type in BUCKET_ACCESS_BLOCK:
        for name in _BLOCKS:
            remedy = "Set it to true. Left out it is false, and a policy or an ACL can open the bucket to everybody."
            yield from literally(resource, name, True, remedy)
        return
    acl = resource.props.get("acl")
    if acl is not None and acl not in (
        "private",
        "bucket-owner-full-control",
        "bucket-owner-read",
        "log-delivery-write",
    ):
        yield Finding("acl", acl, "private", WRITE_IT_OUT if acl is UNKNOWN else "Open it to nobody.")
    for leaf in texts(resource.props):
        if leaf.text.startswith(_EVERYBODY):
            yield Finding(written(leaf.path), leaf.text, "the name of one account", "Grant it to nobody else.")


_EVERYBODY: Final = "http://acs.amazonaws.com/groups/global/"
_BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _bucket_over_tls(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    policy = resource.props.get("policy")
    if policy is UNKNOWN:
        return  # it has the bucket's ARN in it, and is asked for again before it is deployed
    if not any(_denies_without_tls(statement) for statement in statements(policy)):
        remedy = 'Deny `s3:*` to everybody where `aws:SecureTransport` is "false".'
        yield Finding("policy", policy, "a policy that denies every request that did not come over TLS", remedy)


def _denies_without_tls(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition")
    insecure = condition.get("Bool", {}).get("aws:SecureTransport") if isinstance(condition, Mapping) else None
    return (
        statement.get("Effect") == "Deny"
        and _everybody(statement.get("Principal"))
        and statement.get("Action") in ("s3:*", "*", ["s3:*"], ["*"])
        and insecure in ("false", False, ["false"])
        and isinstance(condition, Mapping)
        and len(condition) == 1
    )


def statements(document: object) -> list[Mapping[str, Any]]:
    """The statements of a policy of AWS, from its JSON; none of anything else."""
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


def _everybody(principal: object) -> bool:
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return "*" in ([named] if isinstance(named, str) else listed(named))


_NARROWS: Final = frozenset(
    {
        "aws:principalaccount", "aws:principalorgid", "aws:principalarn", "aws:sourceaccount", "aws:sourcearn",
        "aws:sourcevpc", "aws:sourcevpce", "aws:sourceorgid", "kms:calleraccount",
    }
)  # fmt: skip
"""Conditions that leave somebody in particular of everybody."""


def _narrowed(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition")
    if not isinstance(condition, Mapping):
        return False
    # Not of an operator that names who is not meant, or that holds where nothing is said.
    named = {
        str(key).lower()
        for operator, keys in condition.items()
        if "Not" not in str(operator) and not str(operator).endswith("IfExists") and isinstance(keys, Mapping)
        for key, value in keys.items()
        if value not in ("*", ["*"])
    }
    return not _NARROWS.isdisjoint(named)


def _not_for_everybody(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    """Judges the policies on resources of AWS, in whatever property they are."""
    for leaf in texts(resource.props):
        for statement in statements(leaf.text):
            if statement.get("Effect") != "Allow" or _narrowed(statement):
                continue
            if _everybody(statement.get("Principal")) or "NotPrincipal" in statement:
                remedy = "Name who may, or say of which account, organisation or resource they are."
                found = f"a statement that lets everybody {statement.get('Action', 'do something')}"
                yield Finding(written(leaf.path), found, "statements that name a principal", remedy)
    value = _PUBLIC_SWITCHES.get(resource.type)
    if value is not None:
        name, open_, allowed = value
        given = resource.props.get(name)
        if given is UNKNOWN or any(one in open_ for one in (given if isinstance(given, list) else [given])):
            remedy = WRITE_IT_OUT if given is UNKNOWN else "Share it with nobody, or with one account by its number."
            yield Finding(name, given, allowed, remedy)
    if resource.type.startswith("aws:ecrpublic/"):
        remedy = "Use a private repository of `aws.ecr`."
        yield Finding("type", resource.type, "a type that is not there to publish", remedy)


_PUBLIC_SWITCHES: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "aws:rds/snapshot:Snapshot": ("sharedAccounts", ("all",), "numbers of accounts"),
    "aws:rds/snapshotCopy:SnapshotCopy": ("sharedAccounts", ("all",), "numbers of accounts"),
    "aws:rds/clusterSnapshot:ClusterSnapshot": ("sharedAccounts", ("all",), "numbers of accounts"),
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission": ("group", ("all",), "an account, not a group"),
    "aws:lambda/functionUrl:FunctionUrl": ("authorizationType", ("NONE",), "AWS_IAM"),
    "aws:lambda/permission:Permission": ("principal", ("*",), "a service, or the number of an account"),
}
"""Properties with which something is opened to everybody, and the values that do it."""

INGRESS: Final = Policy(
    id="no-open-ingress",
    title="Nothing at AWS but a public entrance can be reached by anybody but single hosts: no database, and no SSH.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Admit hosts one by one, by their addresses or by their security group.",
    concerns=of_type(INGRESS_RULE, SECURITY_GROUP_RULE, *SECURITY_GROUPS),
    rule=_ingress,
    asks_again=frozenset({"cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"}),
)

PRIVATE_BUCKET: Final = Policy(
    id="bucket-private",
    title="No setting of a bucket opens it to the public, and no later one can.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Switch on all four blocks, and grant nothing to groups of everybody.",
    concerns=of_type(*BUCKET_ACCESS_BLOCK, *BUCKET_ACL, *BUCKET),
    rule=_private_bucket,
)

BUCKET_OVER_TLS: Final = Policy(
    id="bucket-over-tls",
    title="A bucket answers nobody who did not come over TLS.",
    severity="high",
    control="A.5.29",
    promise=security,
    remedy="Deny everything where `aws:SecureTransport` is false.",
    concerns=of_type(*BUCKET_POLICY),
    rule=_bucket_over_tls,
    asks_again=frozenset({"policy"}),
)

NOT_FOR_EVERYBODY: Final = Policy(
    id="no-public-principal",
    title="No policy and no switch of a resource at AWS opens it to everybody.",
    severity="critical",
    control="A.5.29",
    promise=security,
    remedy="Name the principals, or narrow them by account, organisation or source.",
    concerns=of_package("aws"),
    rule=_not_for_everybody,
    asks_again=frozenset({"policy", "policies", "resourcePolicy"}),
)
