"""Policy documents, and a comparison of them. AWS may return a list of one element as the element itself."""

from __future__ import annotations

from typing import Any, Final

_LISTS: Final = ("Action", "Resource", "NotAction", "NotResource")


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statements(policy: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The statements of a policy. Empty for None."""
    found = (policy or {}).get("Statement", [])
    return found if isinstance(found, list) else [found]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two statements are equivalent."""
    return _normal(one) == _normal(other)


def same_policy(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    found, wanted = statements(one), statements(other)
    return len(found) == len(wanted) and all(any(same(each, its) for its in wanted) for each in found)


def _normal(statement: dict[str, Any]) -> dict[str, Any]:
    normal = dict(statement)
    for name in _LISTS:
        if name in normal:
            normal[name] = sorted(normal[name] if isinstance(normal[name], list) else [normal[name]])
    if normal.get("Principal") == {"AWS": "*"}:
        normal["Principal"] = "*"
    return normal
