"""The PostgreSQL servers of RDS: their folders, the dead regions, and the work in the background.

    site/                                what all servers share: their certificate authority, the superuser's password
    instances/REGION/RESOURCE_ID/        an instance's server
    archives/REGION/RESOURCE_ID/         the automated backups of an instance that this region holds
    snapshots/REGION/NAME/               a snapshot

Without servers, RDS only records instances. That is sufficient to test its API, and most tests use it this way. The
life of an instance's server is in `lifecycle.py`; this module uses only the names of moto's objects.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from localcloud.instance.folder import LocalCloudError

# Imported only for an RDS with servers.
if TYPE_CHECKING:
    from localcloud.postgres import Archive, Cluster

log = logging.getLogger(__name__)

UPLOAD_VARIABLE: Final = "LOCALCLOUD_RDS_UPLOAD_SECONDS"
_UPLOAD_SECONDS: Final = 5.0
"""How often WAL is uploaded. RDS does it every 300 s (RDS User Guide, automated backups), too long for tests."""


@dataclass(frozen=True)
class Origin:
    """The source of a server's data.

    kind: `new`, `archive` (an automated backup, at `moment`, or at its latest when that is None) or `snapshot`.
    """

    kind: str = "new"
    region: str = ""
    name: str = ""
    moment: datetime | None = None


class Servers:
    """All servers of one local AWS.

    `changing` is the application's context: RDS's objects are changed inside it, and saved at its end.
    """

    def __init__(self, folder: Path, changing: Callable[..., AbstractContextManager[None]]) -> None:
        from localcloud import postgres

        self._folder = folder
        self._postgres = postgres
        self.changing = changing
        self.site = postgres.Site(folder / "site")
        self.site.ca  # noqa: B018 - clients need the file before the first server exists
        self.version: str = postgres.version()
        self.upload_seconds = _seconds()
        self.is_dead: Callable[[str], bool] = lambda region: False
        self._clusters: dict[str, Cluster] = {}
        self._making = threading.Lock()
        # Two at once: a small machine has two cores, and a long recovery does not delay the others.
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="rds")
        self.ending = threading.Event()
        self._changed = threading.Event()

    def cluster(self, database: Any) -> Cluster:
        """The server of an instance, which may not be created or running yet."""
        key = str(database.dbi_resource_id)
        with self._making:
            if key not in self._clusters:
                folder = self._folder / "instances" / database.region / key
                self._clusters[key] = self._postgres.Cluster(self.site, folder, database.server_address, database.port)
            return self._clusters[key]

    def free_address(self, taken: Iterable[str], port: int) -> str:
        """Return a loopback address that no other server has, and on which the port is free."""
        return self._postgres.free_address(set(taken), port)

    def drop(self, database: Any) -> None:
        """Remove the server of a deleted instance."""
        self.cluster(database).remove()
        with self._making:
            self._clusters.pop(str(database.dbi_resource_id), None)

    def archive(self, region: str, dbi_resource_id: str) -> Archive:
        return self._postgres.Archive(self._folder / "archives" / region / dbi_resource_id)

    def snapshot(self, region: str, name: str) -> Path:
        return self._folder / "snapshots" / region / name

    def forget_all_but(self, kind: str, kept: Iterable[tuple[str, str]]) -> None:
        """Remove data without a record. A kill between deleting the record and deleting its data leaves them.

        kind: `instances`, `archives` or `snapshots`; kept: (region, name) of each that has a record.
        """
        wanted = set(kept)
        for folder in (self._folder / kind).glob("*/*"):
            if (folder.parent.name, folder.name) not in wanted:
                shutil.rmtree(folder, ignore_errors=True)

    def work(self, what: Callable[[], None]) -> None:
        """Run a function in the background. Its errors are logged."""

        def done() -> None:
            try:
                what()
            except Exception:
                if not self.ending.is_set():
                    log.exception("background work of RDS")

        if not self.ending.is_set():
            self._pool.submit(done)

    def soon(self) -> None:
        """Upload and copy now, before it is due."""
        self._changed.set()

    def wait_for_upload(self) -> bool:
        """Sleep until uploads are due. Return False if the servers are being closed."""
        self._changed.wait(self.upload_seconds)
        self._changed.clear()
        return not self.ending.is_set()

    def close(self) -> None:
        """Stop every server and keep its data."""
        self.ending.set()
        self._changed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._making:
            clusters = list(self._clusters.values())
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda cluster: cluster.stop(), clusters))


_current: Servers | None = None


def current_servers() -> Servers | None:
    """The servers of this process's RDS, or `None` for an RDS without servers."""
    return _current


def use_servers(servers: Servers | None) -> None:
    global _current
    _current = servers


def naive(moment: datetime) -> datetime:
    """Convert a time to moto's form: UTC, without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime) -> datetime:
    """Convert a time of moto to one with a time zone."""
    return moment.replace(tzinfo=UTC)


def _seconds() -> float:
    said = os.environ.get(UPLOAD_VARIABLE, "")
    try:
        seconds = float(said or _UPLOAD_SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 3600:
        raise LocalCloudError(f"{UPLOAD_VARIABLE} is {said!r}; allowed: seconds from 0.5 to 3600, as AWS's own 300")
    return seconds
