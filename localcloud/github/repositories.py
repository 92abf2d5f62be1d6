"""Repositories: their settings as a table, and what can be done with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.github import accounts
from localcloud.github.branches import FIRST, first_commit
from localcloud.github.call import Answer, Call, Record, key, node_id, now
from localcloud.github.errors import ApiError, archived, field_error, not_found, validation_failed
from localcloud.github.forms import Check, absent, boolean, choice, listing, nullable, obj, text

_NAME = re.compile(r"[^-\w.]", re.ASCII)
_LONGEST_NAME = 100
_TOPIC = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_MOST_TOPICS = 20

# Every setting that creation and editing take alike: what it may be, and what it is when creation leaves it out.
_SETTINGS: Mapping[str, tuple[Check, Any]] = {
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
# Of these only a repository that can still be merged into has anything to say.
_MERGING = tuple(name for name in _SETTINGS if name.startswith(("allow_", "delete_", "squash_", "merge_")))
# GitHub's settings page offers these pairs of a title and a message, and its API refuses the others.
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
_CREATION = obj(
    {"name": text(least=1)},
    {
        **{name: check for name, (check, _) in _SETTINGS.items()},
        **_VISIBILITY,
        "auto_init": boolean,
        "gitignore_template": absent("templates of .gitignore files"),
        "license_template": absent("templates of licenses"),
        "team_id": absent("teams"),
        "custom_properties": absent("custom properties"),
    },
)
# What can be switched through a repository's settings, and is off until it is. GitHub has more, most of it only where
# somebody pays for its security products; what is not here is refused by name.
SECURITY = ("secret_scanning", "secret_scanning_push_protection")
_SWITCH = obj({"status": choice("enabled", "disabled")})
_EDITING = obj(
    optional={
        **{name: check for name, (check, _) in _SETTINGS.items()},
        **_VISIBILITY,
        "name": text(least=1),
        "archived": boolean,
        "default_branch": text(least=1),
        "security_and_analysis": nullable(obj(optional=dict.fromkeys(SECURITY, _SWITCH))),
        # Clients that send the whole object send these too. They are for creation, or for an endpoint of their own,
        # and GitHub takes no notice of them here.
        "auto_init": boolean,
        "gitignore_template": text(),
        "license_template": text(),
        "topics": listing(text()),
    }
)
_TOPICS = obj({"names": listing(text())})

# The addresses of everything below a repository, by the field that has them.
_ADDRESSES = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_SORTED_BY = {"created": "created_at", "updated": "updated_at", "pushed": "pushed_at", "full_name": "full_name"}


# -- operations -------------------------------------------------------------------------------------------------------


def get(call: Call, owner: str, repo: str) -> Answer:
    return Answer(200, full(call, call.repository(owner, repo)))


def create_in_organisation(call: Call, org: str) -> Answer:
    login = call.accounts.organisation(org)
    if login is None:
        raise not_found()
    return _create(call, login)


def create_for_user(call: Call) -> Answer:
    return _create(call, accounts.USER)


def edit(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    body = call.body(_EDITING)
    if record["archived"] and body.get("archived") is not False:
        raise archived()
    changes = {name: body[name] for name in _SETTINGS if name in body}
    visibility = _edited_visibility(record, body)
    branch = str(body.get("default_branch", record["default_branch"]))
    _check_settings({**record["settings"], **changes}, record["owner"], visibility, changes)
    _check_branch(record, branch)
    security = _edited_security(record, body.get("security_and_analysis") or {})
    name = _name(call, record["owner"], body["name"], record) if "name" in body else record["name"]
    # Nothing has been changed up to here: a refusal leaves everything as it was.
    if key(record["owner"], name) != key(record["owner"], record["name"]):
        call.data["renamed"][key(record["owner"], record["name"])] = record["id"]
        call.data["renamed"].pop(key(record["owner"], name), None)
    record["settings"].update(changes)
    record.update(
        name=name,
        visibility=visibility,
        default_branch=branch,
        archived=body.get("archived", record["archived"]),
        security=security,
        updated_at=now(),
    )
    return Answer(200, full(call, record))


def delete(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    del call.data["repositories"][str(record["id"])]
    renamed = call.data["renamed"]
    for old in [old for old, identity in renamed.items() if identity == record["id"]]:
        del renamed[old]
    return Answer(204)


def list_of_organisation(call: Call, org: str) -> Answer:
    login = call.accounts.organisation(org)
    if login is None:
        raise not_found()
    return _list(call, _of(call, login), "created")


def list_of_user(call: Call, user: str) -> Answer:
    public = [record for record in _of(call, call.owner(user)) if record["visibility"] == "public"]
    return _list(call, public, "full_name")


def list_own(call: Call) -> Answer:
    """The user owns every organisation, so every repository is theirs."""
    return _list(call, list(call.data["repositories"].values()), "full_name")


def get_topics(call: Call, owner: str, repo: str) -> Answer:
    return Answer(200, {"names": call.repository(owner, repo)["topics"]})


def replace_topics(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    names = list(dict.fromkeys(call.body(_TOPICS)["names"]))
    wrong = [name for name in names if _TOPIC.fullmatch(name) is None]
    if wrong:
        raise validation_failed(
            "Topics must start with a lowercase letter or number, consist of 50 characters or less, and can include "
            f"hyphens. Invalid: {', '.join(wrong)}"
        )
    if len(names) > _MOST_TOPICS:
        raise validation_failed(f"A repository cannot have more than {_MOST_TOPICS} topics.")
    record.update(topics=sorted(names), updated_at=now())
    return Answer(200, {"names": record["topics"]})


def get_alerts(call: Call, owner: str, repo: str) -> Answer:
    if not call.repository(owner, repo)["vulnerability_alerts"]:
        raise ApiError(404, "Vulnerability alerts are disabled.")
    return Answer(204)


def enable_alerts(call: Call, owner: str, repo: str) -> Answer:
    call.writable(owner, repo)["vulnerability_alerts"] = True
    return Answer(204)


def disable_alerts(call: Call, owner: str, repo: str) -> Answer:
    # Security fixes are made from alerts, so they go with them.
    call.writable(owner, repo).update(vulnerability_alerts=False, automated_security_fixes=False)
    return Answer(204)


def get_security_fixes(call: Call, owner: str, repo: str) -> Answer:
    return Answer(200, {"enabled": call.repository(owner, repo)["automated_security_fixes"], "paused": False})


def enable_security_fixes(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    if not record["vulnerability_alerts"]:
        raise ApiError(422, "Vulnerability alerts must be enabled to configure automated security fixes.")
    record["automated_security_fixes"] = True
    return Answer(204)


def disable_security_fixes(call: Call, owner: str, repo: str) -> Answer:
    call.writable(owner, repo)["automated_security_fixes"] = False
    return Answer(204)


# -- what they are made of --------------------------------------------------------------------------------------------


def _create(call: Call, owner: str) -> Answer:
    body = call.body(_CREATION)
    visibility = body.get("visibility") or ("private" if body.get("private") else "public")
    _check_visibility(visibility)
    settings = {name: body.get(name, default) for name, (_, default) in _SETTINGS.items()}
    given = {name: body[name] for name in _SETTINGS if name in body}
    _check_settings(settings, owner, visibility, given)
    name = _name(call, owner, body["name"], None)
    record: Record = {
        "id": call.new_id(),
        "owner": owner,
        "name": name,
        "visibility": visibility,
        "archived": False,
        "default_branch": FIRST,
        "settings": settings,
        "topics": [],
        "vulnerability_alerts": False,
        "automated_security_fixes": False,
        "branches": {},
        "commits": {},
        "rulesets": {},
    }
    record["created_at"] = record["updated_at"] = record["pushed_at"] = now()
    if body.get("auto_init"):
        first_commit(record)
    call.data["renamed"].pop(key(owner, record["name"]), None)
    call.data["repositories"][str(record["id"])] = record
    answer = full(call, record)
    return Answer(201, answer, {"Location": answer["url"]})


def _name(call: Call, owner: str, wanted: str, present: Record | None) -> str:
    """The name that GitHub makes of the one that is wanted, if it is free or `present`'s own."""
    creating = present is None
    failed = "Repository creation failed." if creating else "Validation Failed"
    name = _NAME.sub("-", wanted)
    if len(name) > _LONGEST_NAME:
        problem = f"name is too long (maximum is {_LONGEST_NAME} characters)"
        raise ApiError(422, failed, [field_error("name", "custom", problem)])
    if name in (".", "..") or name.lower().endswith((".git", ".wiki")):
        raise ApiError(422, failed, [field_error("name", "custom", "name is reserved")])
    taken = call.named(owner, name)
    if taken is not None and taken is not present:
        raise ApiError(422, failed, [field_error("name", "custom", "name already exists on this account")])
    return name


