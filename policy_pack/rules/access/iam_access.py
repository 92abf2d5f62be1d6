"""Policies on IAM: people sign in with MFA, and no principal has every permission."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_pack.rules.access.exposure import statements
from policy_pack.rules.checks import listed
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
        named = [one for one in ([people] if isinstance(people, str) else listed(people)) if isinstance(one, str)]
        # A role that another role assumes is for machines. The trust policy of that other role is judged too.
        of_people = [one for one in named if ":role/" not in one and ":assumed-role/" not in one]
        if of_people:
            remedy = 'Add the condition `"Bool": {"aws:MultiFactorAuthPresent": "true"}`.'
            found = f"a statement that lets {of_people[0]} assume the role without MFA"
            yield Finding("assumeRolePolicy", found, "statements that require MFA of people", remedy)


def _demands_mfa(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition")
    if not isinstance(condition, Mapping):
        return False
    for operator, keys in condition.items():
        # `BoolIfExists` also holds for a long-lived key, and so without MFA.
        if isinstance(keys, Mapping) and operator in ("Bool", "NumericLessThan", "NumericLessThanEquals"):
            for key, value in keys.items():
                if str(key).lower() in _MFA and value not in ("false", False, ["false"]):
                    return True
    return False


_EVERYTHING: Final = frozenset({"*", "*:*", "iam:*"})
_ADMINISTRATORS: Final = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")


def _no_wildcard(resource: Resource, plan: Plan) -> Iterator[Finding]:
    if resource.type == IAM_ROLE_POLICY_ATTACHMENT and resource.props.get("role") == plan.access.emergency_role:
        return  # the plan allows it; `mfa-required` judges it, and an alarm reports its use
    for leaf in texts(resource.props):
        if leaf.path[:1] in (("assumeRolePolicy",), ("tags",)):
            continue
        name = leaf.text.rpartition("/")[2]
        if leaf.text.startswith("arn:") and ":iam::aws:policy/" in leaf.text and name in _ADMINISTRATORS:
            remedy = "Grant the permissions that are needed: with this policy, an attacker can delete the backups."
            yield Finding(written(leaf.path), leaf.text, "a policy for particular actions", remedy)
        for statement in statements(leaf.text):
            if statement.get("Effect") != "Allow" or "Principal" in statement:
                continue  # on a resource, `*` is that resource alone
            actions = _texts(statement.get("Action"))
            everything = not _EVERYTHING.isdisjoint(actions) or "NotAction" in statement
            if everything and ("*" in _texts(statement.get("Resource")) or "NotResource" in statement):
                found = f"a statement that allows {', '.join(actions) or 'all but some actions'} on everything"
                remedy = "Name the actions or the resources: a permission for everything includes deleting the backups."
                yield Finding(written(leaf.path), found, "statements for particular actions or resources", remedy)


def _texts(value: object) -> list[str]:
    return [one for one in ([value] if isinstance(value, str) else listed(value)) if isinstance(one, str)]


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
