"""Base backups: copies of a running server's data by PostgreSQL's own pg_basebackup, put in place when complete."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from localcloud.instance.state import write_atomically
from localcloud.postgres import programs
from localcloud.postgres.errors import PostgresError
from localcloud.postgres.files import copy_tree, flush, private_folder
from localcloud.postgres.settings import PORT, SUPERUSER
from localcloud.postgres.wal_archive.archive import Archive, Base

# Files that belong to a process, not to the data.
_OF_A_PROCESS = ("postmaster.pid", "postmaster.opts")
_BEGIN = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", re.MULTILINE)


def into_archive(archive: Archive, socket: str, password: str, cluster: str) -> None:
    """Take a base backup without its log, which is archived separately.

    It is still fetched with the log. Without the log, PostgreSQL checks only once a second whether the archive has it.
    """
    begun = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    half = archive.base / f".{begun}"
    for left in archive.base.glob(".[0-9]*"):  # remains of a killed backup; a cluster takes one at a time
        programs.remove_incomplete(left)
    private_folder(half)
    try:
        _fetch(half / "data", socket, password)
        for segment in (half / "data" / "pg_wal").iterdir():
            if segment.is_file():
                segment.unlink()
        ended = datetime.now(UTC)  # after the backup's end is in the log: the servers use this machine's clock
        found = _BEGIN.search((half / "data" / "backup_label").read_text())
        if found is None:
            raise PostgresError(f"{half}/data/backup_label does not say where the backup's log begins")
        base = Base(name=begun, ended=ended.isoformat(timespec="microseconds"), wal=found[1], cluster=cluster)
        write_atomically(half / "base.json", json.dumps(asdict(base)).encode())
        half.rename(archive.base / begun)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def snapshot(into: Path, data: Path, socket: str | None, password: str) -> None:
    """Copy a cluster with all the log that it needs, from the server at `socket` or from the data of a stopped one."""
    if into.exists():
        raise PostgresError(f"{into} exists: a snapshot needs a new folder")
    half = into.with_name(f".{into.name}.half")
    if half.exists():
        programs.remove_incomplete(half)
    private_folder(half)
    try:
        if socket is not None:
            _fetch(half / "data", socket, password)
        else:
            copy_tree(data, half / "data", without=_OF_A_PROCESS)
            flush(half)
        half.rename(into)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _fetch(target: Path, socket: str, password: str) -> None:
    private_folder(target)
    programs.run(
        "pg_basebackup",
        *("--host", socket, "--port", str(PORT), "--username", SUPERUSER, "--no-password"),
        *("--pgdata", str(target), "--wal-method", "stream", "--checkpoint", "fast", "--no-manifest"),
        "--sync-method=syncfs",  # flushed as a whole, before it gets its name
        paths=[target],
        env={"PGPASSWORD": password},  # only in the environment of this short-lived process
    )
