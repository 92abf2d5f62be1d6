"""Recovery from an archive to a moment: the arguments with which a server does it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

from localcloud.postgres.errors import PostgresError
from localcloud.postgres.files import copy_tree
from localcloud.postgres.privileges import own
from localcloud.postgres.wal_archive import segments
from localcloud.postgres.wal_archive.archive import Archive, Base


def prepare(data: Path, archive: Archive, base: Base, target: datetime) -> list[str]:
    """Copy the base backup to `data`. Return the arguments with which a server recovers to `target` and then runs on.

    Nothing is flushed here: the server flushes the whole folder before it recovers a backup. The settings are given for
    this one start, so that none stays in a file.
    """
    try:
        copy_tree(archive.base / base.name / "data", data)
    except FileNotFoundError as error:
        raise PostgresError(f"the base backup {base.name} expired while it was restored: {error}") from error
    (data / "recovery.signal").touch(mode=0o600)
    own(data / "recovery.signal")
    store = shlex.quote(str(archive.wal)).replace("%", "%%")
    values = {
        "restore_command": f'test -f {store}/%f && cp {store}/%f "%p"',
        "recovery_target_time": target.astimezone(UTC).isoformat(sep=" ", timespec="microseconds"),
        "recovery_target_inclusive": "on",
        "recovery_target_timeline": str(segments.timeline(base.wal)),
        "recovery_target_action": "promote",
        "recovery_init_sync_method": "syncfs",
        "hot_standby": "off",  # no session before the moment is reached
    }
    return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
