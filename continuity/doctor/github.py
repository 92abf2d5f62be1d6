"""Checks of the GitHub organisation and its repository."""

from __future__ import annotations

from typing import Any

from continuity.access.github import Organisation
from continuity.doctor.check import Clouds
from continuity.engine.stacks import Stack
from continuity.errors import CannotLookError, MissingError, NotShownError, RefusedError


def _find(clouds: Clouds, path: str, what: str, remedy: str) -> dict[str, Any]:
    """Read what GitHub has at a path. Raises `MissingError` if it has nothing there that this token sees."""
    try:
        found: dict[str, Any] = clouds.github.request("GET", path)
    except RefusedError as error:
        if error.answer == "404":
            raise MissingError(f"{what} does not exist, or this token does not see it", remedy) from None
        raise CannotLookError("GitHub", str(error)) from None
    return found


def _organisation(clouds: Clouds) -> dict[str, Any]:
    owner = clouds.github.name.partition("/")[0]
    remedy = "create it in the browser, and set GITHUB_TOKEN to a token of an owner"
    return _find(clouds, f"/orgs/{owner}", f"the organisation {owner}", remedy)


def token(clouds: Clouds) -> str:
    """A token of an owner of the organisation."""
    found = _organisation(clouds)
    if "plan" not in found:
        raise MissingError(
            f"GitHub does not show the plan of {found['login']}, so the token is not an owner's",
            "set GITHUB_TOKEN to an owner's fine-grained token of the organisation",
        )
    return f"the token administers {found['login']}"


def plan(clouds: Clouds) -> str:
    """The organisation's plan, compared with the setting."""
    wanted = clouds.setting(Stack.GITHUB, "repository")["plan"]
    found = _organisation(clouds).get("plan", {}).get("name")
    if found is None:
        raise NotShownError("GitHub shows the plan to owners only")
    if found != wanted:
        raise MissingError(
            f"the organisation has the plan {found}, and the setting is {wanted}",
            "buy that plan, or change `plan` in Pulumi.github.yaml",
        )
    return f"the plan is {found}"


def _repository(clouds: Clouds) -> dict[str, Any]:
    remedy = "create it empty, and push the history (docs/delivery.md, Set it up)"
    return _find(clouds, f"/repos/{clouds.github.name}", f"the repository {clouds.github.name}", remedy)


def numbers(clouds: Clouds) -> str:
    """The permanent numbers of the organisation and the repository in Pulumi.vault.yaml."""
    setting = clouds.setting(Stack.VAULT, "repository")
    found = {"ownerId": _organisation(clouds)["id"], "repositoryId": _repository(clouds)["id"]}
    wrong = [
        f"{name} is {setting[name]}, and GitHub's is {number}"
        for name, number in found.items()
        if setting[name] != number
    ]
    if wrong:
        raise MissingError("; ".join(wrong), "set these numbers, and deploy the vault, again if it exists")
    return ", ".join(f"{name} {number}" for name, number in found.items())


def subject(clouds: Clouds) -> str:
    """The subject in the tokens of workflows, compared with what the roles at AWS accept."""
    _repository(clouds)
    for finding in Organisation(clouds.plan, clouds.github).subjects():
        raise MissingError(finding.found, finding.remedy)
    return "the roles at AWS accept the tokens of workflows"
