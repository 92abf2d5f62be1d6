"""Fixtures for the tests of PostgreSQL: one folder, and one archived cluster, for each module."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from localcloud.postgres import Cluster, stop_all
from tests.localcloud.postgres.harness import Place, running_cluster


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


@pytest.fixture(scope="module")
def archived(place: Place) -> Cluster:
    """One cluster for the tests that only add to it; its archive is "archived"."""
    cluster = running_cluster(place, "archived")
    cluster.archive_to(place.archive("archived"))
    return cluster
