"""Read a YAML file into plain values, and record the line of each value.

YAML accepts a duplicate key and silently keeps its last value. This reader refuses duplicate keys. It also refuses
aliases, because a reader of the line does not see a number that is defined elsewhere in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from plan.problems import PlanError, Problem

try:  # libyaml is several times faster. Without it, PyYAML returns the same values.
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

Location = tuple[str | int, ...]
"""The path of a value: the keys and indices that lead to it from the root."""


@dataclass
class Source:
    """The contents of a file."""

    name: str
    """The name of the file in messages."""
    values: object = None
    """Mappings as `dict`, sequences as `tuple`, scalars with YAML's types."""
    problems: list[Problem] = field(default_factory=list)
    """Duplicate keys and aliases."""
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int | None:
        """Return the line, from 1, of a value. For a missing value, the line of the nearest parent that exists."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location)


def read(file: Path) -> Source:
    """Read a file.

    Raises:
        PlanError: the file does not exist, is not UTF-8, or is not one YAML document.
    """
    source = Source(str(file))
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(source, f"cannot be read ({error})", None) from error
    loader = Loader(text)
    try:
        root = loader.get_single_node()
        source.values = None if root is None else _Reader(loader, source).value(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise _unreadable(source, f"is not YAML ({error.problem or error.context})", line) from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise _unreadable(source, f"is not YAML ({error})", None) from error
    finally:
        loader.dispose()
    return source


def _unreadable(source: Source, found: str, line: int | None) -> PlanError:
    problem = Problem("", found, "one YAML document in UTF-8", "Correct the file, or name the right one.", line)
    return PlanError(source.name, (problem,))


class _Reader:
    """Converts YAML's nodes to values."""

    def __init__(self, loader: Loader, source: Source) -> None:
        self._loader = loader
        self._source = source
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, location: Location) -> object:
        self._source.lines.setdefault(location, node.start_mark.line + 1)
        if not isinstance(node, yaml.ScalarNode):
            # An alias is the same node object as its target. Scalars are skipped: equal scalars may share a node.
            if id(node) in self._seen:
                self._refuse(node, location, "is an alias (`*name`)", "a value written out", "Repeat the value here.")
                return None
            self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.value(item, (*location, index)) for index, item in enumerate(node.value))
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[object, object]:
        values: dict[object, object] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            # Keys are compared by their text: a person reads `1` and `"1"` as the same key.
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in first:
                found = f"is written twice, first on line {first[key]}"
                self._refuse(key_node, (*location, key), found, "each key once", "Remove one of the two.")
                continue
            first[key] = line
            self._source.lines[(*location, key)] = line
            values[key] = self.value(value_node, (*location, key))
        return values

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._loader.construct_object(node)
        except ValueError:  # 2026-13-01 looks like a date but is not one. It stays a text, which a date field refuses.
            return node.value

    def _refuse(self, node: yaml.Node, location: Location, found: str, allowed: str, remedy: str) -> None:
        line = node.start_mark.line + 1
        self._source.problems.append(Problem(dotted(location), found, allowed, remedy, line))


def dotted(location: Location) -> str:
    """Return a location in Python's notation: `roles[0].id`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
