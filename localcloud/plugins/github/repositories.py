"""Repositories and their settings."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.github.cloud import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

# The inputs that the provider sends in each request, with the API's names and the values for inputs that are left out.
# So a switch that is not declared is off, even if GitHub's default is on.
_SENT: Final = {
    "description": ("description", ""),
    "homepageUrl": ("homepage", ""),
    "hasIssues": ("has_issues", False),
    "hasDiscussions": ("has_discussions", False),
    "hasProjects": ("has_projects", False),
    "hasWiki": ("has_wiki", False),
    "isTemplate": ("is_template", False),
    "allowMergeCommit": ("allow_merge_commit", True),
    "allowSquashMerge": ("allow_squash_merge", True),
    "allowRebaseMerge": ("allow_rebase_merge", True),
    "allowAutoMerge": ("allow_auto_merge", False),
    "allowUpdateBranch": ("allow_update_branch", False),
    "deleteBranchOnMerge": ("delete_branch_on_merge", False),
}
# The same, but sent only if the merge method is allowed.
_DESCRIPTIONS: Final = {
    "squashMergeCommitTitle": ("squash_merge_commit_title", "COMMIT_OR_PR_TITLE", "allowSquashMerge"),
    "squashMergeCommitMessage": ("squash_merge_commit_message", "COMMIT_MESSAGES", "allowSquashMerge"),
    "mergeCommitTitle": ("merge_commit_title", "MERGE_MESSAGE", "allowMergeCommit"),
    "mergeCommitMessage": ("merge_commit_message", "PR_TITLE", "allowMergeCommit"),
}
_MERGING: Final = [prop for prop in _SENT if prop.startswith("allow")]
# The switches of `securityAndAnalysis` that the local cloud has.
_SECURITY: Final = {
    "secretScanning": "secret_scanning",
    "secretScanningPushProtection": "secret_scanning_push_protection",
}


def _create(cloud: Cloud, inputs: Props) -> str:
    if inputs.get("defaultBranch", "main") != "main":
        raise RefusedError(
            "`defaultBranch` of a new repository can only be 'main'; declare a BranchDefault to change it"
        )
    visibility = _visibility(inputs)
    body = {
        **_body(inputs, visibility),
        "visibility": visibility,
        "private": visibility == "private",
        "auto_init": inputs.get("autoInit", False),
    }
    return str(cloud.request("POST", cloud.collection, body)[0]["name"])


def _settle(cloud: Cloud, identity: str, inputs: Props) -> None:
    """Complete a creation. Each step checks whether it is done, so it can be repeated."""
    path = cloud.repository(identity)
    found, _ = cloud.get(path)
    if "topics" in inputs and sorted(inputs["topics"]) != sorted(found["topics"]):
        cloud.request("PUT", f"{path}/topics", {"names": inputs["topics"]})
    alerts = inputs.get("vulnerabilityAlerts")
    if alerts is not None and not found["archived"]:
        cloud.request("PUT" if alerts else "DELETE", f"{path}/vulnerability-alerts")
    switches = _switches(inputs)
    if switches and switches != {api: found["security_and_analysis"].get(api) for api in switches}:
        cloud.request("PATCH", path, {"security_and_analysis": switches})
    if inputs.get("archived") and not found["archived"]:
        cloud.request("PATCH", path, {"archived": True})


def _read(cloud: Cloud, identity: str, state: Props) -> Props:
    # The engine keeps the id of the creation. The state has the current name: an old name leads to a renamed repository
    # only until a new repository takes the name.
    name = str(state.get("name") or identity)
    found, etag = cloud.get(cloud.repository(name))
    apis = {prop: api for prop, (api, *_) in {**_SENT, **_DESCRIPTIONS}.items()}
    # GitHub does not return the merge settings of an archived repository, and the provider leaves them as they are. It
    # returns them to no token without permission to write contents either, and the provider takes them as off.
    kept = state if found["archived"] else {"deleteBranchOnMerge": False, **dict.fromkeys(_MERGING, False)}
    settings = {prop: found[api] if api in found else kept.get(prop) for prop, api in apis.items()}
    ignored = state.get("ignoreVulnerabilityAlertsDuringRead")
    alerts = (
        state.get("vulnerabilityAlerts")
        if ignored
        else cloud.is_enabled(f"{cloud.repository(name)}/vulnerability-alerts")
    )
    return {
        **{prop: value for prop, value in settings.items() if value is not None},
        "id": found["name"],
        "name": found["name"],
        "visibility": found["visibility"],
        "private": found["private"],
        "archived": found["archived"],
        "allowForking": found["allow_forking"],
        "webCommitSignoffRequired": found["web_commit_signoff_required"],
        "defaultBranch": found["default_branch"],
        "topics": found["topics"],
        **({} if alerts is None else {"vulnerabilityAlerts": alerts}),
        "etag": etag,
        "fork": "true" if found["fork"] else "false",
        "fullName": found["full_name"],
        "gitCloneUrl": found["git_url"],
        "htmlUrl": found["html_url"],
        "httpCloneUrl": found["clone_url"],
        "nodeId": found["node_id"],
        "primaryLanguage": found["language"] or "",
        "repoId": found["id"],
        "securityAndAnalysis": _security(found),
        "sourceOwner": "",
        "sourceRepo": "",
        "sshCloneUrl": found["ssh_url"],
        "svnUrl": found["svn_url"],
    }


def _update(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if new.get("archived") and "archived" not in changed:
        return  # an archived repository is read-only, and the provider does not try
    path = cloud.repository(str(old.get("name") or identity))
    found, _ = cloud.get(path)
    visibility = _visibility(new, found["visibility"])
    body = {"name": new["name"], "archived": new.get("archived", False), **_body(new, visibility)}
    if visibility != found["visibility"]:  # GitHub refuses a visibility that the repository already has
        body["visibility"] = visibility
    if "defaultBranch" in changed and "defaultBranch" in new:
        body["default_branch"] = new["defaultBranch"]
    cloud.request("PATCH", path, body)
    _settle(cloud, new["name"], new)


def _delete(cloud: Cloud, identity: str, state: Props) -> None:
    path = cloud.repository(str(state.get("name") or identity))
    if not state.get("archiveOnDestroy"):
        cloud.delete(path)
    elif not cloud.get(path)[0]["archived"]:
        cloud.request("PATCH", path, {"archived": True})


def _find(cloud: Cloud, inputs: Props) -> str | None:
    try:
        name = str(cloud.get(cloud.repository(inputs["name"]))[0]["name"])
    except GoneError:
        return None
    return name if name.lower() == inputs["name"].lower() else None  # otherwise it was renamed, and the name is free


def _visibility(inputs: Props, otherwise: str = "public") -> str:
    """Return the visibility. `private` is its older form; the provider refuses both together."""
    if "visibility" in inputs and "private" in inputs:
        raise RefusedError("`private` and `visibility` of a repository exclude each other; declare `visibility`")
    if "private" in inputs:
        return "private" if inputs["private"] else "public"
    return str(inputs.get("visibility", otherwise))


def _body(inputs: Props, visibility: str) -> Props:
    body: dict[str, Any] = {"name": inputs["name"]}
    body.update({api: inputs.get(prop, default) for prop, (api, default) in _SENT.items()})
    for prop, (api, default, way) in _DESCRIPTIONS.items():
        if inputs.get(way, True):
            body[api] = inputs.get(prop, default)
    if "allowForking" in inputs and visibility != "public":
        body["allow_forking"] = inputs["allowForking"]
    if "webCommitSignoffRequired" in inputs:
        body["web_commit_signoff_required"] = inputs["webCommitSignoffRequired"]
    return body


def _security(found: Props) -> Props:
    said = found.get("security_and_analysis") or {}
    return {prop: {"status": said[api]["status"]} for prop, api in _SECURITY.items() if api in said}


def _switches(inputs: Props) -> Props:
    """Return the declared security switches in the API's form. An undeclared switch keeps its value."""
    declared = inputs.get("securityAndAnalysis") or {}
    unknown = [prop for prop in declared if prop not in _SECURITY]
    if unknown:
        raise RefusedError(f"the local cloud has no mapping for `securityAndAnalysis.{unknown[0]}` of a Repository")
    return {_SECURITY[prop]: {"status": switch["status"]} for prop, switch in declared.items()}


