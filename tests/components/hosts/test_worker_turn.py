"""Tests of the workers' turns with real PostgreSQL: which host works when hosts die, return or lose their session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from components.hosts.image.rendering import LOCK_CLASS
from localcloud.postgres import Cluster, Site, free_address, stop_all
from tests.components.hosts.examples import PROGRAMS

PORT, USER, PASSWORD, DATABASE = 5432, "app", "it's a %password=", "botbrains"
# The time that a busy machine may add to any measured duration.
BUSY_SECONDS = 0.5
TURNS = "select 1 from pg_stat_activity where starts_with(application_name, 'worker-turn ')"

WORKER = """
import os, signal, sys, time
import psycopg

stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
name, seconds = sys.argv[1], float(sys.argv[2])
session = psycopg.connect("", autocommit=True)
while not stopping:
    with session.transaction():
        row = session.execute(
            "select id from jobs where done_at is null order by id for update skip locked limit 1").fetchone()
        if row:
            time.sleep(seconds)
            session.execute("insert into job_runs (job_id, worker) values (%s, %s)", [row[0], name])
            session.execute("update jobs set done_at = clock_timestamp() where id = %s", [row[0]])
    if not row:
        time.sleep(0.02)
"""


@dataclass
class Place:
    root: Path
    cluster: Cluster

    @property
    def settings(self) -> Path:
        return self.root / "app.env"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker. psycopg reads these variables."""
        return {
            "PGHOST": self.cluster.address,
            "PGPORT": str(self.cluster.port),
            "PGUSER": USER,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": DATABASE,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.cluster.site.ca),
        }

    def write_settings(self, **other: str) -> None:
        said = {
            "DATABASE_HOST": self.cluster.address,
            "DATABASE_PORT": str(self.cluster.port),
            "DATABASE_NAME": DATABASE,
            "DATABASE_USER": USER,
            "DATABASE_PASSWORD": PASSWORD,
            "PGSSLROOTCERT": str(self.cluster.site.ca),
            **other,
        }
        self.settings.write_text("".join(f"{name}={value}\n" for name, value in said.items()))

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        names = {"PGSSLMODE": "sslmode", "PGSSLROOTCERT": "sslrootcert", "PGDATABASE": "dbname"}
        told: dict[str, Any] = {
            names.get(name, name.removeprefix("PG").lower()): value for name, value in self.variables.items()
        }
        with psycopg.connect(**told, autocommit=True) as session:
            answer = session.execute(query.encode(), values)
            return answer.fetchall() if answer.description else []

    def session_of(self, name: str) -> int:
        [(number,)] = self.ask("select pid from pg_stat_activity where application_name = %s", f"worker-turn {name}")
        return int(number)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = tmp_path_factory.mktemp("workers")
    made = Cluster(Site(root / "site"), root / "cluster", free_address(set(), PORT), PORT)
    try:
        made.create(USER, PASSWORD, DATABASE)
        yield made
    finally:
        stop_all(root)


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Place:
    made = Place(tmp_path, cluster)
    made.write_settings()
    # Sessions of the previous test.
    until(lambda: not made.ask(TURNS), 15)
    made.ask("drop table if exists jobs, job_runs")
    made.ask("create table jobs (id bigint generated always as identity primary key, done_at timestamptz)")
    made.ask("create table job_runs (job_id bigint not null, worker text not null, at timestamptz default now())")
    return made


@dataclass
class Host:
    """A separate `worker_turn` process, and its output."""

    name: str
    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append({"at": time.monotonic(), **json.loads(line)})

    def events(self) -> list[str]:
        return [one["event"] for one in list(self.said)]

    @property
    def holds(self) -> bool:
        """Return whether its output says that it has a slot."""
        return self.slot is not None

    @property
    def slot(self) -> int | None:
        slot = None
        for one in list(self.said):
            if one["event"] == "slot taken":
                slot = one["slot"]
            elif one["event"] in ("slot given up", "session lost", "stopped"):
                slot = None
        return slot if self.process.poll() is None else None

    def worker(self) -> psutil.Process:
        """Return its worker, which it starts after it has printed that it has a slot."""
        host = psutil.Process(self.process.pid)
        until(lambda: bool(host.children()), 10)
        [child] = host.children()
        return child


