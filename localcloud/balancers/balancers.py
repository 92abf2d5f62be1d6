"""All load balancers of a local cloud: HAProxy follows the API's records, and reports health to them."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.balancers import configuration, runtime
from localcloud.balancers.balancer import Balancer
from localcloud.hetzner import Application
from localcloud.instance import process_tags

log = logging.getLogger(__name__)

_HEALTH_POLL_SECONDS = 0.5
_READ = ("load_balancers", "servers", "primary_ips", "certificates")


class Balancers:
    """Runs the load balancers in its own thread. The API's `health_status` is the last state that HAProxy reported.

    `program`: the path of HAProxy.
    `short`: a folder with a short path, for sockets.
    """

    def __init__(self, application: Application, program: str, folder: Path, short: Path) -> None:
        self._application = application
        self._program = program
        self._folder = folder
        self._short = short
        self._balancers: dict[int, Balancer] = {}
        self._healths: dict[int, dict[tuple[str, str], runtime.Health]] = {}
        self._changed = threading.Event()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=work, name="balancers", daemon=True) for work in (self._follow, self._read_health)
        ]

    def start(self) -> None:
        process_tags.kill_all(self._folder)  # left by a local cloud that was killed
        self._folder.mkdir(parents=True, exist_ok=True)
        self._application.health.probe = self._is_healthy
        self._application.listeners.append(self._changed.set)
        self._changed.set()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._ending.set()
        self._changed.set()
        for thread in self._threads:
            thread.join()
        for balancer in self._balancers.values():
            balancer.kill()
        process_tags.kill_all(self._folder)

    def _follow(self) -> None:
        while not self._ending.is_set():
            self._changed.wait(_HEALTH_POLL_SECONDS)
            self._changed.clear()
            try:
                self._application.settle()
                self._update()
            except Exception:
                log.exception("updating the load balancers failed")

    def _update(self) -> None:
        with self._application.reading() as data:
            seen = copy.deepcopy({name: data.get(name, {}) for name in _READ})
        records = {record["id"]: record for record in seen["load_balancers"].values()}
        known = {int(path.name) for path in self._folder.iterdir() if path.name.isdigit()}
        for number in (known | self._balancers.keys()) - records.keys():
            self._balancer(number).remove()
            self._balancers.pop(number, None)
            self._healths.pop(number, None)
        for number, record in records.items():
            if self._ending.is_set():
                return
            wanted = configuration.of(record, seen, self._folder / str(number))
            self._balancer(number).apply(wanted)

    def _read_health(self) -> None:
        while not self._ending.wait(_HEALTH_POLL_SECONDS):
            for number, balancer in list(self._balancers.items()):
                self._healths[number] = balancer.server_health()

    def _is_healthy(
        self, balancer: Mapping[str, Any], server: Mapping[str, Any], service: Mapping[str, Any]
    ) -> bool | None:
        health = self._healths.get(balancer["id"], {}).get((f"port-{service['listen_port']}", f"server-{server['id']}"))
        return None if health is None else health.up

    def _balancer(self, number: int) -> Balancer:
        if number not in self._balancers:
            self._balancers[number] = Balancer(self._program, self._folder / str(number), self._short / str(number))
        return self._balancers[number]
