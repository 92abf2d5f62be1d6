"""The emulator as a WSGI application: who may ask, which table a path belongs to, and answers in the API's form."""

from __future__ import annotations

import copy
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from localcloud.hetzner import catalogue
from localcloud.hetzner.addresses import primary_ips
from localcloud.hetzner.collection import Answer, Body, Collection
from localcloud.hetzner.dns import zones
from localcloud.hetzner.errors import ApiError, invalid_input, not_found, not_unique, unsupported
from localcloud.hetzner.forms import read
from localcloud.hetzner.labels import Selector
from localcloud.hetzner.load_balancers import certificates, load_balancers, targets
from localcloud.hetzner.network import firewalls, networks
from localcloud.hetzner.paging import ordered, page
from localcloud.hetzner.project import ChooseAddress, Project, Record, initial
from localcloud.hetzner.servers import commands, placement_groups, servers, ssh_keys
from localcloud.instance.state import JsonStore
from localcloud.network.addresses import unused_address
from localcloud.network.certificate_authority import Authority

# What else goes when a record goes.
_REMOVAL: dict[str, Callable[[Project, Record], None]] = {
    "servers": servers.removed,
    "networks": networks.removed,
    "load_balancers": load_balancers.removed,
    "placement_groups": placement_groups.removed,
}

_ACTION_SORTS = ("id", "command", "status", "started", "finished")

# Parts of the real API that are refused by name.
_UNSUPPORTED = frozenset({"floating_ips", "isos", "pricing", "volumes"})
_REMOVED = {
    "datacenters": "https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated",
    "actions": "https://docs.hetzner.cloud/changelog"
    "#2025-01-30-listing-arbitrary-actions-in-the-actions-list-endpoint-is-removed",
}

_REQUESTS_AN_HOUR = 3600


