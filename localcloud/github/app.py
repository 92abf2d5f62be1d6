"""The emulator as a WSGI application: who may ask, which handler a path belongs to, and answers in the API's form."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from localcloud.github import repositories, rulesets
from localcloud.github.errors import ApiError, invalid, not_found, unsupported
from localcloud.state import JsonStore

Record = dict[str, Any]
Answer = tuple[int, Any]

_LARGEST_PAGE = 100
_REQUESTS_AN_HOUR = 5000
_ACCOUNT_LINKS = (
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "repos",
    "events",
    "received_events",
)


class Application:
    """GitHub, as one token sees it.

    Whoever is asked for exists: a login is an organisation from the first request that names it, because an account is
    made by a person on a web page and never by an API. `token`: the only one that is let in; any when None.
    """

    def __init__(self, store: JsonStore, token: str | None) -> None:
        self._store = store
        self._token = token

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        try:
            self._let_in(request)
            status, body = self._answered(request)
        except ApiError as error:
            status, body = error.status, error.body
        response = self._response(request, status, body)
        return response(environ, start_response)

    def _let_in(self, request: Request) -> None:
        said = request.headers.get("Authorization", "")
        given = said.partition(" ")[2]
        if self._token is not None and not secrets.compare_digest(given.encode(), self._token.encode()):
            raise ApiError(401, "Bad credentials" if said else "Requires authentication")

    def _answered(self, request: Request) -> Answer:
        path = request.path.removeprefix("/api/v3").rstrip("/") or "/"
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                with self._store.reading() if method == "GET" else self._store.changing():
                    return handler(self, request, *match.groups())
        if any(re.fullmatch(pattern, path) for _, pattern, _ in _ROUTES):
            raise ApiError(405, f"{request.method} is not for {path}")
        raise unsupported(f"{request.method} {path}")

    def _response(self, request: Request, status: int, body: Any) -> Response:
        content = b"" if body is None else json.dumps(body).encode()
        response = Response(content, status, content_type="application/json; charset=utf-8")
        if request.method == "GET" and status == 200:
            tag = f'"{hashlib.sha256(content).hexdigest()}"'
            response.headers["ETag"] = tag
            if tag in request.headers.get("If-None-Match", ""):
                response.status_code, response.data = 304, b""
            if isinstance(body, list):
                self._page(request, response, body)
        response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        response.headers["X-GitHub-Request-Id"] = secrets.token_hex(8).upper()
        response.headers["X-RateLimit-Limit"] = str(_REQUESTS_AN_HOUR)
        response.headers["X-RateLimit-Remaining"] = str(_REQUESTS_AN_HOUR - 1)
        response.headers["X-RateLimit-Reset"] = str(int(datetime.now(UTC).timestamp()) + 3600)
        return response

    def _page(self, request: Request, response: Response, items: list[Any]) -> None:
        """One page of a list, and where the next one is."""
        size = max(1, min(_LARGEST_PAGE, request.args.get("per_page", 30, type=int)))
        number = max(1, request.args.get("page", 1, type=int))
        response.data = json.dumps(items[(number - 1) * size : number * size]).encode()
        last = max(1, -(-len(items) // size))

        def link(page: int, rel: str) -> str:
            return f'<{request.base_url}?per_page={size}&page={page}>; rel="{rel}"'

        links = [link(number + 1, "next"), link(last, "last")] if number < last else []
        if number > 1:
            links += [link(1, "first"), link(number - 1, "prev")]
        if links:
            response.headers["Link"] = ", ".join(links)

    # -- accounts -----------------------------------------------------------------------------------------------------

    def _owner(self, login: str, root: str) -> Record:
        """An organisation's short form. Its id never changes, because it comes from its login."""
        identity = int.from_bytes(hashlib.sha256(login.lower().encode()).digest()[:4]) >> 1
        url = f"{root}users/{login}"
        return {
            "login": login,
            "id": identity,
            "node_id": f"O_{identity}",
            "avatar_url": "",
            "gravatar_id": "",
            "url": url,
            "html_url": f"https://github.com/{login}",
            "type": "Organization",
            "site_admin": False,
            **{f"{link}_url": f"{url}/{link}" for link in _ACCOUNT_LINKS},
        }

    def root(self, request: Request) -> Answer:
        root = _root(request)
        return 200, {"current_user_url": f"{root}user", "organization_url": f"{root}orgs/{{org}}"}

    def meta(self, request: Request) -> Answer:
        return 200, {"verifiable_password_authentication": False}

    def user(self, request: Request) -> Answer:
        """Whom the token belongs to."""
        return 200, {**self._account("operator", _root(request)), "type": "User"}

    def organization(self, request: Request, login: str) -> Answer:
        return 200, self._account(login, _root(request))

    def _account(self, login: str, root: str) -> Record:
        begun = self._store.data["begun"]
        profile = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio", "description"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        links = ["hooks", "issues", "members", "public_members"]
        return {
            **self._owner(login, root),
            **profile,
            **counts,
            **{f"{link}_url": f"{root}orgs/{login}/{link}" for link in links},
            "has_organization_projects": True,
            "has_repository_projects": True,
            "web_commit_signoff_required": False,
            "created_at": begun,
            "updated_at": begun,
            "archived_at": None,
            "plan": {"name": "team", "space": 0, "private_repos": 999999},
        }

    # -- repositories -------------------------------------------------------------------------------------------------

    def _record(self, owner: str, name: str) -> Record:
        key = f"{owner}/{name}".lower()
        record: Record | None = self._store.data["repositories"].get(key)
        if record is None:
            raise not_found()
        return record

    def _show(self, request: Request, record: Record) -> Record:
        root = _root(request)
        return repositories.shown(record, self._owner(record["owner"], root), root)

    def list_repositories(self, request: Request, login: str) -> Answer:
        records = self._store.data["repositories"].values()
        return 200, [self._show(request, record) for record in records if record["owner"].lower() == login.lower()]

    def create_repository(self, request: Request, login: str) -> Answer:
        data = self._store.data
        record = repositories.made(self._owner(login, _root(request)), self._next_id(), _body(request), _now())
        key = f"{login}/{record['name']}".lower()
        if key in data["repositories"]:
            raise ApiError(
                422,
                "Repository creation failed.",
                [
                    {
                        "resource": "Repository",
                        "field": "name",
                        "code": "custom",
                        "message": "name already exists on this account",
                    }
                ],
            )
        data["repositories"][key] = record
        return 201, self._show(request, record)

    def get_repository(self, request: Request, owner: str, name: str) -> Answer:
        return 200, self._show(request, self._record(owner, name))

    def edit_repository(self, request: Request, owner: str, name: str) -> Answer:
        record = self._record(owner, name)
        everything = self._store.data["repositories"]
        body = _body(request)
        wanted = body.get("name") if isinstance(body, dict) else None
        renamed = f"{owner}/{wanted}".lower() if isinstance(wanted, str) else f"{owner}/{name}".lower()
        if renamed != f"{owner}/{name}".lower() and renamed in everything:
            raise invalid("Repository", "name", "already_exists", f"{wanted} exists already on this account")
        repositories.edit(record, body, _now())
        del everything[f"{owner}/{name}".lower()]
        everything[renamed] = record
        return 200, self._show(request, record)

    def delete_repository(self, request: Request, owner: str, name: str) -> Answer:
        record = self._record(owner, name)
        data = self._store.data
        del data["repositories"][f"{owner}/{name}".lower()]
        data["rulesets"].pop(str(record["id"]), None)
        return 204, None

    def get_topics(self, request: Request, owner: str, name: str) -> Answer:
        return 200, {"names": self._record(owner, name)["topics"]}

    def set_topics(self, request: Request, owner: str, name: str) -> Answer:
        record, body = self._record(owner, name), _body(request)
        names = body.get("names") if isinstance(body, dict) else None
        if not isinstance(names, list) or not all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", str(one)) for one in names):
            raise invalid("Repository", "names", "invalid", "topics are lower-case letters, digits and hyphens, to 50")
        record["topics"] = sorted(set(names))
        return 200, {"names": record["topics"]}

    def get_alerts(self, request: Request, owner: str, name: str) -> Answer:
        """204 where vulnerability alerts are on; 404, with nothing else to tell it, where they are off."""
        if not self._record(owner, name)["vulnerability_alerts"]:
            raise not_found()
        return 204, None

    def set_alerts(self, request: Request, owner: str, name: str) -> Answer:
        self._record(owner, name)["vulnerability_alerts"] = request.method == "PUT"
        return 204, None

    def get_branch(self, request: Request, owner: str, name: str, branch: str) -> Answer:
        record = self._record(owner, name)
        if branch not in record["branches"]:
            raise ApiError(404, "Branch not found")
        sha = hashlib.sha256(f"{record['id']}/{branch}".encode()).hexdigest()[:40]
        url = f"{_root(request)}repos/{owner}/{name}/commits/{sha}"
        return 200, {"name": branch, "commit": {"sha": sha, "url": url}, "protected": False}

    def rename_branch(self, request: Request, owner: str, name: str, branch: str) -> Answer:
        record, body = self._record(owner, name), _body(request)
        new = body.get("new_name") if isinstance(body, dict) else None
        if branch not in record["branches"]:
            raise ApiError(404, "Branch not found")
        if not isinstance(new, str) or not new or new in record["branches"]:
            raise invalid("Branch", "new_name", "invalid", f"new_name is {new!r}: a name that no branch has yet")
        record["branches"] = [new if one == branch else one for one in record["branches"]]
        if record["default_branch"] == branch:
            record["default_branch"] = new
        _, shown = self.get_branch(request, owner, name, new)
        return 201, shown

    # -- rulesets -----------------------------------------------------------------------------------------------------

    def _rulesets(self, owner: str, name: str) -> tuple[Record, dict[str, Record]]:
        record = self._record(owner, name)
        found: dict[str, Record] = self._store.data["rulesets"].setdefault(str(record["id"]), {})
        return record, found

    def _ruleset(self, owner: str, name: str, identity: str) -> Record:
        found = self._rulesets(owner, name)[1].get(identity)
        if found is None:
            raise not_found()
        return found

    def _show_ruleset(self, request: Request, owner: str, name: str, ruleset: Record) -> Record:
        return rulesets.shown(ruleset, f"{owner}/{name}", _root(request))

    def list_rulesets(self, request: Request, owner: str, name: str) -> Answer:
        """The short form, without rules and conditions."""
        hidden = ("rules", "conditions", "bypass_actors")
        shown = [self._show_ruleset(request, owner, name, one) for one in self._rulesets(owner, name)[1].values()]
        return 200, [{key: value for key, value in one.items() if key not in hidden} for one in shown]

    def create_ruleset(self, request: Request, owner: str, name: str) -> Answer:
        record, found = self._rulesets(owner, name)
        if record["archived"]:
            raise ApiError(403, "Repository was archived so is read-only.")
        asked = rulesets.given(_body(request))
        if any(one["name"] == asked["name"] for one in found.values()):
            raise invalid("Ruleset", "name", "already_exists", "Name must be unique")
        made = {"id": self._next_id(), **asked, "created_at": _now(), "updated_at": _now()}
        found[str(made["id"])] = made
        return 201, self._show_ruleset(request, owner, name, made)

    def get_ruleset(self, request: Request, owner: str, name: str, identity: str) -> Answer:
        return 200, self._show_ruleset(request, owner, name, self._ruleset(owner, name, identity))

    def update_ruleset(self, request: Request, owner: str, name: str, identity: str) -> Answer:
        found = self._ruleset(owner, name, identity)
        found |= {**rulesets.given(_body(request)), "updated_at": _now()}
        return 200, self._show_ruleset(request, owner, name, found)

    def delete_ruleset(self, request: Request, owner: str, name: str, identity: str) -> Answer:
        self._ruleset(owner, name, identity)
        del self._rulesets(owner, name)[1][identity]
        return 204, None

    def _next_id(self) -> int:
        data = self._store.data
        data["last_id"] += 1
        return int(data["last_id"])


