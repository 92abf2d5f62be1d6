"""Forms of request bodies: the fields of an operation, their types, and the refusal of wrong ones.

A form maps field names to fields. A field that the form does not name is refused, because the real API would act on it
and this emulator would not.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.hetzner import labels
from localcloud.hetzner.errors import invalid_input

Problems = dict[str, list[str]]
Parser = Callable[[Any, str, Problems], Any]
"""Takes a value, the field's full name and the problems so far. Returns the value in its canonical form."""


@dataclass(frozen=True)
class Field:
    """One field of a body.

    `default`: the value if the field is missing; None leaves the field out of the result too.
    `refused`: why this emulator does not accept the field, although the API does or did.
    """

    parse: Parser
    required: bool = False
    nullable: bool = False
    default: Any = None
    refused: str = ""


Form = Mapping[str, Field]


def read(body: object, form: Form) -> dict[str, Any]:
    """Return the body with defaults filled in. A wrong body raises `invalid_input` with all of its problems at once."""
    problems: Problems = {}
    result = _fields(body, form, "", problems)
    if problems:
        raise invalid_input(problems)
    return result


def _fields(body: object, form: Form, prefix: str, problems: Problems) -> dict[str, Any]:
    if not isinstance(body, dict):
        _add(problems, prefix.rstrip(".") or "body", "must be an object")
        return {}
    for name in body:
        if name not in form:
            _add(problems, prefix + name, "is not a known field")
        elif form[name].refused and body[name]:
            _add(problems, prefix + name, form[name].refused)
    result: dict[str, Any] = {}
    for name, field in form.items():
        value = body.get(name)
        if value is None:
            if name in body and field.nullable:
                result[name] = None
            elif field.required:
                _add(problems, prefix + name, "is required")
            elif field.default is not None:
                result[name] = copy.deepcopy(field.default)
        elif not field.refused:
            result[name] = field.parse(value, prefix + name, problems)
    return result


def _add(problems: Problems, name: str, message: str) -> None:
    problems.setdefault(name, []).append(message)


# -- parsers ----------------------------------------------------------------------------------------------------------


def text(*, pattern: str = "", most: int = 255, least: int = 1, message: str = "") -> Parser:
    compiled = re.compile(pattern) if pattern else None

    def parse(value: Any, name: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            _add(problems, name, "must be a string")
        elif len(value) < least:
            _add(problems, name, "must not be empty")
        elif len(value) > most:
            _add(problems, name, f"is too long, at most {most} characters are allowed")
        elif compiled is not None and compiled.fullmatch(value) is None:
            _add(problems, name, message or "has an invalid format")
        return value

    return parse


def choice(*allowed: str) -> Parser:
    def parse(value: Any, name: str, problems: Problems) -> Any:
        if value not in allowed:
            _add(problems, name, f"must be one of {', '.join(allowed)}")
        return value

    return parse


def integer(least: int = 1, most: int = 2**53) -> Parser:
    def parse(value: Any, name: str, problems: Problems) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            _add(problems, name, "must be an integer")
        elif not least <= value <= most:
            _add(problems, name, f"must be between {least} and {most}")
        return value

    return parse


def boolean(value: Any, name: str, problems: Problems) -> Any:
    if not isinstance(value, bool):
        _add(problems, name, "must be a boolean")
    return value


def reference(value: Any, name: str, problems: Problems) -> Any:
    """An id, or a name if the API accepts either. An id may be a string of digits."""
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "":
        _add(problems, name, "must be an ID or a name")
        return value
    return int(value) if isinstance(value, str) and value.isdigit() else value


def listed(item: Parser, most: int = 1000) -> Parser:
    def parse(value: Any, name: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            _add(problems, name, "must be a list")
            return []
        if len(value) > most:
            _add(problems, name, f"has too many entries, at most {most} are allowed")
        return [item(entry, f"{name}.{index}", problems) for index, entry in enumerate(value)]

    return parse


def nested(form: Form) -> Parser:
    return lambda value, name, problems: _fields(value, form, f"{name}.", problems)


def ignored(value: Any, name: str, problems: Problems) -> Any:
    """A field that the API returns but does not accept. Some clients send it back anyway."""
    return None


def label_map(value: Any, name: str, problems: Problems) -> Any:
    for problem in labels.problems(value):
        _add(problems, name, problem)
    return value


def selector(value: Any, name: str, problems: Problems) -> Any:
    try:
        labels.Selector(value)
    except ValueError as fault:
        _add(problems, name, str(fault))
    return value


def cidr(value: Any, name: str, problems: Problems) -> Any:
    """An IPv4 or IPv6 range without host bits."""
    try:
        return str(ipaddress.ip_network(value, strict=True))
    except (TypeError, ValueError) as fault:
        _add(problems, name, f"is not a network in CIDR notation: {fault}")
        return value


def address(value: Any, name: str, problems: Problems) -> Any:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        _add(problems, name, "is not an IP address")
        return value


NAME = Field(text(), required=True)
LABELS = Field(label_map, default={})
PROTECT_DELETE: Form = {"delete": Field(boolean, required=True)}
NEW_NAME: Form = {"name": Field(NAME.parse), "labels": Field(label_map)}
