"""The vault's outputs, which production and recovery read."""

from __future__ import annotations

from typing import Any

import pulumi_aws
import pytest

from tests.components.recording import deploy_stack

# The SDK loads its modules when they are first used, which before Python 3.11.9 is not safe while another thread looks
# at the loaded modules, as servers of other tests do: so they are loaded here, before any test runs.
LOADED = [getattr(pulumi_aws, module).__name__ for module in ("ec2", "iam", "kms", "rds", "s3", "vpc")]


@pytest.fixture(scope="session")
def vault() -> dict[str, Any]:
    """What the vault's stack exports, from a run of the program itself."""
    return deploy_stack("vault").outputs
