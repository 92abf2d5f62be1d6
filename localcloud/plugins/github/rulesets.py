"""Repository rulesets: one table converts a program's rules to the API's list and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from localcloud.plugins.github.cloud import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

# Rules that are on or off.
_SWITCHES: Final = ("creation", "deletion", "nonFastForward", "requiredLinearHistory", "requiredSignatures")

_NEEDED: Final = object()  # instead of a default: the program must declare it
# Rules with parameters, and the default of each parameter. The API's names are the same in snake case, except those in
# `_RENAMED`.
_RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "pullRequest": {
        "allowedMergeMethods": ["merge", "rebase", "squash"],
        "dismissStaleReviewsOnPush": False,
        "requireCodeOwnerReview": False,
        "requireLastPushApproval": False,
        "requiredApprovingReviewCount": 0,
        "requiredReviewThreadResolution": False,
        "requiredReviewers": [],
    },
    "requiredStatusChecks": {
        "requiredChecks": _NEEDED,
        "strictRequiredStatusChecksPolicy": False,
        "doNotEnforceOnCreate": False,
    },
    "requiredDeployments": {"requiredDeploymentEnvironments": _NEEDED},
    "requiredCodeScanning": {"requiredCodeScanningTools": _NEEDED},
    "mergeQueue": {
        "checkResponseTimeoutMinutes": 60,
        "groupingStrategy": "ALLGREEN",
        "maxEntriesToBuild": 5,
        "maxEntriesToMerge": 5,
        "mergeMethod": "MERGE",
        "minEntriesToMerge": 1,
        "minEntriesToMergeWaitMinutes": 5,
    },
    "copilotCodeReview": {"reviewOnPush": False, "reviewDraftPullRequests": False},
    "filePathRestriction": {"restrictedFilePaths": _NEEDED},
    "fileExtensionRestriction": {"restrictedFileExtensions": _NEEDED},
    "maxFilePathLength": {"maxFilePathLength": _NEEDED},
    "maxFileSize": {"maxFileSize": _NEEDED},
    # Only an enterprise has these. The API refuses them.
    **{
        f"{what}Pattern": {"name": "", "negate": False, "operator": _NEEDED, "pattern": _NEEDED}
        for what in ("branchName", "commitAuthorEmail", "commitMessage", "committerEmail", "tagName")
    },
}
_RENAMED: Final = {
    "requiredCodeScanning": "code_scanning",
    "requiredCodeScanningTools": "code_scanning_tools",
    "requiredChecks": "required_status_checks",
}
# Lists without an order.
_SETS: Final = frozenset(
    {"requiredChecks", "requiredCodeScanningTools", "restrictedFileExtensions", "allowedMergeMethods"}
)
_ACTORS_WITHOUT_ID: Final = ("OrganizationAdmin", "DeployKey")


def _create(cloud: Cloud, inputs: Props) -> str:
    path = cloud.repository(inputs["repository"])
    body = _body(inputs)
    if cloud.request("GET", path)[0]["archived"]:
        raise RefusedError(f"{inputs['repository']} is archived and cannot get a new ruleset")
    return str(cloud.request("POST", f"{path}/rulesets", body)[0]["id"])


def _read(cloud: Cloud, identity: str, state: Props) -> Props:
    """Read a ruleset. An import gives `REPOSITORY:NUMBER`."""
    repository, _, number = identity.rpartition(":")
    repository = repository or state.get("repository", "")
    if not repository or not number.isdecimal():
        raise RefusedError(f"a ruleset is imported as REPOSITORY:NUMBER, not as {identity!r}")
    found, etag = cloud.get(f"{cloud.repository(repository)}/rulesets/{number}?includes_parents=false")
    names = found["conditions"].get("ref_name")
    return {
        "id": number,
        "name": found["name"],
        "repository": repository,
        "target": found["target"],
        "enforcement": found["enforcement"],
        "bypassActors": [
            {
                **({"actorId": actor["actor_id"]} if actor["actor_id"] else {}),
                "actorType": actor["actor_type"],
                "bypassMode": actor["bypass_mode"],
            }
            for actor in found["bypass_actors"]
        ],
        **({"conditions": {"refName": {"includes": names["include"], "excludes": names["exclude"]}}} if names else {}),
        "rules": _declared(found["rules"]),
        "rulesetId": found["id"],
        "nodeId": found["node_id"],
        "etag": etag,
    }


def _update(cloud: Cloud, identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    path = cloud.repository(new["repository"])
    if not cloud.get(path)[0]["archived"]:  # an archived repository is read-only, and the provider does not try
        cloud.request("PUT", f"{path}/rulesets/{_number(identity)}", _body(new))


def _delete(cloud: Cloud, identity: str, state: Props) -> None:
    cloud.delete(f"{cloud.repository(state['repository'])}/rulesets/{_number(identity)}")


def _find(cloud: Cloud, inputs: Props) -> str | None:
    path = cloud.repository(inputs["repository"])
    try:
        cloud.get(path)
    except GoneError:
        return None
    # The number alone does not identify the ruleset. Reading this longer form returns the provider's id.
    numbers = (one["id"] for one in cloud.all(f"{path}/rulesets") if one["name"] == inputs["name"])
    number = next(numbers, None)
    return None if number is None else f"{inputs['repository']}:{number}"


def _number(identity: str) -> str:
    return identity.rpartition(":")[2]


def _body(inputs: Props) -> Props:
    names = inputs.get("conditions", {}).get("refName")
    body = {
        "name": inputs["name"],
        "target": inputs["target"],
        "enforcement": inputs["enforcement"],
        "bypass_actors": [
            {
                "actor_id": actor.get("actorId") or None,
                "actor_type": actor["actorType"],
                "bypass_mode": actor["bypassMode"],
            }
            for actor in inputs.get("bypassActors", [])
        ],
        "rules": _rules(inputs["rules"]),
    }
    if names is not None:
        body["conditions"] = {"ref_name": {"include": names["includes"], "exclude": names["excludes"]}}
    return body


def _rules(declared: Props) -> list[Props]:
    """Return the program's rules in the API's form."""
    full = _complete(declared)
    rules: list[Props] = [{"type": _snake(name)} for name in _SWITCHES if full[name]]
    if full["update"]:
        rules.append(
            {
                "type": "update",
                "parameters": {"update_allows_fetch_and_merge": full["updateAllowsFetchAndMerge"]},
            }
        )
    for name in _RULES:
        if name in full:
            parameters = {api: value for api, value in _renamed(full[name], _snake).items() if value != ""}
            rules.append({"type": _snake(name), "parameters": parameters})
    return rules


def _declared(rules: list[Props]) -> Props:
    """Return the API's rules in the program's form. A rule that is not mapped keeps the API's name, as drift."""
    camel = {_snake(name): name for name in (*_SWITCHES, *_RULES, "update")}
    found: Props = {}
    for rule in rules:
        name = str(camel.get(rule["type"], rule["type"]))
        parameters = rule.get("parameters", {})
        if name == "update":
            found["updateAllowsFetchAndMerge"] = parameters.get("update_allows_fetch_and_merge", False)
        keys = {_snake(key): key for key in _RULES.get(name, {})}
        found[name] = {keys.get(api, _camel(api)): _renamed(value, _camel) for api, value in parameters.items()}
        if name in (*_SWITCHES, "update"):
            found[name] = True
    return {**dict.fromkeys((*_SWITCHES, "update"), False), "updateAllowsFetchAndMerge": False, **found}


