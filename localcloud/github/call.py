"""One request on its way through an operation: what was asked, what the emulator knows, and how it answers."""

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
from localcloud.github.errors import ApiError, Moved, archived, not_found
from localcloud.github.forms import Object

Record = dict[str, Any]

_PER_PAGE = 30
_MOST_PER_PAGE = 100


@dataclass(frozen=True)
class Answer:
    """`body` None is an answer without one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """`api` and `web` are the addresses, without a slash at the end, under which the client sees the API and GitHub."""

    request: Request
    data: dict[str, Any]
    accounts: Accounts
    api: str
    web: str

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
        """The login of an organisation or of the token's user, as it is written; 404 if there is none."""
        found = self.accounts.organisation(login) or self.accounts.user(login)
        if found is None:
            raise not_found()
        return found

    def repository(self, owner: str, name: str) -> Record:
        """The repository of that name; one that was renamed sends the client on."""
        found = self.named(owner, name)
        if found is not None:
            return found
        moved = self.data["renamed"].get(key(owner, name))
        if moved is not None:
            raise Moved(moved)
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
        """The page that the query asks for, with its neighbours in the `Link` header."""
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
        """As the API does, anything that is no positive number counts as left out."""
        value = self.request.args.get(name, "")
        return int(value) if value.isdecimal() and int(value) > 0 else default


def key(owner: str, name: str) -> str:
    """Logins and names differ in their letters' case only for the eye."""
    return f"{owner}/{name}".lower()


def node_id(prefix: str, identity: int) -> str:
    return f"{prefix}_{base64.urlsafe_b64encode(identity.to_bytes(8, 'big')).decode().rstrip('=')}"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
