"""Process of the local cloud: three clouds and the broker of plugins, on loopback, until it is stopped."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock, Timeout
from werkzeug.serving import BaseWSGIServer, make_server

from localcloud.faults import capacity
from localcloud.faults.outages import IsDead, Outages, apply_request
from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.plugins.broker import Broker
from localcloud.plugins.table import Plugin
from localcloud.runtime import machines
from localcloud.runtime.gateway import WSGI, Gateway, Handler, RequestLog

if TYPE_CHECKING:
    from localcloud.aws import Application
    from localcloud.hetzner import Application as Hetzner

log = logging.getLogger(__name__)

_FOLDER_POLL_SECONDS = 2.0


def serve(folder: Folder) -> None:
    """Run until SIGTERM or SIGINT. Only one process runs in a folder; a second one is refused."""
    folder.path.mkdir(parents=True, exist_ok=True)
    os.chmod(folder.path, 0o700)
    lock = FileLock(folder.path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LocalCloudError(f"a local cloud already runs in {folder.path}") from None
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        servers, broker, running, close, hetzner = _listen(folder)
        for server in (*servers, broker):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        # Hosts call the clouds as soon as they run. A client that finds the local cloud finds them running.
        ended = machines.run(folder, hetzner, running)
        folder.remember(running)
        log.info("the local cloud listens on %s", running.ports)
        # Deleting the folder (or its clone) stops the local cloud.
        while not stopping.wait(_FOLDER_POLL_SECONDS) and _ours(folder):
            pass
        log.info("the local cloud stops")
        ended()
        for server in (*servers, broker):
            server.shutdown()
        close()
    finally:
        if _ours(folder):
            folder.running_file.unlink(missing_ok=True)
        lock.release()


def _ours(folder: Folder) -> bool:
    """Whether the folder belongs to this process. It may be deleted, or recreated by a new process."""
    running = folder.running()
    return running is not None and running.pid == os.getpid()


def _listen(folder: Folder) -> tuple[list[BaseWSGIServer], Broker, Running, Callable[[], None], Hetzner]:
    from localcloud.aws.routing import needed

    credentials, outages, requests = folder.credentials(), Outages.of(folder), RequestLog(folder)
    sold_out = capacity.Shortages.of(folder)
    aws = _aws(folder, outages)
    hetzner = _hetzner(folder, credentials.hcloud_token, sold_out)
    gateways = [
        Gateway("aws", aws, needed, outages, requests),
        Gateway("hetzner", hetzner, _no_region, outages, requests),
        Gateway("github", _github(folder, credentials.github_token), _no_region, outages, requests),
    ]
    outages.announce()
    last = folder.last_ports()
    servers = {
        gateway.cloud: make_server(
            "127.0.0.1", _port(last.get(gateway.cloud)), gateway, threaded=True, request_handler=Handler
        )
        for gateway in gateways
    }
    secret = secrets.token_urlsafe(24)
    broker = Broker(
        _port(last.get("broker")),
        secret,
        {"aws": _aws_plugin, "hcloud": _hcloud_plugin, "github": _github_plugin},
        {
            "cut": lambda asked: apply_request(outages, "cut", asked),
            "restore": lambda asked: apply_request(outages, "restore", asked),
            **{verb: partial(capacity.apply_request, sold_out, verb) for verb in (capacity.SELL_OUT, capacity.RESTOCK)},
        },
    )
    running = Running(
        pid=os.getpid(),
        created=psutil.Process().create_time(),
        ports={name: server.port for name, server in servers.items()},
        broker_port=broker.server_address[1],
        secret=secret,
    )
    return list(servers.values()), broker, running, aws.close, hetzner


def _port(wanted: int | None) -> int:
    """The port of the last run if it is free, or else any."""
    if wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return 0
        return wanted
    return 0


def _no_region(environ: dict[str, Any], body: bytes) -> tuple[str | None, ...]:
    """The regions of a cloud with one endpoint for all regions: none."""
    return (None,)


def _aws(folder: Folder, outages: Outages) -> Application:
    from localcloud.aws import create_app, routing
    from localcloud.aws.s3 import replication
    from localcloud.aws.secretsmanager import replicas
    from localcloud.runtime.environment import enforces_iam

    application = create_app(folder.path / "aws", folder.databases, enforce_iam=enforces_iam(os.environ))
    routing.follow(outages.is_dead)

    def catch_up(is_dead: IsDead) -> None:
        with application.changing("s3", "secretsmanager"):
            replication.catch_up()
            replicas.catch_up()

    outages.listeners.append(catch_up)
    outages.listeners.append(application.follow)
    return application


def _hetzner(folder: Folder, token: str, sold_out: capacity.Shortages) -> Hetzner:
    from localcloud.hetzner import Application
    from localcloud.hetzner.project import Settings
    from localcloud.network.certificate_authority import CertificateAuthority
    from localcloud.runtime.environment import server_limit

    authority = CertificateAuthority("Local cloud authority", folder.authority)
    authority.ca  # noqa: B018 - clients look for the file before the first certificate is issued
    settings = Settings(sold_out=sold_out.kind, server_limit=server_limit(os.environ))
    return Application(folder.path / "hetzner.json", token=token, settings=settings, authority=authority)


def _github(folder: Folder, token: str) -> WSGI:
    from localcloud.github import create_app
    from localcloud.runtime.environment import github_plan

    return create_app(folder.path / "github.json", token=token, plan=github_plan(os.environ))


# A plugin's tables import its cloud's client, so they are loaded on the engine's first request.
def _aws_plugin() -> Plugin:
    from localcloud.plugins.aws import PLUGIN

    return PLUGIN


def _hcloud_plugin() -> Plugin:
    from localcloud.plugins.hcloud import PLUGIN

    return PLUGIN


def _github_plugin() -> Plugin:
    from localcloud.plugins.github import PLUGIN

    return PLUGIN
