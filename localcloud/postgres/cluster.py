"""One PostgreSQL server: its folder, its life, and its archive.

data/         PostgreSQL's own folder, the only part that belongs to the server's user
made.json     present if the cluster is complete; without it the next attempt deletes the folder
archive       a link to the folder that the log is archived to, or to nowhere
log           output of the server and its front;  tls.pem, tls.json, front.json  the front's files;  *.conf  settings
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from localcloud.instance.state import write_atomically
from localcloud.postgres import front, programs, server, sessions, settings
from localcloud.postgres.errors import PostgresError
from localcloud.postgres.files import copy_file, copy_tree, flush, private_folder
from localcloud.postgres.privileges import holds_capability, needs_capability, own, share
from localcloud.postgres.site import Site
from localcloud.postgres.wal_archive import base_backup as backup
from localcloud.postgres.wal_archive import recovery, segments
from localcloud.postgres.wal_archive.archive import Archive, Record

_UPLOAD_PATIENCE = 60.0
_SEGMENT_MB = 1  # small, so that the log of an idle database is small too

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def _one_at_a_time(
    method: Callable[Concatenate[Cluster, _Given], _Result],
) -> Callable[Concatenate[Cluster, _Given], _Result]:
    """Allow one call at a time for each cluster."""

    def locked(self: Cluster, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        with self._lock:
            return method(self, *args, **kwargs)

    locked.__doc__, locked.__name__ = method.__doc__, method.__name__
    return locked


class Cluster:
    """A server that clients reach at `address:port`.

    Its methods block until they are done; any thread may call them.
    """

    def __init__(self, site: Site, folder: Path, address: str, port: int) -> None:
        self.site, self.folder, self.address, self.port = site, folder.resolve(), address, port
        self.data = self.folder / "data"
        self._lock = threading.RLock()

    @property
    def made(self) -> bool:
        """Whether create, restore or unpack was completed here."""
        return (self.folder / "made.json").exists()

    @property
    def running(self) -> bool:
        """Whether it accepts sessions at its address."""
        found = server.find(self.data)
        return found is not None and found.ready and front.listens(self.folder, self.address, self.port, found.pid)

    # -- making -------------------------------------------------------------------------------------------------------

    @_one_at_a_time
    def create(self, user: str, password: str, database: str | None) -> None:
        """Create an empty cluster with a master user, who is not a superuser, and that user's database.

        It runs afterwards.
        """
        sessions.check_names(user, database)
        self._begin()
        private_folder(self.data)
        secret = self.folder / "initdb"
        write_atomically(secret, self.site.password.encode())
        own(secret)
        try:
            programs.run(
                "initdb",
                *("--pgdata", str(self.data), "--username", settings.SUPERUSER, "--pwfile", str(secret)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                *("--wal-segsize", str(_SEGMENT_MB), "--sync-method", "syncfs"),
                paths=[self.data],
            )
        finally:
            secret.unlink()
        started = self._start_server()
        sessions.populate(started.socket, self.site.password, user, password, database)
        self._finish(started)

    @_one_at_a_time
    def restore(self, archive: Archive, target: datetime | None) -> None:
        """Create the cluster of the archive at the moment `target` (None: the archive's latest moment).

        It runs afterwards.

        It has all transactions that were committed at or before that moment, and no later ones. Raises `PostgresError`,
        with the window, if the moment is outside of it.
        """
        base, moment = archive.choose(target)
        self._begin()
        arguments = recovery.prepare(self.data, archive, base, moment)
        self._finish(self._start_server(archive, arguments))

    @_one_at_a_time
    def unpack(self, snapshot: Path) -> None:
        """Create a cluster from a snapshot. It runs afterwards."""
        if not (snapshot / "data" / "PG_VERSION").is_file():
            raise PostgresError(f"{snapshot} is not a snapshot: it has no data/PG_VERSION")
        self._begin()
        copy_tree(snapshot / "data", self.data)
        flush(self.folder)  # the server flushes its files after a crash, but not after an orderly stop
        self._finish(self._start_server())

    @_one_at_a_time
    def remove(self) -> None:
        """End it at once, like a power loss, and delete its folder."""
        (self.folder / "made.json").unlink(missing_ok=True)
        self._wipe()

    # -- its life -----------------------------------------------------------------------------------------------------

    @_one_at_a_time
    def start(self) -> None:
        """Start it, with crash recovery if necessary. A server that an earlier process left running is kept."""
        if not self.made:
            raise PostgresError(f"{self.folder} does not hold a complete cluster: create or restore it")
        found = server.find(self.data)
        if found is not None and not self._answers(found):
            server.end(found)
            found = None
        if found is None:
            found = self._start_server(self._destination())
        if not front.listens(self.folder, self.address, self.port, found.pid):
            self._start_front(found)

    @_one_at_a_time
    def stop(self, crash: bool = False) -> None:
        """End it after its log is archived; `crash`: end it at once, like a power loss."""
        found = server.find(self.data)
        if found is not None:
            server.end(found, crash=crash)
        front.end(self.folder)

    @_one_at_a_time
    def require_tls(self, required: bool) -> None:
        """Set whether new sessions without TLS are refused. The default is that they are."""
        front.require(self.folder, required)

    @_one_at_a_time
    def set_password(self, user: str, password: str) -> None:
        """Set the password of an existing user."""
        sessions.set_password(self._server().socket, self.site.password, user, password)

    # -- what is kept elsewhere ---------------------------------------------------------------------------------------

    @_one_at_a_time
    def archive_to(self, archive: Archive | None) -> None:
        """Archive the log to this folder from now on, or nowhere.

        Take a base backup if the archive has none to continue from.

        Raises `PostgresError` if the archive belongs to a different cluster, because the names of their logs would
        collide.
        """
        found = self._server()
        if archive is None:
            self._point(settings.NOWHERE)
            return
        archive = Archive(archive.folder.resolve())
        archive.prepare()
        foreign = [base.name for base in archive.bases() if base.cluster != self._identity()]
        if foreign:
            raise PostgresError(
                f"{archive.folder} is the archive of a different cluster (base backup {foreign[0]}); an archive has "
                f"one cluster, so give {self.folder} a separate one"
            )
        for history in self.data.glob("pg_wal/*.history"):  # the history of its timeline, which recovery reads
            if not (archive.wal / history.name).exists():
                half = archive.wal / f".copy-{history.name}"
                half.unlink(missing_ok=True)
                copy_file(history, half)
                half.rename(archive.wal / history.name)
        self._point(str(archive.wal))
        if needs_capability([archive.wal]) and not holds_capability(found.pid):
            self.stop()
            self.start()
        # If archiving was never off, the archive continues. Otherwise segments are missing, and a new base backup is
        # needed.
        if not archive.bases() or self.upload() != self._ends(archive):
            self.base_backup()

    @_one_at_a_time
    def base_backup(self) -> None:
        """Take a base backup into the archive. Any moment after its end can be restored."""
        archive = self._archive()
        backup.into_archive(archive, self._server().socket, self.site.password, self._identity())
        self.upload()

    @_one_at_a_time
    def upload(self) -> datetime:
        """Make all commits so far restorable. Return the moment (UTC) up to which they are.

        Raises `PostgresError` if the archive did not receive the log in time, or the machine's clock was set back.
        """
        archive, found = self._archive(), self._server()
        with sessions.session(found.socket, self.site.password, settings.SUPERUSER) as connection:
            moment, segment, segment_bytes = sessions.beat(connection)
            earlier = archive.record()
            if earlier is not None and moment <= earlier.moment:
                raise PostgresError(
                    f"the clock says {moment.isoformat()}, which is before the last upload ({earlier.latest}): moments "
                    "cannot be told apart until it has passed that; if it was set back, take a new archive"
                )
            deadline = time.monotonic() + _UPLOAD_PATIENCE
            while not self._archived(archive, segment):
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"{archive.folder} did not take the log up to {segment} within {_UPLOAD_PATIENCE:.0f} s; "
                        f"end of the server's log:\n{server.log_tail(self.folder)}"
                    )
                time.sleep(0.005)
        archive.remember(Record(moment.isoformat(timespec="microseconds"), segment, segment_bytes))
        return moment

    @_one_at_a_time
    def snapshot(self, into: Path) -> None:
        """Copy the cluster with all files that it needs to a new folder. It may be running or stopped."""
        if not self.made:
            raise PostgresError(f"{self.folder} does not hold a complete cluster, so a snapshot is not possible")
        found = server.find(self.data)
        backup.snapshot(into.resolve(), self.data, found.socket if found else None, self.site.password)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self.made:
            raise PostgresError(f"{self.folder} already holds a cluster: remove it first, or use a different folder")
        self._wipe()
        self.folder.mkdir(parents=True)
        share(self.folder, 0o750)
        self._point(settings.NOWHERE)
        front.require(self.folder, True)

    def _finish(self, started: server.Server) -> None:
        self._start_front(started)
        made = {"cluster": secrets.token_hex(16), "made": datetime.now(UTC).isoformat()}
        write_atomically(self.folder / "made.json", json.dumps(made).encode())

    def _wipe(self) -> None:
        found = server.find(self.data)
        if found is not None:
            server.end(found, crash=True)
        front.end(self.folder)
        if self.folder.exists():
            programs.remove_incomplete(self.folder)

    def _start_server(
        self, archive: Archive | None = None, recovery_arguments: list[str] | None = None
    ) -> server.Server:
        paths = [archive.wal] if archive else []
        return server.start(self.folder, paths, recovery_arguments or ())

    def _start_front(self, started: server.Server) -> None:
        front.start(self.site, self.folder, self.address, self.port, started.pid, started.socket)

    def _server(self) -> server.Server:
        found = server.find(self.data)
        if found is None or not found.ready:
            raise PostgresError(f"the server of {self.folder} is not running: start it first")
        return found

    def _answers(self, found: server.Server) -> bool:
        """Whether it accepts a session. A killed server stays in the list of processes for a moment."""
        if not found.ready:
            return False
        try:
            with sessions.session(found.socket, self.site.password, "postgres"):
                return True
        except PostgresError:
            return False

    def _identity(self) -> str:
        return str(json.loads((self.folder / "made.json").read_bytes())["cluster"])

    def _point(self, where: str) -> None:
        new = self.folder / f".{settings.ARCHIVE_LINK}"
        new.unlink(missing_ok=True)
        new.symlink_to(where)
        new.rename(self.folder / settings.ARCHIVE_LINK)

    def _destination(self) -> Archive | None:
        where = os.readlink(self.folder / settings.ARCHIVE_LINK)
        return None if where == settings.NOWHERE else Archive(Path(where).parent)

    def _archive(self) -> Archive:
        archive = self._destination()
        if archive is None:
            raise PostgresError(f"the log of {self.folder} is not archived: set the archive with archive_to")
        return archive

    def _ends(self, archive: Archive) -> datetime | None:
        window = archive.window()
        return window[1] if window else None

    def _archived(self, archive: Archive, segment: str) -> bool:
        """Whether the archive has the segment, and PostgreSQL has no earlier one left to archive."""
        if not (archive.wal / segment).exists():
            return False
        waiting = (self.data / "pg_wal" / "archive_status").glob("*.ready")
        return not any(segments.is_segment(name.stem) and name.stem <= segment for name in waiting)
