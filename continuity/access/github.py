"""Who gets into GitHub: the organisation's owners and members, who is from outside, and keys for machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import plan
from continuity.access.report import Finding, Holder, Key, Seen, System
from continuity.clouds.github import Repository
from continuity.errors import CannotLookError, RefusedError


class Organisation:
    """The repository's organisation. Only one of its owners is shown who has a second factor."""

    def __init__(self, promised: plan.Plan, repository: Repository) -> None:
        self._promised = promised
        self._repository = repository
        self._name = repository.name.partition("/")[0]
        self._people = {role.github.lower(): role.person.lower() for role in promised.roles}

    def look(self) -> Seen:
        """Everybody who gets in.

        Raises:
            CannotLookError: GitHub does not answer, or does not let us look.
            CredentialsError: GitHub does not accept the token.
        """
        required = self._ask(f"/orgs/{self._name}").get("two_factor_requirement_enabled")
        without = {one["login"] for one in self._all(f"/orgs/{self._name}/members?filter=2fa_disabled")}
        owners = {one["login"] for one in self._all(f"/orgs/{self._name}/members?role=admin")}
        members = {one["login"] for one in self._all(f"/orgs/{self._name}/members")}
        outside = {one["login"] for one in self._all(f"/orgs/{self._name}/outside_collaborators")}
        given = {
            one["login"]: one.get("role_name", "") for one in self._all(f"/repos/{self._repository.name}/collaborators")
        }
        holders = [
            *(self._person(login, "owner", "administers everything", login not in without) for login in sorted(owners)),
            *(
                self._person(login, "member", _may(given.get(login)), login not in without, given.get(login) == "admin")
                for login in sorted(members - owners)
            ),
            # Of people from outside, GitHub shows the second factor to nobody.
            *(
                self._person(login, "outside collaborator", _may(given.get(login)), None, given.get(login) == "admin")
                for login in sorted(outside)
            ),
            *self._keys(),
        ]
        return Seen(tuple(holders), tuple(self._requirement(required)))

    def _person(self, login: str, kind: str, may: str, mfa: bool | None, administrator: bool = True) -> Holder:
        return Holder(
            system=System.GITHUB,
            kind=kind,
            name=login,
            person=self._people.get(login.lower()),
            may=may,
            administrator=administrator,
            mfa=mfa,
        )

    def _keys(self) -> Iterator[Holder]:
        for key in self._all(f"/repos/{self._repository.name}/keys"):
            yield Holder(
                system=System.GITHUB,
                kind="deploy key",
                name=key["title"],
                person=None,
                may="reads the repository" if key["read_only"] else "writes to the repository",
                keys=(
                    Key(
                        kind="deploy key",
                        name=str(key["id"]),
                        made=datetime.fromisoformat(key["created_at"]),
                        last_used=datetime.fromisoformat(key["last_used"]) if key.get("last_used") else None,
                    ),
                ),
            )

    def _requirement(self, required: bool | None) -> Iterator[Finding]:
        if not self._promised.access.mfa_required or required:
            return
        unseen = "shows only its owners whether" if required is None else "does not require that"
        yield Finding(
            "access.mfa_required",
            System.GITHUB,
            f"the organisation {self._name} {unseen} everybody has a second factor",
            "ask with an owner's token" if required is None else "require it: Settings, Authentication security",
        )

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        with _looking(path):
            yield from self._repository.listed(path)

    def _ask(self, path: str) -> Any:
        with _looking(path):
            return self._repository.request("GET", path)


@contextmanager
def _looking(path: str) -> Iterator[None]:
    """What GitHub refuses to show stays unknown."""
    try:
        yield
    except RefusedError as error:
        raise CannotLookError("GitHub", f"it refuses GET {path.partition('?')[0]} ({error.answer})") from None


def _may(role: str | None) -> str:
    return f"has {role} on the repository" if role else "reads what the organisation lets its members read"
