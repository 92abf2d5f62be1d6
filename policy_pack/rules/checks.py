"""Demands that several rules make of a property, each of them with its message.

Providers read a property that is left out as their default, and their defaults are rarely ours. And a value that is not
known yet could turn out to be anything. So these checks require a value that is written out, unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeGuard

from policy_pack.rules.policy import Finding, Resource
from policy_pack.rules.values import UNKNOWN, present

WRITE_IT_OUT: Final = "Write it out, or take it from the configuration: what is computed cannot be judged in a preview."


def at(props: object, path: str) -> object:
    """The value at a dotted path: None where something on the way is missing, `UNKNOWN` where it is not known yet.

    A list on the way counts as its only item, for providers write a block that can be there once in either way.
    """
    value = props
    for name in path.split("."):
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
            value = value[0]
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def literally(resource: Resource, name: str, wanted: bool | str, remedy: str) -> Iterator[Finding]:
    """The property is the literal `wanted`: not left out, not unknown, not a text that reads like it."""
    value = at(resource.props, name)
    if type(value) is not type(wanted) or value != wanted:
        allowed = wanted if isinstance(wanted, str) else "true" if wanted else "false"
        yield Finding(name, value, allowed, WRITE_IT_OUT if value is UNKNOWN else remedy)


def unless_left_out(resource: Resource, name: str, wanted: bool, remedy: str) -> Iterator[Finding]:
    """The same, for a property whose default is what is wanted."""
    if at(resource.props, name) is not None:
        yield from literally(resource, name, wanted, remedy)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number, which to Python a boolean is as well."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def at_least(resource: Resource, name: str, minimum: int, unit: str, remedy: str) -> Iterator[Finding]:
    """The property is a literal number, and no smaller than `minimum`, which counts `unit`."""
    value = at(resource.props, name)
    # "Not a number" is a number too, and not smaller than anything: hence `not ... >=`.
    if not is_number(value) or not value >= minimum:
        yield Finding(name, value, f"{minimum} {unit} or more", WRITE_IT_OUT if value is UNKNOWN else remedy)


def given(resource: Resource, name: str, allowed: str, remedy: str) -> Iterator[Finding]:
    """The property has some value, which may be one that is not known yet."""
    value = at(resource.props, name)
    if not present(value) or value == [] or value == {}:
        yield Finding(name, value, allowed, remedy)


def best(candidates: Iterable[Iterable[Finding]]) -> list[Finding]:
    """The findings on the best of several elements, of which one has to comply: none if one of them does."""
    return min((list(findings) for findings in candidates), key=len, default=[])


def listed(value: object) -> list[object]:
    """The items of a list; an object that stands for a list of one; nothing of anything else."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return []
