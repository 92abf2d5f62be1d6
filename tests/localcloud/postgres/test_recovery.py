"""Recovery of PostgreSQL: restored data, row by row, from an archive after the source is gone."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest

from localcloud.postgres import Cluster, PostgresError
from tests.localcloud.postgres.harness import (
    MICROSECOND,
    Place,
    running_cluster,
    superuser,
)


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


def test_latest_moment_has_all_commits_before_upload(place: Place, archived: Cluster) -> None:
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


def test_moment_outside_window_is_refused_with_window(place: Place, archived: Cluster) -> None:
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
    with pytest.raises(PostgresError, match="without a time zone: use an aware datetime"):
        target.restore(archive, window[1].replace(tzinfo=None))
    with pytest.raises(PostgresError, match="does not hold a complete base backup"):
        target.restore(place.archive("none"), None)
    target.restore(archive, window[0])  # the test above restores the other edge
    target.remove()


def test_archive_copy_restores_without_the_source(place: Place) -> None:
    source, near, far = running_cluster(place, "lost"), place.archive("near"), place.archive("far")
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


def test_expired_or_unarchived_log_is_outside_the_window(place: Place) -> None:
    cluster, archive, copy = (
        running_cluster(place, "expiring"),
        place.archive("expiring"),
        place.archive("expiring-copy"),
    )
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
    with psycopg.connect(**superuser(place, cluster), autocommit=True) as connection:
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
