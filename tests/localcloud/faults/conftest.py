"""Fixtures for the tests of outages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import LocalCloud
from tests.localcloud.faults.harness import restore_all


@pytest.fixture(autouse=True)
def nothing_is_cut(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start and end every test without outages and without failing listeners."""
    yield
    if "local_cloud" in request.fixturenames:
        cloud: LocalCloud = request.getfixturevalue("local_cloud")
        restore_all(cloud)
        assert "Traceback" not in cloud.folder.log.read_text()
