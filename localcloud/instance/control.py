"""Commands that change how the local cloud behaves: in force at once while it runs, else noted for its next start."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from filelock import FileLock, Timeout

from localcloud.instance.folder import Folder, LocalCloudError, Running

_ANSWER_PATIENCE: Final = 120.0  # seconds; a region that is restored starts its databases before it is back
_COME_UP_PATIENCE: Final = 120.0  # seconds; as long as a start may take
_LOOK_AGAIN: Final = 0.05  # seconds


def in_folder(
    folder: Folder, command: str, asked: Any, note: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """Have the running local cloud do it; or, if none runs, `note` it while none can start. The answer, and which.

    `LocalCloudError` is what the local cloud refuses it with, and for one that does not answer.
    """
    deadline = time.monotonic() + _COME_UP_PATIENCE
    while time.monotonic() < deadline:
        running = folder.running()
        answer = _ask(running, command, asked) if running is not None else _note(folder, note)
        if answer is not None:
            return answer, running is not None
        time.sleep(_LOOK_AGAIN)
    raise LocalCloudError(f"the local cloud in {folder.path} neither answers nor ends; see {folder.log}")


def _ask(running: Running, command: str, asked: Any) -> dict[str, Any] | None:
    """Have the running local cloud do it; None when it ends meanwhile."""
    question = {"secret": running.secret, command: asked}
    try:
        with socket.create_connection(("127.0.0.1", running.broker_port), timeout=_ANSWER_PATIENCE) as connection:
            connection.sendall(json.dumps(question).encode() + b"\n")
            line = connection.makefile("rb").readline()
    except ConnectionError:
        return None
    except TimeoutError:
        raise LocalCloudError(f"the local cloud did not finish within {_ANSWER_PATIENCE:.0f} s") from None
    if not line:
        return None
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise LocalCloudError(answer["error"])
    return answer


def _note(folder: Folder, note: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Write it down for the next start; None when a local cloud is just starting or ending there."""
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder.path / "lock", timeout=0):
            return note()
    except Timeout:
        return None
