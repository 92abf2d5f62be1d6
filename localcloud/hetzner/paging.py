"""Lists: filtering by query, sorting, and pages with the API's `meta`."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import MultiDict

from localcloud.hetzner.errors import invalid_input

_MOST_PER_PAGE = 50
_PER_PAGE = 25


def ordered(
    entries: list[dict[str, Any]], query: MultiDict[str, str], allowed: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Sort by the query's `sort=FIELD[:asc|:desc]`, where the first one has precedence, or by id."""
    result = sorted(entries, key=lambda entry: entry["id"])
    for term in reversed(query.getlist("sort")):
        field, _, direction = term.partition(":")
        if field not in allowed or direction not in ("", "asc", "desc"):
            raise invalid_input({"sort": [f"'{term}' is not one of {', '.join(allowed)} with :asc or :desc"]})
        result.sort(key=lambda entry: (entry[field] is None, entry[field] or ""), reverse=direction == "desc")
    return result


def page(key: str, entries: list[dict[str, Any]], query: MultiDict[str, str]) -> dict[str, Any]:
    """Return the requested page under `key`, with its position in `meta.pagination`."""
    number = _number(query, "page", 1, 2**31)
    size = _number(query, "per_page", _PER_PAGE, _MOST_PER_PAGE)
    last = max(1, -(-len(entries) // size))
    return {
        key: entries[(number - 1) * size : number * size],
        "meta": {
            "pagination": {
                "page": number,
                "per_page": size,
                "previous_page": number - 1 if number > 1 else None,
                "next_page": number + 1 if number < last else None,
                "last_page": last,
                "total_entries": len(entries),
            }
        },
    }


def _number(query: MultiDict[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise invalid_input({name: [f"must be an integer between 1 and {most}"]})
    return int(text)
