"""Policies on IAM: people sign in with MFA, and no principal has every permission."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_pack.rules.documents import conditions, documents, statements, strings
from policy_pack.rules.policy import Finding, Policy, Resource, of_package, of_type
from policy_pack.rules.promises import access
from policy_pack.rules.resource_types import IAM_ROLE, IAM_ROLE_POLICY_ATTACHMENT
from policy_pack.rules.values import UNKNOWN, texts, written

if TYPE_CHECKING:
    from plan import Plan

_KEYS_OF_PEOPLE: Final = ("aws:iam/accessKey:AccessKey", "aws:iam/userLoginProfile:UserLoginProfile")
_MFA: Final = ("aws:multifactorauthpresent", "aws:multifactorauthage")


def _mfa(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if not plan.access.mfa_required:
        return
    if resource.type in _KEYS_OF_PEOPLE:
        remedy = "Remove it. Let people assume a role that requires MFA, and let machines assume a separate role."
        yield Finding("type", resource.type, "a type that requires MFA", remedy)
        return
    document = resource.props.get("assumeRolePolicy")
    if document is UNKNOWN:
        return  # it may name another resource, and is judged again before it is deployed
    for statement in statements(document):
        principal = statement.get("Principal")
        people = principal.get("AWS") if isinstance(principal, Mapping) else principal
        if statement.get("Effect") != "Allow" or people is None or _demands_mfa(statement):
            continue
        of_people = [one for one in strings(people) if not _is_machine(one, statement)]
        if of_people:
            remedy = (
                'If people assume it, add the condition `"Bool": {"aws:MultiFactorAuthPresent": "true"}`. If a machine'
                " does, name its role, or give the service's account an `sts:ExternalId`: a machine has no MFA."
            )
            found = f"a statement that lets {of_people[0]} assume the role without MFA"
            yield Finding("assumeRolePolicy", found, "statements that require MFA of people", remedy)


def _is_machine(principal: str, statement: Mapping[str, Any]) -> bool:
    """Whether only machines can be meant: a role, or the account of a service that was given an external id."""
    if _is_role(principal):
        return True
    if not re.fullmatch(r"[0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:root", principal):
        return False
    for operator, key, values in conditions(statement):
        if operator == "StringEquals" and key == "sts:externalid" and any(values):
            return True
        # The account's root stands for all of its principals, which the condition then narrows to roles.
        if operator in ("ArnEquals", "ArnLike", "StringEquals", "StringLike") and key == "aws:principalarn":
            return bool(values) and all(_is_role(value) for value in values)
    return False


def _is_role(arn: str) -> bool:
    return ":role/" in arn or ":assumed-role/" in arn


def _demands_mfa(statement: Mapping[str, Any]) -> bool:
    # `BoolIfExists` also holds for a long-lived key, and so without MFA.
    return any(
        key in _MFA and operator in ("Bool", "NumericLessThan", "NumericLessThanEquals") and "false" not in values
        for operator, key, values in conditions(statement)
    )


_EVERYTHING: Final = frozenset({"*", "*:*", "iam:*"})
_ADMINISTRATORS: Final = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")
_EMERGENCY_NAMES: Final[Mapping[str, str]] = {
    IAM_ROLE: "name",
    IAM_ROLE_POLICY_ATTACHMENT: "role",
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": "roleName",
}
"""The types that give a role its policies, and the property with the role's name."""


def _no_wildcard(resource: Resource, plan: Plan) -> Iterator[Finding]:
    name = _EMERGENCY_NAMES.get(resource.type)
    if name is not None and resource.props.get(name) == plan.access.emergency_role:
        return  # the plan allows it; `mfa-required` judges it, and an alarm reports its use
    for leaf in texts(resource.props):
        if leaf.path[:1] in (("assumeRolePolicy",), ("tags",)):
            continue
        name = leaf.text.rpartition("/")[2]
        if leaf.text.startswith("arn:") and ":iam::aws:policy/" in leaf.text and name in _ADMINISTRATORS:
            remedy = "Grant the permissions that are needed: with this policy, an attacker can delete the backups."
            yield Finding(written(leaf.path), leaf.text, "a policy for particular actions", remedy)
    for path, document in documents(resource.props):
        if path[:1] == ("assumeRolePolicy",):
            continue
        for statement in statements(document):
            if statement.get("Effect") != "Allow" or "Principal" in statement:
                continue  # on a resource, `*` is that resource alone
            actions = strings(statement.get("Action"))
            everything = not _EVERYTHING.isdisjoint(actions) or "NotAction" in statement
            if everything and ("*" in strings(statement.get("Resource")) or "NotResource" in statement):
                found = f"a statement that allows {', '.join(actions) or 'all but some actions'} on everything"
                remedy = "Name the actions or the resources: a permission for everything includes deleting the backups."
                yield Finding(written(path), found, "statements for particular actions or resources", remedy)


MFA: Final = Policy(
    id="mfa-required",
    title="People sign in with MFA and have no long-lived access keys.",
    severity="critical",
    control="A.5.29",
    promise=access,
    remedy="Let people assume roles whose trust policy requires `aws:MultiFactorAuthPresent`.",
    concerns=of_type(IAM_ROLE, *_KEYS_OF_PEOPLE),
    rule=_mfa,
    asks_again=frozenset({"assumeRolePolicy"}),
)

NO_WILDCARD: Final = Policy(
    id="no-wildcard-administrator",
    title="No principal has every permission on every resource, except the plan's emergency role.",
    severity="critical",
    control="A.5.29",
    promise=access,
    remedy="Name actions and resources.",
    concerns=of_package("aws"),
    rule=_no_wildcard,
    asks_again=frozenset({"policy", "policyArn", "managedPolicyArns", "inlinePolicies"}),
)
