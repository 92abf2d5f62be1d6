"""The behaviour of API hosts: real HAProxy processes on loopback, in front of small applications."""

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

from components.hosts.image.hosts import ApiHost
from localcloud.postgres import free_address
from tests.components.hosts.examples import PROGRAMS, active_api, program, standby_api, written_haproxy

HAPROXY = program("haproxy")
pytestmark = pytest.mark.skipif(
    HAPROXY is None and not os.environ.get("CI"), reason="haproxy is not installed; .ci/run installs it"
)

# The shortest that Hetzner accepts, so a standby steps back after 8 s and not after 11 s.
CHECK = {"health_interval_seconds": 3, "health_timeout_seconds": 1, "health_retries": 1}
# The time that a busy machine may add to any measured duration.
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
    """An API host. Its application is a thread of this process; its HAProxy is a separate process."""

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
        """Kill everything, like a power cut."""
        self.stop_application()
        if self.haproxy is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.haproxy.pid, signal.SIGKILL)
            self.haproxy.wait()
            self.haproxy = None

    def get(self, path: str, timeout: float = 10, method: str = "GET") -> tuple[int, str]:
        """Return the status and the body. The status is 0 if there is no answer."""
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
    """A function that starts a host on its own address. All hosts are stopped after the test."""
    running: list[Running] = []
    taken: set[str] = set()

    def started(make: Callable[..., ApiHost], **told: Any) -> Running:
        address = free_address(taken, 8080)
        taken.add(address)
        # Short, because the path of a socket has a length limit.
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
    """Wait until a condition holds, and return the seconds that it took."""
    began = time.monotonic()
    while not wanted():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def test_standbys_step_in_and_back(start: Start) -> None:
    actives = [start(active_api, name=f"active-{number}") for number in (1, 2)]
    for host in actives:
        until(lambda host=host: host.health() == 200, 5)  # type: ignore[misc]
    watched = {host.host.name: host.host.address for host in actives}
    first, second = (start(standby_api, place=place, actives=watched) for place in (1, 2))
    until(lambda: first.health() == second.health() == 503, 5)
    # Deployed and warm: it answers every request that reaches it.
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
    # The load balancer uses the active again after (retries + 1) x interval. The standby leaves 2 s later.
    assert until(lambda: second.health() == 503, 15) >= (1 + 1) * 3 + 2 - 1
    assert first.health() == 200


def test_standby_steps_in_if_application_is_down(start: Start) -> None:
    active = start(active_api)
    until(lambda: active.health() == 200, 5)
    standby = start(standby_api, actives={active.host.name: active.host.address})
    until(lambda: standby.health() == 503, 5)
    active.stop_application()
    assert until(lambda: active.health() == 503, 3) < 1.5 + BUSY_SECONDS
    assert until(lambda: standby.health() == 200, 3) < 1.5 + BUSY_SECONDS
    active.start_application()
    assert until(lambda: active.health() == 200, 3) < 1.5 + BUSY_SECONDS


def test_application_restart_loses_no_request(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    host.stop_application()
    # Long enough for the health check to notice.
    until(lambda: host.health() == 503, 3)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(host.get, "/", 10, method) for method in ("GET", "POST") for _ in range(10)]
        time.sleep(1.5)
        assert not any(one.done() for one in asked), "a request was refused instead of waiting"
        host.start_application()
        assert {one.result()[0] for one in asked} == {200}


def test_wait_for_application_is_limited(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    host.stop_application()
    began = time.monotonic()
    assert host.get("/")[0] == 503
    assert 4 < time.monotonic() - began < 7


def test_draining_host_finishes_open_requests(start: Start) -> None:
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
        # systemd sends the signal to the master process only.
        os.kill(host.haproxy.pid, signal.SIGUSR1)
        assert {one.result()[0] for one in still_open} == {200}
    host.haproxy.wait(3)
    assert time.monotonic() - began < 2.5 + BUSY_SECONDS
    assert host.get("/")[0] == 0


def test_manually_drained_host_serves_again(start: Start) -> None:
    host = start(active_api)
    until(lambda: host.health() == 200, 5)
    assert host.drain("drain", "--seconds", "0").wait() == 0
    assert host.health() == 503
    assert host.drain("serve").wait() == 0
    assert host.health() == 200


def test_draining_without_application_does_not_wait(start: Start) -> None:
    host = start(active_api)
    host.kill()
    began = time.monotonic()
    assert host.drain("drain", "--seconds", "60").wait(10) == 0
    assert time.monotonic() - began < 5
