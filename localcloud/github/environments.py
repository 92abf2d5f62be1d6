"""Deployment environments: reviewers, branches that may be deployed, and bypass by administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Answer, Call, Record, node_id, now
from localcloud.github.errors import ApiError, not_found, validation_failed
from localcloud.github.forms import Check, boolean, choice, integer, listing, nullable, obj, text
from localcloud.github.plans import check_environment

_MOST_REVIEWERS = 6
_LONGEST_WAIT_MINUTES = 43200

_REVIEWER = obj({"type": choice("User"), "id": integer(least=1)})
_FIELDS: Mapping[str, Check] = {
    "wait_timer": integer(most=_LONGEST_WAIT_MINUTES),
    "prevent_self_review": boolean,
    "can_admins_bypass": boolean,
    "reviewers": nullable(listing(_REVIEWER)),
    "deployment_branch_policy": nullable(obj({"protected_branches": boolean, "custom_branch_policies": boolean})),
}
_DEFAULTS = {
    "wait_timer": 0,
    "prevent_self_review": False,
    "can_admins_bypass": True,
    "reviewers": [],
    "deployment_branch_policy": None,
}
# A request states the whole environment. A field that it leaves out returns to its default.
_ENVIRONMENT = obj(optional=_FIELDS)
_POLICY = obj({"name": text(least=1)}, {"type": choice("branch", "tag")}, {"type": "branch"})
_RENAMING = obj({"name": text(least=1)})


def list_environments(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    found = [_shown(call, record, one) for one in _all(record).values()]
    return Answer(200, {"total_count": len(found), "environments": found})


def get(call: Call, owner: str, repo: str, environment: str) -> Answer:
    record = call.repository(owner, repo)
    return Answer(200, _shown(call, record, existing(record, environment)))


def put(call: Call, owner: str, repo: str, environment: str) -> Answer:
    record = call.writable(owner, repo)
    stated = call.body(_ENVIRONMENT)
    check_environment(call, record, stated)
    body = {**_DEFAULTS, **stated}
    body["reviewers"] = body["reviewers"] or []
    _check(body)
    present = _all(record).get(environment.lower())
    made = present or {
        "id": call.new_id(),
        "name": environment,
        "created_at": now(),
        "policies": {},
        "variables": {},
    }
    made.update(body, updated_at=now())
    if not (body["deployment_branch_policy"] or {}).get("custom_branch_policies"):
        made["policies"] = {}  # GitHub keeps patterns only while the environment uses them
    _all(record)[environment.lower()] = made
    return Answer(200, _shown(call, record, made))


def delete(call: Call, owner: str, repo: str, environment: str) -> Answer:
    record = call.writable(owner, repo)
    existing(record, environment)
    del _all(record)[environment.lower()]
    return Answer(204)


def list_policies(call: Call, owner: str, repo: str, environment: str) -> Answer:
    found = existing(call.repository(owner, repo), environment)
    policies = [_policy(one) for one in found["policies"].values()]
    return Answer(200, {"total_count": len(policies), "branch_policies": policies})


def create_policy(call: Call, owner: str, repo: str, environment: str) -> Answer:
    found = existing(call.writable(owner, repo), environment)
    body = call.body(_POLICY)
    if not (found["deployment_branch_policy"] or {}).get("custom_branch_policies"):
        raise ApiError(404, "The environment has no custom branch policies")
    if any((one["name"], one["type"]) == (body["name"], body["type"]) for one in found["policies"].values()):
        raise ApiError(303, "Same branch policy already exists")
    made = {"id": call.new_id(), **body}
    found["policies"][str(made["id"])] = made
    return Answer(200, _policy(made))


def get_policy(call: Call, owner: str, repo: str, environment: str, policy: int) -> Answer:
    return Answer(200, _policy(_existing_policy(existing(call.repository(owner, repo), environment), policy)))


def edit_policy(call: Call, owner: str, repo: str, environment: str, policy: int) -> Answer:
    found = _existing_policy(existing(call.writable(owner, repo), environment), policy)
    found.update(call.body(_RENAMING))
    return Answer(200, _policy(found))


def delete_policy(call: Call, owner: str, repo: str, environment: str, policy: int) -> Answer:
    found = existing(call.writable(owner, repo), environment)
    _existing_policy(found, policy)
    del found["policies"][str(policy)]
    return Answer(204)


def existing(record: Record, environment: str) -> Record:
    """Return the environment with this name, in any case. 404 if it does not exist."""
    found: Record | None = _all(record).get(environment.lower())
    if found is None:
        raise not_found()
    return found


def _all(record: Record) -> dict[str, Record]:
    found: dict[str, Record] = record.setdefault("environments", {})
    return found


def _existing_policy(environment: Record, policy: int) -> Record:
    found: Record | None = environment["policies"].get(str(policy))
    if found is None:
        raise not_found()
    return found


def _check(body: dict[str, Any]) -> None:
    if len(body["reviewers"]) > _MOST_REVIEWERS:
        raise validation_failed(f"An environment has at most {_MOST_REVIEWERS} reviewers")
    branches = body["deployment_branch_policy"]
    if branches is not None and branches["protected_branches"] == branches["custom_branch_policies"]:
        raise validation_failed("protected_branches and custom_branch_policies cannot have the same value")


def _policy(policy: Record) -> dict[str, Any]:
    return {**policy, "node_id": node_id("GBP", policy["id"])}


def _shown(call: Call, record: Record, environment: Record) -> dict[str, Any]:
    """Return the environment in GitHub's form: its protection is a list of rules, each with its own id."""
    full_name = f"{record['owner']}/{record['name']}"
    name, identity = environment["name"], environment["id"]
    rules: list[dict[str, Any]] = []
    if environment["wait_timer"]:
        rules.append({"type": "wait_timer", "wait_timer": environment["wait_timer"]})
    if environment["reviewers"]:
        people = [
            {"type": "User", "reviewer": accounts.person_by_id(call.data, one["id"], call.api, call.web)}
            for one in environment["reviewers"]
        ]
        rules.append(
            {
                "type": "required_reviewers",
                "prevent_self_review": environment["prevent_self_review"],
                "reviewers": people,
            }
        )
    if environment["deployment_branch_policy"] is not None:
        rules.append({"type": "branch_policy"})
    return {
        "id": identity,
        "node_id": node_id("EN", identity),
        "name": name,
        "url": f"{call.api}/repos/{full_name}/environments/{name}",
        "html_url": f"{call.web}/{full_name}/deployments/activity_log?environments_filter={name}",
        "created_at": environment["created_at"],
        "updated_at": environment["updated_at"],
        "can_admins_bypass": environment["can_admins_bypass"],
        "protection_rules": [
            {"id": identity * 10 + place, "node_id": node_id("GA", identity * 10 + place), **rule}
            for place, rule in enumerate(rules)
        ],
        "deployment_branch_policy": environment["deployment_branch_policy"],
    }
