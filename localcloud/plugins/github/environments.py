"""Deployment environments, and the branches and tags that may be deployed."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from localcloud.plugins.github.cloud import Cloud, RequestError
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

# -- environments -----------------------------------------------------------------------------------------------------


def environment_path(cloud: Cloud, repository: str, environment: str) -> str:
    return f"{cloud.repository(repository)}/environments/{quote(environment, safe='')}"


def _put(cloud: Cloud, inputs: Props) -> None:
    branches = inputs.get("deploymentBranchPolicy")
    body = {
        "wait_timer": inputs.get("waitTimer", 0),
        "can_admins_bypass": inputs.get("canAdminsBypass", True),
        "prevent_self_review": inputs.get("preventSelfReview", False),
        "reviewers": _reviewers(inputs.get("reviewers", [])),
        "deployment_branch_policy": None
        if branches is None
        else {
            "protected_branches": branches["protectedBranches"],
            "custom_branch_policies": branches["customBranchPolicies"],
        },
    }
    path = environment_path(cloud, inputs["repository"], inputs["environment"])
    try:
        cloud.request("PUT", path, body)
    except RequestError as failure:
        # Below GitHub Enterprise, a private repository is refused all fields but the branches, even their defaults. The
        # official client then sends the branches alone, unless a reviewer or a wait is declared.
        if failure.status != 422 or body["reviewers"] or body["wait_timer"]:
            raise
        cloud.request("PUT", path, {"deployment_branch_policy": body["deployment_branch_policy"]})


def _reviewers(declared: list[Props]) -> list[Props]:
    if any(one.get("teams") for one in declared):
        raise RefusedError(
            "the local cloud has no mapping for `reviewers.teams` of a RepositoryEnvironment: name users"
        )
    return [{"type": "User", "id": int(user)} for one in declared for user in one.get("users", [])]


def _create(cloud: Cloud, inputs: Props) -> str:
    _put(cloud, inputs)
    return f"{inputs['repository']}:{inputs['environment']}"


def _read(cloud: Cloud, identity: str, _state: Props) -> Props:
    repository, environment = _parts(identity, "a RepositoryEnvironment", "REPOSITORY:ENVIRONMENT")
    found, _ = cloud.get(environment_path(cloud, repository, environment))
    rules = {rule["type"]: rule for rule in found["protection_rules"]}
    reviewing = rules.get("required_reviewers")
    branches = found["deployment_branch_policy"]
    people = [int(one["reviewer"]["id"]) for one in reviewing["reviewers"]] if reviewing else []
    return {
        "id": f"{repository}:{environment}",
        "repository": repository,
        "environment": found["name"],
        "waitTimer": rules.get("wait_timer", {}).get("wait_timer", 0),
        "canAdminsBypass": found["can_admins_bypass"],
        "preventSelfReview": bool(reviewing and reviewing["prevent_self_review"]),
        **({"reviewers": [{"users": people}]} if people else {}),
        **(
            {
                "deploymentBranchPolicy": {
                    "protectedBranches": branches["protected_branches"],
                    "customBranchPolicies": branches["custom_branch_policies"],
                }
            }
            if branches
            else {}
        ),
        "repositoryId": cloud.get(cloud.repository(repository))[0]["id"],
    }


def _update(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    _put(cloud, new)


def _delete(cloud: Cloud, identity: str, _state: Props) -> None:
    cloud.delete(environment_path(cloud, *_parts(identity, "a RepositoryEnvironment", "REPOSITORY:ENVIRONMENT")))


def _find(cloud: Cloud, inputs: Props) -> str | None:
    try:
        cloud.get(environment_path(cloud, inputs["repository"], inputs["environment"]))
    except GoneError:
        return None
    return f"{inputs['repository']}:{inputs['environment']}"


def _same_reviewers(one: list[Props], other: list[Props]) -> bool:
    """Whether the reviewers are the same, in any order."""

    def plain(declared: list[Props]) -> list[int]:
        return sorted(int(user) for entry in declared for user in entry.get("users", []))

    return plain(one or []) == plain(other or [])


def _parts(identity: str, what: str, form: str) -> list[str]:
    """Return the parts of an id, which an import gives in the same form."""
    parts = identity.split(":")
    if len(parts) != form.count(":") + 1:
        raise RefusedError(f"{what} is imported as {form}, not as {identity!r}")
    return parts


ENVIRONMENT: Final = ResourceType(
    token="github:index/repositoryEnvironment:RepositoryEnvironment",  # noqa: S106 - a type's name
    properties={
        "repository": Property(required=True, replaces=True),
        "environment": Property(required=True, replaces=True),
        "waitTimer": Property(default=0),
        "canAdminsBypass": Property(default=True),
        "preventSelfReview": Property(default=False),
        "reviewers": Property(same=_same_reviewers),
        "deploymentBranchPolicy": Property(),
    },
    computed=("repositoryId",),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    find=_find,
)

# -- the branches and tags that may be deployed ------------------------------------------------------------------------

_POLICY_FORM = "REPOSITORY:ENVIRONMENT:NUMBER"


def _policies(cloud: Cloud, repository: str, environment: str) -> str:
    return f"{environment_path(cloud, repository, environment)}/deployment-branch-policies"


def _pattern(inputs: Props) -> dict[str, str]:
    patterns = {kind: inputs[f"{kind}Pattern"] for kind in ("branch", "tag") if inputs.get(f"{kind}Pattern")}
    if len(patterns) != 1:
        raise RefusedError("a RepositoryEnvironmentDeploymentPolicy needs one of `branchPattern` and `tagPattern`")
    [(kind, name)] = patterns.items()
    return {"name": name, "type": kind}


def _create_policy(cloud: Cloud, inputs: Props) -> str:
    where = (inputs["repository"], inputs["environment"])
    made = cloud.request("POST", _policies(cloud, *where), _pattern(inputs))[0]
    return ":".join((*where, str(made["id"])))


def _read_policy(cloud: Cloud, identity: str, _state: Props) -> Props:
    repository, environment, number = _parts(identity, "a RepositoryEnvironmentDeploymentPolicy", _POLICY_FORM)
    found, _ = cloud.get(f"{_policies(cloud, repository, environment)}/{number}")
    return {
        "id": identity,
        "repository": repository,
        "environment": environment,
        f"{found['type']}Pattern": found["name"],
        "policyId": found["id"],
        "repositoryId": cloud.get(cloud.repository(repository))[0]["id"],
    }


def _update_policy(cloud: Cloud, identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    """Change the pattern. GitHub changes a pattern in place, but not its type."""
    number = identity.rpartition(":")[2]
    path = f"{_policies(cloud, new['repository'], new['environment'])}/{number}"
    cloud.request("PUT", path, {"name": _pattern(new)["name"]})


def _delete_policy(cloud: Cloud, identity: str, _state: Props) -> None:
    repository, environment, number = _parts(identity, "a RepositoryEnvironmentDeploymentPolicy", _POLICY_FORM)
    cloud.delete(f"{_policies(cloud, repository, environment)}/{number}")


def _find_policy(cloud: Cloud, inputs: Props) -> str | None:
    where = (inputs["repository"], inputs["environment"])
    try:
        found: Any = cloud.get(_policies(cloud, *where))[0]["branch_policies"]
    except GoneError:
        return None
    wanted = _pattern(inputs)
    numbers = (str(one["id"]) for one in found if {"name": one["name"], "type": one["type"]} == wanted)
    number = next(numbers, None)
    return None if number is None else ":".join((*where, number))


DEPLOYMENT_POLICY: Final = ResourceType(
    token="github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy",  # noqa: S106
    properties={
        "repository": Property(required=True, replaces=True),
        "environment": Property(required=True, replaces=True),
        "branchPattern": Property(),
        "tagPattern": Property(),
    },
    computed=("policyId", "repositoryId"),
    create=_create_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
    find=_find_policy,
)
