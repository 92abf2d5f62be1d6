"""Repository rulesets: a table of the rules and their parameters, and the operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.github.call import Answer, Call, Record, node_id, now
from localcloud.github.errors import not_found, unsupported, validation_failed
from localcloud.github.forms import Check, Object, boolean, choice, integer, listing, nullable, obj, text
from localcloud.github.plans import check_rulesets

_METHODS = ("merge", "squash", "rebase")
_TEXTS = listing(text())

# Every rule by its type, with the form of its parameters, or None for a rule without parameters.
_REFS: Mapping[str, Object | None] = {
    "creation": None,
    "update": obj(optional={"update_allows_fetch_and_merge": boolean}),
    "deletion": None,
    "required_linear_history": None,
    "required_signatures": None,
    "non_fast_forward": None,
    "required_deployments": obj({"required_deployment_environments": _TEXTS}),
    "required_status_checks": obj(
        {
            "required_status_checks": listing(
                obj({"context": text(least=1)}, {"integration_id": nullable(integer(least=1))})
            ),
            "strict_required_status_checks_policy": boolean,
        },
        {"do_not_enforce_on_create": boolean},
        {"do_not_enforce_on_create": False},
    ),
}
_BRANCHES: Mapping[str, Object | None] = {
    **_REFS,
    "pull_request": obj(
        {
            "dismiss_stale_reviews_on_push": boolean,
            "require_code_owner_review": boolean,
            "require_last_push_approval": boolean,
            "required_approving_review_count": integer(most=10),
            "required_review_thread_resolution": boolean,
        },
        {
            "allowed_merge_methods": listing(choice(*_METHODS), least=1),
            "required_reviewers": listing(
                obj(
                    {
                        "file_patterns": _TEXTS,
                        "minimum_approvals": integer(most=10),
                        "reviewer": obj({"id": integer(least=1), "type": choice("Team")}),
                    }
                )
            ),
        },
        {"allowed_merge_methods": list(_METHODS), "required_reviewers": []},
    ),
    "merge_queue": obj(
        {
            "check_response_timeout_minutes": integer(least=1, most=360),
            "grouping_strategy": choice("ALLGREEN", "HEADGREEN"),
            "max_entries_to_build": integer(most=100),
            "max_entries_to_merge": integer(most=100),
            "merge_method": choice("MERGE", "SQUASH", "REBASE"),
            "min_entries_to_merge": integer(most=100),
            "min_entries_to_merge_wait_minutes": integer(most=360),
        }
    ),
    "code_scanning": obj(
        {
            "code_scanning_tools": listing(
                obj(
                    {
                        "alerts_threshold": choice("none", "errors", "errors_and_warnings", "all"),
                        "security_alerts_threshold": choice(
                            "none", "critical", "high_or_higher", "medium_or_higher", "all"
                        ),
                        "tool": text(least=1),
                    }
                )
            )
        }
    ),
    "copilot_code_review": obj(optional={"review_on_push": boolean, "review_draft_pull_requests": boolean}),
}
_PUSHES: Mapping[str, Object | None] = {
    "file_path_restriction": obj({"restricted_file_paths": _TEXTS}),
    "max_file_path_length": obj({"max_file_path_length": integer(least=1, most=32767)}),
    "file_extension_restriction": obj({"restricted_file_extensions": _TEXTS}),
    "max_file_size": obj({"max_file_size": integer(least=1, most=100)}),
}
_BY_TARGET = {"branch": _BRANCHES, "tag": _REFS, "push": _PUSHES}

# Rules that only an enterprise's repositories have.
_ENTERPRISE = frozenset(
    f"{what}_pattern"
    for what in ("commit_message", "commit_author_email", "committer_email", "branch_name", "tag_name")
)

# The types of actors that may bypass, and whether each has an id.
_ACTORS = {
    "RepositoryRole": True,
    "Team": True,
    "Integration": True,
    "User": True,
    "OrganizationAdmin": False,
    "DeployKey": False,
}
_ACTOR = obj(
    {"actor_type": choice(*_ACTORS)},
    {"actor_id": nullable(integer()), "bypass_mode": choice("always", "pull_request", "exempt")},
    {"actor_id": None, "bypass_mode": "always"},
)


def _anything(value: Any, _path: str) -> Any:
    """Accept any value. The parameters of a rule are checked when its type is known."""
    return value


_RULE = obj({"type": text(least=1)}, {"parameters": _anything})
_FIELDS: Mapping[str, Check] = {
    "name": text(most=100, least=1),
    "target": choice(*_BY_TARGET),
    "enforcement": choice("disabled", "active", "evaluate"),
    "bypass_actors": listing(_ACTOR),
    "conditions": obj(optional={"ref_name": obj(optional={"include": _TEXTS, "exclude": _TEXTS})}),
    "rules": listing(_RULE),
    # Clients that send the whole object send these too. The address contains the same.
    "source": text(),
    "source_type": choice("Repository"),
}
_REQUIRED = ("name", "enforcement")
_CREATION = obj(
    {name: _FIELDS[name] for name in _REQUIRED},
    {name: check for name, check in _FIELDS.items() if name not in _REQUIRED},
)
_EDITING = obj(optional=_FIELDS)


def list_rulesets(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    targets = call.request.args.get("targets", ",".join(_BY_TARGET)).split(",")
    chosen = [ruleset for ruleset in record["rulesets"].values() if ruleset["target"] in targets]
    return call.page(chosen, lambda ruleset: _listed(call, record, ruleset))


def create(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    check_rulesets(call, record)
    body = call.body(_CREATION)
    ruleset = {"target": "branch", "bypass_actors": [], "conditions": {}, "rules": [], **_stated(body)}
    _check(record, ruleset)
    ruleset["id"] = call.new_id()
    ruleset["created_at"] = ruleset["updated_at"] = now()
    record["rulesets"][str(ruleset["id"])] = ruleset
    return Answer(201, _full(call, record, ruleset))


def get(call: Call, owner: str, repo: str, ruleset: int) -> Answer:
    record = call.repository(owner, repo)
    return Answer(200, _full(call, record, _existing(record, ruleset)))


def edit(call: Call, owner: str, repo: str, ruleset: int) -> Answer:
    record = call.writable(owner, repo)
    check_rulesets(call, record)
    present = _existing(record, ruleset)
    edited = {**present, **_stated(call.body(_EDITING))}
    _check(record, edited)
    edited["updated_at"] = now()
    record["rulesets"][str(ruleset)] = edited
    return Answer(200, _full(call, record, edited))


def delete(call: Call, owner: str, repo: str, ruleset: int) -> Answer:
    record = call.writable(owner, repo)
    _existing(record, ruleset)
    del record["rulesets"][str(ruleset)]
    return Answer(204)


def _existing(record: Record, ruleset: int) -> Record:
    found: Record | None = record["rulesets"].get(str(ruleset))
    if found is None:
        raise not_found()
    return found


def _stated(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("source", "source_type")}


def _check(record: Record, ruleset: Record) -> None:
    """Check that the parts agree, and set the defaults of parameters and actors."""
    others = [other for other in record["rulesets"].values() if other.get("id") != ruleset.get("id")]
    if any(other["name"] == ruleset["name"] for other in others):
        raise validation_failed("Name must be unique")
    if ruleset["enforcement"] == "evaluate":
        raise validation_failed("Enforcement evaluate is available only with GitHub Enterprise")
    ruleset["rules"] = [_rule(rule, ruleset["target"], index) for index, rule in enumerate(ruleset["rules"])]
    twice = {rule["type"] for rule in ruleset["rules"]}
    if len(twice) < len(ruleset["rules"]):
        raise validation_failed("Rules must have different types")
    ruleset["bypass_actors"] = [_actor(actor) for actor in ruleset["bypass_actors"]]
    _check_conditions(ruleset)


def _rule(rule: dict[str, Any], target: str, index: int) -> dict[str, Any]:
    kind, path = rule["type"], f"rules/{index}"
    if kind in _ENTERPRISE:
        raise validation_failed(f"Invalid rule '{kind}': it is available only with GitHub Enterprise")
    if kind not in _BY_TARGET[target]:
        if any(kind in rules for rules in _BY_TARGET.values()):
            raise validation_failed(f"Invalid rule '{kind}': it does not apply to rulesets with target {target}")
        raise unsupported(f"the rule '{kind}'")
    form = _BY_TARGET[target][kind]
    if form is None:
        obj()(rule.get("parameters") or {}, f"{path}/parameters")
        return {"type": kind}
    parameters = form(rule.get("parameters") or {}, f"{path}/parameters")
    return {"type": kind, "parameters": parameters} if parameters else {"type": kind}


def _actor(actor: dict[str, Any]) -> dict[str, Any]:
    kind, mode = actor["actor_type"], actor["bypass_mode"]
    if kind == "DeployKey" and mode == "pull_request":
        raise validation_failed("Bypass actors: a deploy key cannot bypass on pull requests only")
    if not _ACTORS[kind]:  # GitHub returns no id, even if one was sent
        return {**actor, "actor_id": None}
    if not actor["actor_id"]:
        raise validation_failed(f"Bypass actors: an actor of type {kind} needs an actor_id")
    return actor


def _check_conditions(ruleset: Record) -> None:
    target, conditions = ruleset["target"], ruleset["conditions"]
    if target == "push":
        if conditions:
            raise validation_failed("Conditions must be empty for rulesets with target push")
        return
    prefix = "refs/heads/" if target == "branch" else "refs/tags/"
    names = {"include": [], "exclude": [], **conditions.get("ref_name", {})}
    special = ("~ALL", "~DEFAULT_BRANCH") if target == "branch" else ("~ALL",)
    wrong = [name for name in (*names["include"], *names["exclude"]) if name not in special and prefix not in name[:12]]
    if wrong:
        raise validation_failed(f"Invalid target patterns: '{', '.join(wrong)}'")
    if conditions:
        ruleset["conditions"] = {"ref_name": names}


def _listed(call: Call, record: Record, ruleset: Record) -> dict[str, Any]:
    full_name = f"{record['owner']}/{record['name']}"
    return {
        "id": ruleset["id"],
        "name": ruleset["name"],
        "target": ruleset["target"],
        "source_type": "Repository",
        "source": full_name,
        "enforcement": ruleset["enforcement"],
        "node_id": node_id("RRS", ruleset["id"]),
        "_links": {
            "self": {"href": f"{call.api}/repos/{full_name}/rulesets/{ruleset['id']}"},
            "html": {"href": f"{call.web}/{full_name}/rules/{ruleset['id']}"},
        },
        "created_at": ruleset["created_at"],
        "updated_at": ruleset["updated_at"],
    }


def _full(call: Call, record: Record, ruleset: Record) -> dict[str, Any]:
    return {
        **_listed(call, record, ruleset),
        "conditions": ruleset["conditions"],
        "rules": ruleset["rules"],
        "bypass_actors": ruleset["bypass_actors"],
        "current_user_can_bypass": _bypass(ruleset["bypass_actors"]),
    }


def _bypass(actors: list[dict[str, Any]]) -> str:
    """Return how the token's user, who owns the organisation, may bypass the rules."""
    modes = [actor["bypass_mode"] for actor in actors if actor["actor_type"] == "OrganizationAdmin"]
    names = {"always": "always", "pull_request": "pull_requests_only", "exempt": "exempt"}
    return names[modes[0]] if modes else "never"