def _complete(declared: Props) -> Props:
    """Return the rules with all defaults. A rule or parameter that is not in the table is refused by name."""
    full: Props = {**dict.fromkeys((*_SWITCHES, "update", "updateAllowsFetchAndMerge"), False)}
    for name, value in declared.items():
        if name in full:
            full[name] = value
            continue
        parameters = _RULES.get(name)
        unknown = [name] if parameters is None else [f"{name}.{key}" for key in value if key not in parameters]
        if parameters is None or unknown:
            raise RefusedError(f"the local cloud has no mapping for `rules.{unknown[0]}` of a RepositoryRuleset")
        full[name] = {**parameters, **value}
        missing = [key for key, given in full[name].items() if given is _NEEDED]
        if missing:
            raise RefusedError(f"`rules.{name}` of a RepositoryRuleset needs `{missing[0]}`")
    return full


def _same_rules(one: Props, other: Props) -> bool:
    try:
        return bool(_comparable(_complete(one)) == _comparable(_complete(other)))
    except RefusedError:  # the cloud has a rule that is not mapped
        return False


def _comparable(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        # An `integrationId` of 0 means that a check may come from any application.
        return {key: _comparable(part, key) for key, part in value.items() if (key, part) != ("integrationId", 0)}
    if isinstance(value, list):
        parts = [_comparable(part) for part in value]
        return sorted(parts, key=repr) if name in _SETS else parts
    return value


def _same_actors(one: list[Props], other: list[Props]) -> bool:
    """Whether the actors are the same, in any order. GitHub drops the id of an actor type that has no ids."""

    def plain(actors: list[Props]) -> list[tuple[Any, ...]]:
        return sorted(
            (
                actor["actorType"],
                actor["bypassMode"],
                0 if actor["actorType"] in _ACTORS_WITHOUT_ID else actor.get("actorId", 0),
            )
            for actor in actors
        )

    return plain(one) == plain(other)


def _snake(name: str) -> str:
    return _RENAMED.get(name) or re.sub(r"(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def _renamed(value: Any, rename: Any) -> Any:
    """Return the value with every key inside renamed."""
    if isinstance(value, Mapping):
        return {
            rename(key): _renamed(part, rename)
            for key, part in value.items()
            if (key, part) not in (("integrationId", 0), ("integration_id", None))
        }
    return [_renamed(part, rename) for part in value] if isinstance(value, list) else value


RULESET = ResourceType(
    token="github:index/repositoryRuleset:RepositoryRuleset",  # noqa: S106 - a type's name
    properties={
        "name": Property(generated_name=True),
        # Changed in place: renaming a repository keeps its rulesets.
        "repository": Property(required=True),
        "target": Property(required=True, choices=("branch", "push", "tag")),
        "enforcement": Property(required=True, choices=("disabled", "active", "evaluate")),
        "bypassActors": Property(same=_same_actors),
        "conditions": Property(),
        "rules": Property(required=True, same=_same_rules),
    },
    computed=("etag", "nodeId", "rulesetId"),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    find=_find,
)
