"""The accounts: the token's user, organisations, and people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

# The login of the token's user.
USER = "localcloud"

_LOGIN = re.compile(r"[a-zA-Z0-9](?:-?[a-zA-Z0-9])*")
_LONGEST_LOGIN = 39
# The accounts are never created, so they have a fixed date.
_CREATED = "2020-01-01T00:00:00Z"


class Accounts:
    """The accounts. An id is derived from the login, so an organisation that exists by request needs no entry.

    `plan`: the plan of every organisation.
    """

    def __init__(self, owners: Sequence[str] | None, plan: str) -> None:
        self.plan = plan
        self._owners = None if owners is None else {login.lower(): login for login in owners}

    def organisation(self, login: str) -> str | None:
        if self.user(login) or _LOGIN.fullmatch(login) is None or len(login) > _LONGEST_LOGIN:
            return None
        return login if self._owners is None else self._owners.get(login.lower())

    def user(self, login: str) -> str | None:
        return USER if login.lower() == USER else None

    def person(self, login: str) -> str | None:
        """Return a person's login. Every valid login exists; None if the login is not valid."""
        if self.user(login):
            return USER
        return login if _LOGIN.fullmatch(login) and len(login) <= _LONGEST_LOGIN else None


def _id(login: str) -> int:
    return int.from_bytes(hashlib.sha256(login.lower().encode()).digest()[:4], "big") >> 1


def remember(data: dict[str, Any], login: str) -> None:
    """Store the login of an id, because other requests give the id alone."""
    data.setdefault("people", {})[str(_id(login))] = login


def person_by_id(data: dict[str, Any], identity: int, api: str, web: str) -> dict[str, Any]:
    """Return the person with this id. If no login is stored, the login is made from the id."""
    login = data.get("people", {}).get(str(identity)) or f"user-{identity}"
    return {**person(login, api, web), "id": identity}


def person(login: str, api: str, web: str) -> dict[str, Any]:
    """Return a person in the form that other objects contain."""
    return {**short(login, api, web), "node_id": f"U_{_id(login)}", "type": "User"}


def short(login: str, api: str, web: str) -> dict[str, Any]:
    """Return an account in the form that other objects contain."""
    one = f"{api}/users/{login}"
    user = login == USER
    return {
        "login": login,
        "id": _id(login),
        "node_id": f"{'U' if user else 'O'}_{_id(login)}",
        "avatar_url": f"{web}/{login}.png",
        "gravatar_id": "",
        "url": one,
        "html_url": f"{web}/{login}",
        "followers_url": f"{one}/followers",
        "following_url": f"{one}/following{{/other_user}}",
        "gists_url": f"{one}/gists{{/gist_id}}",
        "starred_url": f"{one}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{one}/subscriptions",
        "organizations_url": f"{one}/orgs",
        "repos_url": f"{one}/repos",
        "events_url": f"{one}/events{{/privacy}}",
        "received_events_url": f"{one}/received_events",
        "type": "User" if user else "Organization",
        "site_admin": False,
    }


def public(login: str, api: str, web: str, repositories: int) -> dict[str, Any]:
    """Return an account in its public form. `repositories` is the number of its public repositories."""
    nothing = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "twitter_username"))
    return {
        **short(login, api, web),
        **nothing,
        "blog": "",
        "public_repos": repositories,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": _CREATED,
        "updated_at": _CREATED,
    }


def own(login: str, api: str, web: str, repositories: int, private: int) -> dict[str, Any]:
    """Return an account in the form for its user."""
    return {
        **public(login, api, web, repositories),
        "private_gists": 0,
        "total_private_repos": private,
        "owned_private_repos": private,
        "disk_usage": 0,
        "collaborators": 0,
        "two_factor_authentication": True,
    }


def organisation(login: str, api: str, web: str, plan: str, repositories: tuple[int, int]) -> dict[str, Any]:
    """Return an organisation. `repositories` are the numbers of its public and of its other repositories."""
    one = f"{api}/orgs/{login}"
    account = short(login, api, web)
    return {
        **{name: account[name] for name in ("login", "id", "node_id", "avatar_url", "html_url", "type")},
        "url": one,
        "repos_url": f"{one}/repos",
        "events_url": f"{one}/events",
        "hooks_url": f"{one}/hooks",
        "issues_url": f"{one}/issues",
        "members_url": f"{one}/members{{/member}}",
        "public_members_url": f"{one}/public_members{{/member}}",
        "description": None,
        "name": None,
        "is_verified": False,
        "has_organization_projects": True,
        "has_repository_projects": True,
        "public_repos": repositories[0],
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "total_private_repos": repositories[1],
        "owned_private_repos": repositories[1],
        "default_repository_permission": "read",
        "members_can_create_repositories": True,
        "members_can_fork_private_repositories": False,
        "two_factor_requirement_enabled": True,
        "web_commit_signoff_required": False,
        "plan": {"name": plan, "space": 976562499, "private_repos": 999999, "filled_seats": 1, "seats": 5},
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "archived_at": None,
    }
