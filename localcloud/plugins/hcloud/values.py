"""Convert property values to the API's form and back: names of nested keys, ids, and equivalent values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.plugins.table import GoneError, Props, RefusedError

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_JOINT = re.compile(r"_([a-z0-9])")


def snake(name: str) -> str:
    return _HUMP.sub(r"_\1", name).lower()


def camel(name: str) -> str:
    return _JOINT.sub(lambda match: match[1].upper(), name)


def to_api(where: str, value: Props, allowed: Mapping[str, Any]) -> Props:
    """Return a nested input with the API's names. `allowed` maps each key to the keys below it, or to None.

    A key that is not allowed is refused by name, because a table's `properties` list only the outer names.
    """
    result = {}
    for key, entry in value.items():
        if key not in allowed:
            raise RefusedError(f"the local cloud has no mapping for `{where}.{key}`; mapped are: {', '.join(allowed)}")
        below = allowed[key]
        result[snake(key)] = entry if below is None else to_api(f"{where}.{key}", entry, below)
    return result


def from_api(value: Any) -> Any:
    """Return a nested value with the engine's names."""
    if isinstance(value, Mapping):
        return {camel(key): from_api(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [from_api(entry) for entry in value]
    return value


def same_elements(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """Whether two lists have the same elements, in any order."""
    return sorted(map(repr, one)) == sorted(map(repr, other))


def cidr(text: str) -> str:
    """Return a range in the API's form: a single address with its mask, and no host bits."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as fault:
        raise RefusedError(f"{text!r} is neither an IP address nor a range in CIDR notation") from fault


def same_cidr(one: str, other: str) -> bool:
    return cidr(one) == cidr(other)


def subnet_id(network: int | str, ip_range: str) -> str:
    return f"{network}-{cidr(ip_range)}"


def parse_subnet_id(text: str) -> tuple[int, str]:
    """Return the network and the range that a subnet's id contains."""
    network, _, ip_range = text.partition("-")
    try:
        return int(network), str(ipaddress.ip_network(ip_range))
    except ValueError as fault:
        raise RefusedError(f"{text!r} is not a subnet's id; its form is NETWORK-RANGE") from fault


def two_numbers(identity: str, separator: str) -> tuple[int, int]:
    """Return the two numbers of an id. Raises `GoneError` if it has a different form."""
    one, _, other = identity.partition(separator)
    if not (one.isdigit() and other.isdigit()):
        raise GoneError(identity)
    return int(one), int(other)


def exactly_one(kind: str, inputs: Props, *names: str) -> str:
    given = [name for name in names if inputs.get(name) is not None]
    if len(given) != 1:
        said = " and ".join(f"`{name}`" for name in given) or "none of them"
        raise RefusedError(f"{kind} needs exactly one of {', '.join(f'`{name}`' for name in names)}, not {said}")
    return given[0]