_REPOSITORY = r"/repos/([^/]+)/([^/]+)"

_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "/", Application.root),
    ("GET", "/meta", Application.meta),
    ("GET", "/user", Application.user),
    ("GET", "/(?:orgs|users)/([^/]+)", Application.organization),
    ("GET", "/(?:orgs|users)/([^/]+)/repos", Application.list_repositories),
    ("POST", "/orgs/([^/]+)/repos", Application.create_repository),
    ("GET", _REPOSITORY, Application.get_repository),
    ("PATCH", _REPOSITORY, Application.edit_repository),
    ("DELETE", _REPOSITORY, Application.delete_repository),
    ("GET", f"{_REPOSITORY}/topics", Application.get_topics),
    ("PUT", f"{_REPOSITORY}/topics", Application.set_topics),
    ("GET", f"{_REPOSITORY}/vulnerability-alerts", Application.get_alerts),
    ("PUT", f"{_REPOSITORY}/vulnerability-alerts", Application.set_alerts),
    ("DELETE", f"{_REPOSITORY}/vulnerability-alerts", Application.set_alerts),
    ("GET", f"{_REPOSITORY}/branches/(.+)", Application.get_branch),
    ("POST", f"{_REPOSITORY}/branches/(.+)/rename", Application.rename_branch),
    ("GET", f"{_REPOSITORY}/rulesets", Application.list_rulesets),
    ("POST", f"{_REPOSITORY}/rulesets", Application.create_ruleset),
    ("GET", f"{_REPOSITORY}/rulesets/([0-9]+)", Application.get_ruleset),
    ("PUT", f"{_REPOSITORY}/rulesets/([0-9]+)", Application.update_ruleset),
    ("DELETE", f"{_REPOSITORY}/rulesets/([0-9]+)", Application.delete_ruleset),
)


def create_app(store_path: Path | None, *, token: str | None = None) -> Application:
    """The emulator, with what it holds kept in `store_path` (nowhere when None)."""
    empty = {"begun": _now(), "last_id": 1000, "repositories": {}, "rulesets": {}}
    return Application(JsonStore(store_path, empty), token)


def _root(request: Request) -> str:
    prefix = "api/v3/" if request.path.startswith("/api/v3") else ""
    return f"{request.host_url}{prefix}"


def _body(request: Request) -> Any:
    try:
        return json.loads(request.get_data() or b"{}")
    except ValueError:
        raise ApiError(400, "Problems parsing JSON") from None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
