"""Branches and references, as far as a default branch needs them. Commits have no content."""

from __future__ import annotations

import hashlib
from typing import Any

from localcloud.github.call import Answer, Call, Record, node_id, now
from localcloud.github.errors import ApiError, missing_property, not_found, validation_failed
from localcloud.github.forms import obj, text

FIRST = "main"

_HEADS = "refs/heads/"
_SHA = text(most=40, least=40)
_NEW = obj({"ref": text(), "sha": _SHA})
_RENAMING = obj(optional={"new_name": text(most=244, least=1)})


def first_commit(record: Record) -> None:
    """Create the result of `auto_init`: one commit, and the default branch that points to it."""
    sha = hashlib.sha1(f"{record['id']} {record['created_at']}".encode(), usedforsecurity=False).hexdigest()
    record["commits"] = {sha: {"message": "Initial commit", "date": record["created_at"]}}
    record["branches"] = {record["default_branch"]: sha}


def list_branches(call: Call, owner: str, repo: str) -> Answer:
    record = call.repository(owner, repo)
    return call.page(sorted(record["branches"]), lambda name: _short(call, record, name))


def get_branch(call: Call, owner: str, repo: str, branch: str) -> Answer:
    record = call.repository(owner, repo)
    return Answer(200, _branch(call, record, _existing(record, branch)))


def rename_branch(call: Call, owner: str, repo: str, branch: str) -> Answer:
    record = call.writable(owner, repo)
    new = call.body(_RENAMING).get("new_name")
    if new is None:
        raise missing_property("new_name")
    old = _existing(record, branch)
    if new in record["branches"]:
        raise validation_failed(f"New branch name already exists: {new}")
    record["branches"][new] = record["branches"].pop(old)
    if record["default_branch"] == old:
        record["default_branch"] = new
    record["updated_at"] = now()
    return Answer(201, _branch(call, record, new))


def get_ref(call: Call, owner: str, repo: str, ref: str) -> Answer:
    record = call.repository(owner, repo)
    if not ref.startswith("heads/"):
        raise not_found()
    return Answer(200, _ref(call, record, _existing(record, ref.removeprefix("heads/"), "Not Found")))


def matching_refs(call: Call, owner: str, repo: str, ref: str) -> Answer:
    record = call.repository(owner, repo)
    names = [name for name in sorted(record["branches"]) if f"heads/{name}".startswith(ref)]
    return Answer(200, [_ref(call, record, name) for name in names])


def create_ref(call: Call, owner: str, repo: str) -> Answer:
    record = call.writable(owner, repo)
    body = call.body(_NEW)
    if not record["branches"]:
        raise ApiError(409, "Git Repository is empty.")
    name = body["ref"].removeprefix(_HEADS)
    if name == body["ref"] or not name:
        raise ApiError(422, f"The local cloud keeps references under {_HEADS} and no others")
    if name in record["branches"]:
        raise ApiError(422, "Reference already exists")
    if body["sha"] not in record["commits"]:
        raise ApiError(422, "Object does not exist")
    record["branches"][name] = body["sha"]
    record["pushed_at"] = record["updated_at"] = now()
    return Answer(201, _ref(call, record, name), {"Location": _ref(call, record, name)["url"]})


def _existing(record: Record, branch: str, otherwise: str = "Branch not found") -> str:
    if branch not in record["branches"]:
        raise ApiError(404, otherwise)
    return branch


def _url(call: Call, record: Record) -> str:
    return f"{call.api}/repos/{record['owner']}/{record['name']}"


def _ref(call: Call, record: Record, name: str) -> dict[str, Any]:
    sha, base = record["branches"][name], _url(call, record)
    return {
        "ref": _HEADS + name,
        "node_id": f"{node_id('REF', record['id'])}{_HEADS}{name}",
        "url": f"{base}/git/{_HEADS}{name}",
        "object": {"sha": sha, "type": "commit", "url": f"{base}/git/commits/{sha}"},
    }


def _short(call: Call, record: Record, name: str) -> dict[str, Any]:
    sha = record["branches"][name]
    return {"name": name, "commit": {"sha": sha, "url": f"{_url(call, record)}/commits/{sha}"}, "protected": False}


def _branch(call: Call, record: Record, name: str) -> dict[str, Any]:
    sha, base = record["branches"][name], _url(call, record)
    commit = record["commits"][sha]
    person = {"name": "localcloud", "email": "localcloud@localhost", "date": commit["date"]}
    return {
        "name": name,
        "commit": {
            "sha": sha,
            "node_id": f"{node_id('C', record['id'])}{sha}",
            "url": f"{base}/commits/{sha}",
            "html_url": f"{call.web}/{record['owner']}/{record['name']}/commit/{sha}",
            "comments_url": f"{base}/commits/{sha}/comments",
            "commit": {
                "author": person,
                "committer": person,
                "message": commit["message"],
                "tree": {"sha": sha, "url": f"{base}/git/trees/{sha}"},
                "url": f"{base}/git/commits/{sha}",
                "comment_count": 0,
            },
            "author": None,
            "committer": None,
            "parents": [],
        },
        "_links": {
            "self": f"{base}/branches/{name}",
            "html": f"{call.web}/{record['owner']}/{record['name']}/tree/{name}",
        },
        # Branch protection, which differs from a ruleset. The emulator cannot create one.
        "protected": False,
        "protection": {
            "enabled": False,
            "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": f"{base}/branches/{name}/protection",
    }
