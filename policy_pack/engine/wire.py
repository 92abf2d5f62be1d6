"""Reads the messages between the engine and a program about a resource, as plain data.

The messages have the form of JSON. A value that is not known yet is a fixed text, and a secret or an asset is an object
with a fixed key. The policies see neither. A value that is not known becomes `UNKNOWN` in its place, so that no policy
is skipped because of a value that it may not look at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from policy_pack.rules.policy import PROVIDERS
from policy_pack.rules.values import UNKNOWN

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, not a secret
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_WORDS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string, and any value as the engine sends it today
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""The texts that Pulumi writes for a value that it does not know yet, by the type that the value will have."""


def properties(struct: Struct, type_: str = "") -> dict[str, object]:
    """A resource's properties.

    Args:
        struct: The properties in the message.
        type_: The resource's type. A provider's lists and objects are JSON in a text, and are decoded.

    Returns:
        By name, None, a bool, int, float or str, `UNKNOWN`, or a list or dict of these. A message has only one type of
        number, so a whole number becomes an int. A secret is the value that it keeps secret.
    """
    plain = {name: _plain(value) for name, value in struct.fields.items()}
    return {name: _decoded(value) for name, value in plain.items()} if type_.startswith(PROVIDERS) else plain


def _plain(value: Value) -> object:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in UNKNOWN_WORDS else text
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields:
            sort = fields[SIGNATURE].string_value
            if sort == SECRET:
                return _plain(fields["value"])
            if sort == OUTPUT:
                return _plain(fields["value"]) if "value" in fields else UNKNOWN
        # An asset or archive is judged by its text, path or address.
        return {name: _plain(item) for name, item in fields.items() if name != SIGNATURE}
    return None


def _decoded(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _revealed(json.loads(value))
        except (ValueError, RecursionError):
            pass  # it is not JSON, and is judged as a text
    return value


def _revealed(value: Any) -> object:
    """A decoded value of JSON, in the same form."""
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWN_WORDS else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET:
            return _revealed(value.get("value"))
        return {name: _revealed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_revealed(item) for item in value]
    return value


def written(value: object) -> Value:
    """A value in the form of a message."""
    if value is UNKNOWN:
        return Value(string_value="04da6b54-80e4-46f7-96ec-b56ff0331ba9")
    if value is None:
        return Value(null_value=NULL_VALUE)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, int | float):
        return Value(number_value=value)
    return Value(string_value=str(value))
