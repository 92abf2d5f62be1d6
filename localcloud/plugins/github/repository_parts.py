"""Two things of a repository that are declared by themselves: its default branch and its vulnerability alerts."""

from __future__ import annotations

from localcloud.plugins.github.cloud import Cloud
from localcloud.plugins.table import Gone, Property, Props, ResourceType

# -- the default branch -----------------------------------------------------------------------------------------------


def _set_branch(cloud: Cloud, inputs: Props) -> None:
    path, wanted = cloud.repository(inputs["repository"]), inputs["branch"]
    present = cloud.get(path)[0]["default_branch"]
    if present == wanted:
        return
    if inputs.get("rename"):
        cloud.ask("POST", f"{path}/branches/{present}/rename", {"new_name": wanted})
    else:
        cloud.ask("PATCH", path, {"default_branch": wanted})


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
    """A repository cannot be without a default branch, so the provider changes nothing either."""


def _find_branch(cloud: Cloud, inputs: Props) -> str | None:
    try:
        found, _ = cloud.get(cloud.repository(inputs["repository"]))
    except Gone:
        return None
    return str(inputs["repository"]) if found["default_branch"] == inputs["branch"] else None


BRANCH_DEFAULT = ResourceType(
    token="github:index/branchDefault:BranchDefault",  # noqa: S106 - a type's name
    properties={
        # Changed in place: of a renamed repository it is still the same default branch.
        "repository": Property(required=True),
        "branch": Property(required=True),
        "rename": Property(default=False, write_only=True),
        # A branch that is renamed here has its new name at once.
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
    cloud.ask("PUT" if inputs.get("enabled", True) else "DELETE", _alerts(cloud, inputs["repository"]))


def _create_alerts(cloud: Cloud, inputs: Props) -> str:
    _set_alerts(cloud, inputs)
    return str(cloud.get(cloud.repository(inputs["repository"]))[0]["id"])


def _read_alerts(cloud: Cloud, identity: str, state: Props) -> Props:
    """The id is the repository's number, but an import names the repository."""
    repository = str(state.get("repository") or identity)
    found, _ = cloud.get(cloud.repository(repository))
    return {
        "id": str(found["id"]),
        "repository": repository,
        "enabled": cloud.holds(_alerts(cloud, repository)),
        "repositoryId": found["id"],
    }


def _update_alerts(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    _set_alerts(cloud, new)


def _delete_alerts(cloud: Cloud, _identity: str, state: Props) -> None:
    cloud.delete(_alerts(cloud, state["repository"]))


def _find_alerts(cloud: Cloud, inputs: Props) -> str | None:
    """By the name that an import takes: the number alone would not say which repository it is."""
    repository = str(inputs["repository"])
    return repository if cloud.holds(_alerts(cloud, repository)) and inputs.get("enabled", True) else None


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
