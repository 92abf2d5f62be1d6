"""Convert the engine's property values (protobuf `Struct`) to plain data and back.

The engine marks values that plain JSON cannot express: an unknown value is a fixed string, a secret is an object with a
fixed key. The plugins declare that they do not accept secrets, so the engine sends plain values and marks them again in
the results. Secrets are unwrapped nevertheless, because the settings of a provider contain them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, not a secret
_UNKNOWN_WORDS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string; today the engine sends it for every type
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_UNKNOWN_WORD: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that only an update will know."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


def from_wire(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return plain data with `UNKNOWN` in it. Whole numbers become `int`, secrets are unwrapped, nulls are left out."""
    return {
        key: _plain(value)
        for key, value in struct.fields.items()
        if value.WhichOneof("kind") not in (None, "null_value")
    }


def _plain(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWN_WORDS else value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case "struct_value":
            fields = value.struct_value.fields
            if _SIGNATURE in fields and fields[_SIGNATURE].string_value == _SECRET:
                return _plain(fields["value"])
            return from_wire(value.struct_value)
        case _:
            return None


def to_wire(properties: Mapping[str, Any], secret: frozenset[str] = frozenset()) -> struct_pb2.Struct:
    """Return the engine's form. The properties named in `secret` are marked as secrets."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        wired = _wired(value)
        if key in secret:
            wired = struct_pb2.Value(
                struct_value=struct_pb2.Struct(
                    fields={_SIGNATURE: struct_pb2.Value(string_value=_SECRET), "value": wired}
                )
            )
        struct.fields[key].CopyFrom(wired)
    return struct


def _wired(value: Any) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case Unknown():
            return struct_pb2.Value(string_value=_UNKNOWN_WORD)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case Mapping():
            return struct_pb2.Value(struct_value=to_wire(value))
        case list() | tuple():
            return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_wired(item) for item in value]))
        case _:
            raise TypeError(f"{type(value).__name__} has no form on the wire: {value!r}")


def has_unknown(value: Any) -> bool:
    """Whether any part of a value is not known yet."""
    match value:
        case Unknown():
            return True
        case Mapping():
            return any(has_unknown(item) for item in value.values())
        case list():
            return any(has_unknown(item) for item in value)
        case _:
            return False
