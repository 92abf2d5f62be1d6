"""Runs a worker while it is this host's turn: while a session of its own holds the PostgreSQL advisory lock of a slot.

A slot is the advisory lock (LOCK_CLASS, n), n from 1. Active host n owns slot n and waits for it in line
(pg_advisory_lock). A standby takes whichever is free (pg_try_advisory_lock); when pg_locks shows that the owner is
waiting for the slot it holds, it ends its worker, which finishes its job first, and unlocks.

How split brain is avoided
    A lock belongs to one session, and PostgreSQL is the one judge of who has it: there is no clock, no lease and no
    vote that two hosts could read differently. A lock is free as soon as its session is gone: at once when this program
    is killed (the kernel closes its connection), and in 11 s at most when a host or its network dies without a word
    (TCP keepalives at both ends: 5 s of silence, then 3 questions, 2 s apart).
    The other way round, this program kills its worker as soon as it sees that the session is lost: it watches the
    connection without a pause, asks the server every second, and takes an answer that is overdue for a loss. When it is
    killed itself, its worker is killed with it, and what a container left behind when it starts again, before it stands
    in line.

What is guaranteed, and what is not
    Guaranteed: every job's effects are in the database exactly once. A worker takes a job with FOR UPDATE SKIP LOCKED
    and commits its effects in the same transaction, in a session of its own; nobody else sees a job whose row is
    locked, and whoever is killed before the commit leaves nothing behind, because PostgreSQL rolls back what its
    session had begun.
    Not guaranteed: that there is never more than one worker to a slot. Between the moment when the server drops a
    session and the moment when this program has killed its worker, the slot may already be another host's: milliseconds
    when the server says so, up to LOST_AFTER_SECONDS when the network just falls silent. In that time two workers take
    jobs, different ones. So a slot limits how many work; it is not what keeps a job from running twice.

A worker that ends by itself gives up the slot, so that a host on which it cannot run does not hold it; this host then
waits, longer each time, before it stands in line again. When the database cannot be reached for a while, or refuses the
password, the program ends: systemd starts it again, and the settings are fetched anew before that.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psycopg
from psycopg import pq

HEARTBEAT_SECONDS = 1.0
LOST_AFTER_SECONDS = 5.0
"""An answer that is overdue by this much counts as a lost session."""

LOOK_SECONDS = 0.25
"""How often a standby looks for a free slot, and whether the owner waits for the one it holds."""

GIVE_UP_SECONDS = 30.0
"""How long without a session before the settings are fetched anew."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 5.0
FIRST_FAILURE_PAUSE_SECONDS, LONGEST_FAILURE_PAUSE_SECONDS = 1.0, 30.0
GOOD_RUN_SECONDS = 60.0
"""A worker that ran this long was well; its end counts as a first failure."""

SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=11000"
    # Waiting in line is no mistake, however long it takes.
    " -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0"
)
PR_SET_PDEATHSIG = 1

LOCK = "select pg_advisory_lock($1::int, $2::int)"
UNLOCK = "select pg_advisory_unlock($1::int, $2::int)"
# The rows come one by one and the first that is locked is the last that is tried.
TAKE = "select slot from generate_series(1, $2::int) as slot where pg_try_advisory_lock($1::int, slot) limit 1"
WAITED_FOR = """
select 1 from pg_locks
where locktype = 'advisory' and not granted and objsubid = 2 and classid = $1::int::oid and objid = $2::int::oid
  and database = (select oid from pg_database where datname = current_database())
limit 1
"""
ALIVE = "select 1 where $1::int <> $2::int"


class SessionLostError(Exception):
    """The session is gone, and with it every lock that it held."""


class StopError(Exception):
    """Somebody asked this program to end."""


def say(event: str, **facts: object) -> None:
    """One line for the journal."""
    print(json.dumps({"event": event, **facts}), flush=True)


class Alarm:
    """Signals as something to wait for together with a connection: SIGTERM and SIGINT to stop, SIGCHLD to look."""

    def __init__(self) -> None:
        self.stopping = False
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def wait(self, seconds: float, socket: int | None = None) -> bool:
        """Until something happens, at most that long. Whether there is something to read from the socket."""
        watched = [self._read] if socket is None else [self._read, socket]
        ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._read in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._read, 4096):
                    pass
        return socket is not None and socket in ready

    def pause(self, seconds: float) -> None:
        """Wait that long.

        Raises:
            StopError: as soon as somebody asks to stop.
        """
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            self.wait(left)
        if self.stopping:
            raise StopError