def _edited_visibility(record: Record, body: dict[str, Any]) -> str:
    present = str(record["visibility"])
    if "visibility" in body:
        if body["visibility"] == present:
            raise ApiError(422, f"Visibility is already {present}.")
        _check_visibility(body["visibility"])
        return str(body["visibility"])
    if "private" in body and body["private"] != (present != "public"):
        return "private" if body["private"] else "public"
    return present


def _edited_security(record: Record, switched: dict[str, dict[str, str]]) -> dict[str, str]:
    scanning, protection = SECURITY
    statuses = {**record.get("security", {}), **{name: switch["status"] for name, switch in switched.items()}}
    if statuses.get(scanning, "disabled") == "disabled":
        if switched.get(protection, {}).get("status") == "enabled":
            raise ApiError(422, "Secret scanning must be enabled to enable push protection.")
        statuses[protection] = "disabled"
    return statuses


def _check_visibility(visibility: str) -> None:
    if visibility == "internal":
        problem = "Visibility can be internal only in an organization that belongs to an enterprise."
        raise validation_failed(field_error("visibility", "custom", problem))


def _check_settings(settings: dict[str, Any], owner: str, visibility: str, given: dict[str, Any]) -> None:
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


def _check_branch(record: Record, branch: str) -> None:
    if branch == record["default_branch"] or branch in record["branches"]:
        return
    problem = (
        f"The branch {branch} was not found. Please push that ref first or create it via the Git Data API."
        if record["branches"]
        else "Cannot update default branch for an empty repository. Please init the repository and push first."
    )
    raise validation_failed(field_error("default_branch", "invalid", problem))


