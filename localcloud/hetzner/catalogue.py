"""Catalogue of Hetzner's offers: locations, server types, images and load balancer types, from `catalogue.json`.

The file has the facts that affect behaviour (places, zones, architectures, sizes, limits). The ids of newer entries are
this emulator's own. Every price is zero, because nothing costs money here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.hetzner.errors import ApiError, not_found

Entry = dict[str, Any]

_FACTS = json.loads((Path(__file__).parent / "catalogue.json").read_bytes())
_FREE = {"net": "0.0000000000", "gross": "0.0000000000"}


def _location(row: list[Any]) -> Entry:
    keys = ("id", "name", "description", "country", "city", "latitude", "longitude", "network_zone")
    return dict(zip(keys, row, strict=True))


LOCATIONS: list[Entry] = [_location(row) for row in _FACTS["locations"]]
ZONES = tuple(dict.fromkeys(entry["network_zone"] for entry in LOCATIONS))


def _prices(places: list[str]) -> list[Entry]:
    return [
        {
            "location": place,
            "price_hourly": _FREE,
            "price_monthly": _FREE,
            "included_traffic": 20 * 1024**4,
            "price_per_tb_traffic": _FREE,
        }
        for place in places
    ]


def _server_type(family: Entry, row: list[Any]) -> Entry:
    identity, name, cores, memory, disk = row
    places = [entry for entry in LOCATIONS if entry["name"] in family["locations"]]
    return {
        "id": identity,
        "name": name,
        "description": name.upper(),
        "category": family["category"],
        "cores": cores,
        "memory": memory,
        "disk": disk,
        "storage_type": "local",
        "cpu_type": family["cpu_type"],
        "architecture": family["architecture"],
        "prices": _prices(family["locations"]),
        "locations": [
            {"id": place["id"], "name": place["name"], "deprecation": None, "available": True, "recommended": True}
            for place in places
        ],
    }


def _image(row: list[Any], architecture: str) -> Entry:
    flavor, version, x86, arm, deprecated = row
    unavailable_after = deprecated and deprecated.replace("2026-08", "2026-11")
    return {
        "id": x86 if architecture == "x86" else arm,
        "type": "system",
        "status": "available",
        "name": f"{flavor}-{version}",
        "description": f"{flavor.title()} {version}",
        "image_size": None,
        "disk_size": 5,
        "created": "2026-01-01T00:00:00+00:00",
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": version,
        "rapid_deploy": True,
        "architecture": architecture,
        "protection": {"delete": False},
        "deprecation": deprecated and {"announced": deprecated, "unavailable_after": unavailable_after},
        "deleted": None,
        "labels": {},
    }


def _load_balancer_type(row: list[Any]) -> Entry:
    identity, name, connections, services, targets, certificates = row
    return {
        "id": identity,
        "name": name,
        "description": name.upper(),
        "max_connections": connections,
        "max_services": services,
        "max_targets": targets,
        "max_assigned_certificates": certificates,
        "deprecated": None,
        "deprecation": None,
        "prices": _prices([entry["name"] for entry in LOCATIONS]),
    }


SERVER_TYPES: list[Entry] = [
    _server_type(family, row) for family in _FACTS["server_families"] for row in family["types"]
]
IMAGES: list[Entry] = [_image(row, architecture) for row in _FACTS["images"] for architecture in ("x86", "arm")]
LOAD_BALANCER_TYPES: list[Entry] = [_load_balancer_type(row) for row in _FACTS["load_balancer_types"]]

LISTS = {
    "locations": ("location", LOCATIONS),
    "server_types": ("server_type", SERVER_TYPES),
    "images": ("image", IMAGES),
    "load_balancer_types": ("load_balancer_type", LOAD_BALANCER_TYPES),
}


def find(collection: str, reference: int | str) -> Entry:
    """Return an entry by id or name; an unknown one is refused with the API's `not_found`."""
    one, entries = LISTS[collection]
    for entry in entries:
        if reference in (entry["id"], entry["name"]):
            return entry
    raise not_found(one.replace("_", " "), reference)


SoldOut = Callable[[str, str], str | None]
"""Returns how a server type is sold out in a location, both by name: `openly`, `silently`, or None if it is available.
"""


def nothing_sold_out(server_type: str, location: str) -> str | None:
    return None


def with_stock(server_type: Entry, sold_out: SoldOut) -> Entry:
    """A server type as the API shows it now: not available where it is sold out openly."""
    places = []
    for place in server_type["locations"]:
        gone = sold_out(server_type["name"], place["name"]) == "openly"
        places.append({**place, "available": False, "recommended": False} if gone else place)
    return {**server_type, "locations": places}


def must_be_in_stock(server_type: Entry, location: str, sold_out: SoldOut) -> None:
    if sold_out(server_type["name"], location) is not None:
        raise ApiError("resource_unavailable", "error during placement")


def image_for(reference: int | str, architecture: str) -> Entry:
    """Return an image by id, or by name and architecture. A server cannot boot an image of a different architecture."""
    named = [entry for entry in IMAGES if reference in (entry["id"], entry["name"])]
    if not named:
        raise not_found("image", reference)
    for entry in named:
        if entry["architecture"] == architecture:
            return entry
    raise ApiError("invalid_input", f"image '{reference}' does not fit the architecture {architecture}")


def offered_in(server_type: Entry, location: Entry) -> bool:
    return any(place["id"] == location["id"] for place in server_type["locations"])
