"""Fixtures of the state backend's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.continuity.state_backend.support import (
    bootstrap,
    use,
)
from tests.localcloud.aws_harness import LocalAws, local_aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """An empty local AWS, which the environment selects."""
    with local_aws() as running:
        use(running, monkeypatch)
        yield running


@pytest.fixture(scope="module")
def made() -> Iterator[LocalAws]:
    """A bootstrapped local AWS. Each test leaves it unchanged.

    A later local AWS replaces it in the process, so a module uses either this fixture or `aws`.
    """
    with pytest.MonkeyPatch.context() as monkeypatch, local_aws() as running:
        use(running, monkeypatch)
        bootstrap()
        yield running
