"""The arguments and the result of an operation: the request, the emulator's state, and the answer."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request

from localcloud.github.accounts import Accounts
from localcloud.github.errors import ApiError, MovedError, archived, not_found
from localcloud.github.forms import Object

Record = dict[str, Any]

_PER_PAGE = 30
_MOST_PER_PAGE = 100


@dataclass(frozen=True)
class Answer:
    """The answer of an operation. If `body` is None, the response has no body."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request. `api` and `web` are the addresses of the API and of GitHub for the client, without a final slash."""

    request: Request
    data: dict[str, Any]
    accounts: Accounts
    api: str
    web: str
    may_write: bool = True
    """Whether the token may write contents."""

    def body(self, form: Object) -> dict[str, Any]:
        raw = self.request.get_data()
        try:
            value = json.loads(raw) if raw else {}
        except ValueError:
            raise ApiError(400, "Problems parsing JSON") from None
        if not isinstance(value, dict):
            raise ApiError(400, "Body should be a JSON object")
        return form(value, "")

    def owner(self, login: str) -> str:
        """Return the login of an organisation or of the token's user, with its capitals. 404 if it does not exist."""
        found = self.accounts.organisation(login) or self.accounts.user(login)
        if found is None:
            raise not_found()
        return found

    def repository(self, owner: str, name: str) -> Record:
        """Return the repository with this name. An old name redirects the client."""
        found = self.named(owner, name)
        if found is not None:
            return found
        moved = self.data["renamed"].get(key(owner, name))
        if moved is not None:
            raise MovedError(moved)
        raise not_found()

    def writable(self, owner: str, name: str) -> Record:
        found = self.repository(owner, name)
        if found["archived"]:
            raise archived()
        return found

    def named(self, owner: str, name: str) -> Record | None:
        wanted = key(owner, name)
        records = self.data["repositories"].values()
        return next((record for record in records if key(record["owner"], record["name"]) == wanted), None)

    def new_id(self) -> int:
        self.data["last_id"] += 1
        return int(self.data["last_id"])

    def page(self, entries: list[Any], shown: Callable[[Any], Any]) -> Answer:
        """Return the requested page, with its neighbours in the `Link` header."""
        size = min(self._number("per_page", _PER_PAGE), _MOST_PER_PAGE)
        number = self._number("page", 1)
        last = max(1, -(-len(entries) // size))
        links = {}
        if number > 1:
            links.update({"prev": min(number - 1, last), "first": 1})
        if number < last:
            links.update({"next": number + 1, "last": last})
        query = self.request.args.to_dict()
        written = ", ".join(
            f'<{self.api}{self.path}?{urlencode({**query, "page": target})}>; rel="{rel}"'
            for rel, target in links.items()
        )
        chosen = [shown(entry) for entry in entries[(number - 1) * size : number * size]]
        return Answer(200, chosen, {"Link": written} if written else {})

    @property
    def path(self) -> str:
        return self.request.path.removeprefix("/api/v3")

    def _number(self, name: str, default: int) -> int:
        """Return a positive number of the query. Any other value counts as left out, like in the API."""
        value = self.request.args.get(name, "")
        return int(value) if value.isdecimal() and int(value) > 0 else default


def key(owner: str, name: str) -> str:
    """Return the key of a repository. GitHub ignores the case of logins and names."""
    return f"{owner}/{name}".lower()


def node_id(prefix: str, identity: int) -> str:
    return f"{prefix}_{base64.urlsafe_b64encode(identity.to_bytes(8, 'big')).decode().rstrip('=')}"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
