"""All hosts of a local cloud: the machines that should run according to the records."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.hetzner import Application
from localcloud.hosts import places
from localcloud.hosts.host import Host, Site
from localcloud.instance import process_tags

log = logging.getLogger(__name__)

# The official provider attaches a server to its networks after its start, which takes a moment.
_ATTACHMENT_PATIENCE = 10.0
# How often the state of hosts and actions is read.
_POLL_SECONDS = 0.5
_LOOK_SOON = 0.05
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


class Hosts:
    """Runs the machine of each server that is on, in its own thread.

    A server that is off or deleted has no process soon after the API call. A server whose machine ends by itself is
    off. When the local cloud starts, every server that is on boots; when it ends, all lose their power.
    """

    def __init__(self, application: Application, folder: Path, environment: Mapping[str, str]) -> None:
        self._application = application
        self._site = Site(folder, environment)
        self._hosts: dict[int, Host] = {}
        self._started: dict[int, int] = {}
        """By server: the boot that this process started."""
        self._waiting: dict[int, float] = {}
        self._pressed: dict[int, int] = {}
        self._changed = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hosts", daemon=True)

    def start(self) -> None:
        process_tags.kill_all(self._site.folder)  # left by a local cloud that was killed
        self._site.folder.mkdir(parents=True, exist_ok=True)
        self._site.prepare()
        self._application.runs_machines = True
        self._application.listeners.append(self._changed.set)
        self._changed.set()
        self._thread.start()

    def close(self) -> None:
        """Cut the power of every host."""
        self._ending.set()
        self._changed.set()
        self._thread.join()
        for host in self._hosts.values():
            host.kill()
        process_tags.kill_all(self._site.folder)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._changed.wait(_LOOK_SOON if self._waiting or self._pressed else _POLL_SECONDS)
            self._changed.clear()
            try:
                self._application.settle()
                self._update()
            except Exception:
                log.exception("updating the hosts failed")

    def _update(self) -> None:
        with self._application.reading() as data:
            servers = {server["id"]: _copy(server) for server in data["servers"].values()}
            ranges = {network["id"]: network["ip_range"] for network in data["networks"].values()}
        known = {int(path.name) for path in self._site.folder.iterdir() if path.name.isdigit()}
        for number in (known | self._hosts.keys()) - servers.keys():
            self._host(number).remove()
            for noted in (self._hosts, self._started, self._waiting, self._pressed):
                noted.pop(number, None)
        # Ends before starts: a power-off must take effect at once.
        for number, server in servers.items():
            if not server["powered"]:
                self._waiting.pop(number, None)
                self._pressed.pop(number, None)
                if self._started.pop(number, None) is not None:
                    self._host(number).kill()
                    log.info("%s is off", server["name"])
        for number, server in servers.items():
            if server["powered"] and not self._ending.is_set():
                self._update_host(self._host(number), server, ranges)

    def _update_host(self, host: Host, server: dict[str, Any], ranges: Mapping[int, str]) -> None:
        number, boots = host.number, server["boots"]
        if self._started.get(number) != boots:
            if self._ready(server):
                self._boot(host, server, ranges)
        elif host.running:
            host.write_addresses({entry["ip"]: entry["loopback"] for entry in server["private_net"]})
            if server["stopping"] and self._pressed.get(number) != boots:
                self._pressed[number] = boots
                host.shut_down()
        else:
            # It ended by itself, or was asked to end.
            self._pressed.pop(number, None)
            self._application.powered_off(number)

    def _ready(self, server: Mapping[str, Any]) -> bool:
        """Whether its private address exists, if it needs one, or the wait for it is over."""
        if server["private_net"] or not places.private_addresses(Host.texts(server), _PRIVATE):
            return True
        since = self._waiting.setdefault(server["id"], time.monotonic())
        return time.monotonic() - since > _ATTACHMENT_PATIENCE

    def _boot(self, host: Host, server: dict[str, Any], ranges: Mapping[int, str]) -> None:
        self._waiting.pop(host.number, None)
        self._pressed.pop(host.number, None)
        addresses: dict[str, str] = {}
        for entry in server["private_net"]:
            texts = host.texts(server)
            named = places.private_addresses(texts, [ranges[entry["network"]]])
            addresses.update(self._application.loopbacks(entry["network"], [*named, entry["ip"]]))
        host.boot(server, addresses)
        self._started[host.number] = server["boots"]
        log.info("%s boots", server["name"])

    def _host(self, number: int) -> Host:
        if number not in self._hosts:
            self._hosts[number] = Host(self._site, number)
        return self._hosts[number]


def _copy(server: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "name", "image", "user_data", "powered", "boots", "stopping")
    networks = [dict(entry) for entry in server["private_net"]]
    return {**{key: server[key] for key in kept}, "disk": server.get("disk", 0), "private_net": networks}
