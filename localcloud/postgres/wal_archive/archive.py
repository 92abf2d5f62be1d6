"""Archive of one cluster in one region: base backups, and the write-ahead log since.

base/<name>/data, base/<name>/base.json   a base backup, and its end; a name with a leading dot is incomplete
wal/                                      segments and timeline histories, under PostgreSQL's own names
record.json                               the moment up to which the log is known to be here
floor.json                                the oldest segment that expiry kept: older ones are not copied again

A moment can be restored if a base backup ended before it, and no segment is missing between that and the record. This
is read from the files each time. So a copy reports its own state, independent of the source.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from localcloud.instance.state import write_atomically
from localcloud.postgres.errors import PostgresError
from localcloud.postgres.files import copy_file, copy_tree, flush, private_folder, size
from localcloud.postgres.wal_archive import segments

_COPYING = ".copy-"


@dataclass(frozen=True)
class Base:
    """A base backup. `ended` (ISO 8601): it restores moments from then on; `wal`: the start of its log."""

    name: str
    ended: str
    wal: str
    cluster: str

    @property
    def end(self) -> datetime:
        return datetime.fromisoformat(self.ended)


@dataclass(frozen=True)
class Record:
    """`latest` (ISO 8601): the moment up to which commits are here; `wal`: the segment that proves it."""

    latest: str
    wal: str
    segment_bytes: int

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.latest)


@dataclass(frozen=True)
class Archive:
    """A folder of plain files; it need not exist."""

    folder: Path

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def window(self) -> tuple[datetime, datetime] | None:
        """The earliest and the latest moment that can be restored (UTC); None if there is none."""
        record, usable = self.usable()
        return (usable[0].end, record.moment) if record and usable else None

    def replicate(self, to: Archive) -> None:
        """Copy new files to a second archive.

        A copy that a kill interrupts has a name that does not count as complete.
        """
        record = self.record()  # first: the segments that it names exist already, and are seen below
        with to._changing():
            floor = to._floor()
            new = []
            for base in self.bases():
                if segments.position(base.wal) >= floor and not (to.base / base.name).exists():
                    half = to.base / f"{_COPYING}{base.name}"
                    try:
                        copy_tree(self.base / base.name, half)
                    except FileNotFoundError:  # expired here while it was copied
                        shutil.rmtree(half, ignore_errors=True)
                    else:
                        new.append((half, to.base / base.name))
            for name in sorted(_names(self.wal) - _names(to.wal)):
                if name.endswith(".history") or segments.position(name) >= floor:
                    half = to.wal / f"{_COPYING}{name}"
                    try:
                        copy_file(self.wal / name, half)
                    except FileNotFoundError:
                        half.unlink(missing_ok=True)
                    else:
                        new.append((half, to.wal / name))
            if new:
                # Protect against a power loss: the complete name appears only after the content is on the disk.
                flush(to.folder)
            for half, whole in new:
                half.rename(whole)
            if record is not None and record != to.record():
                to.remember(record)

    def expire(self, before: datetime) -> None:
        """Delete files that a restore to `before` or later does not need. At least one base backup stays."""
        _aware(before, "before")
        with self._changing():
            _, usable = self.usable()
            if not usable:
                return
            kept = ([base for base in usable if base.end <= before][-1:] or usable[:1])[0]
            floor = segments.position(kept.wal)
            write_atomically(self.folder / "floor.json", json.dumps({"wal": floor}).encode())
            for base in self.bases():
                if base.end < kept.end:
                    _drop(self.base / base.name)
            for name in _names(self.wal):
                if not name.endswith(".history") and segments.position(name) < floor:
                    (self.wal / name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the archive. The record goes first, so that the remains of an interrupted deletion restore nothing."""
        (self.folder / "record.json").unlink(missing_ok=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def bytes(self) -> int:
        """The size of its files."""
        return size(self.folder)

    # -- for the cluster that is archived here, and for recovery ------------------------------------------------------

    def prepare(self) -> None:
        for folder in (self.folder, self.wal, self.base):
            private_folder(folder)

    def bases(self) -> list[Base]:
        """All complete base backups, the oldest first."""
        found = []
        for name in _names(self.base):
            try:
                found.append(Base(**json.loads((self.base / name / "base.json").read_bytes())))
            except FileNotFoundError:  # expired meanwhile
                continue
        return sorted(found, key=lambda base: base.end)

    def record(self) -> Record | None:
        content = _read(self.folder / "record.json")
        return Record(**content) if content else None

    def remember(self, record: Record) -> None:
        write_atomically(self.folder / "record.json", json.dumps(asdict(record)).encode())

    def usable(self) -> tuple[Record | None, list[Base]]:
        """The record, and the base backups (the oldest first) from which the log is complete up to it."""
        record = self.record()
        if record is None:
            return None, []
        first = segments.unbroken_from(
            [name for name in _names(self.wal) if segments.is_segment(name)], record.wal, record.segment_bytes
        )
        if first is None:
            return record, []
        last = segments.number(record.wal, record.segment_bytes)
        usable = [
            base
            for base in self.bases()
            if base.end <= record.moment
            and segments.timeline(base.wal) == segments.timeline(record.wal)
            and first <= segments.number(base.wal, record.segment_bytes) <= last
        ]
        return record, usable

    def choose(self, target: datetime | None) -> tuple[Base, datetime]:
        """Return the base backup to recover from, and the moment. Raises `PostgresError` outside of the window."""
        record, usable = self.usable()
        if record is None or not usable:
            raise PostgresError(
                f"nothing can be restored from {self.folder}: it does not hold a complete base backup yet"
            )
        if target is None:
            target = record.moment
        _aware(target, "target")
        earliest, latest = usable[0].end, record.moment
        if not earliest <= target <= latest:
            raise PostgresError(
                f"{_iso(target)} cannot be restored from {self.folder}: allowed are moments from {_iso(earliest)} "
                f"to {_iso(latest)}"
            )
        return [base for base in usable if base.end <= target][-1], target

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Allow one change at a time, across processes, and remove the remains of an interrupted one."""
        self.prepare()
        with FileLock(self.folder / "lock"):
            for folder in (self.wal, self.base):
                for left in folder.glob(f"{_COPYING}*"):
                    if left.is_dir():
                        shutil.rmtree(left)
                    else:
                        left.unlink(missing_ok=True)
            yield

    def _floor(self) -> str:
        return str(_read(self.folder / "floor.json").get("wal", ""))


def _names(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if not name.startswith(".")}
    except FileNotFoundError:
        return set()


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    return content


def _drop(base: Path) -> None:
    """Remove its complete name first: if this is killed, the next change removes the rest."""
    gone = base.with_name(f"{_COPYING}{base.name}")
    base.rename(gone)
    shutil.rmtree(gone)


def _aware(moment: datetime, name: str) -> None:
    if moment.tzinfo is None:
        raise PostgresError(f"{name} is {moment.isoformat()}, without a time zone: use an aware datetime")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
