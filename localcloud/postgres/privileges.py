"""User of PostgreSQL's programs: PostgreSQL refuses root, so for root they run as an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localcloud.postgres.errors import PostgresError

# Linux's numbers (capabilities(7)). The first lets a process search and read any folder; the second also lets it write.
_DAC_READ_SEARCH, _DAC_OVERRIDE = 2, 1


@dataclass(frozen=True)
class Account:
    """The unprivileged user that root starts the programs as."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether it may search every folder above `path`, and `path` itself if that is a folder."""
        return all(self._searches(folder) for folder in (path, *path.parents) if folder.is_dir())

    def _searches(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == self.gid else stat.S_IXOTH))


@cache
def account() -> Account | None:
    """The user that the programs run as; None for the present user, who is then not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise PostgresError(
        "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`: "
        "create one of them, or run this as a different user"
    )


def needs_capability(paths: Iterable[Path]) -> bool:
    """Whether the account cannot reach one of `paths` by itself, because a folder above it is closed to it."""
    other = account()
    return other is not None and not all(other.reaches(path) for path in paths)


def prefix(paths: Iterable[Path]) -> list[str]:
    """The prefix of a command line that makes a program run as the account with access to `paths`."""
    other = account()
    if other is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError(
            f"PostgreSQL does not run as root, and `setpriv`, which would start it as the user {other.name}, "
            "is not on PATH: install util-linux, or run this as a different user"
        )
    command = [setpriv, "--reuid", str(other.uid), "--regid", str(other.gid), "--clear-groups"]
    paths = list(paths)
    if needs_capability(paths):
        capability = _capability(paths)
        command += ["--inh-caps", f"+{capability}", "--ambient-caps", f"+{capability}"]
    return [*command, "--"]


def own(path: Path) -> None:
    """Give `path` to the account; does nothing if the present user runs the programs."""
    other = account()
    if other is not None:
        os.chown(path, other.uid, other.gid)


def share(path: Path, mode: int) -> None:
    """Give the account's group the group permissions of `mode`. The owner stays the same."""
    other = account()
    if other is not None:
        os.chown(path, -1, other.gid)
    path.chmod(mode)


def holds_capability(pid: int) -> bool:
    """Whether that process was started with one of the two capabilities."""
    try:
        return _mask(f"/proc/{pid}/status", "CapAmb") != 0
    except FileNotFoundError:
        return False


def _capability(paths: list[Path]) -> str:
    """Return the weaker capability that this process may pass on. A container usually has only the stronger one."""
    own_set = _mask("/proc/self/status", "CapPrm") & _mask("/proc/self/status", "CapBnd")
    if own_set >> _DAC_READ_SEARCH & 1:
        return "dac_read_search"
    if own_set >> _DAC_OVERRIDE & 1:
        return "dac_override"
    other = account()
    named = ", ".join(str(path) for path in paths)
    raise PostgresError(
        f"the user {other.name if other else '?'} cannot reach {named}, and this process has neither "
        "CAP_DAC_READ_SEARCH nor CAP_DAC_OVERRIDE to pass on: "
        "make the folders above searchable (chmod o+x), or put the local cloud into a different folder"
    )


def _mask(status: str, name: str) -> int:
    for line in Path(status).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value, 16)
    return 0
