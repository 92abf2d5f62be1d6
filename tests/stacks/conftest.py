"""The vault's outputs and a local AWS, as the tests of components have them, and each stack as it is declared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.components.conftest import aws, lost, vault, vault_outputs, vault_with_backup
from tests.components.recording import Deployment, deploy_stack

__all__ = ["aws", "lost", "vault", "vault_outputs", "vault_with_backup"]


@pytest.fixture(scope="module")
def stacks(vault_with_backup: dict[str, Any]) -> dict[tuple[str, bool], Deployment]:
    """Each stack, as an update and as a preview."""
    return {
        (stack, preview): deploy_stack(stack, vault=vault_with_backup, preview=preview)
        for stack in ("vault", "prod", "github", "dr")
        for preview in (False, True)
    }


@pytest.fixture(params=[False, True], ids=["up", "preview"])
def deployed(request: pytest.FixtureRequest, stacks: dict[tuple[str, bool], Deployment]) -> dict[str, Deployment]:
    """The stacks by name; once as an update, once as a preview, in which every answer of a cloud is unknown."""
    return {stack: deployment for (stack, preview), deployment in stacks.items() if preview is request.param}


@pytest.fixture
def updated(stacks: dict[tuple[str, bool], Deployment]) -> dict[str, Deployment]:
    return {stack: deployment for (stack, preview), deployment in stacks.items() if not preview}
