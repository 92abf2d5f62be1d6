"""Fixtures of the failover drill's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.continuity.drills.failover.pool import TOKEN, Cloud
from tests.continuity.web import certify


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    trusted, shown = certify(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    cloud = Cloud(shown)
    monkeypatch.setenv("HCLOUD_ENDPOINT", cloud.api.endpoint)
    monkeypatch.setenv("HCLOUD_TOKEN", TOKEN)
    yield cloud
    cloud.close()
