"""Access to AWS: users, their second factors and access keys, roles and their trust, and the emergency alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import plan
from continuity.access.report import Credential, Finding, Principal, System, SystemAccess, people
from continuity.clouds.aws import Aws
from plan.names import PERSON_ROLE_PREFIX, VAULT, access_alarm

_ADMINISTRATOR: Final = ":policy/AdministratorAccess"
_ALARM: Final = access_alarm(VAULT)
_SERVICES_OWN: Final = ("/aws-service-role/", "/aws-reserved/")


class Account:
    """An AWS account. IAM is called through the recovery region, which works during an outage of the home region."""

    def __init__(self, promised: plan.Plan, aws: Aws) -> None:
        self._promised = promised
        self._people = people(promised)
        self._region = promised.residency.aws.recovery_region
        self._aws = aws
        self._iam = partial(aws.call, "iam", self._region)

    def read_access(self) -> SystemAccess:
        """Read all principals of the account.

        Raises:
            CannotLookError: AWS does not answer, or these credentials may not read it.
        """
        users = self._iam("list_users")["Users"]
        devices = {user["UserName"]: self._has_second_factor(user["UserName"]) for user in users}
        roles = [
            self._iam("get_role", RoleName=role["RoleName"])["Role"]
            for role in self._iam("list_roles")["Roles"]
            if not role["Path"].startswith(_SERVICES_OWN)
        ]
        rights = [_Role(role, self._administers("role", role["RoleName"])) for role in roles]
        principals = [
            *(self._user(user, devices[user["UserName"]], rights) for user in users),
            *(self._role(role, {user["Arn"]: user["UserName"] for user in users}) for role in rights),
        ]
        return SystemAccess(
            tuple(principals), (*self._root(), *self._dangling_trust(rights, users), *self.unreached_by_alarm())
        )

    def _user(self, user: Any, mfa: bool, roles: list[_Role]) -> Principal:
        name = user["UserName"]
        assumable = [role.name for role in roles if user["Arn"] in role.people]
        itself = self._administers("user", name)
        # An administrator role counts if assuming it requires a second factor, and the user has one.
        by_role = any(role.administers and role.requires_mfa and user["Arn"] in role.people for role in roles)
        assumed = [f"assumes {', '.join(assumable)}"] if assumable else []
        return Principal(
            system=System.AWS,
            kind="user",
            name=name,
            person=name if name in self._people else None,
            permissions="; ".join((["may do everything without assuming a role"] if itself else []) + assumed)
            or "may do nothing but sign in",
            administrator=itself or (by_role and mfa),
            mfa=mfa,
            credentials=tuple(self._access_keys(name)),
            last_used=user.get("PasswordLastUsed"),
        )

    def _role(self, role: _Role, users: dict[str, str]) -> Principal:
        person = role.name.removeprefix(PERSON_ROLE_PREFIX)
        trusted = [users.get(arn, arn) for arn in role.people]
        return Principal(
            system=System.AWS,
            kind="role",
            name=role.name,
            person=person if person in self._people else None,
            permissions=("may do everything" if role.administers else "may do what its policies say")
            + (f", and is assumed by {', '.join(trusted)}" if trusted else f", and is assumed by {role.services}"),
            mfa=role.requires_mfa if trusted else None,
            last_used=role.last_used,
            machine=True,
        )

    def _root(self) -> Iterator[Finding]:
        summary = self._iam("get_account_summary")["SummaryMap"]
        if self._promised.access.mfa_required and not summary.get("AccountMFAEnabled"):
            yield Finding(
                "access.mfa_required",
                System.AWS,
                "the account's root user has no second factor, and may do everything",
                "add one for each co-founder, and keep them in different places",
            )
        if summary.get("AccountAccessKeysPresent"):
            yield Finding(
                "access.aws_access_keys",
                System.AWS,
                "the account's root user has an access key",
                "delete it: nothing needs it",
            )

    def _dangling_trust(self, roles: list[_Role], users: list[Any]) -> Iterator[Finding]:
        """Find trust in principals that do not exist. IAM shows a deleted user by an id."""
        arns = {user["Arn"] for user in users}
        for role in roles:
            for taker in role.people:
                if taker not in arns and not taker.endswith(":root"):
                    yield Finding(
                        "roles",
                        System.AWS,
                        f"the role {role.name} trusts {taker}, which is not a user of the account",
                        "deploy the vault's stack, which sets the role's trust policy, or change it by hand",
                    )

    def unreached_by_alarm(self) -> Iterator[Finding]:
        """Find people whom the emergency alarm does not reach. An address receives it only after confirmation."""
        topics = self._aws.call("sns", self._region, "list_topics")["Topics"]
        topic = next((each["TopicArn"] for each in topics if each["TopicArn"].endswith(f":{_ALARM}")), None)
        if topic is None:
            yield Finding(
                "access.administrators_minimum",
                System.AWS,
                f"the alarm for emergency access does not exist in {self._region}",
                "deploy the vault's stack",
            )
            return
        found = self._aws.call("sns", self._region, "list_subscriptions_by_topic", TopicArn=topic)["Subscriptions"]
        confirmed = {each["Endpoint"] for each in found if each["SubscriptionArn"].startswith("arn:")}
        for role in self._promised.roles:
            if role.email not in confirmed:
                yield Finding(
                    "access.administrators_minimum",
                    System.AWS,
                    f"the emergency alarm does not reach {role.person}: {role.email} is not confirmed",
                    "open the link in AWS's mail to that address, or deploy the vault's stack to receive a new mail",
                )

    def _has_second_factor(self, user: str) -> bool:
        return bool(self._iam("list_mfa_devices", UserName=user)["MFADevices"])

    def _access_keys(self, user: str) -> Iterator[Credential]:
        for key in self._iam("list_access_keys", UserName=user)["AccessKeyMetadata"]:
            used = self._iam("get_access_key_last_used", AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
            last = used.get("LastUsedDate")
            yield Credential(
                kind="access key",
                name=key["AccessKeyId"],
                created=key["CreateDate"],
                last_used=last if hasattr(last, "year") else None,
            )

    def _administers(self, kind: str, name: str) -> bool:
        """Whether a policy of a user or a role, or of a group of the user, allows everything."""
        owner = {f"{kind.title()}Name": name}
        attached = list(self._iam(f"list_attached_{kind}_policies", **owner)["AttachedPolicies"])
        if kind == "user":
            for group in self._iam("list_groups_for_user", **owner)["Groups"]:
                attached += self._iam("list_attached_group_policies", GroupName=group["GroupName"])["AttachedPolicies"]
        inline = [
            self._iam(f"get_{kind}_policy", PolicyName=policy, **owner)["PolicyDocument"]
            for policy in self._iam(f"list_{kind}_policies", **owner)["PolicyNames"]
        ]
        return any(policy["PolicyArn"].endswith(_ADMINISTRATOR) for policy in attached) or any(
            statement["Effect"] == "Allow" and "*" in _list(statement.get("Action"))
            for document in inline
            for statement in _statements(document)
        )


class _Role:
    """A role, and the principals that it trusts."""

    def __init__(self, role: Any, administers: bool) -> None:
        self.name = str(role["RoleName"])
        self.administers = administers
        self.last_used = role.get("RoleLastUsed", {}).get("LastUsedDate")
        trust = [each for each in _statements(role["AssumeRolePolicyDocument"]) if each["Effect"] == "Allow"]
        principals = [(each, each.get("Principal", {})) for each in trust]
        of_people = [(each, _list(found.get("AWS"))) for each, found in principals if isinstance(found, dict)]
        self.people = [taker for _, takers in of_people for taker in takers]
        self.services = ", ".join(
            taker.rpartition("/")[2]
            for _, found in principals
            if isinstance(found, dict)
            for kind in ("Federated", "Service")
            for taker in _list(found.get(kind))
        )
        self.requires_mfa = all(
            str(each.get("Condition", {}).get("Bool", {}).get("aws:MultiFactorAuthPresent", "")).lower() == "true"
            for each, takers in of_people
            if takers
        )


def _statements(document: Any) -> list[Any]:
    found = json.loads(unquote(document)) if isinstance(document, str) else document
    return _list(found.get("Statement"))


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
