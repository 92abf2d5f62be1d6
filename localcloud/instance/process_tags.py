"""Process tags: find and end the processes of a machine, which is a host or a load balancer.

Each machine has a folder. Each process of the machine has the folder's name in its environment. Its children inherit
that, even if they detach. A child with a different environment is found through its parent. So no process number has to
be recorded, and the processes that a killed local cloud left behind are found too. This module imports only the
standard library: the hosts' own programs use it too, and must start quickly.
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
    """Whether this system shows the environment of processes; only Linux is known to do so."""
    return (_PROC / "self" / "environ").exists()


def of_machine(folder: Path) -> list[int]:
    """The processes of the machine with this folder."""
    return _with({f"{MACHINE}={folder}"})


def of_machines(parent: Path) -> list[int]:
    """The processes of every machine whose folder is in `parent`."""
    return _with(set(), f"{MACHINE}={parent}/")


def of_unit(folder: Path, unit: str) -> list[int]:
    return _with({f"{UNIT}={folder}#{unit}"})


def kill(folder: Path) -> int:
    """End every process of the machine at once, like a power loss. Return their number."""
    return _kill(lambda: of_machine(folder))


def kill_all(parent: Path) -> int:
    """End the processes of every machine whose folder is in `parent`. Return their number."""
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
    # Repeat until none is left: a process may have started a child between the search and the kill.
    while pids := find():
        killed.update(pids)
        send(pids, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {pids} do not end, not even by SIGKILL")
        time.sleep(0.005)
    return len(killed)


def _with(entries: set[str], beginning: str | None = None) -> list[int]:
    """Processes with one of these entries in their environment, and their children, whose environment may differ.

    The environment is the one that a process started with. Later changes by the process itself are not visible.
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
        except OSError:  # it has ended, or belongs to a different user
            continue
        if state in (b"Z", b"X"):  # it has ended, but its parent has not collected its status
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
