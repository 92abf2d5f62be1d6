"""GitHub Actions: allowed actions, permissions of the workflow token, the OIDC subject claim, and variables."""

from __future__ import annotations

import re
from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Answer, Call, Record, now
from localcloud.github.environments import existing
from localcloud.github.errors import ApiError, not_found, validation_failed
from localcloud.github.forms import Object, boolean, choice, listing, obj, text

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_VALUE = 48 * 1024

_PERMISSIONS = obj(
    {"enabled": boolean},
    {"allowed_actions": choice("all", "local_only", "selected"), "sha_pinning_required": boolean},
)
_SELECTED = obj(
    optional={
        "github_owned_allowed": boolean,
        "verified_allowed": boolean,
        "patterns_allowed": listing(text(least=1)),
    }
)
_WORKFLOW = obj(
    optional={
        "default_workflow_permissions": choice("read", "write"),
        "can_approve_pull_request_reviews": boolean,
    }
)
_SUBJECT = obj(
    {"use_default": boolean}, {"include_claim_keys": listing(text(least=1)), "use_immutable_subject": boolean}
)
_NEW_VARIABLE = obj({"name": text(least=1), "value": text(most=_LONGEST_VALUE)})
_EDITED_VARIABLE = obj(optional={"name": text(least=1), "value": text(most=_LONGEST_VALUE)})

_DEFAULTS: dict[str, dict[str, Any]] = {
    "permissions": {"enabled": True, "allowed_actions": "all", "sha_pinning_required": False},
    "selected": {"github_owned_allowed": False, "verified_allowed": False, "patterns_allowed": []},
    "workflow": {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False},
    # A repository that was made since July 2026 has subjects with the numbers of its owner and of itself.
    "subject": {"use_default": True, "include_claim_keys": [], "use_immutable_subject": True},
}


def get_permissions(call: Call, owner: str, repo: str) -> Answer:
    return Answer(200, _shown_permissions(call, call.repository(owner, repo)))


def put_permissions(call: Call, owner: str, repo: str) -> Answer:
    return _put(call, call.writable(owner, repo), "permissions", _PERMISSIONS)


def get_selected(call: Call, owner: str, repo: str) -> Answer:
    return Answer(200, _settings(_chosen(call.repository(owner, repo)), "selected"))


def put_selected(call: Call, owner: str, repo: str) -> Answer:
    return _put(call, _chosen(call.writable(owner, repo)), "selected", _SELECTED)


def get_workflow(call: Call, owner: str, repo: str) -> Answer:
    return Answer(200, _settings(call.repository(owner, repo), "workflow"))


def put_workflow(call: Call, owner: str, repo: str) -> Answer:
    return _put(call, call.writable(owner, repo), "workflow", _WORKFLOW)


def get_subject(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    found = {key: value for key, value in _settings(record, "subject").items() if value != []}
    name = f"{record['owner']}/{record['name']}"
    if found.get("use_immutable_subject"):
        owner_id = accounts.short(record["owner"], call.api, call.web)["id"]
        name = f"{record['owner']}@{owner_id}/{record['name']}@{record['id']}"
    return Answer(200, {**found, "sub_claim_prefix": f"repo:{name}"})


def put_subject(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    body = call.body(_SUBJECT)
    if not body["use_default"] and not body.get("include_claim_keys"):
        raise validation_failed("include_claim_keys is needed where the default is not used")
    _settings(record, "subject").update({"include_claim_keys": [], **body})
    return Answer(201, {})


def list_variables(call: Call, owner: str, repo: str, environment: str | None = None) -> Answer:
    found = list(_variables(call.repository(owner, repo), environment).values())
    return Answer(200, {"total_count": len(found), "variables": found})


def create_variable(call: Call, owner: str, repo: str, environment: str | None = None) -> Answer:
    kept = _variables(call.writable(owner, repo), environment)
    body = call.body(_NEW_VARIABLE)
    name = _name(body["name"])
    if name in kept:
        raise ApiError(409, "Already exists - Variable already exists")
    kept[name] = {"name": name, "value": body["value"], "created_at": now(), "updated_at": now()}
    return Answer(201, {})


def get_variable(call: Call, owner: str, repo: str, name: str, environment: str | None = None) -> Answer:
    return Answer(200, _existing_variable(_variables(call.repository(owner, repo), environment), name))


def edit_variable(call: Call, owner: str, repo: str, name: str, environment: str | None = None) -> Answer:
    kept = _variables(call.writable(owner, repo), environment)
    found = _existing_variable(kept, name)
    body = call.body(_EDITED_VARIABLE)
    new = _name(body.get("name", name))
    if new != found["name"] and new in kept:
        raise ApiError(409, "Already exists - Variable already exists")
    del kept[found["name"]]
    kept[new] = {**found, "name": new, "value": body.get("value", found["value"]), "updated_at": now()}
    return Answer(204)


def delete_variable(call: Call, owner: str, repo: str, name: str, environment: str | None = None) -> Answer:
    kept = _variables(call.writable(owner, repo), environment)
    del kept[_existing_variable(kept, name)["name"]]
    return Answer(204)


def _put(call: Call, record: Record, kind: str, form: Object) -> Answer:
    _settings(record, kind).update(call.body(form))
    return Answer(204)


def _settings(record: Record, kind: str) -> dict[str, Any]:
    kept: dict[str, Any] = record.setdefault("actions", {}).setdefault(kind, dict(_DEFAULTS[kind]))
    return kept


def _shown_permissions(call: Call, record: Record) -> dict[str, Any]:
    found = dict(_settings(record, "permissions"))
    if not found["enabled"]:
        return {"enabled": False}
    if found["allowed_actions"] == "selected":
        full_name = f"{record['owner']}/{record['name']}"
        found["selected_actions_url"] = f"{call.api}/repos/{full_name}/actions/permissions/selected-actions"
    return found


def _chosen(record: Record) -> Record:
    """Return the repository, which must allow selected actions only."""
    found = _settings(record, "permissions")
    if not found["enabled"] or found["allowed_actions"] != "selected":
        raise ApiError(409, "Selected actions are not enabled for this repository")
    return record


def _variables(record: Record, environment: str | None) -> dict[str, dict[str, Any]]:
    holder = record if environment is None else existing(record, environment)
    kept: dict[str, dict[str, Any]] = holder.setdefault("variables", {})
    return kept


def _existing_variable(kept: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    found = kept.get(name.upper())
    if found is None:
        raise not_found()
    return found


def _name(wanted: str) -> str:
    """Return the name in capitals, like GitHub."""
    name = wanted.upper()
    if _VARIABLE.fullmatch(name) is None or name.startswith("GITHUB_"):
        raise validation_failed(
            "Variable names can only contain alphanumeric characters and underscores, must not start with a number,"
            " and must not start with the GITHUB_ prefix."
        )
    return name
