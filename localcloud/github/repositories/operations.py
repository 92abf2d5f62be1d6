"""The operations on repositories."""

from __future__ import annotations

import re

from localcloud.github import accounts
from localcloud.github.branches import FIRST, first_commit
from localcloud.github.call import Answer, Call, Record, key, now
from localcloud.github.errors import ApiError, archived, field_error, not_found, validation_failed
from localcloud.github.forms import listing, obj, text
from localcloud.github.plans import check_secret_scanning
from localcloud.github.repositories.settings import (
    CREATION,
    EDITING,
    SETTINGS,
    check_branch,
    check_settings,
    check_visibility,
    edited_security,
    edited_visibility,
)
from localcloud.github.repositories.view import full, listed

_NAME = re.compile(r"[^-\w.]", re.ASCII)
_LONGEST_NAME = 100
_TOPIC = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_MOST_TOPICS = 20

_TOPICS = obj({"names": listing(text())})

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
    body = call.body(EDITING)
    if record["archived"] and body.get("archived") is not False:
        raise archived()
    changes = {name: body[name] for name in SETTINGS if name in body}
    visibility = edited_visibility(record, body)
    branch = str(body.get("default_branch", record["default_branch"]))
    check_settings({**record["settings"], **changes}, record["owner"], visibility, changes)
    check_branch(record, branch)
    switched = body.get("security_and_analysis") or {}
    if any(switch["status"] == "enabled" for switch in switched.values()):
        check_secret_scanning(call, record)
    security = edited_security(record, switched)
    name = _name(call, record["owner"], body["name"], record) if "name" in body else record["name"]
    # All checks are done. Nothing was changed before this line, so a refusal changes nothing.
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
    """List every repository, because the token's user owns every organisation."""
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
    # Security fixes need alerts, so they are disabled too.
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


# -- creation, names and lists -----------------------------------------------------------------------------------------


def _create(call: Call, owner: str) -> Answer:
    body = call.body(CREATION)
    visibility = body.get("visibility") or ("private" if body.get("private") else "public")
    check_visibility(visibility)
    settings = {name: body.get(name, default) for name, (_, default) in SETTINGS.items()}
    given = {name: body[name] for name in SETTINGS if name in body}
    check_settings(settings, owner, visibility, given)
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
    """Return GitHub's form of the wanted name. The name must be free, or the name of `present`."""
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


def _of(call: Call, owner: str) -> list[Record]:
    return [record for record in call.data["repositories"].values() if record["owner"].lower() == owner.lower()]


def count(call: Call, owner: str) -> tuple[int, int]:
    """Return the numbers of an account's public and of its other repositories."""
    public = [record["visibility"] == "public" for record in _of(call, owner)]
    return sum(public), len(public) - sum(public)


def _list(call: Call, records: list[Record], order: str) -> Answer:
    """Return a list of repositories. `order` is the operation's default order."""
    query = call.request.args
    wanted = query.get("visibility") or query.get("type") or "all"
    if wanted in ("public", "private", "internal"):
        records = [record for record in records if record["visibility"] == wanted]
    elif wanted == "forks":  # the emulator has no forks, so every repository is a source
        records = []
    sort = query.get("sort", order)
    field = _SORTED_BY.get(sort, _SORTED_BY[order])
    descending = query.get("direction", "asc" if sort == "full_name" else "desc") == "desc"
    chosen = sorted(records, key=lambda record: (_place(record, field), record["id"]), reverse=descending)
    return call.page(chosen, lambda record: listed(call, record))


def _place(record: Record, field: str) -> str:
    return key(record["owner"], record["name"]) if field == "full_name" else str(record[field])
