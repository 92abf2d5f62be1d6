"""A client that writes numbered rows at a constant rate, and records the rows that the database acknowledged.

So the data loss of a recovery is counted, not estimated: acknowledged rows that are missing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from continuity.clouds.database import Database, translate_errors
from continuity.errors import DrillError

_SCHEMA: Final = """
create schema if not exists continuity_drill;
create table if not exists continuity_drill.heartbeat (number bigint primary key, at timestamptz not null);
"""
_WRITE: Final = "insert into continuity_drill.heartbeat values (%s, clock_timestamp()) returning at"
_READ: Final = "select number, at from continuity_drill.heartbeat order by number"


@dataclass(frozen=True)
class Row:
    """A row that the database has, or acknowledged."""

    number: int
    at: datetime


class Writer:
    """Writes a row each `interval` seconds, in a separate thread, until it is stopped or the database fails."""

    def __init__(self, database: Database, interval: float = 0.1) -> None:
        with translate_errors():
            self._connection = database.connect()
        self._interval = interval
        self._stopping = threading.Event()
        self._acknowledged: list[Row] = []
        self.lost: str | None = None
        with translate_errors(), self._connection.cursor() as cursor:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                cursor.execute(statement)
            first = cursor.execute("select coalesce(max(number), 0) + 1 from continuity_drill.heartbeat").fetchone()
        self._next = int(first[0]) if first else 1
        self._thread = threading.Thread(target=self._write, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def acknowledged(self) -> list[Row]:
        """Every row whose commit the database has confirmed."""
        return list(self._acknowledged)

    def wait_until_lost(self, seconds: float) -> str | None:
        """Keep writing until the database fails, for at most `seconds`. Return its error, or None without one."""
        end = time.monotonic() + seconds
        while self.lost is None and time.monotonic() < end:
            time.sleep(0.05)
        return self.lost

    def stop(self) -> list[Row]:
        """Stop writing, and return the acknowledged rows."""
        self._stopping.set()
        self._thread.join(timeout=30)
        self._connection.close()
        return self.acknowledged

    def _write(self) -> None:
        import psycopg

        while not self._stopping.wait(self._interval):
            try:
                done = self._connection.execute(_WRITE, (self._next,)).fetchone()
            except psycopg.Error as error:
                self.lost = str(error).strip()
                return
            if done is not None:
                self._acknowledged.append(Row(self._next, done[0]))
                self._next += 1


def read(database: Database) -> list[Row]:
    """Read all rows of a database."""
    with database.connected() as connection:
        return [Row(number, at) for number, at in connection.execute(_READ).fetchall()]


def wait_for_rows(writer: Writer, seconds: float) -> None:
    """Wait `seconds` while rows are written. Raises `DrillError` if the database fails meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if writer.lost is not None:
            raise DrillError(f"the database failed before the drill began: {writer.lost}. Restore it first")
        time.sleep(0.1)
