"""The default branch and the vulnerability alerts of a repository, which are separate resource types."""

from __future__ import annotations

from localcloud.plugins.github.cloud import Cloud
from localcloud.plugins.table import GoneError, Property, Props, ResourceType

# -- the default branch -----------------------------------------------------------------------------------------------


def _set_branch(cloud: Cloud, inputs: Props) -> None:
    path, wanted = cloud.repository(inputs["repository"]), inputs["branch"]
    present = cloud.get(path)[0]["default_branch"]
    if present == wanted:
        return
    if inputs.get("rename"):
        cloud.request("POST", f"{path}/branches/{present}/rename", {"new_name": wanted})
    else:
        cloud.request("PATCH", path, {"default_branch": wanted})


def _create_branch(cloud: Cloud, inputs: Props) -> str:
    _set_branch(cloud, inputs)
    return str(inputs["repository"])


def _read_branch(cloud: Cloud, identity: str, state: Props) -> Props:
    repository = str(state.get("repository") or identity)
    found, etag = cloud.get(cloud.repository(repository))
    return {
        "id": repository,
        "repository": repository,
        "branch": found["default_branch"],
        "repositoryId": found["id"],
        "etag": etag,
    }


def _update_branch(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    _set_branch(cloud, new)


def _leave_branch(_cloud: Cloud, _identity: str, _state: Props) -> None:
    """Change nothing, like the provider: a repository always has a default branch."""


def _find_branch(cloud: Cloud, inputs: Props) -> str | None:
    try:
        found, _ = cloud.get(cloud.repository(inputs["repository"]))
    except GoneError:
        return None
    return str(inputs["repository"]) if found["default_branch"] == inputs["branch"] else None


BRANCH_DEFAULT = ResourceType(
    token="github:index/branchDefault:BranchDefault",  # noqa: S106 - a type's name
    properties={
        # Changed in place: renaming a repository keeps its default branch.
        "repository": Property(required=True),
        "branch": Property(required=True),
        "rename": Property(default=False, write_only=True),
        # Here a renamed branch has its new name at once.
        "waitForRename": Property(default=False, write_only=True),
    },
    computed=("etag", "repositoryId"),
    create=_create_branch,
    read=_read_branch,
    update=_update_branch,
    delete=_leave_branch,
    find=_find_branch,
)

# -- vulnerability alerts ---------------------------------------------------------------------------------------------


def _alerts(cloud: Cloud, repository: str) -> str:
    return f"{cloud.repository(repository)}/vulnerability-alerts"


def _set_alerts(cloud: Cloud, inputs: Props) -> None:
    cloud.request("PUT" if inputs.get("enabled", True) else "DELETE", _alerts(cloud, inputs["repository"]))


def _create_alerts(cloud: Cloud, inputs: Props) -> str:
    _set_alerts(cloud, inputs)
    return str(cloud.get(cloud.repository(inputs["repository"]))[0]["id"])


def _read_alerts(cloud: Cloud, identity: str, state: Props) -> Props:
    """Read the switch. Its id is the repository's number, but an import gives the repository's name."""
    repository = str(state.get("repository") or identity)
    found, _ = cloud.get(cloud.repository(repository))
    return {
        "id": str(found["id"]),
        "repository": repository,
        "enabled": cloud.is_enabled(_alerts(cloud, repository)),
        "repositoryId": found["id"],
    }


def _update_alerts(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    _set_alerts(cloud, new)


def _delete_alerts(cloud: Cloud, _identity: str, state: Props) -> None:
    cloud.delete(_alerts(cloud, state["repository"]))


def _find_alerts(cloud: Cloud, inputs: Props) -> str | None:
    """Return the repository's name, which an import needs: its number alone does not identify the repository."""
    repository = str(inputs["repository"])
    return repository if cloud.is_enabled(_alerts(cloud, repository)) and inputs.get("enabled", True) else None


VULNERABILITY_ALERTS = ResourceType(
    token="github:index/repositoryVulnerabilityAlerts:RepositoryVulnerabilityAlerts",  # noqa: S106 - a type's name
    properties={"repository": Property(required=True, replaces=True), "enabled": Property(default=True)},
    computed=("repositoryId",),
    create=_create_alerts,
    read=_read_alerts,
    update=_update_alerts,
    delete=_delete_alerts,
    find=_find_alerts,
)
