"""PostgreSQL servers: crashes, snapshots, and access."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
from pathlib import Path

import psutil
import psycopg
import pytest

from localcloud.postgres import Cluster, PostgresError, Site, free_address, server, stop_all, version
from tests.localcloud.postgres.harness import (
    DATABASE,
    PASSWORD,
    PORT,
    USER,
    Place,
    running_cluster,
    superuser,
)

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


def test_incomplete_cluster_is_replaced_and_orphan_ended(place: Place) -> None:
    cluster = running_cluster(place, "half")
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
    cluster = running_cluster(place, "pictured")
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
        psycopg.connect(**{**superuser(place, archived), "sslmode": "disable"})
    archived.require_tls(True)
    with pytest.raises(psycopg.OperationalError, match=refusal):
        place.connect(archived, sslmode="disable")
    with place.connect(archived) as connection:  # one session's query, cancelled by a separate connection
        waiting = threading.Timer(0.3, connection.cancel)
        waiting.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")


def test_the_master_user_is_nosuperuser(place: Place, archived: Cluster) -> None:
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
