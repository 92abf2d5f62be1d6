"""The forms of request bodies, as data, with the API's messages for wrong values.

A check gets a value and its path in the body. It returns the value with defaults, or raises. A field that a form does
not list is refused, although GitHub would accept or silently drop it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.github.errors import invalid_property, missing_property, unknown_property

Check = Callable[[Any, str], Any]


def _typed(value: Any, path: str, kind: type, name: str) -> Any:
    if value is None:
        raise invalid_property(path, "data cannot be null")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise invalid_property(path, f"`{value}` is not of type `{name}`")
    return value


def boolean(value: Any, path: str) -> Any:
    return _typed(value, path, bool, "boolean")


def text(most: int = 2**16, least: int = 0) -> Check:
    def check(value: Any, path: str) -> Any:
        _typed(value, path, str, "string")
        if not least <= len(value) <= most:
            raise invalid_property(path, f"`{value}` must have between {least} and {most} characters")
        return value

    return check


def integer(least: int = 0, most: int = 2**53) -> Check:
    def check(value: Any, path: str) -> Any:
        _typed(value, path, int, "integer")
        if not least <= value <= most:
            raise invalid_property(path, f"`{value}` must be between {least} and {most}")
        return value

    return check


def choice(*allowed: str) -> Check:
    def check(value: Any, path: str) -> Any:
        if value not in allowed:
            words = ", ".join(allowed)
            raise invalid_property(path, f"`{value}` is not a possible value. Must be one of the following: {words}")
        return value

    return check


def nullable(inner: Check) -> Check:
    return lambda value, path: None if value is None else inner(value, path)


def listing(item: Check, least: int = 0) -> Check:
    def check(value: Any, path: str) -> Any:
        _typed(value, path, list, "array")
        if len(value) < least:
            raise invalid_property(path, f"must have at least {least} entries")
        return [item(entry, f"{path}/{index}") for index, entry in enumerate(value)]

    return check


def absent(what: str) -> Check:
    """A field that this emulator does not support, but that clients send empty. An empty value has no effect."""

    def check(value: Any, path: str) -> Any:
        if value not in (None, "", False, 0, [], {}):
            raise invalid_property(path, f"the local cloud does not support {what}")
        return value

    return check


@dataclass(frozen=True)
class Object:
    """The check of an object: its required fields, its optional fields, and their defaults."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check]
    defaults: Mapping[str, Any]

    def __call__(self, value: Any, path: str) -> dict[str, Any]:
        _typed(value, path, dict, "object")
        prefix = f"{path}/" if path else ""
        for name in value:
            if name not in self.required and name not in self.optional:
                raise unknown_property(prefix + name)
        for name in self.required:
            if name not in value:
                raise missing_property(prefix + name)
        checks = {**self.required, **self.optional}
        return {**self.defaults, **{name: checks[name](value[name], prefix + name) for name in value}}


def obj(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Object:
    return Object(required or {}, optional or {}, defaults or {})
