"""Between the engine's property values and the API's: names of nested keys, and what means the same."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.plugins.table import Gone, Props, Refused

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_JOINT = re.compile(r"_([a-z0-9])")


def snake(name: str) -> str:
    return _HUMP.sub(r"_\1", name).lower()


def camel(name: str) -> str:
    return _JOINT.sub(lambda match: match[1].upper(), name)


def to_api(where: str, value: Props, allowed: Mapping[str, Any]) -> Props:
    """A nested input in the API's names. `allowed`: its keys, each with the keys below it, or None for a plain value.

    A key that is not allowed is refused by name: the tables know the names of a resource's own inputs only.
    """
    result = {}
    for key, entry in value.items():
        if key not in allowed:
            raise Refused(f"the local cloud has no mapping for `{where}.{key}`; mapped are: {', '.join(allowed)}")
        below = allowed[key]
        result[snake(key)] = entry if below is None else to_api(f"{where}.{key}", entry, below)
    return result


def from_api(value: Any) -> Any:
    """A nested value in the engine's names."""
    if isinstance(value, Mapping):
        return {camel(key): from_api(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [from_api(entry) for entry in value]
    return value


def same_elements(one: Iterable[Any], other: Iterable[Any]) -> bool:
    """For a list whose order means nothing."""
    return sorted(map(repr, one)) == sorted(map(repr, other))


def cidr(text: str) -> str:
    """A range as the API writes it: a single address gets its mask, host bits go."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as fault:
        raise Refused(f"{text!r} is neither an IP address nor a range in CIDR notation") from fault


def same_cidr(one: str, other: str) -> bool:
    return cidr(one) == cidr(other)


def subnet_id(network: int | str, ip_range: str) -> str:
    return f"{network}-{cidr(ip_range)}"


def parse_subnet_id(text: str) -> tuple[int, str]:
    """The network and the range that a subnet's id names."""
    network, _, ip_range = text.partition("-")
    try:
        return int(network), str(ipaddress.ip_network(ip_range))
    except ValueError as fault:
        raise Refused(f"{text!r} is not a subnet's id; its form is NETWORK-RANGE") from fault


def two_numbers(identity: str, separator: str) -> tuple[int, int]:
    """An id that is made of two; one of another form can name nothing."""
    one, _, other = identity.partition(separator)
    if not (one.isdigit() and other.isdigit()):
        raise Gone(identity)
    return int(one), int(other)


def exactly_one(kind: str, inputs: Props, *names: str) -> str:
    given = [name for name in names if inputs.get(name) is not None]
    if len(given) != 1:
        said = " and ".join(f"`{name}`" for name in given) or "none of them"
        raise Refused(f"{kind} needs exactly one of {', '.join(f'`{name}`' for name in names)}, not {said}")
    return given[0]
