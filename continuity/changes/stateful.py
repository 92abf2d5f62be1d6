"""The steps of a change that would end what holds data, keeps it safe or leads to it.

The program protects most of these (`protect`), the clouds do (deletion protection), and what is retained stays when it
is forgotten. A change that goes past all three is still a change, and so it has to be named and agreed to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from continuity.engine.events import Step, short_type
from plan.stateful import BY_TYPE

_LOSSES: Final = {short_type(type_): stateful.loss for type_, stateful in BY_TYPE.items()}
_ENDING: Final = frozenset({"delete", "replace"})


def endangered(steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    """The steps that would end one of these, each with what is lost."""
    for step in steps:
        if step.operation in _ENDING and step.type in _LOSSES:
            yield step, _LOSSES[step.type]
