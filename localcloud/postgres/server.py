"""Process of a server: it runs in its own session, and is found again by the file in which PostgreSQL records it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from localcloud.postgres import front, programs, settings
from localcloud.postgres.errors import PostgresError

_START_PATIENCE = 3600.0  # a long recovery takes its time, and the server answers only afterwards
_ORPHANS_PATIENCE = 15.0
_LOG_BYTES = 8 << 20
# Signals and their time limits: fast shutdown, then an immediate one, like a power loss, then SIGKILL.
_FAST = (signal.SIGINT, 120.0)
_HARD = ((signal.SIGQUIT, 30.0), (signal.SIGKILL, 10.0))

# A child stays in the list of processes until its parent collects its status.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Server:
    """A server that runs in `data`; `socket` is its socket; `ready`: it accepts sessions."""

    pid: int
    data: Path
    socket: str
    ready: bool


def find(data: Path) -> Server | None:
    """Return the server that runs in `data`. A process that only has the number of an earlier one does not count."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    # A negative number belongs to a process of initdb, which is not a server.
    if pid <= 0 or not _is_server(pid, data):
        return None
    # PostgreSQL fills the file while it starts: number, folder, start, port, socket, address, memory, state.
    return Server(pid, data, lines[4] if len(lines) > 4 else "", len(lines) > 7 and lines[7].strip() == "ready")


def start(folder: Path, paths: Iterable[Path], recovery: Iterable[str] = ()) -> Server:
    """Start the server of `folder` and wait until it accepts sessions; `recovery` are further arguments.

    Processes of a killed server may hold its memory for a moment longer, and PostgreSQL refuses to start meanwhile.
    """
    deadline = time.monotonic() + _ORPHANS_PATIENCE
    _forget_number(folder / "data")
    while True:
        try:
            return _start(folder, [folder / "data", *paths], recovery)
        except PostgresError as error:
            if "is still in use" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def end(server: Server, *, crash: bool = False) -> None:
    """End it: with a last checkpoint and its log archived, or at once, like a power loss."""
    for number, patience in (*(() if crash else (_FAST,)), *_HARD):
        try:
            os.kill(server.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _is_server(server.pid, server.data):
                return
            time.sleep(0.01)
    raise PostgresError(f"the server {server.pid} in {server.data} does not end, not even by SIGKILL")


def stop_all(folder: Path) -> int:
    """End every server whose data is anywhere below `folder`. Return their number."""
    ended = 0
    for place, folders, names in os.walk(folder.resolve()):
        if "PG_VERSION" not in names:
            continue
        folders.clear()  # a data folder, or a copy of one: nothing of interest below
        server = find(Path(place))
        if server is not None:
            end(server)
            ended += 1
        front.end(Path(place).parent)
    return ended


def log_tail(folder: Path, since: int = 0) -> str:
    """The end of the server's log."""
    with open(folder / "log", "rb") as log:
        log.seek(since)
        return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])


def _start(folder: Path, paths: list[Path], recovery: Iterable[str]) -> Server:
    socket = f"@localcloud-{secrets.token_hex(16)}"
    arguments = settings.write(folder, socket)
    log = folder / "log"
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(folder / "log.1")
    with open(log, "ab") as output:
        since = output.tell()
        process = subprocess.Popen(
            programs.command("postgres", *arguments, *recovery, paths=paths),
            env=programs.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in the shell that started the local cloud must not reach it
        )
    _children[process.pid] = process
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _children.pop(process.pid, None)
            raise PostgresError(f"the server of {folder} did not start:\n{log_tail(folder, since)}")
        server = find(folder / "data")
        if server is not None and server.pid == process.pid and server.ready:
            return server
        time.sleep(0.01)
    process.kill()
    raise PostgresError(f"the server of {folder} did not accept a session within {_START_PATIENCE:.0f} s; see {log}")


def _is_server(pid: int, data: Path) -> bool:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        _children.pop(pid, None)
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    # The first process keeps its original command line; only its children rename themselves.
    if not command or Path(command[0]).name != "postgres" or "-D" not in command:
        return False
    return str(data) in command or _works_in(process, data)


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Whether a process runs in a folder that was moved meanwhile. Only the server's user and root may read that."""
    try:
        return Path(process.cwd()) == data
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False


def _forget_number(data: Path) -> None:
    """Remove a recorded process number that belongs to a different process after a reboot.

    PostgreSQL would mistake that process for its own server.

    An unused number is left to PostgreSQL, which searches for remaining processes.
    """
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    if pid > 0 and psutil.pid_exists(pid) and not _is_server(pid, data):
        file.unlink(missing_ok=True)
