"""The vault's outputs, which production and recovery read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.recording import deploy_stack


@pytest.fixture(scope="session")
def vault() -> dict[str, Any]:
    """What the vault's stack exports, from a run of the program itself."""
    return deploy_stack("vault").outputs
