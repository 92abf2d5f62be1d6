"""Enqueue jobs for the workers at a constant rate, and read their results.

The queue is a table. A worker takes a job, runs it and records the run in one transaction. So a job that ran twice has
two rows in `job_runs`, and a lost job is never done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from continuity.clouds.database import Database
from continuity.errors import DatabaseError
from plan.names import DATABASE_USER

if TYPE_CHECKING:
    import psycopg

_SCHEMA: Final = """
create schema if not exists continuity;
create table if not exists continuity.jobs (
    id bigint generated always as identity primary key,
    batch text not null,
    created_at timestamptz default now(),
    done_at timestamptz
);
create table if not exists continuity.job_runs (
    id bigint generated always as identity primary key,
    job_id bigint not null,
    worker text not null,
    ran_at timestamptz default clock_timestamp()
)
"""
_ADD: Final = "insert into continuity.jobs (batch) values (%s) returning id"
_OPEN: Final = "select count(*) from continuity.jobs where batch = %s and done_at is null"
_READ: Final = """
select jobs.id, extract(epoch from jobs.done_at)::float8, count(job_runs.id)
from continuity.jobs left join continuity.job_runs on job_runs.job_id = jobs.id
where jobs.batch = %s group by jobs.id order by jobs.id
"""
_WORKERS: Final = """
select job_runs.worker, count(*) from continuity.job_runs join continuity.jobs on jobs.id = job_runs.job_id
where jobs.batch = %s group by job_runs.worker order by job_runs.worker
"""
_CLEAN: Final = "delete from continuity.jobs where batch = %s returning id"
_CLEAN_RUNS: Final = "delete from continuity.job_runs where job_id = any(%s)"
_AGAIN_SECONDS: Final = 0.5
"""The delay after a database refused a job."""


@dataclass(frozen=True)
class Job:
    """A job, and the time of its acknowledgement by this machine's monotonic clock."""

    number: int
    acknowledged: float


@dataclass(frozen=True)
class Outcome:
    """The result of a job. `done` is a time by this machine's monotonic clock, or None if the job is not done."""

    number: int
    done: float | None
    runs: int


class Queue:
    """A batch of jobs that a separate thread enqueues."""

    def __init__(self, database: Database, batch: str) -> None:
        self._database = database
        self._batch = batch
        self._stopping = threading.Event()
        self._acknowledged: list[Job] = []
        self._thread: threading.Thread | None = None
        self.refused = 0
        """The number of jobs that the database did not acknowledge. They may be in the queue nevertheless."""

        with self._database.connected() as connection:
            # The workers use the tables as the application's user.
            connection.execute(f"set role {DATABASE_USER}")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            self._offset = _offset(connection)

    @property
    def acknowledged(self) -> list[Job]:
        return list(self._acknowledged)

    def start(self, jobs: int, seconds: float) -> None:
        """Enqueue `jobs` jobs, evenly over `seconds` seconds."""
        self._thread = threading.Thread(target=self._add, args=(jobs, seconds), name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> list[Job]:
        """Stop enqueueing, and return the acknowledged jobs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        return self.acknowledged

    def finish(self, seconds: float) -> list[Job]:
        """Wait at most `seconds` until all jobs are enqueued, and return the acknowledged ones."""
        if self._thread is not None:
            self._thread.join(timeout=seconds)
        return self.stop()

    def wait_until_done(self, seconds: float, say: Callable[[str], None]) -> None:
        """Wait at most `seconds` until every job of the batch is done. `outcomes` shows the jobs that are not."""
        end = time.monotonic() + seconds
        said = time.monotonic()
        with self._database.connected() as connection:
            while (left := _number(connection, _OPEN, self._batch)) and time.monotonic() < end:
                if time.monotonic() - said > 10:
                    say(f"{left} jobs are not done yet")
                    said = time.monotonic()
                time.sleep(0.2)

    def outcomes(self) -> list[Outcome]:
        """The results of all jobs of the batch, including those that were not acknowledged."""
        with self._database.connected() as connection:
            return [
                Outcome(int(number), None if done is None else float(done) - self._offset, int(runs))
                for number, done, runs in connection.execute(_READ, (self._batch,)).fetchall()
            ]

    def workers(self) -> dict[str, int]:
        """The number of runs of each worker in the batch."""
        with self._database.connected() as connection:
            return {str(name): int(runs) for name, runs in connection.execute(_WORKERS, (self._batch,)).fetchall()}

    def clean(self) -> None:
        """Delete the batch from the tables. The tables belong to the workers, and stay."""
        import psycopg

        with self._database.connected() as connection:
            try:
                connection.execute("set lock_timeout = '10s'")
                # Deleting the jobs first waits for a worker that is running one. It may record a run until then.
                gone = [number for (number,) in connection.execute(_CLEAN, (self._batch,)).fetchall()]
                connection.execute(_CLEAN_RUNS, (gone,))
            except psycopg.Error as error:
                raise DatabaseError(
                    f"the drill's jobs could not be deleted: {str(error).strip()}. Delete them by hand: batch "
                    f"{self._batch!r} in continuity.jobs"
                ) from None

    def _add(self, jobs: int, seconds: float) -> None:
        import psycopg

        begun = time.monotonic()
        connection: psycopg.Connection | None = None
        for number in range(jobs):
            if self._stopping.wait(max(0.0, begun + number * seconds / jobs - time.monotonic())):
                break
            try:
                if connection is None or connection.closed:
                    connection = self._database.connect()
                done = connection.execute(_ADD, (self._batch,)).fetchone()
            except psycopg.Error:
                self.refused += 1
                if connection is not None:
                    connection.close()
                self._stopping.wait(_AGAIN_SECONDS)
                continue
            if done is not None:
                self._acknowledged.append(Job(int(done[0]), time.monotonic()))
        if connection is not None:
            connection.close()


def _number(connection: psycopg.Connection, query: str, batch: str) -> int:
    found = connection.execute(query, (batch,)).fetchone()
    return int(found[0]) if found else 0


def _offset(connection: psycopg.Connection) -> float:
    """The seconds by which the database's clock is ahead of this machine's monotonic clock, from the fastest answer."""
    found: list[tuple[float, float]] = []
    for _ in range(5):
        asked = time.monotonic()
        row = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
        answered = time.monotonic()
        if row is not None:
            found.append((answered - asked, float(row[0]) - (asked + answered) / 2))
    return min(found)[1]
