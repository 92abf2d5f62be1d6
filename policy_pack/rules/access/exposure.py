"""Policies on public exposure: security groups, buckets, and resource policies of AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from policy_pack.rules.checks import WRITE_IT_OUT, listed, literally
from policy_pack.rules.documents import conditions, documents, fault, is_public, statements, strings
from policy_pack.rules.policy import Finding, Policy, Resource, of_package, of_type
from policy_pack.rules.promises import security
from policy_pack.rules.resource_types import (
    BUCKET,
    BUCKET_ACCESS_BLOCK,
    BUCKET_ACL,
    BUCKET_POLICY,
    INGRESS_ADDRESSES,
    INGRESS_RULE,
    SECURITY_GROUP_RULE,
    SECURITY_GROUPS,
)
from policy_pack.rules.values import UNKNOWN, texts, written

if TYPE_CHECKING:
    from plan import Plan


_PUBLIC_PORTS: Final = (80, 443)
"""The ports of a public endpoint. Any other port is open to single hosts only."""


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
    given = [value for value in lists if value not in (None, "", [])]
    if given:
        remedy = "Give the addresses of hosts: a prefix list can be changed without a check by a policy."
        yield Finding(f"{where}prefixListId", given[0], "addresses of hosts", remedy)
    for name in INGRESS_ADDRESSES:
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
    denying = [statement for statement in statements(policy) if _denies_without_tls(statement)]
    covered = [name for statement in denying for name in strings(statement.get("Resource"))]
    remedy = 'Deny `s3:*` to every principal where `aws:SecureTransport` is "false".'
    if not denying:
        yield Finding("policy", policy, "a policy that denies every request without TLS", remedy)
        return
    for what, covers, form in (
        ("the bucket", _covers_bucket, "arn:aws:s3:::name"),
        ("its objects", _covers_objects, "arn:aws:s3:::name/*"),
    ):
        if not any(covers(name) for name in covered):
            allowed = f"a policy that denies it for {what} too"
            yield Finding(
                "policy", f"a denial for {', '.join(covered) or 'nothing'}", allowed, f"Add `{form}`. {remedy}"
            )


def _covers_bucket(name: str) -> bool:
    return name == "*" or (":s3:::" in name and ("/" not in name or name.endswith(":::*")))


def _covers_objects(name: str) -> bool:
    # `name*` covers what is in the bucket, as `name/*` does. `name/folder/*` covers a part of it.
    return name == "*" or (":s3:::" in name and (name.endswith("*") and name.removesuffix("/*").count("/") == 0))


def _denies_without_tls(statement: Mapping[str, Any]) -> bool:
    found = list(conditions(statement))
    return (
        statement.get("Effect") == "Deny"
        and is_public(statement)
        and not {"s3:*", "*"}.isdisjoint(strings(statement.get("Action")))
        # A further condition would leave requests without TLS that are not denied.
        and [(operator.removesuffix("IfExists"), key, values) for operator, key, values in found]
        == [("Bool", "aws:securetransport", ["false"])]
    )


_NARROWS: Final = frozenset(
    {
        "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:principalarn", "aws:sourceaccount",
        "aws:sourcearn", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn", "aws:sourceorgid",
        "aws:sourceorgpaths", "kms:calleraccount", "lambda:functionurlauthtype", "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)  # fmt: skip
"""Conditions that narrow a public principal to an account, an organisation or a source."""

_EQUAL: Final = frozenset(
    {"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "ForAnyValue:StringEquals",
     "ForAnyValue:StringLike", "ForAnyValue:ArnEquals", "ForAnyValue:ArnLike"}
)  # fmt: skip
"""The operators that hold for the values of a key alone: not for other ones, and not if the key is absent."""


def _narrowed(statement: Mapping[str, Any]) -> bool:
    return any(
        operator in _EQUAL and bool(values) and all(_narrow(key, value) for value in values)
        for operator, key, values in conditions(statement)
    )


def _narrow(key: str, value: str) -> bool:
    if key == "aws:resourceaccount":
        return value == "${aws:PrincipalAccount}"  # the account of the resource itself
    if key == "lambda:functionurlauthtype":
        return value == "AWS_IAM"
    if key not in _NARROWS or value == "":
        return False
    if not {"*", "?"}.intersection(value):
        return True
    # A pattern of ARNs names an account or, for S3, a bucket, which belongs to one.
    fields = value.split(":", 5)
    return len(fields) == 6 and not {"*", "?"}.intersection(fields[4] or fields[5][:1] or "*")


def _no_public_principal(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    """Judges the policy documents of AWS resources, in every property."""
    for path, document in documents(resource.props):
        problem = fault(path, document)
        if problem is not None:
            remedy = "Correct it: IAM refuses it, and no policy can judge it."
            yield Finding(written(path), problem, "a policy document with a list of statements", remedy)
        for statement in statements(document):
            if statement.get("Effect") != "Allow" or _narrowed(statement):
                continue
            if is_public(statement) or "NotPrincipal" in statement:
                remedy = "Name the principals, or add a condition on their account, organisation or source."
                found = f"a statement that allows {statement.get('Action', 'an action')} to every principal"
                yield Finding(written(path), found, "statements that name a principal", remedy)
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
