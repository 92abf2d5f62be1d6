"""Finds and ends the processes of a machine: a host or a load balancer that is played by processes of this one.

Each machine has a folder, and every process of it has that folder's name in its environment, which its children
inherit however they detach themselves; those of its children that were given another one are found by their parents.
So nothing needs to be noted anywhere, and what a killed local cloud left behind
is found as well as what runs now. Only the standard library: hosts' own programs use it too, and must start at once.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

MACHINE = "LOCALCLOUD_MACHINE"
UNIT = "LOCALCLOUD_UNIT"

_KILL_PATIENCE = 10.0
_PROC = Path("/proc")


def can_be_read() -> bool:
    """Whether this system shows the environment of processes; only Linux is known to."""
    return (_PROC / "self" / "environ").exists()


def of_machine(folder: Path) -> list[int]:
    """The processes of the machine whose folder that is."""
    return _with({f"{MACHINE}={folder}"})


def of_machines(parent: Path) -> list[int]:
    """The processes of every machine whose folder is in `parent`."""
    return _with(set(), f"{MACHINE}={parent}/")


def of_unit(folder: Path, unit: str) -> list[int]:
    return _with({f"{UNIT}={folder}#{unit}"})


def kill(folder: Path) -> int:
    """End every process of the machine at once, as a cut of its power would; how many there were."""
    return _kill(lambda: of_machine(folder))


def kill_all(parent: Path) -> int:
    """The same for every machine whose folder is in `parent`."""
    return _kill(lambda: of_machines(parent))


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _kill(find: Callable[[], list[int]]) -> int:
    killed: set[int] = set()
    deadline = time.monotonic() + _KILL_PATIENCE
    # Again until none is left: one may have had a child between the look and the kill.
    while pids := find():
        killed.update(pids)
        send(pids, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {pids} do not end, not even by SIGKILL")
        time.sleep(0.005)
    return len(killed)


def _with(entries: set[str], beginning: str | None = None) -> list[int]:
    """Processes with one of these entries in their environment, and their children, who may have been given another.

    The environment is what a process was started with; what it changes there itself is not seen.
    """
    exact = {entry.encode() for entry in entries}
    start = beginning.encode() if beginning is not None else None
    found: set[int] = set()
    children: dict[int, list[int]] = {}
    for name in os.listdir(_PROC):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            environment = (_PROC / name / "environ").read_bytes()
            # After the program's name in brackets: its state, and its parent.
            state, parent = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()[:2]
        except OSError:  # it is gone, or another user's
            continue
        if state in (b"Z", b"X"):  # it has ended, and its parent has not asked after it
            continue
        children.setdefault(int(parent), []).append(int(name))
        if b"LOCALCLOUD_" in environment:
            variables = environment.split(b"\0")
            if not exact.isdisjoint(variables) or (start and any(entry.startswith(start) for entry in variables)):
                found.add(int(name))
    todo = list(found)
    while todo:
        new = set(children.get(todo.pop(), ())) - found
        found |= new
        todo.extend(new)
    return sorted(found)
