"""S3's XML documents, parsed by its model, so that a configuration can be returned unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.utils import get_service_model


def parsed(operation: str, member: str, node: Any) -> Any:
    """Convert an element that xmltodict has read to the output member `member` of `operation`."""
    shape = get_service_model("s3").operation_model(operation).output_shape
    return _parsed(shape.members[member], node)


def _parsed(shape: Any, node: Any) -> Any:
    match shape.type_name:
        case "structure":
            return _members(shape, node if isinstance(node, Mapping) else {})
        case "list":
            item = shape.member
            if not shape.serialization.get("flattened"):
                node = (node or {}).get(item.serialization.get("name", "member"))
            return [_parsed(item, each) for each in (node if isinstance(node, list) else [node]) if each is not None]
        case "integer" | "long":
            return int(node)
        case "boolean":
            return str(node).lower() == "true"
        case _:  # dates stay as they were written
            return node or ""


def _members(shape: Any, node: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        tag = member.serialization.get("name", name)
        if tag in node:
            found[name] = _parsed(member, node[tag])
    return found
