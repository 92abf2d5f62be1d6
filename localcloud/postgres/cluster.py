"""One PostgreSQL server: its folder, its life, and what of it is kept elsewhere.

data/         PostgreSQL's own folder, the only part that belongs to the user that the server runs as
made.json     says that it came to its end being made; without it the folder is wiped by the next attempt
archive       a link to where the log goes, or to nowhere
log           what the server and its front say;  tls.pem, tls.json, front.json  the front's;  *.conf  the settings
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
_SEGMENT_MB = 1  # small, so that the log of an idle database is

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def _alone(
    method: Callable[Concatenate[Cluster, _Given], _Result],
) -> Callable[Concatenate[Cluster, _Given], _Result]:
    """One at a time for each cluster."""

    def locked(self: Cluster, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        with self._lock:
            return method(self, *args, **kwargs)

    locked.__doc__, locked.__name__ = method.__doc__, method.__name__
    return locked


class Cluster:
    """A server whose clients find it at `address:port`. Its methods block until they are done; any thread may call."""

    def __init__(self, site: Site, folder: Path, address: str, port: int) -> None:
        self.site, self.folder, self.address, self.port = site, folder.resolve(), address, port
        self.data = self.folder / "data"
        self._lock = threading.RLock()

    @property
    def made(self) -> bool:
        """Whether create, restore or unpack came to its end here."""
        return (self.folder / "made.json").exists()

    @property
    def running(self) -> bool:
        """Whether it takes sessions at its address."""
        found = server.find(self.data)
        return found is not None and found.ready and front.stands(self.folder, self.address, self.port, found.pid)

    # -- making -------------------------------------------------------------------------------------------------------

    @_alone
    def create(self, user: str, password: str, database: str | None) -> None:
        """An empty one with a master user, who is no superuser, and a database of that user's; runs afterwards."""
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
        sessions.furnish(started.socket, self.site.password, user, password, database)
        self._finish(started)

    @_alone
    def restore(self, archive: Archive, target: datetime | None) -> None:
        """One as that of the archive was at `target` (None: at the archive's latest moment); runs afterwards.

        All transactions committed at or before that moment are in it, and none later. PostgresError, with the window,
        when the moment lies outside.
        """
        base, moment = archive.choose(target)
        self._begin()
        arguments = recovery.prepare(self.data, archive, base, moment)
        self._finish(self._start_server(archive, arguments))

    @_alone
    def unpack(self, snapshot: Path) -> None:
        """One as that of a snapshot() was when it was taken; runs afterwards."""
        if not (snapshot / "data" / "PG_VERSION").is_file():
            raise PostgresError(f"{snapshot} is no snapshot: it has no data/PG_VERSION")
        self._begin()
        copy_tree(snapshot / "data", self.data)
        flush(self.folder)  # the server flushes what it finds after a crash, but not what was stopped in good order
        self._finish(self._start_server())

    @_alone
    def remove(self) -> None:
        """End it as a loss of power would, and delete its folder."""
        (self.folder / "made.json").unlink(missing_ok=True)
        self._wipe()

    # -- its life -----------------------------------------------------------------------------------------------------

    @_alone
    def start(self) -> None:
        """Start it, with recovery after a crash if need be. One that an earlier process left behind is kept."""
        if not self.made:
            raise PostgresError(f"{self.folder} holds no cluster that was made to its end: create or restore it")
        found = server.find(self.data)
        if found is not None and not self._answers(found):
            server.end(found)
            found = None
        if found is None:
            found = self._start_server(self._destination())
        if not front.stands(self.folder, self.address, self.port, found.pid):
            self._start_front(found)

    @_alone
    def stop(self, crash: bool = False) -> None:
        """End it, after its log is archived; `crash`: at once, as a loss of power would."""
        found = server.find(self.data)
        if found is not None:
            server.end(found, crash=crash)
        front.end(self.folder)

    @_alone
    def require_tls(self, required: bool) -> None:
        """Whether new sessions without TLS are refused, as they are from the beginning."""
        front.require(self.folder, required)

    @_alone
    def set_password(self, user: str, password: str) -> None:
        """A new password for a user that exists."""
        sessions.set_password(self._server().socket, self.site.password, user, password)

    # -- what is kept elsewhere ---------------------------------------------------------------------------------------

    @_alone
    def archive_to(self, archive: Archive | None) -> None:
        """Archive the log there from now on, or nowhere; with a base backup when there is none that it goes on from.

        PostgresError when the archive is another cluster's: their logs would have the same names.
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
                f"{archive.folder} is the archive of another cluster (base backup {foreign[0]}): an archive is of one "
                f"cluster, so give {self.folder} one of its own"
            )
        for history in self.data.glob("pg_wal/*.history"):  # how its timeline came about, which recovery asks for
            if not (archive.wal / history.name).exists():
                half = archive.wal / f".copy-{history.name}"
                half.unlink(missing_ok=True)
                copy_file(history, half)
                half.rename(archive.wal / history.name)
        self._point(str(archive.wal))
        if needs_capability([archive.wal]) and not holds_capability(found.pid):
            self.stop()
            self.start()
        # Without archiving in between, what is there goes on; otherwise segments are missing, and it must begin anew.
        if not archive.bases() or self.upload() != self._ends(archive):
            self.base_backup()

    @_alone
    def base_backup(self) -> None:
        """Another base backup into the archive, from whose end on any moment can be restored."""
        archive = self._archive()
        backup.into_archive(archive, self._server().socket, self.site.password, self._identity())
        self.upload()

    @_alone
    def upload(self) -> datetime:
        """Make all that was committed so far restorable; the moment (UTC) up to which it is.

        PostgresError when the archive did not take the log in time, or the machine's clock was set back.
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
                        f"the server's last words:\n{server.last_words(self.folder)}"
                    )
                time.sleep(0.005)
        archive.remember(Record(moment.isoformat(timespec="microseconds"), segment, segment_bytes))
        return moment

    @_alone
    def snapshot(self, into: Path) -> None:
        """A consistent copy with all that it needs in a new folder; of a running cluster, or of one that stands."""
        if not self.made:
            raise PostgresError(f"{self.folder} holds no cluster that was made to its end, so there is no snapshot")
        found = server.find(self.data)
        backup.snapshot(into.resolve(), self.data, found.socket if found else None, self.site.password)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self.made:
            raise PostgresError(f"{self.folder} holds a cluster already: remove it first, or take another folder")
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
            programs.sweep(self.folder)

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
            raise PostgresError(f"the server of {self.folder} does not run: start it first")
        return found

    def _answers(self, found: server.Server) -> bool:
        """Whether it takes a session. One that is being killed is still in the list of processes for a moment."""
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
            raise PostgresError(f"the log of {self.folder} is not archived: say where to with archive_to")
        return archive

    def _ends(self, archive: Archive) -> datetime | None:
        window = archive.window()
        return window[1] if window else None

    def _archived(self, archive: Archive, segment: str) -> bool:
        """Whether the archive has that segment, and PostgreSQL has none before it still to be archived."""
        if not (archive.wal / segment).exists():
            return False
        waiting = (self.data / "pg_wal" / "archive_status").glob("*.ready")
        return not any(segments.is_segment(name.stem) and name.stem <= segment for name in waiting)
