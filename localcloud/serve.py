"""The local cloud's process: three clouds and the broker of plugins, on loopback, until it is told to stop."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil
from filelock import FileLock, Timeout
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from localcloud.folder import Folder, LocalCloudError, Running
from localcloud.plugins.broker import Broker
from localcloud.plugins.table import Plugin

log = logging.getLogger(__name__)

_LOOK_FOR_FOLDER = 2.0  # seconds

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def serve(folder: Folder) -> None:
    """Run until SIGTERM or SIGINT. Only one runs in a folder; a second one is refused."""
    folder.path.mkdir(parents=True, exist_ok=True)
    os.chmod(folder.path, 0o700)
    lock = FileLock(folder.path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LocalCloudError(f"a local cloud runs in {folder.path} already") from None
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        servers, broker, running = _listen(folder)
        for server in (*servers, broker):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        folder.remember(running)
        log.info("the local cloud listens: %s", running.ports)
        # Whoever deletes the folder, or the clone that it is in, means the local cloud too.
        while not stopping.wait(_LOOK_FOR_FOLDER) and _ours(folder):
            pass
        log.info("the local cloud stops")
        for server in (*servers, broker):
            server.shutdown()
    finally:
        if _ours(folder):
            folder.running_file.unlink(missing_ok=True)
        lock.release()


def _ours(folder: Folder) -> bool:
    """Whether the folder speaks of this process: it may be gone, or have been made anew with another one in it."""
    running = folder.running()
    return running is not None and running.pid == os.getpid()


def _listen(folder: Folder) -> tuple[list[BaseWSGIServer], Broker, Running]:
    credentials = folder.credentials()
    applications = {
        "aws": _aws(folder),
        "hetzner": _hetzner(folder, credentials.hcloud_token),
        "github": _github(folder, credentials.github_token),
    }
    last = folder.last_ports()
    requests = _RequestLog(folder)
    servers = {
        name: make_server(
            "127.0.0.1",
            _port(last.get(name)),
            requests.around(name, application),
            threaded=True,
            request_handler=_Handler,
        )
        for name, application in applications.items()
    }
    secret = secrets.token_urlsafe(24)
    broker = Broker(
        _port(last.get("broker")), secret, {"aws": _aws_plugin, "hcloud": _hcloud_plugin, "github": _github_plugin}
    )
    running = Running(
        pid=os.getpid(),
        created=psutil.Process().create_time(),
        ports={name: server.port for name, server in servers.items()},
        broker_port=broker.server_address[1],
        secret=secret,
    )
    return list(servers.values()), broker, running


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # clients keep their connections

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests stand in `requests.jsonl`, not in the log."""


class _RequestLog:
    """Every call that a cloud was asked, a line of JSON each: when, which cloud, which region, what, and the answer."""

    def __init__(self, folder: Folder) -> None:
        self._file = open(folder.requests, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - as long as the process
        self._lock = threading.Lock()

    def around(self, cloud: str, application: WSGI) -> WSGI:
        def logged(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def answered(status: str, *rest: Any) -> Any:
                line = {
                    "at": time.time(),
                    "cloud": cloud,
                    "region": _region(environ),
                    "method": environ["REQUEST_METHOD"],
                    "path": environ["PATH_INFO"],
                    "query": environ.get("QUERY_STRING", ""),
                    "operation": environ.get("HTTP_X_AMZ_TARGET", ""),
                    "status": int(status.split()[0]),
                }
                with self._lock:
                    self._file.write(json.dumps(line) + "\n")
                return start_response(status, *rest)

            return application(environ, answered)

        return logged


def _region(environ: dict[str, Any]) -> str | None:
    """The region that an AWS request was signed for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`."""
    _, found, scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    parts = scope.split("/")
    return parts[2] if found and len(parts) > 2 else None


def _port(wanted: int | None) -> int:
    """The port of last time when it is free, else any."""
    if wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return 0
        return wanted
    return 0


def _aws(folder: Folder) -> WSGI:
    from localcloud.aws import create_app

    return create_app(folder.path / "aws")


def _hetzner(folder: Folder, token: str) -> WSGI:
    from localcloud.hetzner import create_app

    return create_app(folder.path / "hetzner.json", token=token)


def _github(folder: Folder, token: str) -> WSGI:
    from localcloud.github import create_app

    return create_app(folder.path / "github.json", token=token)


# A plugin's tables bring its cloud's client along, so they are loaded when an engine first asks for them.
def _aws_plugin() -> Plugin:
    from localcloud.plugins.aws import PLUGIN

    return PLUGIN


def _hcloud_plugin() -> Plugin:
    from localcloud.plugins.hcloud import PLUGIN

    return PLUGIN


def _github_plugin() -> Plugin:
    from localcloud.plugins.github import PLUGIN

    return PLUGIN
