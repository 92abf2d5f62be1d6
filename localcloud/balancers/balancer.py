"""One load balancer's HAProxy: a master process, and the workers that it replaces when the configuration changes.

    haproxy.cfg   the configuration           certificates/   certificates with their keys
    log           HAProxy's output            balancer.json   the addresses and ports that it listens on

A second folder has a short path. It holds `s`, the socket, and `servers`, the known health of the servers, which the
next worker reads.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from localcloud.balancers import runtime
from localcloud.balancers.configuration import Configuration
from localcloud.instance import process_tags
from localcloud.instance.state import write_atomically

log = logging.getLogger(__name__)

_LOG_BYTES = 8 << 20
_START_PATIENCE = 5.0
_TELL_AGAIN = 1.0


class Balancer:
    """`folder` holds its files; `short` holds its socket, whose path must be short."""

    def __init__(self, program: str, folder: Path, short: Path) -> None:
        self._program = program
        self._folder = folder
        self._short = short
        self._master: subprocess.Popen[bytes] | None = None
        self._running: Configuration | None = None
        self._refused: Configuration | None = None

    @property
    def socket(self) -> Path:
        return self._short / "s"

    def apply(self, wanted: Configuration) -> None:
        """Apply the wanted configuration. If HAProxy refuses it, log that and keep the old one."""
        if wanted == self._running and (self._master is None or self._master.poll() is None):
            return
        if not wanted.addresses or not wanted.services:
            self.kill()
            self._running = wanted
            self._note(wanted)
            return
        if wanted == self._refused or not self._prepare(wanted):
            self._refused = wanted
            return
        known: dict[tuple[str, str, str], list[str]] = {}
        runs = self._master is not None and self._master.poll() is None
        if runs:
            try:
                known = runtime.known_states(self.socket)
            except OSError as fault:
                log.warning("%s: no answer from its socket: %s", wanted.name, fault)
        write_atomically(self._short / "servers", runtime.states(wanted, known).encode())
        os.replace(self._folder / "haproxy.cfg.new", self._folder / "haproxy.cfg")
        if runs and self._running is not None and self._running.public and not wanted.public:
            # Switching the public interface off also ends its connections.
            self.kill()
            runs = False
        if runs and self._master is not None:
            if not self._reload(self._master, wanted):
                return
            log.info("%s is changed", wanted.name)
        else:
            self._start()
            log.info("%s listens on %s", wanted.name, ", ".join(wanted.addresses))
        self._running = wanted
        self._note(wanted)

    def server_health(self) -> dict[tuple[str, str], runtime.Health]:
        """Return the health by service and server; empty if HAProxy does not run."""
        if self._master is None or self._master.poll() is not None:
            return {}
        try:
            return runtime.server_health(self.socket)
        except OSError:
            return {}

    def died(self) -> bool:
        """Whether it should run but does not."""
        return self._master is not None and self._master.poll() is not None

    def kill(self) -> None:
        """End it at once, with all its connections."""
        if self._master is not None and self._master.poll() is None:
            self._master.kill()
        process_tags.kill(self._folder)
        if self._master is not None:
            self._master.wait()
        self._master = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._short, ignore_errors=True)

    def _prepare(self, wanted: Configuration) -> bool:
        """Write the wanted configuration next to the current one. Return whether HAProxy accepts it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._short.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file, content in wanted.keys:
            if not file.exists() or file.read_text() != content:
                write_atomically(file, content.encode())
        new = self._folder / "haproxy.cfg.new"
        try:
            write_atomically(new, wanted.text(self._short).encode())
        except ValueError as fault:
            log.error("%s cannot be rendered, so its configuration is unchanged: %s", wanted.name, fault)
            return False
        checked = subprocess.run(
            [self._program, "-c", "-q", "-f", str(new)], capture_output=True, text=True, check=False, timeout=30
        )
        if checked.returncode != 0:
            log.error("HAProxy refuses the configuration of %s, so it is unchanged:\n%s", wanted.name, checked.stderr)
        return checked.returncode == 0

    def _start(self) -> None:
        file = self._folder / "log"
        if file.exists() and file.stat().st_size > _LOG_BYTES:
            file.replace(file.with_suffix(".1"))
        self.socket.unlink(missing_ok=True)
        with open(file, "ab") as output:
            self._master = subprocess.Popen(
                [self._program, "-W", "-f", str(self._folder / "haproxy.cfg")],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", process_tags.MACHINE: str(self._folder)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_PATIENCE
        while time.monotonic() < deadline and self._master.poll() is None:
            if self.socket.exists():  # HAProxy creates it after every other listener
                return
            time.sleep(0.01)
        log.error("HAProxy for %s did not start; see %s", self._folder.name, file)

    def _reload(self, master: subprocess.Popen[bytes], wanted: Configuration) -> bool:
        """Start a new worker with the wanted configuration. Return whether it took over.

        A master that handles a signal drops a second one that arrives meanwhile. So the signal is repeated until a
        worker with the wanted configuration answers.
        """
        deadline = time.monotonic() + _START_PATIENCE
        while time.monotonic() < deadline and master.poll() is None:
            master.send_signal(signal.SIGUSR2)
            again = time.monotonic() + _TELL_AGAIN
            while time.monotonic() < again and master.poll() is None:
                with suppress(OSError):
                    if runtime.revision(self.socket) == wanted.revision:
                        return True
                time.sleep(0.01)
        log.error("HAProxy did not apply the configuration of %s; see %s", wanted.name, self._folder / "log")
        return False

    def _note(self, running: Configuration) -> None:
        """Write the addresses to a file, so that other processes can read them without a call to the local cloud."""
        self._folder.mkdir(parents=True, exist_ok=True)
        noted = {
            "name": running.name,
            "socket": str(self.socket),
            "addresses": running.addresses,
            "ports": sorted({port for service in running.services for port in service.ports}),
            "public": running.public,
        }
        write_atomically(self._folder / "balancer.json", json.dumps(noted).encode())
