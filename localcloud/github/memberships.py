"""The members of an organisation, and their roles."""

from __future__ import annotations

from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Answer, Call
from localcloud.github.errors import ApiError, not_found
from localcloud.github.forms import choice, obj

_MEMBERSHIP = obj(optional={"role": choice("member", "admin")}, defaults={"role": "member"})


def get(call: Call, org: str, user: str) -> Answer:
    login, members = _members(call, org)
    return Answer(200, _shown(call, login, _existing(members, user)))


def put(call: Call, org: str, user: str) -> Answer:
    """Add a member. On GitHub the invited person accepts first; here every invitation is accepted at once."""
    login, members = _members(call, org)
    role = call.body(_MEMBERSHIP)["role"]
    person = call.accounts.person(user)
    if person is None:
        raise not_found()
    if person == accounts.USER:
        raise ApiError(422, "The token's user owns every organisation here, and that cannot be changed")
    members[person.lower()] = {"login": person, "role": role}
    accounts.remember(call.data, person)
    return Answer(200, _shown(call, login, members[person.lower()]))


def delete(call: Call, org: str, user: str) -> Answer:
    _, members = _members(call, org)
    del members[_existing(members, user)["login"].lower()]
    return Answer(204)


def list_members(call: Call, org: str) -> Answer:
    _, members = _members(call, org)
    role = call.request.args.get("role", "all")
    members_and_user = [{"login": accounts.USER, "role": "admin"}, *members.values()]
    chosen = [one for one in members_and_user if role in ("all", one["role"])]
    # The organisation requires a second factor, so every member has one.
    if call.request.args.get("filter", "all").startswith("2fa_"):
        chosen = []
    return call.page(chosen, lambda one: accounts.person(one["login"], call.api, call.web))


def _members(call: Call, org: str) -> tuple[str, dict[str, dict[str, Any]]]:
    login = call.accounts.organisation(org)
    if login is None:
        raise not_found()
    return login, call.data.setdefault("members", {}).setdefault(login.lower(), {})


def _existing(members: dict[str, dict[str, Any]], user: str) -> dict[str, Any]:
    found = members.get(user.lower())
    if found is None:
        raise not_found()
    return found


def _shown(call: Call, org: str, member: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": f"{call.api}/orgs/{org}/memberships/{member['login']}",
        "state": "active",
        "role": member["role"],
        "organization_url": f"{call.api}/orgs/{org}",
        "organization": accounts.short(org, call.api, call.web),
        "user": accounts.person(member["login"], call.api, call.web),
        "direct_membership": True,
    }
