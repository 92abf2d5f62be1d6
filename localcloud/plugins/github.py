"""The stand-in for the github plugin: a repository, its rules, its default branch and its vulnerability alerts.

The clients' requests are made through githubkit as plain requests: its typed models cover all of GitHub and take more
than a second to load, which these four types do not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from localcloud.plugins.table import Gone, Plugin, Property, Props, Refused, ResourceType

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Cloud:
    """GitHub as the provider's settings reach it: a client, and whose repositories are meant."""

    client: Any
    owner: str

    def ask(self, method: str, path: str, body: Props | None = None) -> Any:
        """One request; the JSON of its answer. `Gone` for a 404, `Refused` with GitHub's own words for other errors."""
        from githubkit.exception import RequestFailed

        try:
            response = self.client.request(method, f"/{path}", json=body)
        except RequestFailed as failure:
            answer = failure.response
            if answer.status_code == 404:
                raise Gone(path) from None
            raise Refused(f"GitHub says {answer.status_code} to {method} {path}: {_words(answer)}") from None
        return response.json() if response.content else None

    def repository(self, name: str) -> str:
        return f"repos/{self.owner}/{name}"


def _words(answer: Any) -> str:
    """`Validation Failed (name: name already exists on this account)`."""
    try:
        said = answer.json()
    except ValueError:
        return str(answer.text)
    details = "; ".join(f"{error.get('field')}: {error.get('message')}" for error in said.get("errors", []))
    return f"{said.get('message')} ({details})" if details else str(said.get("message"))


def connect(settings: Props, environ: Mapping[str, str]) -> Cloud:
    """`token`, `owner` and `baseUrl`, else GITHUB_TOKEN, GITHUB_OWNER (or GITHUB_ORGANIZATION) and GITHUB_BASE_URL."""
    from githubkit import GitHub

    base = settings.get("baseUrl") or environ.get("GITHUB_BASE_URL", "")
    if urlsplit(base).hostname not in _LOOPBACK:
        raise Refused(
            f"github: the base URL is {base or 'not set'}; this stand-in speaks to a local cloud on loopback alone. "
            "Set `baseUrl` or GITHUB_BASE_URL, as `make shell` does"
        )
    token = settings.get("token") or environ.get("GITHUB_TOKEN")
    owner = (
        settings.get("owner")
        or settings.get("organization")
        or environ.get("GITHUB_OWNER")
        or environ.get("GITHUB_ORGANIZATION")
    )
    for name, value, variable in (("token", token, "GITHUB_TOKEN"), ("owner", owner, "GITHUB_OWNER")):
        if not value:
            raise Refused(f"github: there is no `{name}`: set it on the provider, or {variable} in the environment")
    # The official provider puts the path of GitHub Enterprise Server behind a base URL of one's own.
    url = f"{base.rstrip('/')}/api/v3/"
    client = GitHub(token, base_url=url, auto_retry=False, http_cache=False, trust_env=False)
    return Cloud(client, str(owner))


# -- Repository -------------------------------------------------------------------------------------------------------

# Every input and the API's name for it.
_REPOSITORY_NAMES = {
    "name": "name",
    "description": "description",
    "homepageUrl": "homepage",
    "visibility": "visibility",
    "hasIssues": "has_issues",
    "hasDiscussions": "has_discussions",
    "hasProjects": "has_projects",
    "hasWiki": "has_wiki",
    "hasDownloads": "has_downloads",
    "isTemplate": "is_template",
    "allowMergeCommit": "allow_merge_commit",
    "allowSquashMerge": "allow_squash_merge",
    "allowRebaseMerge": "allow_rebase_merge",
    "allowAutoMerge": "allow_auto_merge",
    "allowUpdateBranch": "allow_update_branch",
    "allowForking": "allow_forking",
    "deleteBranchOnMerge": "delete_branch_on_merge",
    "webCommitSignoffRequired": "web_commit_signoff_required",
    "squashMergeCommitTitle": "squash_merge_commit_title",
    "squashMergeCommitMessage": "squash_merge_commit_message",
    "mergeCommitTitle": "merge_commit_title",
    "mergeCommitMessage": "merge_commit_message",
    "archived": "archived",
}
_SECURITY_NAMES = {
    "advancedSecurity": "advanced_security",
    "secretScanning": "secret_scanning",
    "secretScanningPushProtection": "secret_scanning_push_protection",
}


def _unordered(one: Any, other: Any) -> bool:
    return sorted(one) == sorted(other)


def _security_holds(declared: Any, actual: Any) -> bool:
    """What is not declared is left as it is found."""
    return all((actual or {}).get(name) == setting for name, setting in (declared or {}).items())


