"""The drill's jobs in a real PostgreSQL: what is acknowledged, done, lost and run twice is counted as it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from continuity.clouds.database import Database
from continuity.drills.load.jobs import Queue
from localcloud.postgres import Cluster, Site, free_address, stop_all

_TAKE = "select id from continuity.jobs where done_at is null order by id for update skip locked limit 1"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("jobs")
    cluster = Cluster(Site(folder / "site"), folder / "cluster", free_address(set(), 5432), 5432)
    try:
        cluster.create("app", "secret", "app")
        made = Database(cluster.address, cluster.port, "app", "app", "secret", cluster.site.ca)
        with made.connect() as connection:
            connection.execute("create role botbrains_app")
            connection.execute("grant create on database app to botbrains_app")
            connection.execute("grant botbrains_app to app")
        yield made
    finally:
        stop_all(folder)


class Worker:
    """Runs jobs like the workers, in a thread, until it is stopped."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with self._database.connect() as connection:
            while not self._stopping.is_set():
                with connection.transaction():
                    found = connection.execute(_TAKE).fetchone()
                    if found is not None:
                        ran(connection, found[0], self._name)
                        connection.execute(
                            "update continuity.jobs set done_at = clock_timestamp() where id = %s", found
                        )
                if found is None:
                    time.sleep(0.01)


def ran(connection: psycopg.Connection, number: int, worker: str) -> None:
    connection.execute("insert into continuity.job_runs (job_id, worker) values (%s, %s)", (number, worker))


def rows(database: Database, table: str) -> int:
    with database.connect() as connection:
        found = connection.execute(f"select count(*) from continuity.{table}").fetchone()
    assert found is not None
    return int(found[0])


def nothing(_: str) -> None:
    pass


def test_jobs_are_spread_over_the_time_done_and_cleaned_up(database: Database) -> None:
    queue, other = Queue(database, "mine"), Queue(database, "another")
    other.start(3, 0.1)
    assert len(other.finish(5)) == 3
    workers = [Worker(database, name) for name in ("a", "b")]
    begun = time.monotonic()
    queue.start(60, 1.5)
    acknowledged = queue.finish(10)
    queue.wait_until_done(10, nothing)
    outcomes = queue.outcomes()
    for worker in workers:
        worker.stop()
    assert len(acknowledged) == 60
    assert queue.refused == 0
    assert 1.4 < acknowledged[-1].acknowledged - begun < 3
    assert [outcome.number for outcome in outcomes] == [job.number for job in acknowledged]
    for job, outcome in zip(acknowledged, outcomes, strict=True):
        # The database's clock, told by this machine's: a job is done soon after it was acknowledged, not before.
        assert outcome.done is not None
        assert outcome.runs == 1
        assert -0.2 < outcome.done - job.acknowledged < 1
    assert sum(queue.workers().values()) == 60
    queue.clean()
    assert (queue.outcomes(), len(other.outcomes())) == ([], 3)
    other.clean()
    assert (rows(database, "jobs"), rows(database, "job_runs")) == (0, 0)


def test_what_is_lost_and_what_ran_twice_is_seen(database: Database) -> None:
    queue = Queue(database, "twice")
    queue.start(3, 0.1)
    first, second, third = queue.finish(5)
    with database.connect() as connection:
        for number in (first.number, first.number, second.number):
            ran(connection, number, "a")
        for number in (first.number, second.number):
            connection.execute("update continuity.jobs set done_at = clock_timestamp() where id = %s", (number,))
    begun = time.monotonic()
    queue.wait_until_done(0.5, nothing)
    assert time.monotonic() - begun < 3
    assert [(one.number, one.runs, one.done is not None) for one in queue.outcomes()] == [
        (first.number, 2, True),
        (second.number, 1, True),
        (third.number, 0, False),
    ]
    queue.clean()
    assert (rows(database, "jobs"), rows(database, "job_runs")) == (0, 0)


def test_cleaning_waits_for_the_worker_that_is_at_a_job(database: Database) -> None:
    queue = Queue(database, "held")
    queue.start(1, 0.1)
    (job,) = queue.finish(5)
    with database.connect() as connection:
        with connection.transaction():
            connection.execute(_TAKE)
            cleaning = threading.Thread(target=queue.clean)
            cleaning.start()
            time.sleep(0.3)
            assert cleaning.is_alive()
            ran(connection, job.number, "a")
        cleaning.join(10)
    assert (rows(database, "jobs"), rows(database, "job_runs")) == (0, 0)


def test_a_database_that_refuses_is_asked_again(database: Database, tmp_path: Path) -> None:
    queue = Queue(database, "cut")
    queue.start(200, 2)
    while len(queue.acknowledged) < 20:
        time.sleep(0.01)
    with database.connect() as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and pid <> pg_backend_pid()"
        )
    acknowledged = queue.finish(20)
    assert queue.refused == 1
    assert len(acknowledged) == 199
    queue.clean()