def _of(call: Call, owner: str) -> list[Record]:
    return [record for record in call.data["repositories"].values() if record["owner"].lower() == owner.lower()]


def count(call: Call, owner: str) -> tuple[int, int]:
    """How many public and how many other repositories somebody has."""
    public = [record["visibility"] == "public" for record in _of(call, owner)]
    return sum(public), len(public) - sum(public)


def _list(call: Call, records: list[Record], order: str) -> Answer:
    """`order` is what the operation sorts by when it is not told."""
    query = call.request.args
    wanted = query.get("visibility") or query.get("type") or "all"
    if wanted in ("public", "private", "internal"):
        records = [record for record in records if record["visibility"] == wanted]
    elif wanted == "forks":  # nothing here is one, and so everything is a source
        records = []
    sort = query.get("sort", order)
    field = _SORTED_BY.get(sort, _SORTED_BY[order])
    descending = query.get("direction", "asc" if sort == "full_name" else "desc") == "desc"
    chosen = sorted(records, key=lambda record: (_place(record, field), record["id"]), reverse=descending)
    return call.page(chosen, lambda record: listed(call, record))


def _place(record: Record, field: str) -> str:
    return key(record["owner"], record["name"]) if field == "full_name" else str(record[field])


def listed(call: Call, record: Record) -> dict[str, Any]:
    """A repository as it stands in a list."""
    full_name = f"{record['owner']}/{record['name']}"
    api, web = f"{call.api}/repos/{full_name}", f"{call.web}/{full_name}"
    host = call.web.partition("://")[2]
    settings = record["settings"]
    return {
        "id": record["id"],
        "node_id": node_id("R", record["id"]),
        "name": record["name"],
        "full_name": full_name,
        "owner": accounts.short(record["owner"], call.api, call.web),
        "private": record["visibility"] != "public",
        "visibility": record["visibility"],
        "html_url": web,
        "url": api,
        **{name: api + path for name, path in _ADDRESSES.items()},
        "git_url": f"git://{host}/{full_name}.git",
        "ssh_url": f"git@{host.partition(':')[0]}:{full_name}.git",
        "clone_url": f"{web}.git",
        "svn_url": web,
        "mirror_url": None,
        "fork": False,
        "language": None,
        "license": None,
        "size": 0,
        "default_branch": record["default_branch"],
        "topics": record["topics"],
        "archived": record["archived"],
        "disabled": False,
        "has_pages": False,
        **{name: value for name, value in settings.items() if name not in _MERGING},
        "allow_forking": _forking(record),
        **dict.fromkeys(("forks_count", "stargazers_count", "watchers_count", "open_issues_count"), 0),
        **dict.fromkeys(("forks", "open_issues", "watchers"), 0),
        "permissions": dict.fromkeys(("admin", "maintain", "push", "triage", "pull"), True),
        "created_at": record["created_at"],
        "updated_at": record["updated_at"],
        "pushed_at": record["pushed_at"],
    }


def full(call: Call, record: Record) -> dict[str, Any]:
    """A repository by itself. An archived one does not say how it was merged into, as GitHub's does not."""
    answer = listed(call, record)
    if not record["archived"]:
        answer.update({name: record["settings"][name] for name in _MERGING if name != "allow_forking"})
    if record["owner"] != accounts.USER:
        answer["organization"] = answer["owner"]
    fixes = "enabled" if record["automated_security_fixes"] else "disabled"
    return {
        **answer,
        "network_count": 0,
        "subscribers_count": 0,
        "temp_clone_token": "",
        "custom_properties": {},
        "security_and_analysis": {
            **{name: {"status": record.get("security", {}).get(name, "disabled")} for name in SECURITY},
            "dependabot_security_updates": {"status": fixes},
        },
    }


def _forking(record: Record) -> bool:
    """Everybody may fork what is public; of the rest, what is allowed by itself, and nothing is by default."""
    return record["visibility"] == "public" or bool(record["settings"]["allow_forking"])
