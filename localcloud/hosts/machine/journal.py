"""Journal of a host: a file of JSON lines with journald's field names (systemd.journal-fields(7))."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

_ROTATE_BYTES = 16 << 20
_POLL_SECONDS = 0.2


class Journal:
    """Writer of the journal. Only one process writes, and each line in one step."""

    def __init__(self, file: Path, host: str) -> None:
        if file.exists() and file.stat().st_size > _ROTATE_BYTES:
            file.replace(file.with_suffix(".1"))
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._boot = os.urandom(16).hex()
        self._host = host
        self._number = 0

    def write(self, message: str, unit: str, *, identifier: str, pid: int, priority: int = 6, **more: str) -> None:
        self._number += 1
        entry = {
            "__CURSOR": f"b={self._boot};i={self._number:x}",
            "__REALTIME_TIMESTAMP": str(time.time_ns() // 1000),
            "__MONOTONIC_TIMESTAMP": str(time.monotonic_ns() // 1000),
            "_BOOT_ID": self._boot,
            "_HOSTNAME": self._host,
            "_SYSTEMD_UNIT": unit,
            "SYSLOG_IDENTIFIER": identifier,
            "_PID": str(pid),
            "PRIORITY": str(priority),
            "MESSAGE": message,
            **more,
        }
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def line(self, raw: bytes, unit: str, *, identifier: str, pid: int) -> None:
        """Write a line of a program's output. A prefix such as `<3>` is its priority, as in sd-daemon(3)."""
        text = raw.decode(errors="replace").rstrip()
        priority = 6
        if len(text) > 2 and text[0] == "<" and text[2] == ">" and text[1] in "01234567":
            priority, text = int(text[1]), text[3:]
        if text:
            self.write(text, unit, identifier=identifier, pid=pid, priority=priority)


def entries(file: Path, *, follow: bool = False) -> Iterator[Entry | None]:
    """Yield the entries, oldest first. With `follow`, wait for further ones, and yield None while there is none."""
    while not file.exists():
        if not follow:
            return
        yield None
        time.sleep(_POLL_SECONDS)
    opened = open(file, "rb")  # noqa: SIM115 - a rotation creates a new file
    with opened:
        rest = b""
        while True:
            line = opened.readline()
            if not line:
                if not follow:
                    return
                yield None
                time.sleep(_POLL_SECONDS)
                if file.exists() and os.fstat(opened.fileno()).st_ino != file.stat().st_ino:
                    break
                continue
            rest += line
            if rest.endswith(b"\n"):
                yield json.loads(rest)
                rest = b""
    yield from entries(file, follow=follow)
