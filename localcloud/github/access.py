"""Access to a repository in addition to the organisation's members: outside collaborators, and deploy keys."""

from __future__ import annotations

from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Answer, Call, Record, now
from localcloud.github.errors import ApiError, not_found
from localcloud.github.forms import boolean, choice, obj, text

_PERMISSIONS = ("pull", "triage", "push", "maintain", "admin")
_COLLABORATOR = obj(optional={"permission": choice(*_PERMISSIONS)}, defaults={"permission": "push"})
_KEY = obj({"key": text(least=1)}, {"title": text(), "read_only": boolean}, {"title": "", "read_only": False})


def list_collaborators(call: Call, owner: str, repo: str) -> Answer:
    """List collaborators: the organisation's owners, and the people who were added."""
    record = call.repository(owner, repo)
    members = _members(call, record["owner"])
    owners = {login: "admin" for login, role in members.items() if role == "admin"}
    permissions = {**_collaborators(record), **owners}
    if call.request.args.get("affiliation") == "outside":
        permissions = {login: given for login, given in permissions.items() if login not in members}
    return call.page(
        sorted(permissions),
        lambda login: {
            **accounts.person(login, call.api, call.web),
            "permissions": {each: _includes(permissions[login], each) for each in _PERMISSIONS},
            "role_name": permissions[login],
        },
    )


def put_collaborator(call: Call, owner: str, repo: str, user: str) -> Answer:
    """Add a collaborator. On GitHub the invited person accepts first; here every invitation is accepted at once."""
    record = call.writable(owner, repo)
    permission = call.body(_COLLABORATOR)["permission"]
    person = call.accounts.person(user)
    if person is None:
        raise not_found()
    _collaborators(record)[person] = permission
    return Answer(204)


def delete_collaborator(call: Call, owner: str, repo: str, user: str) -> Answer:
    _collaborators(call.writable(owner, repo)).pop(user, None)
    return Answer(204)


def list_outside_collaborators(call: Call, org: str) -> Answer:
    login = call.accounts.organisation(org)
    if login is None:
        raise not_found()
    members = _members(call, login)
    records = [record for record in call.data["repositories"].values() if record["owner"].lower() == login.lower()]
    outside = {person for record in records for person in _collaborators(record)} - set(members)
    return call.page(sorted(outside), lambda person: accounts.person(person, call.api, call.web))


def list_keys(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    return call.page(list(_keys(record).values()), lambda key: key)


def create_key(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    body = call.body(_KEY)
    if any(key["key"] == body["key"] for key in _keys(record).values()):
        raise ApiError(422, "key is already in use")
    identity = call.new_id()
    made = {
        "id": identity,
        **body,
        "url": f"{call.api}/repos/{record['owner']}/{record['name']}/keys/{identity}",
        "verified": True,
        "created_at": now(),
        "added_by": accounts.USER,
        "last_used": None,
        "enabled": True,
    }
    _keys(record)[str(identity)] = made
    return Answer(201, made)


def delete_key(call: Call, owner: str, repo: str, identity: int) -> Answer:
    if _keys(call.writable(owner, repo)).pop(str(identity), None) is None:
        raise not_found()
    return Answer(204)


def _members(call: Call, org: str) -> dict[str, str]:
    """Return the roles of an organisation's members by login."""
    known = call.data.get("members", {}).get(org.lower(), {})
    return {accounts.USER: "admin", **{one["login"]: one["role"] for one in known.values()}}


def _collaborators(record: Record) -> dict[str, str]:
    collaborators: dict[str, str] = record.setdefault("collaborators", {})
    return collaborators


def _keys(record: Record) -> dict[str, Any]:
    keys: dict[str, Any] = record.setdefault("keys", {})
    return keys


def _includes(given: str, permission: str) -> bool:
    return _PERMISSIONS.index(permission) <= _PERMISSIONS.index(given)