class Application:
    """A project of Hetzner Cloud, served under `/` and `/v1` alike.

    For whoever runs what its records say: `listeners` are called after every change, in the thread that made it and
    without the store's lock; `reading` gives the records; `settle` lets actions that are over take effect without
    waiting for the next request; `loopbacks` gives what stands for private addresses; `runs_machines` says that a
    shutdown only asks, and `powered_off` that a server's machine has ended; `health` may be given a probe that looks at
    what really runs behind the load balancers' targets.
    """

    def __init__(
        self,
        store_path: Path | None,
        *,
        token: str | None,
        action_seconds: float,
        clock: Callable[[], float] = time.time,
        choose_address: ChooseAddress = unused_address,
        authority: Authority | None = None,
        sold_out: catalogue.SoldOut = catalogue.nothing_sold_out,
    ) -> None:
        self.health = targets.Health()
        self.listeners: list[Callable[[], None]] = []
        self.runs_machines = False
        self._store = JsonStore(store_path, initial())
        self._choose_address = choose_address
        self._sold_out = sold_out
        self._issue = certificates.issuing(authority or Authority("Local cloud authority", None))
        self._token = token
        self._action_seconds = action_seconds
        self._clock = clock
        self._budget = _Budget(clock)
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
                pass  # it is written on the way out

    def reading(self) -> AbstractContextManager[dict[str, Any]]:
        """The records, by collection and id as a string, while no request changes them. They are not to be changed."""
        return self._store.reading()

    def settle(self) -> None:
        """Let every action that is over by now take effect."""
        with self._store.reading() as data:
            if not self._project(data).due():
                return
        with self._store.changing() as data:
            self._project(data).finish_due()
        self._tell()

    def loopbacks(self, network: int, addresses: Iterable[str]) -> dict[str, str]:
        """What stands for private addresses of a network on this machine, whether or not somebody has them yet."""
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
        """The machine of this server has ended by itself or because it was asked to."""
        with self._store.changing() as data:
            commands.powered_off(self._project(data), server)
        self._tell()

    def _tell(self) -> None:
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
                    return self._get(self._project(data), path, request)
        try:
            return self._changed(path, request)
        finally:
            self._tell()

    def _changed(self, path: list[str], request: Request) -> Answer:
        body = _body(request)
        with self._store.changing() as data:
            project = self._project(data)
            project.finish_due()
            if request.method == "GET":
                return self._get(project, path, request)
            # Everything or nothing: a refusal leaves no half of a change behind. Actions are only ever added here.
            before = {key: dict(value) if key == "actions" else copy.deepcopy(value) for key, value in data.items()}
            try:
                return self._change(project, request.method, path, body)
            except BaseException:
                data.clear()
                data.update(before)
                raise

    def _project(self, data: dict[str, Any]) -> Project:
        return Project(
            data,
            now=self._clock(),
            action_seconds=self._action_seconds,
            choose_address=self._choose_address,
            removal=_REMOVAL,
            endings={
                **(commands.MACHINES_ENDINGS if self.runs_machines else commands.BOOKS_ENDINGS),
                "issue": self._issue,
            },
            sold_out=self._sold_out,
        )

    def _authorize(self, request: Request) -> None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not given:
            raise ApiError("unauthorized", "token is required")
        if self._token is not None and not secrets.compare_digest(given.encode(), self._token.encode()):
            raise ApiError("unauthorized", "the token you have provided is invalid")

    # -- reading ------------------------------------------------------------------------------------------------------

    def _get(self, project: Project, path: list[str], request: Request) -> Answer:
        match path:
            case ["actions"] if "id" in request.args:
                return Answer(200, self._list_actions(project, list(project.data["actions"].values()), request))
            case ["actions", identity]:
                return Answer(200, {"action": self._show_action(project, identity)})
            case [name] if name in catalogue.LISTS:
                return Answer(200, self._list_catalogue(name, request))
            case [name, identity] if name in catalogue.LISTS:
                one, _ = catalogue.LISTS[name]
                return Answer(200, {one: self._in_stock(name, catalogue.find(name, _identity(identity)))})
        entry, rest = self._collection(path)
        match rest:
            case []:
                return Answer(200, self._list(project, entry, request))
            case ["actions"]:
                of_kind = (action for action in project.data["actions"].values() if _about(action, entry.one))
                return Answer(200, self._list_actions(project, list(of_kind), request))
            case ["actions", identity]:
                return Answer(200, {"action": self._show_action(project, identity, entry)})
            case [identity]:
                return Answer(200, {entry.one: entry.show(project, _record(project, entry, identity))})
            case [identity, "members"] if entry.members is not None:
                return Answer(200, entry.members(project, _record(project, entry, identity), request.args))
            case [identity, "actions"]:
                # The actions of something deleted can still be read.
                number = _record(project, entry, identity)["id"] if entry.by_name else _identity(identity)
                about = (one for one in project.data["actions"].values() if _about(one, entry.one, number))
                return Answer(200, self._list_actions(project, list(about), request))
            case [identity, part, *below] if entry.part is not None and part == entry.part.name:
                return entry.part.get(project, _record(project, entry, identity), below, request.args)
            case [_, "zonefile"]:
                raise unsupported("zone files")
            case [_, "actions", identity]:
                return Answer(200, {"action": self._show_action(project, identity, entry)})
            case [_, "metrics"]:
                raise unsupported(f"metrics of {entry.words}s")
        raise _no_such_path(path)

    def _list(self, project: Project, entry: Collection, request: Request) -> Body:
        shown = [entry.show(project, record) for record in project.all(entry.name)]
        for name in request.args:
            wanted = request.args.getlist(name)
            if name == "name":
                shown = [one for one in shown if one["name"] in wanted]
            elif name == "label_selector":
                matches = _selector(wanted[-1])
                shown = [one for one in shown if matches(one["labels"])]
            elif name in entry.filters:
                shown = [one for one in shown if entry.filters[name](one, wanted)]
            elif name not in ("sort", "page", "per_page"):
                raise invalid_input({name: ["is not a known query parameter"]})
        return page(entry.name, ordered(shown, request.args, entry.sorts), request.args)

    def _list_catalogue(self, name: str, request: Request) -> Body:
        _, entries = catalogue.LISTS[name]
        query = request.args
        known = {"name", "sort", "page", "per_page"}
        found = [entry for entry in entries if "name" not in query or entry["name"] in query.getlist("name")]
        if name == "images":
            known |= {"type", "status", "architecture", "include_deprecated", "label_selector", "bound_to"}
            for key in ("type", "status", "architecture"):
                found = [entry for entry in found if key not in query or entry[key] in query.getlist(key)]
            if query.get("include_deprecated") not in ("true", "True", "1"):
                found = [entry for entry in found if entry["deprecation"] is None]
            if "label_selector" in query or "bound_to" in query:
                found = []  # the images of the system have no labels and belong to no server
        for key in query:
            if key not in known:
                raise invalid_input({key: ["is not a known query parameter"]})
        shown = [self._in_stock(name, entry) for entry in ordered(found, query, ("id", "name"))]
        return page(name, shown, query)

    def _in_stock(self, name: str, entry: catalogue.Entry) -> catalogue.Entry:
        return catalogue.with_stock(entry, self._sold_out) if name == "server_types" else entry

    def _list_actions(self, project: Project, actions: list[Record], request: Request) -> Body:
        query = request.args
        shown = [project.show_action(action) for action in actions]
        for key in ("id", "status"):
            if key in query:
                shown = [one for one in shown if str(one[key]) in query.getlist(key)]
        return page("actions", ordered(shown, query, _ACTION_SORTS), query)

    def _show_action(self, project: Project, identity: str, entry: Collection | None = None) -> Body:
        action = project.data["actions"].get(identity)
        if action is None or (entry is not None and not _about(action, entry.one)):
            raise not_found("action", identity)
        return project.show_action(action)

    # -- changing -----------------------------------------------------------------------------------------------------

    def _change(self, project: Project, method: str, path: list[str], body: Any) -> Answer:
        if path and path[0] in (*catalogue.LISTS, "actions"):
            raise ApiError("method_not_allowed", f"{method} is not allowed for /{'/'.join(path)}")
        entry, rest = self._collection(path)
        match method, rest:
            case "POST", []:
                wanted = read(body, entry.creation)
                _check_unique(project, entry, wanted["name"])
                return entry.create(project, wanted)
            case "POST", [identity, "actions", command]:
                return self._command(project, entry, _record(project, entry, identity), command, body)
            case _, [identity, part, *below] if entry.part is not None and part == entry.part.name:
                return entry.part.change(project, _record(project, entry, identity), method, below, body)
            case "PUT", [identity]:
                return self._update(project, entry, _record(project, entry, identity), body)
            case "DELETE", [identity]:
                record = _record(project, entry, identity)
                if record.get("protection", {}).get("delete"):
                    raise ApiError("protected", f"{entry.words} deletion is protected")
                self._check_free(project, entry, record)
                return entry.delete(project, record)
        if len(rest) < 2 or rest[1:] in (["actions"], ["members"]):
            raise ApiError("method_not_allowed", f"{method} is not allowed for /{'/'.join(path)}")
        raise _no_such_path(path)

    def _update(self, project: Project, entry: Collection, record: Record, body: Any) -> Answer:
        changes = read(body, entry.changes)
        if changes.get("name", record["name"]) != record["name"]:
            if entry.name == "servers":
                read({"name": changes["name"]}, {"name": entry.form["name"]})
            _check_unique(project, entry, changes["name"])
        record.update({key: changes[key] for key in ("name", "labels") if key in changes})
        if entry.update is not None:
            entry.update(project, record, changes)
        return Answer(200, {entry.one: entry.show(project, record)})

    def _command(self, project: Project, entry: Collection, record: Record, command: str, body: Any) -> Answer:
        if command in entry.unsupported:
            raise unsupported(f"the action {command} of {entry.words}s")
        known = entry.commands.get(command)
        if known is None:
            raise _no_such_path([entry.name, str(record["id"]), "actions", command])
        if known.locks:
            self._check_free(project, entry, record)
        return known.run(project, record, read({} if body is None else body, known.form))

    def _check_free(self, project: Project, entry: Collection, record: Record) -> None:
        running = project.running(entry.one, record["id"])
        if running:
            message = f"{entry.words} '{record['id']}' is busy with the action {running[0]['command']}"
            raise ApiError(entry.busy, message)

    def _collection(self, path: list[str]) -> tuple[Collection, list[str]]:
        if path and path[0] in self._collections:
            return self._collections[path[0]], path[1:]
        if path and path[0] in _REMOVED:
            announcement = {"announcement": _REMOVED[path[0]]}
            raise ApiError("deprecated_api_endpoint", f"the API functionality /{path[0]} was removed", announcement)
        if path and path[0] in _UNSUPPORTED:
            raise unsupported(f"/{path[0]}")
        raise _no_such_path(path)


class _Budget:
    """The rate limit's headers: a budget of an hour's requests that refills steadily. Nothing is refused for it."""

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


def _identity(text: str) -> int:
    if re.fullmatch(r"[1-9]\d{0,15}", text) is None:
        raise invalid_input({"id": ["must be a positive integer"]})
    return int(text)


def _record(project: Project, entry: Collection, text: str) -> Record:
    """The record that a path names."""
    if entry.by_name and not text.isdigit():
        return project.lookup(entry.name, text)
    return project.get(entry.name, _identity(text))


def _selector(text: str) -> Callable[[dict[str, str]], bool]:
    try:
        return Selector(text).matches
    except ValueError as fault:
        raise invalid_input({"label_selector": [str(fault)]}) from None


def _check_unique(project: Project, entry: Collection, name: str) -> None:
    if any(record["name"] == name for record in project.all(entry.name)):
        raise not_unique(entry.words, "name")


def _about(action: Record, kind: str, identity: int | None = None) -> bool:
    return any(one["type"] == kind and identity in (None, one["id"]) for one in action["resources"])


def _no_such_path(path: list[str]) -> ApiError:
    return ApiError("not_found", f"there is nothing at /{'/'.join(path)}")