Start = Callable[..., Host]


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    hosts: list[Host] = []

    def started(name: str, *turn: str, seconds: float = 0.05, command: list[str] | None = None) -> Host:
        worker = command or [sys.executable, "-c", WORKER, name, str(seconds)]
        process = subprocess.Popen(
            [
                *(sys.executable, str(PROGRAMS / "worker_turn.py"), "--host-name", name),
                *("--settings", str(place.settings), "--lock-class", str(LOCK_CLASS), "--grace-seconds", "5"),
                *turn,
                "--",
                *worker,
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **place.variables},
        )
        hosts.append(Host(name, process))
        return hosts[-1]

    try:
        yield started
    finally:
        for host in hosts:
            host.process.kill()
            host.process.wait()


def until(wanted: Callable[[], bool], seconds: float) -> float:
    """Wait until a condition holds, and return the seconds that it took."""
    began = time.monotonic()
    while not wanted():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - began


def test_standby_takes_slot_and_returns_it_between_jobs(place: Place, start: Start) -> None:
    place.ask("insert into jobs (done_at) select null from generate_series(1, 400)")
    first, second = (start(f"active-{slot}", "--slot", str(slot)) for slot in (1, 2))
    until(lambda: first.holds and second.holds, 10)
    standby = start("standby-1", "--slots", "2")
    time.sleep(1)
    assert not standby.holds

    worker = first.worker()
    first.process.kill()
    # This takes a quarter of a second and the start of a program, and longer on a busy machine.
    assert until(lambda: standby.slot == 1, 5) < 1 + BUSY_SECONDS
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE

    until(lambda: bool(place.ask("select 1 from job_runs where worker = 'standby-1'")), 5)
    returned = start("active-1", "--slot", "1")
    until(lambda: returned.slot == 1, 5)
    assert "asked back" in standby.events()
    assert "worker killed" not in standby.events()
    assert not standby.holds
    assert second.slot == 2

    until(lambda: not place.ask("select 1 from jobs where done_at is null"), 60)
    runs = place.ask("select job_id, count(*) from job_runs group by job_id")
    assert len(runs) == 400, "a job was lost"
    assert {count for _, count in runs} == {1}, "a job ran twice"
    assert place.ask("select 1 from job_runs where worker = 'active-1' limit 1")


def test_open_job_is_finished_before_slot_is_returned(place: Place, start: Start) -> None:
    place.ask("insert into jobs (done_at) values (null)")
    standby = start("standby-1", "--slots", "1", seconds=1.5)
    until(lambda: bool(place.ask("select 1 from pg_stat_activity where state = 'idle in transaction'")), 10)
    returned = start("active-1", "--slot", "1")
    until(lambda: returned.holds, 5)
    assert place.ask("select worker from job_runs") == [("standby-1",)]
    assert "worker killed" not in standby.events()


def test_lost_session_kills_worker(place: Place, start: Start) -> None:
    place.ask("insert into jobs (done_at) values (null)")
    host = start("active-1", "--slot", "1", seconds=60)
    until(lambda: bool(place.ask("select 1 from pg_stat_activity where state = 'idle in transaction'")), 10)
    worker = host.worker()
    place.ask("select pg_terminate_backend(%s)", place.session_of("active-1"))
    assert until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 5) < BUSY_SECONDS
    # The database has rolled its job back, and the host waits for a slot again.
    until(lambda: host.events().count("slot taken") == 2, 5)
    assert not place.ask("select 1 from job_runs")
    assert host.events()[:3] == ["slot taken", "worker killed", "session lost"]


PODMAN = """#!/bin/sh
# A container is not a child of podman, and is in none of its process groups.
case $1 in
  run) setsid sleep 1000 & echo $! > {folder}/container.new; mv {folder}/container.new {folder}/container; wait ;;
  kill) test "$2" = botbrains-worker && kill -KILL "$(cat {folder}/container)" && rm {folder}/container ;;
esac
"""


