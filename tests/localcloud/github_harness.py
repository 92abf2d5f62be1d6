"""The GitHub emulator behind a port, plain requests to it, and the engine's calls to the github tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import MagicMock

import pytest
import requests
from pulumi.runtime.proto import provider_pb2
from werkzeug.serving import WSGIRequestHandler, make_server

from localcloud.github import Application
from localcloud.plugins.github import PLUGIN
from localcloud.plugins.provider import Provider
from localcloud.plugins.table import Props
from localcloud.plugins.wire import from_wire, to_wire

TOKEN = "ghp_test"
TABLES = {entry.token.rpartition(":")[2]: entry for entry in PLUGIN.resources}
REPOSITORY: Props = {"name": "code", "visibility": "private", "autoInit": True}
PULL_REQUEST: dict[str, Any] = {
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": False,
    "require_last_push_approval": True,
    "required_approving_review_count": 1,
    "required_review_thread_resolution": True,
}
RULESET: dict[str, Any] = {
    "name": "default-branch",
    "target": "branch",
    "source": "code",
    "source_type": "Repository",
    "enforcement": "active",
    "bypass_actors": [{"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "pull_request"}],
    "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
    "rules": [{"type": "deletion"}, {"type": "pull_request", "parameters": PULL_REQUEST}],
}


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing. A failing test shows its answers."""


@dataclass(frozen=True)
class Served:
    """The served emulator. `base` is the provider's base URL; the API is below `api/v3/`."""

    base: str

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        return requests.request(
            method,
            f"{self.base}api/v3/{path}",
            json=body,
            headers={"Authorization": f"Bearer {TOKEN}", **{key.replace("_", "-"): headers[key] for key in headers}},
            timeout=30,
            allow_redirects=False,
        )


@contextmanager
def serving(app: Application) -> Iterator[Served]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.port}/")
    finally:
        server.shutdown()
        thread.join()


class Engine:
    """The engine's calls, through the provider that all plugins share."""

    def __init__(self, served: Served) -> None:
        self._provider = Provider(
            PLUGIN, {"GITHUB_TOKEN": TOKEN, "GITHUB_OWNER": "acme", "GITHUB_BASE_URL": served.base}
        )
        self._context = MagicMock()
        self._context.code.return_value = None
        self._context.abort.side_effect = lambda _code, words: pytest.fail(words)

    def create(self, kind: str, inputs: Props) -> tuple[str, Props]:
        request = provider_pb2.CreateRequest(urn=_urn(kind), properties=to_wire(inputs))
        answer = self._provider.Create(request, self._context)
        return answer.id, from_wire(answer.properties)

    def read(self, kind: str, identity: str, state: Props, inputs: Props) -> provider_pb2.ReadResponse:
        request = provider_pb2.ReadRequest(
            urn=_urn(kind), id=identity, properties=to_wire(state), inputs=to_wire(inputs)
        )
        return self._provider.Read(request, self._context)

    def diff(self, kind: str, old: Props, new: Props) -> tuple[list[str], list[str]]:
        request = provider_pb2.DiffRequest(urn=_urn(kind), old_inputs=to_wire(old), news=to_wire(new))
        answer = self._provider.Diff(request, self._context)
        return list(answer.diffs), list(answer.replaces)

    def update(self, kind: str, identity: str, state: Props, old: Props, new: Props) -> Props:
        request = provider_pb2.UpdateRequest(
            urn=_urn(kind), id=identity, olds=to_wire(state), old_inputs=to_wire(old), news=to_wire(new)
        )
        return from_wire(self._provider.Update(request, self._context).properties)

    def delete(self, kind: str, identity: str, state: Props) -> None:
        self._provider.Delete(
            provider_pb2.DeleteRequest(urn=_urn(kind), id=identity, properties=to_wire(state)), self._context
        )


def _urn(kind: str) -> str:
    return f"urn:pulumi:stack::project::{TABLES[kind].token}::name"
