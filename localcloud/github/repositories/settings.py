"""The settings of a repository: their forms, their defaults, and the combinations that GitHub refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Record
from localcloud.github.errors import ApiError, field_error, validation_failed
from localcloud.github.forms import Check, absent, boolean, choice, listing, nullable, obj, text

# The settings of both creation and editing: the check of each, and its default at creation.
SETTINGS: Mapping[str, tuple[Check, Any]] = {
    "description": (nullable(text(most=350)), None),
    "homepage": (nullable(text(most=255)), None),
    "has_issues": (boolean, True),
    "has_projects": (boolean, True),
    "has_wiki": (boolean, True),
    "has_discussions": (boolean, False),
    "has_downloads": (boolean, True),
    "is_template": (boolean, False),
    "allow_forking": (boolean, None),
    "web_commit_signoff_required": (boolean, False),
    "allow_merge_commit": (boolean, True),
    "allow_squash_merge": (boolean, True),
    "allow_rebase_merge": (boolean, True),
    "allow_auto_merge": (boolean, False),
    "allow_update_branch": (boolean, False),
    "delete_branch_on_merge": (boolean, False),
    "squash_merge_commit_title": (choice("PR_TITLE", "COMMIT_OR_PR_TITLE"), "COMMIT_OR_PR_TITLE"),
    "squash_merge_commit_message": (choice("PR_BODY", "COMMIT_MESSAGES", "BLANK"), "COMMIT_MESSAGES"),
    "merge_commit_title": (choice("PR_TITLE", "MERGE_MESSAGE"), "MERGE_MESSAGE"),
    "merge_commit_message": (choice("PR_BODY", "PR_TITLE", "BLANK"), "PR_TITLE"),
}
# The settings of merges, which an archived repository does not have.
MERGING = tuple(name for name in SETTINGS if name.startswith(("allow_", "delete_", "squash_", "merge_")))
# The pairs of a title and a message that GitHub's settings page offers. Its API refuses the others.
_PAIRS = {
    "squash_merge_commit": {
        ("COMMIT_OR_PR_TITLE", "COMMIT_MESSAGES"),
        ("PR_TITLE", "COMMIT_MESSAGES"),
        ("PR_TITLE", "PR_BODY"),
        ("PR_TITLE", "BLANK"),
    },
    "merge_commit": {("MERGE_MESSAGE", "PR_TITLE"), ("PR_TITLE", "PR_BODY"), ("PR_TITLE", "BLANK")},
}

_VISIBILITY: Mapping[str, Check] = {"private": boolean, "visibility": choice("public", "private", "internal")}
CREATION = obj(
    {"name": text(least=1)},
    {
        **{name: check for name, (check, _) in SETTINGS.items()},
        **_VISIBILITY,
        "auto_init": boolean,
        "gitignore_template": absent("templates of .gitignore files"),
        "license_template": absent("templates of licenses"),
        "team_id": absent("teams"),
        "custom_properties": absent("custom properties"),
    },
)
# The security switches of a repository, which are off by default. GitHub has more, most of them in its paid security
# products. Those are refused by name.
SECURITY = ("secret_scanning", "secret_scanning_push_protection")
_SWITCH = obj({"status": choice("enabled", "disabled")})
EDITING = obj(
    optional={
        **{name: check for name, (check, _) in SETTINGS.items()},
        **_VISIBILITY,
        "name": text(least=1),
        "archived": boolean,
        "default_branch": text(least=1),
        "security_and_analysis": nullable(obj(optional=dict.fromkeys(SECURITY, _SWITCH))),
        # Clients that send the whole object send these too. They belong to creation or to a separate endpoint, and
        # GitHub ignores them here.
        "auto_init": boolean,
        "gitignore_template": text(),
        "license_template": text(),
        "topics": listing(text()),
    }
)


def check_visibility(visibility: str) -> None:
    if visibility == "internal":
        problem = "Visibility can be internal only in an organization that belongs to an enterprise."
        raise validation_failed(field_error("visibility", "custom", problem))


def check_settings(settings: dict[str, Any], owner: str, visibility: str, given: dict[str, Any]) -> None:
    if not any(settings[f"allow_{way}"] for way in ("merge_commit", "squash_merge", "rebase_merge")):
        problem = "Sorry, you need to allow at least one merge strategy. (no_merge_method)"
        raise validation_failed(field_error("merge_commit_allowed", "custom", problem))
    for prefix, pairs in _PAIRS.items():
        title, message = settings[f"{prefix}_title"], settings[f"{prefix}_message"]
        if (title, message) not in pairs:
            problem = f"{prefix}_title {title} cannot be combined with {prefix}_message {message}."
            raise validation_failed(field_error(f"{prefix}_title", "custom", problem))
    if "allow_forking" in given and (visibility == "public" or owner == accounts.USER):
        raise ApiError(422, "Allow forks setting can only be changed on org-owned private or internal repositories")


def check_branch(record: Record, branch: str) -> None:
    if branch == record["default_branch"] or branch in record["branches"]:
        return
    problem = (
        f"The branch {branch} was not found. Please push that ref first or create it via the Git Data API."
        if record["branches"]
        else "Cannot update default branch for an empty repository. Please init the repository and push first."
    )
    raise validation_failed(field_error("default_branch", "invalid", problem))


def edited_visibility(record: Record, body: dict[str, Any]) -> str:
    present = str(record["visibility"])
    if "visibility" in body:
        if body["visibility"] == present:
            raise ApiError(422, f"Visibility is already {present}.")
        check_visibility(body["visibility"])
        return str(body["visibility"])
    if "private" in body and body["private"] != (present != "public"):
        return "private" if body["private"] else "public"
    return present


def edited_security(record: Record, switched: dict[str, dict[str, str]]) -> dict[str, str]:
    scanning, protection = SECURITY
    statuses = {**record.get("security", {}), **{name: switch["status"] for name, switch in switched.items()}}
    if statuses.get(scanning, "disabled") == "disabled":
        if switched.get(protection, {}).get("status") == "enabled":
            raise ApiError(422, "Secret scanning must be enabled to enable push protection.")
        statuses[protection] = "disabled"
    return statuses