class Session:
    """A session of PostgreSQL's that is never waited for blindly: every wait ends with a signal or a lost session."""

    def __init__(self, settings: Mapping[str, str], host_name: str, alarm: Alarm) -> None:
        """Raises psycopg.OperationalError when there is none to be had."""
        self._alarm = alarm
        self._connection = psycopg.connect(
            host=settings["DATABASE_HOST"],
            port=settings["DATABASE_PORT"],
            dbname=settings["DATABASE_NAME"],
            user=settings["DATABASE_USER"],
            password=settings["DATABASE_PASSWORD"],
            sslmode="verify-full",
            sslrootcert=settings["PGSSLROOTCERT"],
            application_name=f"worker-turn {host_name}",
            connect_timeout=5,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=11000,
            options=SERVER_OPTIONS,
            autocommit=True,
        )
        self._wire = self._connection.pgconn

    def ask(self, query: str, first: int, second: int, *, patient: bool = False) -> int | None:
        """The first column of the first row, None where there is no row or no number in it.

        Args:
            query: with $1 and $2.
            first, second: what they are.
            patient: the answer may take as long as it likes, and a wish to stop ends the wait.

        Raises:
            SessionLostError: there is no session any more, or its answer is overdue.
            StopError: somebody asked to stop; the session is of no use any more.
        """
        try:
            self._wire.send_query_params(query.encode(), [str(first).encode(), str(second).encode()])
            deadline = time.monotonic() + LOST_AFTER_SECONDS
            answers = []
            while True:
                while self._wire.is_busy():
                    if patient and self._alarm.stopping:
                        raise StopError
                    left = HEARTBEAT_SECONDS if patient else deadline - time.monotonic()
                    if left <= 0:
                        raise SessionLostError(f"no answer for {LOST_AFTER_SECONDS:g} s")
                    if self._alarm.wait(left, self._wire.socket):
                        self._wire.consume_input()
                answer = self._wire.get_result()
                if answer is None:
                    break
                answers.append(answer)
        except psycopg.Error as error:
            raise SessionLostError(_line(error)) from error
        answer = answers[-1]
        if answer.status != pq.ExecStatus.TUPLES_OK:
            raise SessionLostError(" ".join(answer.error_message.decode(errors="replace").split()))
        value = answer.get_value(0, 0) if answer.ntuples else None
        return int(value) if value and value.isdigit() else None

    def rest(self, seconds: float) -> None:
        """Wait, but no longer than until something happens here or to the worker.

        Raises:
            SessionLostError: what happened is that the session ended.
        """
        try:
            if not self._alarm.wait(seconds, self._wire.socket):
                return
            # Nothing was asked, so it is the end, or a notice of one.
            self._wire.consume_input()
        except psycopg.Error as error:
            raise SessionLostError(_line(error)) from error
        if self._wire.status != pq.ConnStatus.OK:
            raise SessionLostError("the server closed it")

    def close(self) -> None:
        """Give up the session and its locks."""
        self._connection.close()


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What this host may do.

    Attributes:
        lock_class: the first key of the slots' locks.
        slot: the one that it owns; None on a standby.
        slots: how many there are to stand by for; 0 on an active host.
        grace_seconds: how long a worker has to finish its job.
        container: the name that podman knows the worker by, if it is podman that runs it.
        command: what runs the worker.
    """

    lock_class: int
    slot: int | None
    slots: int
    grace_seconds: float
    container: str | None
    command: Sequence[str]


class Worker:
    """The worker's process, in a group of its own, and the container that podman runs for it."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            turn.command, start_new_session=True, stdin=subprocess.DEVNULL, preexec_fn=_die_with_me
        )

    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def finish(self) -> None:
        """Ask it to end after its job. podman hands the signal on to the container."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, with whatever it started, and wait until it is gone.

        What a container runs is not in podman's group of processes: podman has to be asked to kill it.
        """
        asked = kill_container(self._turn)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if asked is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                asked.wait(10)


