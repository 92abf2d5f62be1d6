"""The worker: it takes jobs from a queue in the database, one after the other, each exactly once.

A job is taken, worked off and marked as done in one transaction, so a worker that dies takes its part of it along.
`DATABASE_HOST`, `DATABASE_PORT`, `DATABASE_NAME`, `DATABASE_USER`, `DATABASE_PASSWORD`, `PGSSLROOTCERT` and `HOST_NAME`
are read. SIGTERM: it finishes the job that it has, and ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

import psycopg

_WORK_SECONDS = 0.01
_IDLE_SECONDS = 0.2
_RETRY_SECONDS = 1.0

_TABLES = """
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
);
"""
_TAKE = """
select id from continuity.jobs where done_at is null order by id for update skip locked limit 1
"""
_RUN = "insert into continuity.job_runs (job_id, worker) values (%s, %s)"
_DONE = "update continuity.jobs set done_at = clock_timestamp() where id = %s"
_LOCK = "select pg_advisory_xact_lock(7021960321)"  # two at once would make the tables against each other


class Worker:
    def __init__(self) -> None:
        self._name = os.environ.get("HOST_NAME", "?")
        self._ending = False
        self._jobs = 0

    def end(self, *_: Any) -> None:
        self._ending = True

    def run(self) -> None:
        while not self._ending:
            try:
                with _connection() as connection:
                    with connection.transaction():
                        connection.execute(_LOCK)
                        connection.execute(_TABLES)
                    print("working", flush=True)
                    while not self._ending:
                        if not self._one(connection):
                            time.sleep(_IDLE_SECONDS)
            except psycopg.Error as fault:
                print(f"<4>the database: {' '.join(str(fault).split())}", flush=True)
                for _ in range(int(_RETRY_SECONDS / 0.1)):
                    if not self._ending:
                        time.sleep(0.1)
        print(f"ended after {self._jobs} jobs", flush=True)

    def _one(self, connection: psycopg.Connection[Any]) -> bool:
        """Work one job off; whether there was one."""
        with connection.transaction():
            row = connection.execute(_TAKE).fetchone()
            if row is None:
                return False
            time.sleep(_WORK_SECONDS)
            connection.execute(_RUN, (row[0], self._name))
            connection.execute(_DONE, row[:1])
        self._jobs += 1
        return True


def _connection() -> contextlib.AbstractContextManager[psycopg.Connection[Any]]:
    return psycopg.connect(
        host=os.environ["DATABASE_HOST"],
        port=os.environ.get("DATABASE_PORT", "5432"),
        dbname=os.environ["DATABASE_NAME"],
        user=os.environ["DATABASE_USER"],
        password=os.environ["DATABASE_PASSWORD"],
        sslmode="verify-full",
        sslrootcert=os.environ.get("PGSSLROOTCERT", "system"),
        application_name="worker",
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        # The server too notices within seconds that this host is dead, and frees the job that it had.
        options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
        autocommit=True,
    )


if __name__ == "__main__":
    worker = Worker()
    signal.signal(signal.SIGTERM, worker.end)
    worker.run()
