"""Demands that several rules make of a property, each of them with its message.

Providers read a property that is left out as their default, and their defaults are rarely ours. And a value that is not
known yet could turn out to be anything. So whatever these demand has to be written out, unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policy_pack.rules.policy import Finding, Resource
from policy_pack.rules.values import UNKNOWN, present

WRITE_IT_OUT: Final = "Write it out, or take it from the configuration: what is computed cannot be judged in a preview."


def literally(resource: Resource, name: str, wanted: bool, remedy: str) -> Iterator[Finding]:
    """The property is the literal `wanted`: not left out, not unknown, not a text that reads like it."""
    value = resource.props.get(name)
    if value is not wanted:
        yield Finding(name, value, "true" if wanted else "false", WRITE_IT_OUT if value is UNKNOWN else remedy)


def at_least(resource: Resource, name: str, minimum: int, unit: str, remedy: str) -> Iterator[Finding]:
    """The property is a literal number, and no smaller than `minimum`, which counts `unit`."""
    value = resource.props.get(name)
    # A boolean is a number to Python. "Not a number" is one too, and not smaller than anything: hence `not ... >=`.
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= minimum:
        yield Finding(name, value, f"{minimum} {unit} or more", WRITE_IT_OUT if value is UNKNOWN else remedy)


def given(resource: Resource, name: str, allowed: str, remedy: str) -> Iterator[Finding]:
    """The property has some value, which may be one that is not known yet."""
    value = resource.props.get(name)
    if not present(value):
        yield Finding(name, value, allowed, remedy)
