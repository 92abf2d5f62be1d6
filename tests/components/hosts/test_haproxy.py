"""API hosts as they behave: real HAProxy processes on loopback, in front of small applications."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.hosts.image import ApiHost
from localcloud.postgres import free_address
from tests.components.hosts.examples import PROGRAMS, active_api, program, standby_api, written_haproxy

HAPROXY = program("haproxy")
pytestmark = pytest.mark.skipif(
    HAPROXY is None and not os.environ.get("CI"), reason="haproxy is not installed, and .ci/run would do so"
)

# The shortest that Hetzner takes, so that a standby gives back after 8 s and not after 11 s.
CHECK = {"health_interval_seconds": 3, "health_timeout_seconds": 1, "health_retries": 1}
# What a machine that does much else at the same time may add to any time that is measured here.
BUSY_SECONDS = 0.5


class _Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1.5)
        body = self.headers.get("X-Forwarded-For", "nobody").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the names are the protocol's

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@dataclass
class Running:
    """An API host: its application is a thread of this process, its HAProxy a process of its own."""

    host: ApiHost
    folder: Path
    application: _Server | None = None
    haproxy: subprocess.Popen[bytes] | None = None
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.start_application()
        assert HAPROXY is not None
        self.haproxy = subprocess.Popen(
            [HAPROXY, "-W", "-q", "-f", str(written_haproxy(self.host, self.folder))],
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start_application(self) -> None:
        self.application = _Server((self.host.address, self.host.app_port), _Application)
        self._threads.append(threading.Thread(target=self.application.serve_forever, args=(0.01,), daemon=True))
        self._threads[-1].start()

    def stop_application(self) -> None:
        if self.application is not None:
            self.application.shutdown()
            self.application.server_close()
            self.application = None

    def kill(self) -> None:
        """As when its power is taken away."""
        self.stop_application()
        if self.haproxy is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.haproxy.pid, signal.SIGKILL)
            self.haproxy.wait()
            self.haproxy = None

    def get(self, path: str, timeout: float = 10, method: str = "GET") -> tuple[int, str]:
        """The status, 0 where nobody answers, and the body."""
        url = f"http://{self.host.address}:{self.host.port}{path}"
        asked = urllib.request.Request(
            url, headers={"X-Forwarded-For": "198.51.100.7"}, method=method, data=b"x" if method == "POST" else None
        )
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    def health(self) -> int:
        return self.get("/healthz")[0]

    def drain(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(PROGRAMS / "drain.py"), "--socket", str(self.folder / "admin"), *arguments]
        )


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a host on an address of its own; all are gone afterwards."""
    running: list[Running] = []
    taken: set[str] = set()

    def started(make: Callable[..., ApiHost], **told: Any) -> Running:
        address = free_address(taken, 8080)
        taken.add(address)
        # Short, because the path of a socket has to be.
        host = Running(make(address=address, **CHECK, **told), tmp_path / f"h{len(running)}")
        running.append(host)
        host.start()
        return host

    try:
        yield started
    finally:
        for host in running:
            host.kill()


def until(wanted: Callable[[], bool], seconds: float) -> float:
    """How many seconds it took until that was so."""
    began = time.monotonic()
    while not wanted():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def test_standbys_step_in_one_by_one_and_step_back(start: Start) -> None:
    actives = [start(active_api, name=f"active-{number}") for number in (1, 2)]
    for host in actives:
        until(lambda host=host: host.health() == 200, 5)  # type: ignore[misc]
    watched = {host.host.name: host.host.address for host in actives}
    first, second = (start(standby_api, place=place, actives=watched) for place in (1, 2))
    until(lambda: first.health() == second.health() == 503, 5)
    # Deployed and warm: it would answer whoever asked.
    assert first.get("/") == second.get("/") == (200, "198.51.100.7")
    time.sleep(1)
    assert (first.health(), second.health()) == (503, 503)

    actives[0].kill()
    assert until(lambda: first.health() == 200, 3) < 1.5 + BUSY_SECONDS
    assert second.health() == 503
    actives[1].kill()
    assert until(lambda: second.health() == 200, 3) < 1.5 + BUSY_SECONDS
    assert first.health() == 200

    actives[0].start()
    until(lambda: actives[0].health() == 200, 5)
    # The load balancer has taken the active in again, after (retries + 1) x interval, and then 2 s, before one leaves.
    assert until(lambda: second.health() == 503, 15) >= (1 + 1) * 3 + 2 - 1
    assert first.health() == 200


def test_a_host_whose_application_is_down_says_so_and_its_standby_steps_in(start: Start) -> None:
    active = start(active_api)
    until(lambda: active.health() == 200, 5)
    standby = start(standby_api, actives={active.host.name: active.host.address})
    until(lambda: standby.health() == 503, 5)
    active.stop_application()
    assert until(lambda: active.health() == 503, 3) < 1.5 + BUSY_SECONDS
    assert until(lambda: standby.health() == 200, 3) < 1.5 + BUSY_SECONDS
    active.start_application()
    assert until(lambda: active.health() == 200, 3) < 1.5 + BUSY_SECONDS


def test_a_restart_of_the_application_loses_no_request(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    host.stop_application()
    # Long enough for the health check to know it.
    until(lambda: host.health() == 503, 3)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(host.get, "/", 10, method) for method in ("GET", "POST") for _ in range(10)]
        time.sleep(1.5)
        assert not any(one.done() for one in asked), "a request was turned away instead of waiting"
        host.start_application()
        assert {one.result()[0] for one in asked} == {200}


def test_an_application_that_does_not_come_back_is_not_waited_for_without_end(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    host.stop_application()
    began = time.monotonic()
    assert host.get("/")[0] == 503
    assert 4 < time.monotonic() - began < 7


def test_a_host_that_drains_serves_until_load_balancers_know_and_finishes_what_is_open(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    drain = host.drain("drain", "--seconds", "1.5")
    until(lambda: host.health() == 503, 3)
    with ThreadPoolExecutor(4) as pool:
        while drain.poll() is None:
            assert host.get("/") == (200, "198.51.100.7")
        assert drain.returncode == 0
        still_open = [pool.submit(host.get, "/slow") for _ in range(3)]
        time.sleep(0.3)
        assert host.haproxy is not None
        began = time.monotonic()
        # What systemd sends: to the master alone.
        os.kill(host.haproxy.pid, signal.SIGUSR1)
        assert {one.result()[0] for one in still_open} == {200}
    host.haproxy.wait(3)
    assert time.monotonic() - began < 2.5 + BUSY_SECONDS
    assert host.get("/")[0] == 0


def test_a_host_that_drained_by_hand_serves_again(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    assert host.drain("drain", "--seconds", "0").wait() == 0
    assert host.health() == 503
    assert host.drain("serve").wait() == 0
    assert host.health() == 200


def test_draining_does_not_wait_where_nobody_serves(start: Start) -> None:
    host = start(active_api)
    host.kill()
    began = time.monotonic()
    assert host.drain("drain", "--seconds", "60").wait(10) == 0
    assert time.monotonic() - began < 5
