"""Rulesets of a repository: what a request may say, and how one is shown."""

from __future__ import annotations

from typing import Any

from localcloud.github.errors import invalid
from localcloud.github.fields import Field, check

FIELDS: dict[str, Field] = {
    "name": Field(str, required=True),
    "target": Field(str, "branch", ("branch", "tag", "push")),
    "enforcement": Field(str, choices=("active", "disabled", "evaluate"), required=True),
    "bypass_actors": Field(list, []),
    "conditions": Field(dict),
    "rules": Field(list, []),
}
# What the official provider's client sends besides; the path says it already.
_SAID_TWICE = {"id": Field(int), "source": Field(str), "source_type": Field(str), "node_id": Field(str)}

# Each rule, and whether it has parameters. https://docs.github.com/rest/repos/rules
RULES: dict[str, bool] = {
    "creation": False,
    "update": True,
    "deletion": False,
    "required_linear_history": False,
    "merge_queue": True,
    "required_deployments": True,
    "required_signatures": False,
    "pull_request": True,
    "required_status_checks": True,
    "non_fast_forward": False,
    "commit_message_pattern": True,
    "commit_author_email_pattern": True,
    "committer_email_pattern": True,
    "branch_name_pattern": True,
    "tag_name_pattern": True,
    "file_path_restriction": True,
    "max_file_path_length": True,
    "file_extension_restriction": True,
    "max_file_size": True,
    "code_scanning": True,
    "copilot_code_review": True,
}
_ACTORS = ("Integration", "OrganizationAdmin", "RepositoryRole", "Team", "DeployKey", "EnterpriseOwner")
_MODES = ("always", "pull_request", "exempt")


def given(body: Any) -> dict[str, Any]:
    """What a request says of a ruleset; a PUT says it whole."""
    asked = check("Ruleset", {**FIELDS, **_SAID_TWICE}, body, whole=True)
    asked = {name: asked.get(name, field.default) for name, field in FIELDS.items()}
    for rule in asked["rules"]:
        kind = rule.get("type") if isinstance(rule, dict) else None
        if kind not in RULES:
            raise invalid("Ruleset", "rules", "invalid", f"there is no rule {kind!r}; there are: {', '.join(RULES)}")
    for actor in asked["bypass_actors"]:
        if actor.get("actor_type") not in _ACTORS:
            raise invalid("Ruleset", "bypass_actors", "invalid", f"actor_type is one of: {', '.join(_ACTORS)}")
        if actor.get("bypass_mode", "always") not in _MODES:
            raise invalid("Ruleset", "bypass_actors", "invalid", f"bypass_mode is one of: {', '.join(_MODES)}")
    return asked


def shown(record: dict[str, Any], full_name: str, root: str) -> dict[str, Any]:
    """A ruleset as the API shows it."""
    return {
        **record,
        "node_id": f"RRS_{record['id']}",
        "source_type": "Repository",
        "source": full_name,
        "current_user_can_bypass": "never",
        "_links": {"self": {"href": f"{root}repos/{full_name}/rulesets/{record['id']}"}},
    }
