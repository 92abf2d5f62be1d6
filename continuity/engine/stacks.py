"""The stacks of the one Pulumi program: their names, their order and their configuration.

The environment alone decides whether they are in real accounts or in the local cloud.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from continuity.errors import SetupError
from plan import names

PROJECT = Path(__file__).resolve().parents[2]
POLICY_PACK = PROJECT / "policy_pack"


class Stack(StrEnum):
    """The stacks, in the order in which they come up: the vault outlives the others, and comes first."""

    VAULT = names.VAULT
    PROD = names.PRODUCTION
    GITHUB = names.GITHUB
    DR = names.RECOVERY


def _needs(stack: Stack) -> tuple[Stack, ...]:
    """The stacks whose outputs a stack reads."""
    return () if stack is Stack.VAULT else (Stack.VAULT,)


def in_order(stacks: Sequence[Stack], with_needs: bool) -> list[Stack]:
    """Sort stacks into the order in which they come up. With `with_needs`, add the stacks that they need."""
    wanted = set(stacks)
    if with_needs:
        wanted.update(need for stack in stacks for need in _needs(stack))
    return [stack for stack in Stack if stack in wanted]


def configuration(stack: Stack) -> dict[str, Any]:
    """The settings in a stack's file, by their keys with the namespace. They are known before the stack exists.

    Raises:
        SetupError: the file cannot be read, or is not a stack's configuration.
    """
    file = PROJECT / f"Pulumi.{stack}.yaml"
    try:
        found = yaml.safe_load(file.read_text())["config"]
        return {str(key): value for key, value in found.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(
            f"{file.name} cannot be read as a stack's configuration: {error}. Restore it: git checkout {file.name}"
        ) from None
