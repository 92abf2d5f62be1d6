"""Access to GitHub: owners, members and outside collaborators of the organisation, and deploy keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import plan
from continuity.access.report import Credential, Finding, Principal, System, SystemAccess
from continuity.clouds.github import Repository
from continuity.engine.stacks import Stack, configuration
from continuity.errors import CannotLookError, RefusedError
from plan.names import APP


class Organisation:
    """The repository's organisation. Only a token of an owner can read the second factors."""

    def __init__(self, promised: plan.Plan, repository: Repository) -> None:
        self._promised = promised
        self._repository = repository
        self._name = repository.name.partition("/")[0]
        self._people = {role.github.lower(): role.person.lower() for role in promised.roles}

    def read_access(self) -> SystemAccess:
        """Read all principals of the organisation.

        Raises:
            CannotLookError: GitHub does not answer, or the token may not read it.
            CredentialsError: GitHub does not accept the token.
        """
        organisation = self._ask(f"/orgs/{self._name}")
        required = organisation.get("two_factor_requirement_enabled")
        without = {one["login"] for one in self._all(f"/orgs/{self._name}/members?filter=2fa_disabled")}
        owners = {one["login"] for one in self._all(f"/orgs/{self._name}/members?role=admin")}
        members = {one["login"] for one in self._all(f"/orgs/{self._name}/members")}
        outside = {one["login"] for one in self._all(f"/orgs/{self._name}/outside_collaborators")}
        roles = {
            one["login"]: one.get("role_name", "") for one in self._all(f"/repos/{self._repository.name}/collaborators")
        }
        principals = [
            *(self._person(login, "owner", "administers everything", login not in without) for login in sorted(owners)),
            *(
                self._person(
                    login, "member", _permissions(roles.get(login)), login not in without, roles.get(login) == "admin"
                )
                for login in sorted(members - owners)
            ),
            # GitHub does not show the second factors of outside collaborators.
            *(
                self._person(
                    login, "outside collaborator", _permissions(roles.get(login)), None, roles.get(login) == "admin"
                )
                for login in sorted(outside)
            ),
            *self._deploy_keys(),
        ]
        findings = (*self._requirement(required), *self.subjects())
        return SystemAccess(tuple(principals), findings, tuple(_notes(organisation)))

    def _person(
        self, login: str, kind: str, permissions: str, mfa: bool | None, administrator: bool = True
    ) -> Principal:
        return Principal(
            system=System.GITHUB,
            kind=kind,
            name=login,
            person=self._people.get(login.lower()),
            permissions=permissions,
            administrator=administrator,
            mfa=mfa,
        )

    def _deploy_keys(self) -> Iterator[Principal]:
        for key in self._all(f"/repos/{self._repository.name}/keys"):
            yield Principal(
                system=System.GITHUB,
                kind="deploy key",
                name=key["title"],
                person=None,
                permissions="reads the repository" if key["read_only"] else "writes to the repository",
                credentials=(
                    Credential(
                        kind="deploy key",
                        name=str(key["id"]),
                        created=datetime.fromisoformat(key["created_at"]),
                        last_used=datetime.fromisoformat(key["last_used"]) if key.get("last_used") else None,
                    ),
                ),
            )

    def _requirement(self, required: bool | None) -> Iterator[Finding]:
        if not self._promised.access.mfa_required or required:
            return
        finding = "shows only its owners whether" if required is None else "does not require that"
        yield Finding(
            "access.mfa_required",
            System.GITHUB,
            f"the organisation {self._name} {finding} every member has a second factor",
            "set GITHUB_TOKEN to a token of an owner"
            if required is None
            else "require it: Settings, Authentication security",
        )

    def subjects(self) -> Iterator[Finding]:
        """Find a subject of workflow tokens that the roles in AWS do not accept.

        A subject without numbers is not an alternative: the next owner of a deleted or renamed account gets its name.
        """
        subject = self._ask(f"/repos/{self._repository.name}/actions/oidc/customization/sub")
        settings = configuration(Stack.VAULT)[f"{APP}:repository"]
        accepted = "repo:{owner}@{ownerId}/{name}@{repositoryId}".format_map(settings)
        found = subject.get("sub_claim_prefix") if subject["use_default"] else "a customised subject"
        if found == accepted:
            return
        remedy = "set ownerId and repositoryId in Pulumi.vault.yaml, and deploy the vault"
        if "@" not in str(found):
            remedy = (
                f"gh api --method PUT repos/{self._repository.name}/actions/oidc/customization/sub"
                " -F use_default=true -F use_immutable_subject=true"
            )
        yield Finding(
            "roles",
            System.GITHUB,
            f"the tokens of workflows name {found or 'the repository without numbers'}, and the roles in AWS accept"
            f" {accepted} only",
            remedy,
        )

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        with _reading(path):
            yield from self._repository.paginate(path)

    def _ask(self, path: str) -> Any:
        with _reading(path):
            return self._repository.request("GET", path)


def _notes(organisation: dict[str, Any]) -> Iterator[str]:
    """Say what the plan leaves out. GitHub shows the plan only to an owner."""
    plan_name = (organisation.get("plan") or {}).get("name")
    if plan_name != "enterprise":
        yield (
            f"GitHub: on the plan {plan_name or '(not shown to this token)'}, deployments of a private repository have"
            " no reviewers: the approval of the pull request is the only one"
        )


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Raises `CannotLookError` if GitHub refuses the request."""
    try:
        yield
    except RefusedError as error:
        raise CannotLookError("GitHub", f"it refuses GET {path.partition('?')[0]} ({error.answer})") from None


def _permissions(role: str | None) -> str:
    return f"has {role} on the repository" if role else "reads what the organisation lets its members read"
