"""GitHub Actions: settings of a repository, and variables. Every repository has the settings: `create` changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from localcloud.plugins.github.cloud import Cloud
from localcloud.plugins.github.environments import environment_path
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType


def _setting(
    token: str,
    properties: Mapping[str, Property],
    *,
    put: Callable[[Cloud, str, Props], None],
    get: Callable[[Cloud, str], Props],
    reset: Props,
) -> ResourceType:
    """Return the type of a setting. Its id is the repository's name. Deleting it restores `reset`."""

    def create(cloud: Cloud, inputs: Props) -> str:
        put(cloud, cloud.repository(inputs["repository"]), inputs)
        return str(inputs["repository"])

    def read(cloud: Cloud, identity: str, _state: Props) -> Props:
        return {"id": identity, "repository": identity, **get(cloud, cloud.repository(identity))}

    def update(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
        put(cloud, cloud.repository(new["repository"]), new)

    def delete(cloud: Cloud, identity: str, _state: Props) -> None:
        cloud.get(cloud.repository(identity))
        put(cloud, cloud.repository(identity), {"repository": identity, **reset})

    return ResourceType(
        token=token,
        properties={"repository": Property(required=True, replaces=True), **properties},
        create=create,
        read=read,
        update=update,
        delete=delete,
    )


def _unordered(one: Any, other: Any) -> bool:
    return sorted(one or []) == sorted(other or [])


# -- allowed actions --------------------------------------------------------------------------------------------------


def _put_permissions(cloud: Cloud, path: str, inputs: Props) -> None:
    allowed, chosen = inputs.get("allowedActions"), inputs.get("allowedActionsConfig")
    if (allowed == "selected") != (chosen is not None):
        raise RefusedError("`allowedActionsConfig` needs `allowedActions: selected`, which needs it")
    body = {"enabled": inputs.get("enabled", True), "sha_pinning_required": inputs.get("shaPinningRequired", False)}
    if allowed is not None:
        body["allowed_actions"] = allowed
    cloud.request("PUT", f"{path}/actions/permissions", body)
    if chosen is not None:
        body = {
            "github_owned_allowed": chosen["githubOwnedAllowed"],
            "verified_allowed": chosen.get("verifiedAllowed", False),
            "patterns_allowed": chosen.get("patternsAlloweds", []),
        }
        cloud.request("PUT", f"{path}/actions/permissions/selected-actions", body)


def _get_permissions(cloud: Cloud, path: str) -> Props:
    found, _ = cloud.get(f"{path}/actions/permissions")
    if not found["enabled"]:
        return {"enabled": False}
    read: Props = {
        "enabled": True,
        "allowedActions": found["allowed_actions"],
        "shaPinningRequired": found["sha_pinning_required"],
    }
    if found["allowed_actions"] == "selected":
        chosen, _ = cloud.get(f"{path}/actions/permissions/selected-actions")
        read["allowedActionsConfig"] = {
            "githubOwnedAllowed": chosen["github_owned_allowed"],
            "verifiedAllowed": chosen["verified_allowed"],
            "patternsAlloweds": chosen["patterns_allowed"],
        }
    return read


def _same_choice(one: Props | None, other: Props | None) -> bool:
    def plain(chosen: Props | None) -> Props | None:
        if chosen is None:
            return None
        patterns = sorted(chosen.get("patternsAlloweds") or [])
        return {"verifiedAllowed": False, **chosen, "patternsAlloweds": patterns}

    return plain(one) == plain(other)


PERMISSIONS: Final = _setting(
    "github:index/actionsRepositoryPermissions:ActionsRepositoryPermissions",
    {
        "enabled": Property(default=True),
        "allowedActions": Property(choices=("all", "local_only", "selected")),
        "allowedActionsConfig": Property(same=_same_choice),
        "shaPinningRequired": Property(default=False),
    },
    put=_put_permissions,
    get=_get_permissions,
    reset={"enabled": True, "allowedActions": "all"},
)

# -- permissions of the workflow token --------------------------------------------------------------------------------


def _put_workflow(cloud: Cloud, path: str, inputs: Props) -> None:
    body = {
        "default_workflow_permissions": inputs.get("defaultWorkflowPermissions", "read"),
        "can_approve_pull_request_reviews": inputs.get("canApprovePullRequestReviews", False),
    }
    cloud.request("PUT", f"{path}/actions/permissions/workflow", body)


def _get_workflow(cloud: Cloud, path: str) -> Props:
    found, _ = cloud.get(f"{path}/actions/permissions/workflow")
    return {
        "defaultWorkflowPermissions": found["default_workflow_permissions"],
        "canApprovePullRequestReviews": found["can_approve_pull_request_reviews"],
    }


WORKFLOW_PERMISSIONS: Final = _setting(
    "github:index/workflowRepositoryPermissions:WorkflowRepositoryPermissions",
    {
        "defaultWorkflowPermissions": Property(default="read", choices=("read", "write")),
        "canApprovePullRequestReviews": Property(default=False),
    },
    put=_put_workflow,
    get=_get_workflow,
    reset={},
)

# -- subject claim of the OIDC token ----------------------------------------------------------------------------------

_SUBJECT = "actions/oidc/customization/sub"


def _put_subject(cloud: Cloud, path: str, inputs: Props) -> None:
    keys = inputs.get("includeClaimKeys")
    body = {"use_default": inputs["useDefault"], **({"include_claim_keys": keys} if keys else {})}
    cloud.request("PUT", f"{path}/{_SUBJECT}", body)


def _get_subject(cloud: Cloud, path: str) -> Props:
    found, _ = cloud.get(f"{path}/{_SUBJECT}")
    keys = found.get("include_claim_keys")
    return {"useDefault": found["use_default"], **({"includeClaimKeys": keys} if keys else {})}


SUBJECT: Final = _setting(
    "github:index/actionsRepositoryOidcSubjectClaimCustomizationTemplate"
    ":ActionsRepositoryOidcSubjectClaimCustomizationTemplate",
    {"useDefault": Property(required=True), "includeClaimKeys": Property()},
    put=_put_subject,
    get=_get_subject,
    reset={"useDefault": True},
)

# -- security updates -------------------------------------------------------------------------------------------------


def _put_updates(cloud: Cloud, path: str, inputs: Props) -> None:
    cloud.request("PUT" if inputs["enabled"] else "DELETE", f"{path}/automated-security-fixes")


def _get_updates(cloud: Cloud, path: str) -> Props:
    return {"enabled": cloud.get(f"{path}/automated-security-fixes")[0]["enabled"]}


SECURITY_UPDATES: Final = _setting(
    "github:index/repositoryDependabotSecurityUpdates:RepositoryDependabotSecurityUpdates",
    {"enabled": Property(required=True)},
    put=_put_updates,
    get=_get_updates,
    reset={"enabled": False},
)

# -- variables of a repository, and of its environments ---------------------------------------------------------------


def _variables_path(cloud: Cloud, where: list[str]) -> str:
    repository, *environment = where
    holder = environment_path(cloud, repository, environment[0]) if environment else None
    return f"{holder or cloud.repository(repository) + '/actions'}/variables"


def _variable(token: str, places: tuple[str, ...]) -> ResourceType:
    """Return the type of a variable. Its id consists of its places and its name, which GitHub writes in capitals."""

    def where(inputs: Props) -> list[str]:
        return [str(inputs[place]) for place in places]

    def identity(inputs: Props) -> str:
        return ":".join((*where(inputs), str(inputs["variableName"])))

    def parts(identity: str) -> tuple[list[str], str]:
        *found, name = identity.split(":")
        if len(found) != len(places):
            raise RefusedError(f"a variable is imported as {':'.join(places).upper()}:NAME, not as {identity!r}")
        return found, name

    def create(cloud: Cloud, inputs: Props) -> str:
        cloud.request(
            "POST",
            _variables_path(cloud, where(inputs)),
            {"name": inputs["variableName"], "value": str(inputs["value"])},
        )
        return identity(inputs)

    def read(cloud: Cloud, identity: str, state: Props) -> Props:
        found_in, name = parts(identity)
        found, _ = cloud.get(f"{_variables_path(cloud, found_in)}/{name}")
        return {
            "id": identity,
            **dict(zip(places, found_in, strict=True)),
            "variableName": state.get("variableName") or found["name"],
            "value": found["value"],
            "createdAt": found["created_at"],
            "updatedAt": found["updated_at"],
            "repositoryId": cloud.get(cloud.repository(found_in[0]))[0]["id"],
        }

    def update(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
        cloud.request(
            "PATCH", f"{_variables_path(cloud, where(new))}/{new['variableName']}", {"value": str(new["value"])}
        )

    def delete(cloud: Cloud, identity: str, _state: Props) -> None:
        found_in, name = parts(identity)
        cloud.delete(f"{_variables_path(cloud, found_in)}/{name}")

    def find(cloud: Cloud, inputs: Props) -> str | None:
        try:
            cloud.get(f"{_variables_path(cloud, where(inputs))}/{inputs['variableName']}")
        except GoneError:
            return None
        return identity(inputs)

    return ResourceType(
        token=token,
        properties={
            **{place: Property(required=True, replaces=True) for place in places},
            "variableName": Property(required=True, replaces=True),
            "value": Property(required=True),
        },
        computed=("createdAt", "updatedAt", "repositoryId"),
        create=create,
        read=read,
        update=update,
        delete=delete,
        find=find,
    )


VARIABLE: Final = _variable("github:index/actionsVariable:ActionsVariable", ("repository",))
ENVIRONMENT_VARIABLE: Final = _variable(
    "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable", ("repository", "environment")
)
