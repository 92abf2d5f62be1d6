"""Control of the local cloud: requests that take effect at once while it runs, or else at its next start."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from filelock import FileLock, Timeout

from localcloud.instance.folder import Folder, LocalCloudError, Running

_ANSWER_PATIENCE: Final = 120.0  # seconds; restoring a region first starts its databases
_COME_UP_PATIENCE: Final = 120.0  # seconds; the longest time that a start may take
_POLL_SECONDS: Final = 0.05


def request_change(
    folder: Folder, command: str, asked: Any, record: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """Send a request to the running local cloud, or call `record`. Return the answer, and whether one runs.

    While `record` runs, no local cloud can start in the folder. Raises `LocalCloudError` if the local cloud refuses the
    request or does not answer.
    """
    deadline = time.monotonic() + _COME_UP_PATIENCE
    while time.monotonic() < deadline:
        running = folder.running()
        answer = _send(running, command, asked) if running is not None else _record(folder, record)
        if answer is not None:
            return answer, running is not None
        time.sleep(_POLL_SECONDS)
    raise LocalCloudError(f"the local cloud in {folder.path} neither answers nor ends. See {folder.log}")


def _send(running: Running, command: str, asked: Any) -> dict[str, Any] | None:
    """Send the request to the running local cloud; None if it ends meanwhile."""
    request = {"secret": running.secret, command: asked}
    try:
        with socket.create_connection(("127.0.0.1", running.broker_port), timeout=_ANSWER_PATIENCE) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
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


def _record(folder: Folder, record: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Record the request for the next start; None while a local cloud starts or ends in the folder."""
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder.path / "lock", timeout=0):
            return record()
    except Timeout:
        return None
