"""A repository in the form of an answer: as an entry of a list, and alone."""

from __future__ import annotations

from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Call, Record, node_id
from localcloud.github.repositories.settings import MERGING, SECURITY

# The addresses below a repository, by the field that contains them.
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


def listed(call: Call, record: Record) -> dict[str, Any]:
    """Return a repository in the form of a list's entry."""
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
        **{name: value for name, value in settings.items() if name not in MERGING},
        "allow_forking": _forking(record),
        **dict.fromkeys(("forks_count", "stargazers_count", "watchers_count", "open_issues_count"), 0),
        **dict.fromkeys(("forks", "open_issues", "watchers"), 0),
        "permissions": dict.fromkeys(("admin", "maintain", "push", "triage", "pull"), True),
        "created_at": record["created_at"],
        "updated_at": record["updated_at"],
        "pushed_at": record["pushed_at"],
    }


def full(call: Call, record: Record) -> dict[str, Any]:
    """Return a repository in its complete form.

    Like GitHub's, the answer has no merge settings for an archived repository, or for a token that only reads.
    """
    answer = listed(call, record)
    if not record["archived"] and call.may_write:
        answer.update({name: record["settings"][name] for name in MERGING if name != "allow_forking"})
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
    """Whether the repository can be forked. A public one always can, any other only with its setting, which is off."""
    return record["visibility"] == "public" or bool(record["settings"]["allow_forking"])
