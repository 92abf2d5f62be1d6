"""Send requests at a constant rate from a separate process, and record the result of each.

The rate does not depend on the answers (an open loop): a slow service gets as many requests as a fast one. Latency
counts from the time at which a request was due, not from the time at which it was sent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from continuity.engine.stacks import PROJECT
from continuity.errors import DrillError

_PROGRAM: Final = "continuity.drills.load.traffic_program"
_END_SECONDS: Final = 10.0
"""The time limit for the process to end, in addition to the patience of its requests."""


@dataclass(frozen=True)
class Settings:
    """The target and the rate of the requests. Times are in seconds, `rate` is in requests a second."""

    name: str
    """The name in the certificate."""

    addresses: tuple[str, ...]
    """The addresses of the load balancers, as in the DNS records of the name."""

    port: int = 443
    path: str = "/"
    rate: float = 200.0
    patience: float = 2.0
    """The time after which a client gives up. A request without an answer by then has failed."""

    clients: int = 16
    """The number of clients. Each keeps separate connections open."""

    connection_uses: int = 10
    """A client opens a new connection for roughly every N-th request."""

    open_at_most: int | None = None
    """The maximum number of open requests. None means 1.5 times the number that is open if no request is answered."""

    @property
    def bound(self) -> int:
        """The maximum number of open requests. A request beyond it is not sent, and has failed."""
        return self.open_at_most or max(16, int(self.rate * self.patience * 1.5))

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        data: dict[str, Any] = json.loads(text)
        return cls(**{**data, "addresses": tuple(data["addresses"])})


@dataclass(frozen=True)
class Request:
    """The result of a request. Times are by the machine's monotonic clock, which its processes share."""

    number: int
    due: float
    started: float
    ended: float
    status: int | None = None
    error: str | None = None
    host: str | None = None
    """The host that answered, if the application names it: `{"host": ...}`."""

    @property
    def served(self) -> bool:
        return self.status is not None and 200 <= self.status < 400

    @property
    def latency(self) -> float:
        return self.ended - self.due

    def as_json(self) -> str:
        return json.dumps([self.number, self.due, self.started, self.ended, self.status, self.error, self.host])

    @classmethod
    def from_json(cls, line: str) -> Request:
        return cls(*json.loads(line))


class Traffic:
    """The process that sends requests. It ends with `stop`, or when this process ends."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._requests: list[Request] = []
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read, name="traffic", daemon=True)
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process

    def start(self) -> None:
        # A separate session: Ctrl-C must reach only the drill, which keeps measuring while it reverts the fault.
        self._process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - for the type alone
        with suppress(BrokenPipeError):  # it has ended, which `check` reports with its last output
            self._process.stdin.write(self.settings.as_json() + "\n")
            self._process.stdin.flush()
        self._thread.start()

    @property
    def process_id(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def requests(self) -> list[Request]:
        """The requests that have ended."""
        return list(self._requests)

    def check(self) -> None:
        """Raises `DrillError` if the process has ended, because nothing is measured then."""
        if self._process is None or self._process.poll() is not None:
            raise DrillError(f"the process that sends requests ended: {self._last_line()}")

    def wait_for_first(self, seconds: float) -> None:
        """Wait until the first request has ended. The process takes a moment to start."""
        end = time.monotonic() + seconds
        while not self._requests:
            self.check()
            if time.monotonic() > end:
                raise DrillError(f"no request has ended after {seconds:.0f} s: {self._last_line()}")
            time.sleep(0.02)

    def stop(self) -> list[Request]:
        """Stop sending, wait for open requests, and return all requests in the order in which they were due."""
        if self._process is None:
            return []
        if self._process.stdin is not None and not self._process.stdin.closed:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(self.settings.patience + _END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        return sorted(self._requests, key=lambda request: request.number)

    def _read(self) -> None:
        assert self._process is not None  # noqa: S101 - for the type alone
        assert self._process.stdout is not None  # noqa: S101
        for line in self._process.stdout:
            if line.endswith("\n"):  # the last line of a process that was killed may be torn
                self._requests.append(Request.from_json(line))

    def _last_line(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().strip().splitlines()
        return lines[-1] if lines else "no output"


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that a `share` (0 to 1) of the values does not exceed. None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
