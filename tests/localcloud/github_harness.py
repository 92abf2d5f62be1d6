"""What the tests of GitHub in miniature share: the emulator behind a port, and plain requests to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from localcloud.github import Application

TOKEN = "ghp_test"


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A test that fails shows its answers itself."""


@dataclass(frozen=True)
class Served:
    """`base` is what the provider is given; it finds the API below `api/v3/`."""

    base: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
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
