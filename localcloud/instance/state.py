"""Storage of the local cloud's state, written so that a kill loses no answered change.

A cloud that answered "created" must still know the object after a crash. So every store is written before the answer is
sent: into a new file, which then replaces the old one.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content` in one step: a reader, or a kill at any moment, sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class JsonStore:
    """State of one emulator: a JSON object in one file, under one lock.

    `data` is plain JSON. It may be read inside `reading()`, and read and changed inside `changing()`. `changing()`
    saves it at the end, even if the block raises, because the changes until then are in effect. The lock is re-entrant,
    so a handler may call a handler. A file that does not exist yet starts as `initial`.
    """

    def __init__(self, path: Path | None, initial: dict[str, Any]) -> None:
        self._path = path
        self._lock = threading.RLock()
        self.data: dict[str, Any] = initial
        if path is not None and path.exists():
            self.data = json.loads(path.read_bytes())

    @contextmanager
    def reading(self) -> Iterator[dict[str, Any]]:
        with self._lock:
            yield self.data

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        with self._lock:
            try:
                yield self.data
            finally:
                if self._path is not None:
                    write_atomically(self._path, json.dumps(self.data).encode())