def _repository_body(inputs: Props) -> Props:
    body = {api: inputs[name] for name, api in _REPOSITORY_NAMES.items() if name in inputs}
    body["visibility"] = inputs.get("visibility") or ("private" if inputs.get("private") else "public")
    security = inputs.get("securityAndAnalysis")
    if security:
        body["security_and_analysis"] = {
            _SECURITY_NAMES[name]: setting for name, setting in security.items() if name in _SECURITY_NAMES
        }
    return body


def _create_repository(cloud: Cloud, inputs: Props) -> str:
    if inputs.get("defaultBranch") not in (None, "main"):
        raise Refused("github: a new repository's `defaultBranch` is main; use a BranchDefault to change it")
    body = _repository_body(inputs)
    body.pop("archived", None)
    for name, api in (
        ("autoInit", "auto_init"),
        ("gitignoreTemplate", "gitignore_template"),
        ("licenseTemplate", "license_template"),
    ):
        if name in inputs:
            body[api] = inputs[name]
    made = cloud.ask("POST", f"orgs/{cloud.owner}/repos", body)
    return str(made["name"])


def _settle_repository(cloud: Cloud, name: str, inputs: Props) -> None:
    path = cloud.repository(name)
    if inputs.get("topics"):
        cloud.ask("PUT", f"{path}/topics", {"names": inputs["topics"]})
    if "vulnerabilityAlerts" in inputs:
        cloud.ask("PUT" if inputs["vulnerabilityAlerts"] else "DELETE", f"{path}/vulnerability-alerts")
    if inputs.get("archived"):
        cloud.ask("PATCH", path, {"archived": True})


def _read_repository(cloud: Cloud, name: str, state: Props) -> Props:
    found = cloud.ask("GET", cloud.repository(name))
    security = found.get("security_and_analysis") or {}
    return {
        **{prop: found[api] for prop, api in _REPOSITORY_NAMES.items()},
        "id": found["name"],
        "private": found["private"],
        "defaultBranch": found["default_branch"],
        "topics": found["topics"],
        "vulnerabilityAlerts": _alerts(cloud, name),
        "securityAndAnalysis": {prop: security[api] for prop, api in _SECURITY_NAMES.items() if api in security},
        "fullName": found["full_name"],
        "gitCloneUrl": found["git_url"],
        "htmlUrl": found["html_url"],
        "httpCloneUrl": found["clone_url"],
        "sshCloneUrl": found["ssh_url"],
        "svnUrl": found["svn_url"],
        "nodeId": found["node_id"],
        "repoId": found["id"],
        "primaryLanguage": found["language"] or "",
    }


