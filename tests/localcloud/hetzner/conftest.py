"""Fixtures for the tests of the Hetzner emulator."""

from __future__ import annotations

import pytest

from tests.localcloud.hetzner.harness import Api


@pytest.fixture
def api() -> Api:
    return Api()
