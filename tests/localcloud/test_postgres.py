"""Real PostgreSQL servers: restored data, row by row, from an archive or snapshot after the source is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from localcloud.postgres import Archive, Cluster, PostgresError, Site, free_address, server, stop_all, version

PORT = 5432
USER, PASSWORD, DATABASE = "app", "se'cret %s\\n\"", "postgres"
MICROSECOND = timedelta(microseconds=1)


@dataclass
class Place:
    """A local cloud's folder with servers in it, below folders that the servers' user may not search."""

    root: Path
    addresses: set[str] = field(default_factory=set)

    @property
    def site(self) -> Site:
        return Site(self.root / "site")

    def cluster(self, name: str) -> Cluster:
        address = free_address(self.addresses, PORT)
        self.addresses.add(address)
        return Cluster(self.site, self.root / name, address, PORT)

    def archive(self, name: str) -> Archive:
        return Archive(self.root / "archives of 100%" / name)  # a name that a shell or PostgreSQL could misread

    def connect(self, cluster: Cluster, **other: Any) -> psycopg.Connection[Any]:
        wanted = {
            "host": cluster.address,
            "port": cluster.port,
            "user": USER,
            "password": PASSWORD,
            "dbname": DATABASE,
            "sslmode": "verify-full",
            "sslrootcert": str(self.site.ca),
            "connect_timeout": 10,
            **other,
        }
        return psycopg.connect(**wanted, autocommit=True)

    def rows(self, cluster: Cluster) -> list[int]:
        with self.connect(cluster) as connection:
            return [number for (number,) in connection.execute("SELECT number FROM written ORDER BY number")]

    def write(self, cluster: Cluster, *numbers: int) -> None:
        with self.connect(cluster) as connection:
            for number in numbers:
                connection.execute("INSERT INTO written VALUES (%s, clock_timestamp())", [number])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    try:
        yield Place(closed / "cloud")
    finally:
        stop_all(closed)
        for process in psutil.process_iter(["cmdline"]):
            assert str(closed) not in " ".join(process.info["cmdline"] or []), (
                "a server, or its front, was left running"
            )


def _made(place: Place, name: str) -> Cluster:
    cluster = place.cluster(name)
    cluster.create(USER, PASSWORD, DATABASE)
    with place.connect(cluster) as connection:
        connection.execute("CREATE TABLE written (number integer PRIMARY KEY, at timestamptz NOT NULL)")
    return cluster


@pytest.fixture(scope="module")
def archived(place: Place) -> Cluster:
    """One cluster for the tests that only add to it; its archive is "archived"."""
    cluster = _made(place, "archived")
    cluster.archive_to(place.archive("archived"))
    return cluster


# -- recovery ---------------------------------------------------------------------------------------------------------


def test_every_commit_up_to_the_moment_and_none_after(place: Place, archived: Cluster) -> None:
    archive, stop = place.archive("archived"), threading.Event()
    committed: list[tuple[datetime, datetime]] = []  # for each number: the clock before and after its commit

    def writer() -> None:
        with place.connect(archived) as connection:
            while not stop.is_set():
                begun = datetime.now(UTC)
                connection.execute("INSERT INTO written VALUES (%s, clock_timestamp())", [1000 + len(committed)])
                committed.append((begun, datetime.now(UTC)))

    thread = threading.Thread(target=writer)
    thread.start()
    while len(committed) < 40:
        time.sleep(0.01)
    before_the_base = committed[-1][1]
    archived.base_backup()  # during writes
    while len(committed) < 120:
        time.sleep(0.01)
    known = len(committed)
    uploaded = archived.upload()
    stop.set()
    thread.join()

    window = archive.window()
    assert window is not None
    assert window[0] < before_the_base
    assert window[1] == uploaded > committed[known - 1][1]
    for moment in (before_the_base, committed[100][1]):
        restored = place.cluster("restored")
        restored.restore(archive, moment)
        found = [number - 1000 for number in place.rows(restored) if number >= 1000]
        sure = [number for number, (_, after) in enumerate(committed) if after <= moment]
        possible = [number for number, (before, _) in enumerate(committed) if before <= moment]
        assert found[: len(sure)] == sure, "a row is missing that was committed before the moment"
        assert found == possible[: len(found)], "there is a row that was committed after the moment"
        with place.connect(restored) as connection:
            asked = connection.execute("SELECT count(*) FROM written WHERE at > %s", [moment]).fetchone()
            assert asked == (0,)
            left = "SELECT name FROM pg_settings WHERE name LIKE 'recovery_target%%' AND sourcefile IS NOT NULL"
            assert connection.execute(left).fetchall() == []
        restored.stop()
        restored.start()  # no setting is left that would repeat the recovery
        assert [number - 1000 for number in place.rows(restored) if number >= 1000] == found
        restored.remove()
        assert not restored.folder.exists()


def test_the_latest_moment_holds_all_that_was_committed_before_upload(place: Place, archived: Cluster) -> None:
    archive = place.archive("archived")
    place.write(archived, 1, 2, 3)
    first = archived.upload()
    second = archived.upload()  # an idle database gets a later moment too
    assert second > first
    place.write(archived, 4)  # after the upload
    restored = place.cluster("latest")
    restored.restore(archive, None)
    found = place.rows(restored)
    assert [number for number in found if number < 1000] == [1, 2, 3]
    assert set(place.rows(archived)) - set(found) == {4}
    restored.remove()


def test_a_moment_outside_the_window_is_refused_with_the_window(place: Place, archived: Cluster) -> None:
    archive = place.archive("archived")
    archived.upload()
    window = archive.window()
    assert window is not None
    said = "allowed are moments from {} to {}".format(*(edge.isoformat(timespec="microseconds") for edge in window))
    target = place.cluster("refused")
    for outside in (window[0] - MICROSECOND, window[1] + MICROSECOND):
        with pytest.raises(PostgresError) as refused:
            target.restore(archive, outside)
        assert said in str(refused.value)
        assert not target.made
    with pytest.raises(PostgresError, match="no time zone"):
        target.restore(archive, window[1].replace(tzinfo=None))
    with pytest.raises(PostgresError, match="does not hold a complete base backup"):
        target.restore(place.archive("none"), None)
    target.restore(archive, window[0])  # the test above restores the other edge
    target.remove()


def test_a_copy_restores_what_was_copied_when_the_source_is_gone(place: Place) -> None:
    source, near, far = _made(place, "lost"), place.archive("near"), place.archive("far")
    assert far.window() is None
    source.archive_to(near)
    place.write(source, 1)
    copied = source.upload()
    near.replicate(far)
    assert far.window() == near.window()
    assert near.bytes() > 0
    place.write(source, 2)
    ahead = source.upload()
    window = far.window()
    assert window is not None
    assert window[1] == copied < ahead
    (far.wal / ".copy-000000010000000000000001").write_bytes(b"half")  # remains of a killed replication
    (far.base / ".copy-20260101").mkdir()
    near.replicate(far)
    assert far.window() == near.window()
    assert not list(far.folder.rglob(".copy-*"))
    place.write(source, 3)
    source.remove()
    near.remove()
    assert near.window() is None
    assert not near.folder.exists()

    restored = place.cluster("recovered")
    restored.restore(far, None)
    assert place.rows(restored) == [1, 2]
    # It continues on a new timeline, and is restored from its own archive in turn.
    with pytest.raises(PostgresError, match="is the archive of a different cluster"):
        restored.archive_to(far)
    place.write(restored, 10)
    own = place.archive("own")
    restored.archive_to(own)
    place.write(restored, 11)
    moment = restored.upload()
    place.write(restored, 12)
    restored.upload()
    restored.remove()
    again = place.cluster("again")
    again.restore(own, moment)
    assert place.rows(again) == [1, 2, 10, 11]
    again.remove()


def test_what_expired_or_was_not_archived_is_outside_the_window(place: Place) -> None:
    cluster, archive, copy = _made(place, "expiring"), place.archive("expiring"), place.archive("expiring-copy")
    cluster.archive_to(archive)
    first = archive.window()
    assert first is not None
    moment = cluster.upload()
    archive.expire(moment)  # the only base backup stays: the moment needs it
    assert archive.window() == (first[0], moment)
    archive.replicate(copy)
    cluster.base_backup()
    second = cluster.upload()
    archive.expire(second)
    window = archive.window()
    assert window is not None
    assert moment < window[0] < second == window[1]
    archive.replicate(copy)  # the copy is kept for longer
    copied = copy.window()
    assert copied is not None
    assert copied == (first[0], second)
    assert copy.bytes() > archive.bytes()
    copy.expire(second)
    archive.replicate(copy)
    assert copy.window() == window  # and takes back nothing that expired there

    place.write(cluster, 1)
    cluster.archive_to(None)
    with pytest.raises(PostgresError, match="is not archived"):
        cluster.upload()
    with psycopg.connect(**_superuser(place, cluster), autocommit=True) as connection:
        for _ in range(3):  # log that is not archived
            connection.execute("SELECT pg_logical_emit_message(false, 'gap', 'x'), pg_switch_wal()")
    while list(cluster.data.glob("pg_wal/archive_status/*.ready")):  # until it is discarded
        time.sleep(0.01)
    cluster.archive_to(archive)
    begun = archive.window()
    assert begun is not None
    assert begun[0] > second
    with pytest.raises(PostgresError, match="allowed are moments"):
        place.cluster("gap").restore(archive, second)
    cluster.remove()


def _superuser(place: Place, cluster: Cluster) -> dict[str, Any]:
    return {
        "host": cluster.address,
        "port": PORT,
        "user": "rdsadmin",
        "password": place.site.password,
        "dbname": "rdsadmin",
        "sslmode": "verify-full",
        "sslrootcert": str(place.site.ca),
    }


# -- crashes ----------------------------------------------------------------------------------------------------------


def test_a_crash_loses_nothing_that_was_committed(place: Place, archived: Cluster) -> None:
    place.write(archived, 101, 102)
    archived.stop(crash=True)
    assert not archived.running
    with pytest.raises(psycopg.OperationalError):
        place.rows(archived)
    with pytest.raises(PostgresError, match="is not running"):
        archived.upload()
    archived.start()
    assert {101, 102} <= set(place.rows(archived))

    # Only the first process is killed: the others still hold the memory when it is started again.
    place.write(archived, 103)
    found = server.find(archived.data)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    archived.start()
    archived.start()  # already running
    assert archived.running
    assert {101, 102, 103} <= set(place.rows(archived))
    archived.upload()  # archiving continues to the same destination

    # The number in the server's file now belongs to a different process.
    archived.stop(crash=True)
    (archived.data / "postmaster.pid").write_text(f"{os.getpid()}\n{archived.data}\n0\n{PORT}\n\n\n")
    assert not archived.running
    archived.start()
    restored = place.cluster("crashed")
    restored.restore(place.archive("archived"), archived.upload())
    assert {101, 102, 103} <= set(place.rows(restored))
    restored.remove()


def test_what_was_half_made_is_wiped_and_what_was_forgotten_is_ended(place: Place) -> None:
    cluster = _made(place, "half")
    (cluster.folder / "made.json").unlink()  # the state after an early kill: a server, and no marker file
    assert not cluster.made
    with pytest.raises(PostgresError, match="does not hold a complete cluster"):
        cluster.start()
    again = Cluster(place.site, cluster.folder, cluster.address, cluster.port)
    again.create(USER, PASSWORD, "shop")
    assert again.made
    assert again.running
    with place.connect(again, dbname="shop") as connection:
        assert connection.execute("SELECT to_regclass('written')").fetchone() == (None,)
    with pytest.raises(PostgresError, match="already holds a cluster"):
        again.create(USER, PASSWORD, None)
    del cluster, again

    assert stop_all(place.root / "half") == 1
    forgotten = Cluster(place.site, place.root / "half", free_address(place.addresses, PORT), PORT)
    assert not forgotten.running
    assert stop_all(place.root / "half") == 0
    forgotten.start()
    elsewhere = Cluster(place.site, place.root / "half", free_address(place.addresses, PORT), PORT)
    assert forgotten.running
    assert not elsewhere.running
    elsewhere.start()  # the same server, with a new address from now on
    assert elsewhere.running
    assert not forgotten.running
    with place.connect(elsewhere, dbname="shop") as connection:
        connection.execute("CREATE TABLE mine ()")  # the master user owns it
    elsewhere.remove()


# -- snapshots --------------------------------------------------------------------------------------------------------


def test_snapshots_of_a_running_and_of_a_stopped_cluster(place: Place) -> None:
    cluster = _made(place, "pictured")
    place.write(cluster, 1)
    pictures = place.root / "snapshots"
    cluster.snapshot(pictures / "running")
    place.write(cluster, 2)
    cluster.stop()
    cluster.snapshot(pictures / "stopped")
    with pytest.raises(PostgresError, match="exists"):
        cluster.snapshot(pictures / "stopped")
    cluster.remove()
    assert sorted(os.listdir(pictures)) == ["running", "stopped"]
    for name, rows in (("running", [1]), ("stopped", [1, 2])):
        unpacked = place.cluster("unpacked")
        unpacked.unpack(pictures / name)
        shutil.rmtree(pictures / name)
        assert place.rows(unpacked) == rows
        unpacked.remove()


# -- who gets in ------------------------------------------------------------------------------------------------------


def test_tls_is_required_and_verified(place: Place, archived: Cluster, tmp_path: Path) -> None:
    with place.connect(archived) as connection:
        assert connection.pgconn.ssl_in_use
        assert version() in str(connection.execute("SELECT version()").fetchone())
    with place.connect(archived, sslnegotiation="direct") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        place.connect(archived, sslrootcert=str(Site(tmp_path).ca))
    with pytest.raises(psycopg.OperationalError, match=r"unsupported protocol|no protocols available|alert protocol"):
        place.connect(archived, ssl_min_protocol_version="TLSv1.1", ssl_max_protocol_version="TLSv1.1")
    refusal = rf'no pg_hba.conf entry for host ".*", user "{USER}", database "{DATABASE}", no encryption'
    with pytest.raises(psycopg.OperationalError, match=refusal):
        place.connect(archived, sslmode="disable")
    archived.require_tls(False)
    with place.connect(archived, sslmode="disable") as connection:
        assert not connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match=r'user "rdsadmin".*no encryption'):
        psycopg.connect(**{**_superuser(place, archived), "sslmode": "disable"})
    archived.require_tls(True)
    with pytest.raises(psycopg.OperationalError, match=refusal):
        place.connect(archived, sslmode="disable")
    with place.connect(archived) as connection:  # one session's query, cancelled by a separate connection
        waiting = threading.Timer(0.3, connection.cancel)
        waiting.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")


def test_the_master_user_is_no_superuser(place: Place, archived: Cluster) -> None:
    with place.connect(archived) as connection:
        asked = "SELECT rolsuper, rolreplication, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(asked).fetchone() == (False, False, True, True)
        for role in ("rds_superuser", "pg_monitor", "pg_signal_backend", "pg_checkpoint", "rds_iam"):
            assert connection.execute("SELECT pg_has_role(current_user, %s, 'member')", [role]).fetchone() == (True,)
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute("GRANT rds_iam TO clerk")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="ALTER SYSTEM is not allowed"):
            connection.execute("ALTER SYSTEM SET fsync = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'true'")
        for name, value in (("fsync", "on"), ("archive_mode", "on"), ("data_checksums", "on")):
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)
    with pytest.raises(psycopg.OperationalError, match="rejects"):
        place.connect(archived, dbname="rdsadmin")
    for user, database in (("rdsadmin", None), ("pg_me", None), ("", None), ("me", "rdsadmin")):
        with pytest.raises(PostgresError, match="cannot be called"):
            place.cluster("never").create(user, PASSWORD, database)


def test_a_password_is_changed_and_stands_nowhere(place: Place) -> None:
    cluster = place.cluster("keyed")
    cluster.create(USER, PASSWORD, DATABASE)
    new = "another-one-for-this-test"
    cluster.set_password(USER, new)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        place.connect(cluster)
    place.connect(cluster, password=new).close()
    with pytest.raises(PostgresError, match="there is no user 'no such user'"):
        cluster.set_password("no such user", new)
    with pytest.raises(PostgresError, match="belongs to the local cloud"):
        cluster.set_password("rdsadmin", new)
    secrets = [word.encode() for word in (PASSWORD, new, place.site.password)]
    running = server.find(cluster.data)
    assert running is not None
    for process in (psutil.Process(running.pid), *psutil.Process(running.pid).children()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a worker that ended meanwhile
            content = b"".join(Path(f"/proc/{process.pid}/{what}").read_bytes() for what in ("cmdline", "environ"))
            assert not [secret for secret in secrets if secret in content]
    cluster.stop()
    for file in cluster.folder.rglob("*"):
        if file.is_file():
            assert not [secret for secret in secrets if secret in file.read_bytes()], file
    for private in ("authority.pem", "rdsadmin"):
        assert (place.site.folder / private).stat().st_mode & 0o077 == 0
    assert b"PRIVATE KEY" not in place.site.ca.read_bytes()
    cluster.remove()