def _update_repository(cloud: Cloud, name: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if old.get("archived") and "archived" not in changed:
        return  # an archived repository takes no change, and the official provider does not try
    defaults = {key: rule.default for key, rule in _REPOSITORY.items() if rule.default is not None}
    path = cloud.repository(name)
    body = _repository_body({**{key: defaults[key] for key in changed if key in defaults}, **new})
    if "defaultBranch" in changed and new.get("defaultBranch"):
        body["default_branch"] = new["defaultBranch"]
    name = cloud.ask("PATCH", path, body)["name"]
    if "topics" in changed:
        cloud.ask("PUT", f"{cloud.repository(name)}/topics", {"names": new.get("topics") or []})
    if "vulnerabilityAlerts" in changed:
        method = "PUT" if new.get("vulnerabilityAlerts") else "DELETE"
        cloud.ask(method, f"{cloud.repository(name)}/vulnerability-alerts")


def _delete_repository(cloud: Cloud, name: str, state: Props) -> None:
    if not state.get("archiveOnDestroy"):
        cloud.ask("DELETE", cloud.repository(name))
    elif not state.get("archived"):
        cloud.ask("PATCH", cloud.repository(name), {"archived": True})


def _find_repository(cloud: Cloud, inputs: Props) -> str | None:
    try:
        return str(cloud.ask("GET", cloud.repository(inputs["name"]))["name"])
    except Gone:
        return None


_ON, _OFF = Property(default=True), Property(default=False)

# The provider's documented defaults. Where it has none it leaves the setting as it finds it.
_REPOSITORY: dict[str, Property] = {
    "name": Property(generated_name=True),
    "description": Property(),
    "homepageUrl": Property(),
    "visibility": Property(choices=("public", "private", "internal")),
    "private": Property(),
    "hasIssues": Property(),
    "hasDiscussions": Property(),
    "hasProjects": Property(),
    "hasWiki": Property(),
    "hasDownloads": Property(),
    "isTemplate": Property(),
    "allowMergeCommit": _ON,
    "allowSquashMerge": _ON,
    "allowRebaseMerge": _ON,
    "allowAutoMerge": _OFF,
    "allowUpdateBranch": Property(),
    "allowForking": Property(),
    "deleteBranchOnMerge": _OFF,
    "webCommitSignoffRequired": Property(),
    "squashMergeCommitTitle": Property(default="COMMIT_OR_PR_TITLE"),
    "squashMergeCommitMessage": Property(default="COMMIT_MESSAGES"),
    "mergeCommitTitle": Property(default="MERGE_MESSAGE"),
    "mergeCommitMessage": Property(default="PR_TITLE"),
    "archived": _OFF,
    "topics": Property(same=_unordered),
    "vulnerabilityAlerts": Property(),
    "securityAndAnalysis": Property(same=_security_holds),
    "defaultBranch": Property(),
    # What only a creation or a deletion looks at; GitHub does not give it back.
    "autoInit": Property(write_only=True),
    "gitignoreTemplate": Property(write_only=True),
    "licenseTemplate": Property(write_only=True),
    "archiveOnDestroy": Property(write_only=True),
}

_repository = ResourceType(
    token="github:index/repository:Repository",  # noqa: S106 - a type's name
    properties=_REPOSITORY,
    computed=(
        *("fullName", "gitCloneUrl", "htmlUrl", "httpCloneUrl", "sshCloneUrl", "svnUrl", "nodeId", "repoId"),
        *("primaryLanguage", "defaultBranch", "topics", "private"),
    ),
    create=_create_repository,
    settle=_settle_repository,
    read=_read_repository,
    update=_update_repository,
    delete=_delete_repository,
    find=_find_repository,
)


# -- RepositoryRuleset ------------------------------------------------------------------------------------------------

# Rules that are either on or off.
_SWITCHES = {
    "creation": "creation",
    "deletion": "deletion",
    "nonFastForward": "non_fast_forward",
    "requiredLinearHistory": "required_linear_history",
    "requiredSignatures": "required_signatures",
}
# Rules with parameters, and the parameters' names in the API, with what holds for one that is left out.
_PARAMETERS: dict[str, tuple[str, dict[str, tuple[str, Any]]]] = {
    "pullRequest": (
        "pull_request",
        {
            "allowedMergeMethods": ("allowed_merge_methods", ["merge", "squash", "rebase"]),
            "dismissStaleReviewsOnPush": ("dismiss_stale_reviews_on_push", False),
            "requireCodeOwnerReview": ("require_code_owner_review", False),
            "requireLastPushApproval": ("require_last_push_approval", False),
            "requiredApprovingReviewCount": ("required_approving_review_count", 0),
            "requiredReviewThreadResolution": ("required_review_thread_resolution", False),
        },
    ),
    "requiredStatusChecks": (
        "required_status_checks",
        {
            "requiredChecks": ("required_status_checks", []),
            "strictRequiredStatusChecksPolicy": ("strict_required_status_checks_policy", False),
            "doNotEnforceOnCreate": ("do_not_enforce_on_create", False),
        },
    ),
    "requiredDeployments": (
        "required_deployments",
        {"requiredDeploymentEnvironments": ("required_deployment_environments", [])},
    ),
}


def _check(check: Props) -> Props:
    renamed = {"context": check["context"], "integration_id": check.get("integrationId")}
    return {key: value for key, value in renamed.items() if value is not None}


def _check_props(check: Props) -> Props:
    renamed = {"context": check["context"], "integrationId": check.get("integration_id")}
    return {key: value for key, value in renamed.items() if value is not None}


def _ruleset_body(inputs: Props) -> Props:
    rules: list[Props] = []
    for name, declared in (inputs.get("rules") or {}).items():
        if name in _SWITCHES:
            if declared:
                rules.append({"type": _SWITCHES[name]})
        elif name == "update":
            if declared:
                fetch = bool(inputs["rules"].get("updateAllowsFetchAndMerge"))
                rules.append({"type": "update", "parameters": {"update_allows_fetch_and_merge": fetch}})
        elif name in _PARAMETERS:
            kind, parameters = _PARAMETERS[name]
            unknown = sorted(set(declared) - set(parameters))
            if unknown:
                raise Refused(f"the local cloud has no mapping for `rules.{name}.{unknown[0]}` of a RepositoryRuleset")
            values = {api: declared.get(prop, default) for prop, (api, default) in parameters.items()}
            if kind == "required_status_checks":
                values["required_status_checks"] = [_check(check) for check in values["required_status_checks"]]
            rules.append({"type": kind, "parameters": values})
        elif name != "updateAllowsFetchAndMerge":
            raise Refused(f"the local cloud has no mapping for `rules.{name}` of a RepositoryRuleset")
    conditions = (inputs.get("conditions") or {}).get("refName")
    return {
        "name": inputs["name"],
        "target": inputs["target"],
        "enforcement": inputs["enforcement"],
        "bypass_actors": [
            {
                "actor_id": actor.get("actorId"),
                "actor_type": actor["actorType"],
                "bypass_mode": actor["bypassMode"],
            }
            for actor in inputs.get("bypassActors") or []
        ],
        "conditions": {"ref_name": {"include": conditions["includes"], "exclude": conditions["excludes"]}}
        if conditions
        else None,
        "rules": rules,
    }


def _ruleset_props(found: Props, repository: str) -> Props:
    rules: Props = {}
    by_kind = {kind: (prop, parameters) for prop, (kind, parameters) in _PARAMETERS.items()}
    switches = {api: prop for prop, api in _SWITCHES.items()}
    for rule in found["rules"]:
        kind, said = rule["type"], rule.get("parameters") or {}
        if kind in switches:
            rules[switches[kind]] = True
        elif kind == "update":
            rules["update"] = True
            if said.get("update_allows_fetch_and_merge"):
                rules["updateAllowsFetchAndMerge"] = True
        elif kind in by_kind:
            prop, parameters = by_kind[kind]
            rules[prop] = {name: said.get(api, default) for name, (api, default) in parameters.items()}
            if kind == "required_status_checks":
                rules[prop]["requiredChecks"] = [_check_props(check) for check in rules[prop]["requiredChecks"]]
        else:
            rules[kind] = said  # made by hand: shown, so that it counts as drift
    ref = (found.get("conditions") or {}).get("ref_name")
    return {
        "id": str(found["id"]),
        "name": found["name"],
        "repository": repository,
        "target": found["target"],
        "enforcement": found["enforcement"],
        "bypassActors": [
            {
                **({"actorId": actor["actor_id"]} if actor.get("actor_id") is not None else {}),
                "actorType": actor["actor_type"],
                "bypassMode": actor["bypass_mode"],
            }
            for actor in found["bypass_actors"]
        ],
        "conditions": {"refName": {"includes": ref["include"], "excludes": ref["exclude"]}} if ref else None,
        "rules": rules,
        "rulesetId": found["id"],
        "nodeId": found["node_id"],
        "etag": "",
    }


def _rules_hold(declared: Any, actual: Any) -> bool:
    """Equal, once what is off or left out says the same as what is not there."""

    def plain(rules: Props) -> Props:
        kept: Props = {}
        for name, rule in (rules or {}).items():
            if name in _PARAMETERS:
                kept[name] = {prop: rule.get(prop, default) for prop, (_, default) in _PARAMETERS[name][1].items()}
            elif rule:
                kept[name] = rule
        return kept

    return plain(declared) == plain(actual)


def _create_ruleset(cloud: Cloud, inputs: Props) -> str:
    made = cloud.ask("POST", f"{cloud.repository(inputs['repository'])}/rulesets", _ruleset_body(inputs))
    return str(made["id"])


def _ruleset_path(cloud: Cloud, identity: str, state: Props) -> tuple[str, str]:
    """The repository and the path; an import names both, as `REPOSITORY:NUMBER`."""
    repository, _, number = identity.rpartition(":")
    repository = repository or state.get("repository", "")
    if not repository:
        raise Refused(f"a ruleset is imported as REPOSITORY:NUMBER, not as {identity!r}")
    return repository, f"{cloud.repository(repository)}/rulesets/{number}?includes_parents=false"


def _read_ruleset(cloud: Cloud, identity: str, state: Props) -> Props:
    repository, path = _ruleset_path(cloud, identity, state)
    return _ruleset_props(cloud.ask("GET", path), repository)


def _update_ruleset(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    cloud.ask("PUT", _ruleset_path(cloud, identity, new)[1].partition("?")[0], _ruleset_body(new))


def _delete_ruleset(cloud: Cloud, identity: str, state: Props) -> None:
    cloud.ask("DELETE", _ruleset_path(cloud, identity, state)[1].partition("?")[0])


def _find_ruleset(cloud: Cloud, inputs: Props) -> str | None:
    try:
        found = cloud.ask("GET", f"{cloud.repository(inputs['repository'])}/rulesets")
    except Gone:
        return None
    number = next((one["id"] for one in found if one["name"] == inputs["name"]), None)
    return None if number is None else f"{inputs['repository']}:{number}"


_ruleset = ResourceType(
    token="github:index/repositoryRuleset:RepositoryRuleset",  # noqa: S106 - a type's name
    properties={
        "name": Property(generated_name=True),
        "repository": Property(required=True, replaces=True),
        "target": Property(required=True, choices=("branch", "tag", "push")),
        "enforcement": Property(required=True, choices=("active", "disabled", "evaluate")),
        "conditions": Property(),
        "bypassActors": Property(),
        "rules": Property(required=True, same=_rules_hold),
    },
    computed=("rulesetId", "nodeId", "etag"),
    create=_create_ruleset,
    read=_read_ruleset,
    update=_update_ruleset,
    delete=_delete_ruleset,
    find=_find_ruleset,
)


# -- BranchDefault and RepositoryVulnerabilityAlerts ------------------------------------------------------------------


def _set_default_branch(cloud: Cloud, repository: str, inputs: Props) -> None:
    path = cloud.repository(repository)
    if inputs.get("rename"):
        now = cloud.ask("GET", path)["default_branch"]
        if now != inputs["branch"]:
            cloud.ask("POST", f"{path}/branches/{now}/rename", {"new_name": inputs["branch"]})
    else:
        cloud.ask("PATCH", path, {"default_branch": inputs["branch"]})


def _create_default_branch(cloud: Cloud, inputs: Props) -> str:
    _set_default_branch(cloud, inputs["repository"], inputs)
    return str(inputs["repository"])


def _read_default_branch(cloud: Cloud, identity: str, state: Props) -> Props:
    found = cloud.ask("GET", cloud.repository(identity))
    return {
        "id": found["name"],
        "repository": found["name"],
        "branch": found["default_branch"],
        "repositoryId": found["id"],
    }


def _leave_default_branch(cloud: Cloud, identity: str, state: Props) -> None:
    """A repository always has a default branch: it stays, and is no longer looked after."""


_default_branch = ResourceType(
    token="github:index/branchDefault:BranchDefault",  # noqa: S106 - a type's name
    properties={
        "repository": Property(required=True, replaces=True),
        "branch": Property(required=True),
        "rename": Property(default=False, write_only=True),
        "waitForRename": Property(write_only=True),
    },
    computed=("repositoryId",),
    create=_create_default_branch,
    read=_read_default_branch,
    update=lambda cloud, id, old, new, changed: _set_default_branch(cloud, id, new),
    delete=_leave_default_branch,
    find=lambda cloud, inputs: _find_repository(cloud, {"name": inputs["repository"]}),
)


def _alerts(cloud: Cloud, repository: str) -> bool:
    """GitHub answers 204 where alerts are on, and 404 where they are off."""
    try:
        cloud.ask("GET", f"{cloud.repository(repository)}/vulnerability-alerts")
    except Gone:
        return False
    return True


def _set_alerts(cloud: Cloud, repository: str, enabled: bool) -> None:
    cloud.ask("PUT" if enabled else "DELETE", f"{cloud.repository(repository)}/vulnerability-alerts")


def _create_alerts(cloud: Cloud, inputs: Props) -> str:
    _set_alerts(cloud, inputs["repository"], inputs.get("enabled", True))
    return str(inputs["repository"])


def _read_alerts(cloud: Cloud, identity: str, state: Props) -> Props:
    found = cloud.ask("GET", cloud.repository(identity))
    return {
        "id": found["name"],
        "repository": found["name"],
        "enabled": _alerts(cloud, identity),
        "repositoryId": found["id"],
    }


_vulnerability_alerts = ResourceType(
    token="github:index/repositoryVulnerabilityAlerts:RepositoryVulnerabilityAlerts",  # noqa: S106 - a type's name
    properties={
        "repository": Property(required=True, replaces=True),
        "enabled": Property(default=True),
    },
    computed=("repositoryId",),
    create=_create_alerts,
    read=_read_alerts,
    update=lambda cloud, id, old, new, changed: _set_alerts(cloud, id, new.get("enabled", True)),
    delete=lambda cloud, id, state: _set_alerts(cloud, id, False),
    find=lambda cloud, inputs: _find_repository(cloud, {"name": inputs["repository"]}),
)


PLUGIN = Plugin(
    name="github",
    version="6.15.0",
    configuration={
        "token": Property(secret=True),
        "owner": Property(),
        "organization": Property(),
        "baseUrl": Property(),
    },
    connect=connect,
    resources=(_repository, _ruleset, _default_branch, _vulnerability_alerts),
)
