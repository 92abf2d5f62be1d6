"""Issues and their comments. A pull request is an issue too; the local cloud has no other part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.github import accounts
from localcloud.github.call import Answer, Call, Record, node_id, now
from localcloud.github.errors import ApiError, not_found
from localcloud.github.forms import Check, choice, listing, nullable, obj, text

_LONGEST_BODY = 65536
_FIELDS: Mapping[str, Check] = {
    "body": nullable(text(most=_LONGEST_BODY)),
    "labels": listing(text(least=1)),
}
_NEW = obj({"title": text(least=1)}, _FIELDS, {"body": None, "labels": []})
_EDITING = obj(
    optional={
        **_FIELDS,
        "title": text(least=1),
        "state": choice("open", "closed"),
        "state_reason": nullable(choice("completed", "not_planned", "duplicate", "reopened")),
    }
)
_COMMENT = obj({"body": text(most=_LONGEST_BODY, least=1)})


def list_issues(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    state = call.request.args.get("state", "open")
    labels = {name for name in call.request.args.get("labels", "").split(",") if name}
    chosen = [one for one in _all(record).values() if state in ("all", one["state"]) and labels <= set(one["labels"])]
    return call.page(sorted(chosen, key=lambda one: one["number"], reverse=True), lambda one: _shown(call, record, one))


def create(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    body = call.body(_NEW)
    if not record["settings"]["has_issues"]:
        raise ApiError(410, "Issues has been disabled in this repository.")
    number = len(_all(record)) + 1
    made = {
        "id": call.new_id(),
        "number": number,
        **body,
        "state": "open",
        "state_reason": None,
        "closed_at": None,
        "created_at": now(),
        "updated_at": now(),
        "comments": {},
    }
    _all(record)[str(number)] = made
    return Answer(201, _shown(call, record, made))


def get(call: Call, owner: str, repo: str, issue: int) -> Answer:
    record = call.repository(owner, repo)
    return Answer(200, _shown(call, record, _existing(record, issue)))


def edit(call: Call, owner: str, repo: str, issue: int) -> Answer:
    record = call.writable(owner, repo)
    found = _existing(record, issue)
    body = call.body(_EDITING)
    state = body.get("state", found["state"])
    if state != found["state"]:
        body.setdefault("state_reason", "completed" if state == "closed" else "reopened")
        body["closed_at"] = now() if state == "closed" else None
    found.update(body, updated_at=now())
    return Answer(200, _shown(call, record, found))


def list_comments(call: Call, owner: str, repo: str, issue: int) -> Answer:
    record = call.repository(owner, repo)
    found = _existing(record, issue)
    return call.page(list(found["comments"].values()), lambda one: _comment(call, record, found, one))


def create_comment(call: Call, owner: str, repo: str, issue: int) -> Answer:
    record = call.writable(owner, repo)
    found = _existing(record, issue)
    made = {"id": call.new_id(), **call.body(_COMMENT), "created_at": now(), "updated_at": now()}
    found["comments"][str(made["id"])] = made
    return Answer(201, _comment(call, record, found, made))


def edit_comment(call: Call, owner: str, repo: str, comment: int) -> Answer:
    record = call.writable(owner, repo)
    for issue in _all(record).values():
        found = issue["comments"].get(str(comment))
        if found is not None:
            found.update(call.body(_COMMENT), updated_at=now())
            return Answer(200, _comment(call, record, issue, found))
    raise not_found()


def _all(record: Record) -> dict[str, Record]:
    found: dict[str, Record] = record.setdefault("issues", {})
    return found


def _existing(record: Record, issue: int) -> Record:
    found = _all(record).get(str(issue))
    if found is None:
        raise not_found()
    return found


def _shown(call: Call, record: Record, issue: Record) -> dict[str, Any]:
    full_name = f"{record['owner']}/{record['name']}"
    url = f"{call.api}/repos/{full_name}/issues/{issue['number']}"
    return {
        "id": issue["id"],
        "node_id": node_id("I", issue["id"]),
        "number": issue["number"],
        "url": url,
        "repository_url": f"{call.api}/repos/{full_name}",
        "comments_url": f"{url}/comments",
        "html_url": f"{call.web}/{full_name}/issues/{issue['number']}",
        "title": issue["title"],
        "body": issue["body"],
        "state": issue["state"],
        "state_reason": issue["state_reason"],
        "labels": [{"name": name} for name in issue["labels"]],
        "user": accounts.short(accounts.USER, call.api, call.web),
        "assignees": [],
        "locked": False,
        "comments": len(issue["comments"]),
        "closed_at": issue["closed_at"],
        "created_at": issue["created_at"],
        "updated_at": issue["updated_at"],
    }


def _comment(call: Call, record: Record, issue: Record, comment: Record) -> dict[str, Any]:
    full_name = f"{record['owner']}/{record['name']}"
    return {
        **comment,
        "node_id": node_id("IC", comment["id"]),
        "url": f"{call.api}/repos/{full_name}/issues/comments/{comment['id']}",
        "html_url": f"{call.web}/{full_name}/issues/{issue['number']}#issuecomment-{comment['id']}",
        "issue_url": f"{call.api}/repos/{full_name}/issues/{issue['number']}",
        "user": accounts.short(accounts.USER, call.api, call.web),
    }
