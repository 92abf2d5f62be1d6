"""Policy documents of AWS: their statements, conditions and faults, in every form that a program writes them in.

A document is a text in JSON or an object, and it can be anywhere in a resource's properties. People break documents in
every possible way, so nothing here raises for any value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policy_pack.rules.checks import listed
from policy_pack.rules.values import UNKNOWN, Path

_DEEPEST: Final = 5
"""How often a text in JSON is read out of another one."""


def statements(document: object) -> list[Mapping[str, Any]]:
    """The statements of a document. A value that is not a document has none."""
    for _ in range(_DEEPEST):
        if not isinstance(document, str):
            break
        document = _decoded(document)
    found = document.get("Statement") if isinstance(document, Mapping) else None
    return [one for one in listed(found) if isinstance(one, Mapping)]


def documents(value: object) -> Iterator[tuple[Path, object]]:
    """Every document in a value with its path: an object with statements, or the text of a broken one."""
    waiting: list[tuple[Path, object, int]] = [((), value, 0)]
    while waiting:
        path, found, depth = waiting.pop()
        if isinstance(found, str):
            if "Statement" not in found or depth == _DEEPEST:
                continue
            decoded = _decoded(found)
            if decoded is not None:
                waiting.append((path, decoded, depth + 1))
            elif found.lstrip()[:1] in ("{", "[") and _is_policy(path):
                yield path, found
        elif isinstance(found, Mapping):
            if "Statement" in found:
                yield path, found
            else:
                waiting += [((*path, str(key)), item, depth) for key, item in found.items()]
        elif isinstance(found, Sequence):
            waiting += [((*path, index), item, depth) for index, item in enumerate(found)]


def fault(path: Path, document: object) -> str | None:
    """The fault in the form of a policy document; None if it has none, or if it is a document of a different kind."""
    if not isinstance(document, Mapping):
        return "a text that is not JSON"
    if not (_is_policy(path) or str(document.get("Version")).startswith("20")):
        return None
    found = document.get("Statement")
    items = listed(found)
    if found is UNKNOWN or UNKNOWN in items:
        return None
    if not items:
        return f"a Statement that is {_kind(found)}"
    return next((problem for item in items if (problem := _fault_of_statement(item)) is not None), None)


def _fault_of_statement(statement: object) -> str | None:
    if not isinstance(statement, Mapping):
        return f"a statement that is {_kind(statement)}"
    if statement.get("Effect") not in ("Allow", "Deny", UNKNOWN):
        return "a statement whose Effect is neither Allow nor Deny"
    condition = statement.get("Condition", {})
    if not isinstance(condition, Mapping) and condition is not UNKNOWN:
        return f"a Condition that is {_kind(condition)}"
    for operator, keys in condition.items() if isinstance(condition, Mapping) else ():
        if not isinstance(keys, Mapping) and keys is not UNKNOWN:
            return f"a Condition whose {operator} is {_kind(keys)}"
    return None


def conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """The conditions of a statement, which all have to hold: the operator, the key in lowercase, and its values."""
    condition = statement.get("Condition")
    for operator, keys in condition.items() if isinstance(condition, Mapping) else ():
        for key, value in keys.items() if isinstance(keys, Mapping) else ():
            yield str(operator), str(key).lower(), strings(value)


def strings(value: object) -> list[str]:
    """The texts of a value that is one or a list of them. Booleans and numbers are as IAM reads them."""
    items = listed(value) if isinstance(value, Mapping | list | tuple) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items if isinstance(item, str | int)]


def is_public(statement: Mapping[str, Any]) -> bool:
    """Whether a statement is about every principal."""
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return "*" in strings(named)


def _is_policy(path: Path) -> bool:
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    return "polic" in name.lower()


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, Mapping):
        return "an object"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, Sequence) else "a number"
