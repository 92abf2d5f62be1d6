"""Start and stop of the local cloud's process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.runtime import machines

# Loading three clouds takes some seconds of one core. A machine that is busy with a build may need far more.
_START_PATIENCE = 120.0
_STOP_PATIENCE = 60.0  # a database writes its data to the disk before it ends


def start(folder: Folder) -> tuple[Running, bool]:
    """Return the running local cloud, started if necessary, and whether it was started now."""
    running = folder.running()
    if running is not None:
        return running, False
    folder.path.mkdir(parents=True, exist_ok=True)
    with open(folder.log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "serve"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "LOCALCLOUD_FOLDER": str(folder.path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the shell that started it must not reach it
        )
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        running = folder.running()
        if running is not None:  # ours, or that of a faster process
            return running, running.pid == process.pid
        # A faster process may hold the folder and still be loading. It is a failure only if no process holds it.
        if process.poll() is not None and folder.running() is None and not _held(folder):
            raise LocalCloudError(f"the local cloud did not start:\n{_log_tail(folder)}")
        time.sleep(0.05)
    process.kill()
    raise LocalCloudError(f"the local cloud did not answer within {_START_PATIENCE:.0f} s; see {folder.log}")


def stop(folder: Folder) -> bool:
    """Stop it if it runs, and return whether it ran. Its state stays in the folder."""
    running = folder.running()
    if running is None:
        _stop_what_is_left(folder)
        return False
    process = psutil.Process(running.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_PATIENCE)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(_STOP_PATIENCE)
    _stop_what_is_left(folder)
    folder.running_file.unlink(missing_ok=True)
    return True


def erase(folder: Folder) -> bool:
    """Stop it and delete its state: afterwards all clouds and stacks are empty. Return whether there was any."""
    existed = stop(folder) | folder.path.exists()
    machines.erase(folder)
    shutil.rmtree(folder.path, ignore_errors=True)
    return existed


def _stop_what_is_left(folder: Folder) -> None:
    """Stop databases, hosts and load balancers that a killed local cloud left behind."""
    machines.end_all(folder)
    if folder.databases.exists():
        from localcloud.postgres import stop_all

        stop_all(folder.databases)


def _held(folder: Folder) -> bool:
    try:
        with FileLock(folder.path / "lock", timeout=0):
            return False
    except Timeout:
        return True


def _log_tail(folder: Folder) -> str:
    return "\n".join(folder.log.read_text(errors="replace").splitlines()[-15:])
