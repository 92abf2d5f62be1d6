"""The plain values that rules look at: what JSON can say, and `UNKNOWN`."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, NoReturn, final

Path = tuple[str | int, ...]
"""Where a value is: the names and indices that lead to it from the resource."""


@final
class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> NoReturn:
        # A truth test would treat a value that may become anything like a value that is set.
        raise TypeError("a value that is not known yet is neither true nor false: compare it with UNKNOWN")


UNKNOWN: Final = Unknown()
"""A value that Pulumi knows only after it has deployed something else.

Each rule decides how to treat it. A rule that needs a literal refuses it, so that nothing which could be anything
gets past a preview. A rule that needs no more than some value accepts it.
"""


def present(value: object) -> bool:
    """Whether something is given, known or not. An empty text is nothing: providers read it as left out."""
    return value is not None and value != ""


def has_unknown(value: object) -> bool:
    """Whether any part of a value is not known yet."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if found is UNKNOWN:
            return True
        if isinstance(found, Mapping):
            waiting.extend(found.values())
        elif isinstance(found, Sequence) and not isinstance(found, str):
            waiting.extend(found)
    return False


class Leaf(NamedTuple):
    """A text somewhere in a resource's properties."""

    path: Path
    text: str
    is_key: bool = False
    """Whether it is itself the key that `path` ends with, and not the value there."""


def texts(value: object) -> Iterator[Leaf]:
    """Every text in a value, in its order, the keys of mappings included.

    It does not recurse, so that nesting of any depth is fine.
    """
    waiting: list[tuple[Path, object]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, str):
            yield Leaf(path, found)
        elif isinstance(found, Mapping):
            below: list[tuple[Path, object]] = []
            for key, item in found.items():
                text = str(key)
                yield Leaf((*path, text), text, is_key=True)
                below.append(((*path, text), item))
            waiting.extend(reversed(below))
        elif isinstance(found, Sequence):
            waiting.extend(((*path, index), found[index]) for index in reversed(range(len(found))))


def written(path: Path) -> str:
    """A path as one would write it in a program: `rules[0].destination.bucket`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def shown(value: object) -> str:
    """A value for a message, short enough to be read."""
    if value is None:
        return "not set"
    if value is UNKNOWN:
        return "not known before deployment"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _short.repr(value)


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100