def _same_security(one: Props | None, other: Props | None) -> bool:
    """Whether the switches that both sides have are the same."""
    one, other = one or {}, other or {}
    return all(one[prop] == other[prop] for prop in one.keys() & other.keys())


def _unordered(one: Any, other: Any) -> bool:
    return sorted(one) == sorted(other)


# Not mapped, and so refused by name: the sources of a new repository (template, fork, sourceOwner, sourceRepo,
# gitignoreTemplate, licenseTemplate) and pages, which the local cloud does not have; hasDownloads, which GitHub no
# longer has; and etag, which is not an input.
REPOSITORY = ResourceType(
    token="github:index/repository:Repository",  # noqa: S106 - a type's name
    properties={
        "name": Property(generated_name=True),
        **{prop: Property(default=default) for prop, (_, default) in _SENT.items()},
        **{prop: Property(default=default) for prop, (_, default, _) in _DESCRIPTIONS.items()},
        "archived": Property(default=False),
        # Inputs that keep their value if they are left out.
        "visibility": Property(choices=("public", "private", "internal")),
        "private": Property(),
        "allowForking": Property(),
        "webCommitSignoffRequired": Property(),
        "topics": Property(same=_unordered),
        "vulnerabilityAlerts": Property(),
        "securityAndAnalysis": Property(same=_same_security),
        "defaultBranch": Property(),
        # Options of the provider, which GitHub does not store.
        "autoInit": Property(write_only=True),
        "archiveOnDestroy": Property(write_only=True),
        "ignoreVulnerabilityAlertsDuringRead": Property(write_only=True),
    },
    computed=(
        *("allowForking", "defaultBranch", "private", "topics", "visibility", "vulnerabilityAlerts"),
        *("webCommitSignoffRequired", "etag", "fork", "fullName", "gitCloneUrl", "htmlUrl", "httpCloneUrl", "nodeId"),
        *("primaryLanguage", "repoId", "securityAndAnalysis", "sourceOwner", "sourceRepo", "sshCloneUrl", "svnUrl"),
    ),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=_delete,
    find=_find,
)
