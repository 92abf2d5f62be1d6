"""Gateway to each cloud: it logs every call, and gives no answer to a call that an outage affects."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.serving import WSGIRequestHandler

from localcloud.faults.outages import Outages
from localcloud.instance.folder import Folder

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _UnreachableError(ConnectionResetError):
    """An outage affects the call: the client gets no answer, and its connection breaks."""


class RequestLog:
    """Log of every call to a cloud, one JSON line each: time, cloud, region, request and status.

    A call that was cut off has the `status` null and `cut` true. Its `region` is the unreachable one that it needed.
    """

    def __init__(self, folder: Folder) -> None:
        self._file = open(folder.requests, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - as long as the process
        self._lock = threading.Lock()

    def write(self, cloud: str, region: str | None, environ: dict[str, Any], status: int | None) -> None:
        line = {
            "at": time.time(),
            "cloud": cloud,
            "region": region,
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query": environ.get("QUERY_STRING", ""),
            "operation": environ.get("HTTP_X_AMZ_TARGET", ""),
            "status": status,
            **({"cut": True} if status is None else {}),
        }
        with self._lock:
            self._file.write(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Gateway:
    """The application at a cloud's port: it logs every call, and ends calls that an outage affects.

    `needed` returns the regions that a request and its body need, first the one that it was made for; None means a call
    without a region. A call is checked when it arrives, when it is complete, and when it is answered, because an outage
    may start meanwhile. The cloud receives only complete calls: it handles one call at a time, and must not wait for a
    client that stalls.
    """

    cloud: str
    application: WSGI
    needed: Callable[[dict[str, Any], bytes], tuple[str | None, ...]]
    outages: Outages
    requests: RequestLog

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._let_through(environ, self.needed(environ, b""))
        body = _received(environ)
        regions = self.needed(environ, body)
        self._let_through(environ, regions)

        def answered(status: str, *rest: Any) -> Any:
            self._let_through(environ, regions)
            self.requests.write(self.cloud, regions[0], environ, int(status.split()[0]))
            return start_response(status, *rest)

        return self.application(environ, answered)

    def is_dead(self, environ: dict[str, Any]) -> bool:
        return any(self.outages.is_cut(self.cloud, region) for region in self.needed(environ, b""))

    def _let_through(self, environ: dict[str, Any], regions: tuple[str | None, ...]) -> None:
        dead = [region for region in regions if self.outages.is_cut(self.cloud, region)]
        if dead:
            self.requests.write(self.cloud, dead[0], environ, None)
            raise _UnreachableError(f"{self.cloud} {dead[0] or ''} is cut off")


def _received(environ: dict[str, Any]) -> bytes:
    """Read the whole body, and keep it readable for the application.

    A client that leaves before its end made no call.
    """
    if environ.get("wsgi.input_terminated"):
        body: bytes = environ["wsgi.input"].read()
    else:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:
            raise ConnectionAbortedError(f"{len(body)} of {length} bytes came")
    environ["wsgi.input"] = io.BytesIO(body)
    return body


class Handler(WSGIRequestHandler):
    protocol_version = (
        "HTTP/1.1"  # for bodies in chunks and `Expect: 100-continue`; each answer still ends its connection
    )

    def run_wsgi(self) -> None:
        # "100 Continue" is an answer too. During an outage the waiting client sees the connection break instead.
        if "Expect" in self.headers and self._gateway.is_dead(self.make_environ()):
            del self.headers["Expect"]
        super().run_wsgi()

    def handle_expect_100(self) -> bool:
        """Do nothing here, because `run_wsgi` sends it."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that is not HTTP, unless the whole cloud is cut off."""
        gateway = self._gateway
        if gateway.outages.is_cut(gateway.cloud):
            self.connection_dropped(_UnreachableError(gateway.cloud))
        else:
            super().send_error(code, message, explain)

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        """Close the connection by a reset, so that a client that is still sending or waiting notices at once."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()  # it holds the socket open
            self.connection.close()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do nothing, because requests are in `requests.jsonl`, not in the log."""

    @property
    def _gateway(self) -> Gateway:
        gateway: Gateway = self.server.app  # type: ignore[assignment]
        return gateway
