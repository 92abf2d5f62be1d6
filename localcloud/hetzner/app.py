"""Emulator as a WSGI application: authorization, state, rate limit, and answers in the API's format."""

from __future__ import annotations

import copy
import json
import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from localcloud.hetzner import changes, queries
from localcloud.hetzner.addresses import primary_ips
from localcloud.hetzner.collection import Answer, Collection
from localcloud.hetzner.dns import zones
from localcloud.hetzner.errors import ApiError
from localcloud.hetzner.load_balancers import certificates, load_balancers, targets
from localcloud.hetzner.network import firewalls, networks
from localcloud.hetzner.project import Project, Record, Settings, initial
from localcloud.hetzner.servers import commands, placement_groups, servers, ssh_keys
from localcloud.instance.state import JsonStore
from localcloud.network.certificate_authority import CertificateAuthority

# Cleanup functions for the removal of a record.
_REMOVAL: dict[str, Callable[[Project, Record], None]] = {
    "servers": servers.removed,
    "networks": networks.removed,
    "load_balancers": load_balancers.removed,
    "placement_groups": placement_groups.removed,
}

_REQUESTS_AN_HOUR = 3600


class Application:
    """A project of Hetzner Cloud, served under `/` and `/v1` alike.

    These members serve the programs that run the machines of its records:

    `listeners`: called after every change, in the thread that made it and without the store's lock.
    `reading`: returns the records.
    `settle`: applies ended actions without waiting for the next request.
    `loopbacks`: returns the local addresses in place of private ones.
    `runs_machines`: whether machines run, so that a shutdown is only a request.
    `powered_off`: reports that a server's machine has ended.
    `health`: accepts a probe that checks the real health of the load balancers' targets.
    """

    def __init__(
        self,
        store_path: Path | None,
        *,
        token: str | None,
        settings: Settings,
        authority: CertificateAuthority | None = None,
    ) -> None:
        self.health = targets.Health()
        self.listeners: list[Callable[[], None]] = []
        self.runs_machines = False
        self._store = JsonStore(store_path, initial())
        self._settings = settings
        self._issue = certificates.issuing(authority or CertificateAuthority("Local cloud authority", None))
        self._token = token
        self._budget = _Budget(settings.clock)
        self._collections: dict[str, Collection] = {
            entry.name: entry
            for entry in (
                certificates.CERTIFICATES,
                firewalls.FIREWALLS,
                load_balancers.collection(self.health),
                networks.NETWORKS,
                placement_groups.PLACEMENT_GROUPS,
                primary_ips.PRIMARY_IPS,
                servers.SERVERS,
                ssh_keys.SSH_KEYS,
                zones.ZONES,
            )
        }
        if self._project(self._store.data).bring_up_to_date():
            with self._store.changing():
                pass  # the store is written at the end of the block

    def reading(self) -> AbstractContextManager[dict[str, Any]]:
        """Yield the records by collection and id (a string), while no request changes them. Do not change them."""
        return self._store.reading()

    def settle(self) -> None:
        """Apply every action that has ended."""
        with self._store.reading() as data:
            if not self._project(data).due():
                return
        with self._store.changing() as data:
            self._project(data).finish_due()
        self._notify()

    def loopbacks(self, network: int, addresses: Iterable[str]) -> dict[str, str]:
        """Return the local addresses in place of a network's private ones, whether or not they are assigned yet."""
        wanted = list(addresses)
        with self._store.reading() as data:
            record = self._project(data).peek("networks", network)
            if record is None:
                return {}
            known: dict[str, str] = record.get("loopbacks", {})
            if all(ip in known for ip in wanted):
                return {ip: known[ip] for ip in wanted}
        with self._store.changing() as data:
            project = self._project(data)
            record = project.get("networks", network)
            return {ip: project.loopback(record, ip) for ip in wanted}

    def powered_off(self, server: int) -> None:
        """Record that the machine of this server has ended, by itself or on request."""
        with self._store.changing() as data:
            commands.powered_off(self._project(data), server)
        self._notify()

    def _notify(self) -> None:
        for listener in self.listeners:
            listener()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = self._answer(request)
        except ApiError as refusal:
            answer = Answer(refusal.status, refusal.body())
        response = Response(
            b"" if answer.body is None else json.dumps(answer.body).encode(),
            answer.status,
            content_type="application/json",
        )
        response.headers.extend(self._budget.spend())
        response.headers["X-Correlation-Id"] = secrets.token_hex(8)
        return response(environ, start_response)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        self._authorize(request)
        path = [part for part in request.path.split("/") if part]
        if path[:1] == ["v1"]:
            path = path[1:]
        if request.method == "GET":
            with self._store.reading() as data:
                if not self._project(data).due():
                    return queries.get(self._project(data), self._collections, path, request)
        try:
            return self._changed(path, request)
        finally:
            self._notify()

    def _changed(self, path: list[str], request: Request) -> Answer:
        body = _body(request)
        with self._store.changing() as data:
            project = self._project(data)
            project.finish_due()
            if request.method == "GET":
                return queries.get(project, self._collections, path, request)
            # A refusal undoes the whole change. Actions are only added here, never changed.
            before = {key: dict(value) if key == "actions" else copy.deepcopy(value) for key, value in data.items()}
            try:
                return changes.change(project, self._collections, request.method, path, body)
            except BaseException:
                data.clear()
                data.update(before)
                raise

    def _project(self, data: dict[str, Any]) -> Project:
        endings = commands.MACHINES_ENDINGS if self.runs_machines else commands.RECORDS_ENDINGS
        return Project(
            data,
            now=self._settings.clock(),
            settings=self._settings,
            removal=_REMOVAL,
            endings={**endings, "issue": self._issue},
        )

    def _authorize(self, request: Request) -> None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not given:
            raise ApiError("unauthorized", "token is required")
        if self._token is not None and not secrets.compare_digest(given.encode(), self._token.encode()):
            raise ApiError("unauthorized", "the token you have provided is invalid")


class _Budget:
    """Headers of the rate limit: an hourly budget that refills steadily. No request is refused because of it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left, self._since = float(_REQUESTS_AN_HOUR), clock()
        self._lock = threading.Lock()

    def spend(self) -> dict[str, str]:
        with self._lock:
            now = self._clock()
            refilled = self._left + (now - self._since) * _REQUESTS_AN_HOUR / 3600
            self._left, self._since = max(0.0, min(_REQUESTS_AN_HOUR, refilled) - 1), now
            full = now + (_REQUESTS_AN_HOUR - self._left) * 3600 / _REQUESTS_AN_HOUR
            return {
                "RateLimit-Limit": str(_REQUESTS_AN_HOUR),
                "RateLimit-Remaining": str(int(self._left)),
                "RateLimit-Reset": str(int(full)),
            }


def _body(request: Request) -> Any:
    raw = request.get_data()
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise ApiError("json_error", "the request body is not valid JSON") from None