def kill_container(turn: Turn) -> subprocess.Popen[bytes] | None:
    """Podman on its way to kill the worker's container. It fails when there is none, which is what was wanted."""
    if turn.container is None:
        return None
    try:
        return subprocess.Popen(
            [turn.command[0], "kill", turn.container],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def _die_with_me() -> None:
    """In the worker's process, before it is the worker: the kernel kills it when this program is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def work(turn: Turn, session: Session, alarm: Alarm, slot: int) -> float | None:
    """Run the worker while the slot is ours. How many seconds it ran; None when the slot was asked back.

    Raises:
        SessionLostError: the slot is not ours any more; the worker is dead.
        StopError: somebody asked to stop; the worker has ended.
    """
    worker = Worker(turn)
    try:
        while worker.status() is None:
            if alarm.stopping:
                _finish(turn, worker, lambda: session.rest(HEARTBEAT_SECONDS))
                raise StopError
            if turn.slot is None and session.ask(WAITED_FOR, turn.lock_class, slot) is not None:
                say("asked back", slot=slot)
                _finish(turn, worker, lambda: session.rest(HEARTBEAT_SECONDS))
                return None
            if turn.slot is not None:
                session.ask(ALIVE, 0, 1)
            # A worker that ended in the meantime has rung the alarm.
            session.rest(HEARTBEAT_SECONDS if turn.slot is not None else LOOK_SECONDS)
        ran = time.monotonic() - worker.began
        say("worker ended", slot=slot, status=worker.status(), seconds=round(ran, 3))
        return ran
    finally:
        # Whatever happened, a lost session above all: no worker without a slot, and nothing that it left behind.
        running = worker.status() is None
        worker.kill()
        if running:
            say("worker killed", slot=slot)


def _finish(turn: Turn, worker: Worker, rest: Callable[[], None]) -> None:
    """Let the worker finish its job, for as long as it may; a lost session ends that too."""
    worker.finish()
    deadline = time.monotonic() + turn.grace_seconds
    while worker.status() is None and time.monotonic() < deadline:
        rest()


def take(turn: Turn, session: Session, alarm: Alarm) -> int:
    """The slot that is ours now.

    Raises:
        SessionLostError, StopError: before there was one.
    """
    if turn.slot is not None:
        session.ask(LOCK, turn.lock_class, turn.slot, patient=True)
        return turn.slot
    while True:
        slot = session.ask(TAKE, turn.lock_class, turn.slots)
        if slot is not None:
            return slot
        alarm.pause(LOOK_SECONDS)


def hold_turns(turn: Turn, session: Session, alarm: Alarm) -> None:
    """Turn after turn, as long as there is a session.

    Raises:
        SessionLostError, StopError: as they come.
    """
    pause = FIRST_FAILURE_PAUSE_SECONDS
    while True:
        if alarm.stopping:
            raise StopError
        slot = take(turn, session, alarm)
        say("slot taken", slot=slot)
        ran = work(turn, session, alarm, slot)
        session.ask(UNLOCK, turn.lock_class, slot)
        say("slot given up", slot=slot)
        if ran is None:
            continue
        if ran >= GOOD_RUN_SECONDS:
            pause = FIRST_FAILURE_PAUSE_SECONDS
        alarm.pause(pause)
        pause = min(2 * pause, LONGEST_FAILURE_PAUSE_SECONDS)


def read_settings(path: Path) -> dict[str, str]:
    """The variables in a file of NAME=VALUE lines.

    Raises:
        OSError: there is none.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def run(turn: Turn, settings: Path, host_name: str, alarm: Alarm, give_up: float) -> int:
    """Sessions one after the other, until somebody asks to stop (0) or there is none to be had for too long (1)."""
    pause, without = FIRST_PAUSE_SECONDS, time.monotonic()
    try:
        while True:
            try:
                # Read anew each time: the database may have moved.
                session = Session(read_settings(settings), host_name, alarm)
            except (psycopg.Error, OSError, KeyError) as error:
                say("no session", reason=_line(error))
                if time.monotonic() - without >= give_up or "authentication failed" in str(error):
                    return 1
                alarm.pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            try:
                hold_turns(turn, session, alarm)
            except SessionLostError as lost:
                say("session lost", reason=str(lost))
            finally:
                session.close()
            without = time.monotonic()
            alarm.pause(pause)
    except StopError:
        say("stopped")
        return 0


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Runs a worker while it is this host's turn.")
    parser.add_argument("--host-name", required=True)
    parser.add_argument("--settings", type=Path, required=True, help="where the database is, NAME=VALUE a line")
    parser.add_argument("--lock-class", type=int, required=True, help="the first key of the slots' locks")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--slot", type=int, help="the slot that this host owns")
    place.add_argument("--slots", type=int, default=0, help="how many slots this host stands by for")
    parser.add_argument("--grace-seconds", type=float, required=True, help="how long a worker has to finish its job")
    parser.add_argument("--container", help="the worker's name, if the command is podman's")
    parser.add_argument("--give-up-seconds", type=float, default=GIVE_UP_SECONDS)
    parser.add_argument("command", nargs="+", help="what runs the worker, after --")
    asked = parser.parse_args(arguments)

    turn = Turn(
        lock_class=asked.lock_class,
        slot=asked.slot,
        slots=asked.slots,
        grace_seconds=asked.grace_seconds,
        container=asked.container,
        command=asked.command,
    )
    left_behind = kill_container(turn)
    if left_behind is not None:
        left_behind.wait()
    return run(turn, asked.settings, asked.host_name, Alarm(), asked.give_up_seconds)


if __name__ == "__main__":
    sys.exit(main())
