"""Start and end of a server's front: the process at its address that speaks TLS (front_program.py)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil

from localcloud.instance.state import write_atomically
from localcloud.network.addresses import listening
from localcloud.postgres.errors import PostgresError
from localcloud.postgres.settings import PORT, SUPERUSER
from localcloud.postgres.site import Site

_PROGRAM = Path(__file__).with_name("front_program.py")
_BIND_PATIENCE = 5.0
_END_PATIENCE = 5.0

_children: dict[int, subprocess.Popen[bytes]] = {}


def start(site: Site, folder: Path, address: str, port: int, server: int, socket: str) -> None:
    """Bind `address:port` for the server with that process number, which listens at `socket`.

    The front listens when this returns, and ends by itself after the server.
    """
    end(folder)
    pem = folder / "tls.pem"
    write_atomically(pem, site.certificate(address))
    deadline = time.monotonic() + _BIND_PATIENCE
    while True:
        try:
            door = listening(address, port)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"{address}:{port} cannot be bound ({error.strerror}): end the program that listens there, or "
                    "choose a different address"
                ) from error
        time.sleep(0.05)
    with door, open(folder / "log", "ab") as log:
        arguments = [str(door.fileno()), str(server), f"{socket}/.s.PGSQL.{PORT}", str(pem), str(policy(folder))]
        process = subprocess.Popen(
            # Isolated and without installed packages: it needs none, and starts in a fraction of the time.
            [sys.executable, "-I", "-S", str(_PROGRAM), *arguments, SUPERUSER],
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[door.fileno()],
            start_new_session=True,
        )
    _children[process.pid] = process
    noted = {"pid": process.pid, "server": server, "address": address, "port": port}
    write_atomically(folder / "front.json", json.dumps(noted).encode())


def listens(folder: Path, address: str, port: int, server: int) -> bool:
    """Whether the front of exactly that server listens at that address."""
    noted = _noted(folder)
    wanted = {"server": server, "address": address, "port": port}
    return all(noted.get(key) == value for key, value in wanted.items()) and _process(folder) is not None


def end(folder: Path) -> None:
    process = _process(folder)
    if process is not None:
        process.kill()  # it holds nothing that could be lost
        deadline = time.monotonic() + _END_PATIENCE
        while _process(folder) is not None and time.monotonic() < deadline:
            time.sleep(0.01)
    (folder / "front.json").unlink(missing_ok=True)


def policy(folder: Path) -> Path:
    """The file that says whether sessions without TLS are refused. The front reads it for each session."""
    return folder / "tls.json"


def require(folder: Path, required: bool) -> None:
    write_atomically(policy(folder), json.dumps({"required": required}).encode())


def _noted(folder: Path) -> dict[str, object]:
    try:
        noted: dict[str, object] = json.loads((folder / "front.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return noted


def _process(folder: Path) -> psutil.Process | None:
    pid = _noted(folder).get("pid")
    if not isinstance(pid, int):
        return None
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return None
    try:
        process = psutil.Process(pid)
        if child is not None:
            return process  # certainly ours; its command line is empty until it has started
        ours = process.status() != psutil.STATUS_ZOMBIE and str(policy(folder)) in process.cmdline()
    except psutil.NoSuchProcess:
        return None
    return process if ours else None
