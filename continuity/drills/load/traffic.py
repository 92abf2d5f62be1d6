"""Requests at a steady rate, sent by a process of its own, and what became of each.

The rate is kept whatever the answers do (an open loop): a service that answers slowly gets no fewer requests, and a
request's latency counts from the moment at which it was due, not from the one at which there was time to send it.
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
"""How long the process may take to end, beyond the patience of its requests."""


@dataclass(frozen=True)
class Settings:
    """What is asked of whom. Times are in seconds, `rate` in requests a second."""

    name: str
    """The name that the certificate has to be for."""

    addresses: tuple[str, ...]
    """Where the name leads: the load balancers' addresses, as the name's DNS records have them."""

    port: int = 443
    path: str = "/"
    rate: float = 200.0
    patience: float = 2.0
    """When a client gives up. A request that is not answered by then has failed."""

    clients: int = 16
    """How many clients there are, each with connections of its own that it keeps open."""

    connection_uses: int = 10
    """A client opens a new connection for about each so manieth request."""

    open_at_most: int | None = None
    """How many requests may be open; None for as many as there are when nobody answers, and half as many again."""

    @property
    def bound(self) -> int:
        """How many requests may be open. One that is due beyond that is not sent, and has failed."""
        return self.open_at_most or max(16, int(self.rate * self.patience * 1.5))

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        data: dict[str, Any] = json.loads(text)
        return cls(**{**data, "addresses": tuple(data["addresses"])})


@dataclass(frozen=True)
class Request:
    """What became of a request. Times are those of the machine's monotonic clock, which its processes share."""

    number: int
    due: float
    started: float
    ended: float
    status: int | None = None
    error: str | None = None
    host: str | None = None
    """Who answered, if the application says so: `{"host": ...}`."""

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
    """The process that sends requests. It ends with `stop`, and by itself when this process is gone."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._requests: list[Request] = []
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read, name="traffic", daemon=True)
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process

    def start(self) -> None:
        # A session of its own: Ctrl-C is for the drill, which still counts while it puts things back.
        self._process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - for the type alone
        with suppress(BrokenPipeError):  # it has ended, which `check` says, with its last words
            self._process.stdin.write(self.settings.as_json() + "\n")
            self._process.stdin.flush()
        self._thread.start()

    @property
    def process_id(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def requests(self) -> list[Request]:
        """Those that have ended so far."""
        return list(self._requests)

    def check(self) -> None:
        """Raise `DrillError` when the process is not there any more: nothing is measured then."""
        if self._process is None or self._process.poll() is not None:
            raise DrillError(f"the process that sends requests ended: {self._words()}")

    def wait_for_first(self, seconds: float) -> None:
        """Until the first request has ended. The process itself takes a moment to start."""
        end = time.monotonic() + seconds
        while not self._requests:
            self.check()
            if time.monotonic() > end:
                raise DrillError(f"no request has ended after {seconds:.0f} s: {self._words()}")
            time.sleep(0.02)

    def stop(self) -> list[Request]:
        """Send no more, wait for those that are open, and give all of them in the order in which they were due."""
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
        assert self._process is not None and self._process.stdout is not None  # noqa: S101 - for the type alone
        for line in self._process.stdout:
            if line.endswith("\n"):  # the last line of a process that was killed may be torn
                self._requests.append(Request.from_json(line))

    def _words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` (0 to 1) of all do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
