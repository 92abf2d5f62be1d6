"""Find the steps of a change that would delete or replace a resource that holds or protects data.

Three mechanisms prevent most such steps: the program's `protect`, the clouds' deletion protection, and retained
resources, which stay in the cloud when they leave the state. A change that passes all three must be named, and needs
approval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from continuity.engine.events import Step, short_type
from plan.stateful import BY_TYPE

_LOSSES: Final = {short_type(type_): stateful.loss for type_, stateful in BY_TYPE.items()}
_ENDING: Final = frozenset({"delete", "replace"})


def data_loss_risks(steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    """Yield each step that deletes or replaces such a resource, with the loss."""
    for step in steps:
        if step.operation in _ENDING and step.type in _LOSSES:
            yield step, _LOSSES[step.type]
