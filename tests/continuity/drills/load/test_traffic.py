"""The load that the drill makes, against real servers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from continuity.drills.load.traffic import Request, Settings, Traffic, percentile
from tests.conftest import ROOT
from tests.continuity.web import NAME, Handler, Servers, certify, free_port

ADDRESSES = ("127.64.77.1", "127.64.77.2")
RATE = 100.0


def says(host: str, status: int = 200, seconds: float = 0.0) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.json_response({"host": host}, status=status)

    return answer


@pytest.fixture
def port() -> int:
    return free_port(*ADDRESSES)


@pytest.fixture
def servers(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    trusted, shown = certify(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    servers = Servers(shown, port)
    yield servers
    servers.close()


def begun(port: int, rate: float = RATE, patience: float = 2.0) -> Traffic:
    traffic = Traffic(Settings(name=NAME, addresses=ADDRESSES, port=port, rate=rate, patience=patience))
    traffic.start()
    traffic.wait_for_first(20)
    return traffic


def after(traffic: Traffic, seconds: float) -> list[Request]:
    time.sleep(seconds)
    return traffic.stop()


def both(servers: Servers, status: int = 200, seconds: float = 0.0) -> None:
    for number, address in enumerate(ADDRESSES):
        servers.serve(address, says(f"host-{number}", status, seconds))


def test_the_rate_is_kept_and_everyone_gets_a_share(servers: Servers, port: int) -> None:
    both(servers)
    requests = after(begun(port), 3)
    span = requests[-1].due - requests[0].due
    assert (len(requests) - 1) / span == pytest.approx(RATE, rel=0.05)
    assert requests[-1].started - requests[0].started == pytest.approx(span, rel=0.05)
    assert [request.number for request in requests] == list(range(len(requests)))
    assert all(request.served for request in requests)
    shares = Counter(request.host for request in requests)
    assert min(shares["host-0"], shares["host-1"]) > 0.2 * len(requests)


def test_slow_answers_do_not_slow_the_requests(servers: Servers, port: int) -> None:
    both(servers, seconds=0.5)
    requests = after(begun(port), 2)
    assert (len(requests) - 1) / (requests[-1].due - requests[0].due) == pytest.approx(RATE, rel=0.05)
    assert len(requests) > 1.8 * RATE
    assert all(request.served and request.latency >= 0.5 for request in requests)


def test_when_an_address_dies_clients_go_to_the_next(servers: Servers, port: int) -> None:
    both(servers)
    traffic = begun(port)
    time.sleep(1)
    servers.lose(ADDRESSES[0])
    lost = time.monotonic()
    requests = after(traffic, 2)
    late = [request for request in requests if request.due > lost + 0.3]
    assert len(late) > RATE
    assert all(request.served and request.host == "host-1" for request in late)
    # Only what was under way to the address when it died may have failed.
    assert all(request.due < lost + 0.1 for request in requests if not request.served)


@pytest.mark.parametrize(
    ("status", "seconds", "error"),
    [
        pytest.param(503, 0.0, None, id="refused by the service"),
        pytest.param(200, 5.0, "no answer within 0.5 s", id="too late"),
    ],
)
def test_failures_are_counted(servers: Servers, port: int, status: int, seconds: float, error: str | None) -> None:
    both(servers, status, seconds)
    requests = after(begun(port, rate=50, patience=0.5), 1)
    assert len(requests) > 45
    assert not any(request.served for request in requests)
    assert {request.error for request in requests} == {error}


def test_nobody_there_is_a_failure(servers: Servers, port: int) -> None:
    requests = after(begun(port, rate=50), 1)
    assert len(requests) > 45
    assert not any(request.served for request in requests)
    assert all(request.error and "Connect" in request.error for request in requests)


def test_a_certificate_that_nobody_vouches_for_is_a_failure(
    servers: Servers, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    other, _ = certify(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    both(servers)
    requests = after(begun(port, rate=20), 0.5)
    assert requests
    assert all(request.error and "ertificate" in request.error for request in requests)


def test_what_is_due_beyond_the_bound_is_not_sent_and_has_failed(servers: Servers, port: int) -> None:
    both(servers, seconds=0.5)
    traffic = Traffic(Settings(name=NAME, addresses=ADDRESSES, port=port, rate=50, open_at_most=5))
    traffic.start()
    traffic.wait_for_first(20)
    requests = after(traffic, 2)
    # Five at a time that take half a second each: ten a second of fifty.
    served = [request for request in requests if request.served]
    assert 0.1 < len(served) / len(requests) < 0.3
    assert {request.error for request in requests if not request.served} == {"not sent: 5 were open"}
    assert (len(requests) - 1) / (requests[-1].due - requests[0].due) == pytest.approx(50, rel=0.05)


def test_the_process_ends_with_the_drill_whatever_ends_it(servers: Servers, port: int) -> None:
    both(servers)
    settings = Settings(name=NAME, addresses=ADDRESSES, port=port, rate=20)
    program = (
        "import time; from continuity.drills.load.traffic import Settings, Traffic;"
        f"traffic = Traffic(Settings.from_json({settings.as_json()!r})); traffic.start();"
        "traffic.wait_for_first(20); print(traffic.process_id, flush=True); time.sleep(60)"
    )
    drill = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert drill.stdout is not None
    sender = psutil.Process(int(drill.stdout.readline()))
    drill.kill()
    drill.communicate()
    sender.wait(10)


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([], 0.5, None),
        ([3.0], 0.99, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        (list(map(float, range(1, 101))), 0.99, 99.0),
    ],
)
def test_percentiles(values: list[float], share: float, wanted: float | None) -> None:
    assert percentile(values, share) == wanted