def test_lost_session_kills_container(place: Place, start: Start) -> None:
    podman, container = place.root / "podman", place.root / "container"
    podman.write_text(PODMAN.format(folder=place.root))
    podman.chmod(0o755)
    run = [str(podman), "run", "--name", "botbrains-worker"]
    host = start("active-1", "--slot", "1", "--container", "botbrains-worker", command=run)

    def contained() -> int:
        """Return the id of the process in the container, or 0."""
        try:
            return int(container.read_text())
        except FileNotFoundError:
            return 0

    until(lambda: contained() != 0, 10)
    first = psutil.Process(contained())
    place.ask("select pg_terminate_backend(%s)", place.session_of("active-1"))
    until(lambda: contained() not in (0, first.pid), 10)
    second = psutil.Process(contained())
    until(lambda: host.events().count("slot taken") == 2, 5)
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE

    # If `worker_turn` itself is killed, its container remains. The next one ends it first.
    host.process.kill()
    host.process.wait()
    assert second.is_running()
    again = start("active-1", "--slot", "1", "--container", "botbrains-worker", command=run)
    until(lambda: contained() not in (0, second.pid), 10)
    until(lambda: again.holds, 5)
    assert not second.is_running() or second.status() == psutil.STATUS_ZOMBIE
    again.process.terminate()
    # This podman ends before its container, because it does not forward the signal.
    assert again.process.wait(15) == 0
    assert not container.exists()


def test_silent_server_is_a_lost_session(place: Place, start: Start) -> None:
    host = start("active-1", "--slot", "1", command=["/bin/sleep", "1000"])
    until(lambda: host.holds, 10)
    worker = host.worker()
    backend = place.session_of("active-1")
    os.kill(backend, signal.SIGSTOP)
    try:
        assert until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 10) < 6 + BUSY_SECONDS
    finally:
        os.kill(backend, signal.SIGCONT)


def test_stopping_host_finishes_job_and_frees_slot(place: Place, start: Start) -> None:
    place.ask("insert into jobs (done_at) values (null)")
    host = start("active-1", "--slot", "1", seconds=1.0)
    until(lambda: bool(place.ask("select 1 from pg_stat_activity where state = 'idle in transaction'")), 10)
    standby = start("standby-1", "--slots", "1")
    host.process.terminate()
    assert host.process.wait(5) == 0
    assert place.ask("select worker from job_runs") == [("active-1",)]
    assert until(lambda: standby.holds, 3) < 1 + BUSY_SECONDS


def test_waiting_host_stops_at_once(place: Place, start: Start) -> None:
    holder = start("active-1", "--slot", "1")
    until(lambda: holder.holds, 10)
    waiting = start("active-1 again", "--slot", "1")
    standby = start("standby-1", "--slots", "1")
    until(lambda: len(place.ask(TURNS)) == 3, 10)
    for host in (waiting, standby):
        host.process.terminate()
        began = time.monotonic()
        assert host.process.wait(5) == 0
        assert time.monotonic() - began < 1 + BUSY_SECONDS
        assert not host.holds


def test_worker_that_does_not_end_is_killed(start: Start) -> None:
    deaf = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]
    standby = start("standby-1", "--slots", "1", "--grace-seconds", "1", command=deaf)
    until(lambda: standby.holds, 10)
    owner = start("active-1", "--slot", "1")
    assert 1 < until(lambda: owner.holds, 10) < 4 + BUSY_SECONDS
    assert "worker killed" in standby.events()


def test_host_that_cannot_work_holds_no_slot(start: Start) -> None:
    broken = start("active-1", "--slot", "1", command=["/bin/false"])
    until(lambda: "slot given up" in broken.events(), 10)
    standby = start("standby-1", "--slots", "1")
    until(lambda: standby.holds, 5)


def test_settings_are_reread_if_database_moved(place: Place, start: Start) -> None:
    place.write_settings(DATABASE_PORT="1")
    host = start("active-1", "--slot", "1")
    until(lambda: "no session" in host.events(), 10)
    place.write_settings()
    until(lambda: host.holds, 10)


def test_lasting_wrong_settings_end_worker_turn(place: Place, start: Start) -> None:
    place.write_settings(DATABASE_PORT="1")
    assert start("active-1", "--slot", "1", "--give-up-seconds", "1").process.wait(10) == 1
    place.write_settings(DATABASE_PASSWORD="of yesterday")
    began = time.monotonic()
    refused = start("active-1", "--slot", "1")
    assert refused.process.wait(10) == 1
    assert time.monotonic() - began < 5
    assert "of yesterday" not in json.dumps(refused.said)
