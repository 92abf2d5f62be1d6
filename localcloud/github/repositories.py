"""Repositories: what a request may set, and how one is shown."""

from __future__ import annotations

from typing import Any

from localcloud.github.errors import ApiError, invalid
from localcloud.github.fields import Field, check

_SWITCH_ON, _SWITCH_OFF = Field(bool, True), Field(bool, False)

# https://docs.github.com/rest/repos/repos: what can be set, with the documented defaults.
FIELDS: dict[str, Field] = {
    "name": Field(str, required=True, pattern=r"[A-Za-z0-9._-]{1,100}"),
    "description": Field(str),
    "homepage": Field(str),
    "visibility": Field(str, choices=("public", "private", "internal")),
    "private": Field(bool),
    "has_issues": _SWITCH_ON,
    "has_projects": _SWITCH_ON,
    "has_wiki": _SWITCH_ON,
    "has_downloads": _SWITCH_ON,
    "has_discussions": _SWITCH_OFF,
    "is_template": _SWITCH_OFF,
    "allow_merge_commit": _SWITCH_ON,
    "allow_squash_merge": _SWITCH_ON,
    "allow_rebase_merge": _SWITCH_ON,
    "allow_auto_merge": _SWITCH_OFF,
    "allow_update_branch": _SWITCH_OFF,
    "allow_forking": _SWITCH_OFF,
    "delete_branch_on_merge": _SWITCH_OFF,
    "web_commit_signoff_required": _SWITCH_OFF,
    "squash_merge_commit_title": Field(str, "COMMIT_OR_PR_TITLE", ("PR_TITLE", "COMMIT_OR_PR_TITLE", "")),
    "squash_merge_commit_message": Field(str, "COMMIT_MESSAGES", ("PR_BODY", "COMMIT_MESSAGES", "BLANK", "")),
    "merge_commit_title": Field(str, "MERGE_MESSAGE", ("PR_TITLE", "MERGE_MESSAGE", "")),
    "merge_commit_message": Field(str, "PR_TITLE", ("PR_BODY", "PR_TITLE", "BLANK", "")),
    "default_branch": Field(str, "main"),
    "archived": _SWITCH_OFF,
    "topics": Field(list, []),
    "security_and_analysis": Field(dict),
}
# Only a creation takes these; they are not shown again.
_ONLY_ON_CREATION = {"auto_init": _SWITCH_OFF, "gitignore_template": Field(str), "license_template": Field(str)}

_SECURITY = ("advanced_security", "secret_scanning", "secret_scanning_push_protection")
_URLS = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents",
    "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags",
    "issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones",
    "notifications", "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams",
    "trees", "hooks",
)  # fmt: skip
_COUNTS = (
    "forks_count", "stargazers_count", "watchers_count", "size", "open_issues_count", "subscribers_count",
    "network_count", "forks", "open_issues", "watchers",
)  # fmt: skip


def made(owner: dict[str, Any], identity: int, body: Any, now: str) -> dict[str, Any]:
    """A new repository's record."""
    # The official provider sends its create-only fields in every request.
    asked = check("Repository", {**FIELDS, **_ONLY_ON_CREATION}, body, whole=True)
    record = {name: field.default for name, field in FIELDS.items()}
    record |= {
        "id": identity,
        "owner": owner["login"],
        "branches": ["main"] if asked.get("auto_init") else [],
        "vulnerability_alerts": False,
        "visibility": "public",
        "security_and_analysis": {name: {"status": "disabled"} for name in _SECURITY},
        "created_at": now,
    }
    _set(record, {name: value for name, value in asked.items() if name in FIELDS and name != "archived"}, now)
    return record


def edit(record: dict[str, Any], body: Any, now: str) -> None:
    """Change a record as a PATCH does. An archived repository is read-only, but for its visibility."""
    asked = check("Repository", {**FIELDS, **_ONLY_ON_CREATION}, body, whole=False)
    asked = {name: value for name, value in asked.items() if name in FIELDS}
    if record["archived"] and not set(asked) <= {"archived", "visibility", "private"}:
        raise ApiError(403, "Repository was archived so is read-only.")
    branch = asked.get("default_branch")
    if branch is not None and branch not in record["branches"]:
        raise invalid("Repository", "default_branch", "invalid", f"The branch {branch} was not found.")
    _set(record, asked, now)


def _set(record: dict[str, Any], asked: dict[str, Any], now: str) -> None:
    if "private" in asked and "visibility" not in asked:
        asked["visibility"] = "private" if asked["private"] else "public"
    asked.pop("private", None)
    for name in _SECURITY:
        setting = (asked.get("security_and_analysis") or {}).get(name)
        if setting is not None:
            record["security_and_analysis"][name] = {"status": setting["status"]}
    asked.pop("security_and_analysis", None)
    asked.pop("topics", None)  # a request of their own sets them
    # An empty word leaves the merge texts as they are: the official provider sends one for what is not declared.
    record |= {name: value for name, value in asked.items() if value != "" or name in ("description", "homepage")}
    record["updated_at"] = now


def shown(record: dict[str, Any], owner: dict[str, Any], root: str) -> dict[str, Any]:
    """A repository as the API shows it."""
    full_name = f"{record['owner']}/{record['name']}"
    url = f"{root}repos/{full_name}"
    return {
        **{name: record[name] for name in FIELDS if name != "private"},
        **{f"{name}_url": f"{url}/{name}" for name in _URLS},
        **dict.fromkeys(_COUNTS, 0),
        "id": record["id"],
        "node_id": f"R_{record['id']}",
        "full_name": full_name,
        "owner": owner,
        "private": record["visibility"] != "public",
        "fork": False,
        "url": url,
        "html_url": f"https://github.com/{full_name}",
        "clone_url": f"https://github.com/{full_name}.git",
        "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "svn_url": f"https://github.com/{full_name}",
        "mirror_url": None,
        "language": None,
        "license": None,
        "has_pages": False,
        "disabled": False,
        "permissions": {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True},
        "pushed_at": record["created_at"],
        "created_at": record["created_at"],
        "updated_at": record["updated_at"],
    }
