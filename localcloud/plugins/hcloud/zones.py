"""DNS zones and their record sets."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.hcloud.common import LABELS, find_in, protect
from localcloud.plugins.hcloud.values import same_elements, to_api
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

_DEFAULT_TTL = 3600
# Unlike other names, these identify the object, so a change replaces it.
_NAME: Final = Property(generated_name=True, replaces=True)
_RECORD: Final = dict.fromkeys(("value", "comment"))


def _create(cloud: Cloud, inputs: Props) -> str:
    return cloud.create(
        "zones",
        {
            "name": inputs["name"],
            "mode": inputs["mode"],
            "ttl": inputs.get("ttl", _DEFAULT_TTL),
            "labels": inputs.get("labels"),
        },
    )


def _settle(cloud: Cloud, id: str, inputs: Props) -> None:
    cloud.wait_for_actions("zones", id)
    protect(cloud, "zones", id, inputs)


def _read(cloud: Cloud, id: str, state: Props) -> Props:
    # An import may give the zone's name.
    named = None if id.isdigit() else cloud.named("zones", id)
    found = cloud.get("zones", named["id"] if named else id)
    return {
        "id": str(found["id"]),
        "name": found["name"],
        "mode": found["mode"],
        "ttl": found["ttl"],
        "labels": found["labels"],
        "deleteProtection": found["protection"]["delete"],
        "primaryNameservers": found["primary_nameservers"],
        "authoritativeNameservers": {"assigneds": found["authoritative_nameservers"]["assigned"]},
        "registrar": found["registrar"],
    }


def _update(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "ttl" in changed:
        cloud.act("zones", id, "change_ttl", ttl=new.get("ttl", _DEFAULT_TTL))
    protect(cloud, "zones", id, new)
    if "labels" in changed:
        cloud.change("zones", id, labels=new.get("labels", {}))


ZONE = ResourceType(
    token="hcloud:index/zone:Zone",  # noqa: S106 - the name of a type
    # Not mapped: `primaryNameservers`, which a zone with the mode primary cannot have.
    properties={
        "name": _NAME,
        "mode": Property(required=True, replaces=True, choices=("primary",)),
        "ttl": Property(default=_DEFAULT_TTL),
        "labels": LABELS,
        "deleteProtection": Property(default=False),
    },
    computed=("authoritativeNameservers", "primaryNameservers", "registrar"),
    create=_create,
    settle=_settle,
    read=_read,
    update=_update,
    delete=lambda cloud, id, state: cloud.delete("zones", id),
    find=find_in("zones"),
    delete_before_replace=True,
)


# -- record sets ------------------------------------------------------------------------------------------------------

# An id is NAME/TYPE, without the zone, which is an input. An import gives ZONE/NAME/TYPE.


def _place(id: str, state: Props) -> tuple[str, str]:
    """Return the zone, by id or name, and the record set in it."""
    zone, first = state.get("zone"), id.partition("/")[0]
    if zone is None and id.count("/") == 2:
        return first, id.partition("/")[2]
    if zone is None or id.count("/") != 1:
        raise GoneError(id)
    return str(zone), id


def _records(inputs: Props) -> list[Props]:
    records = []
    for index, entry in enumerate(inputs["records"]):
        record = to_api(f"records[{index}]", entry, _RECORD)
        records.append({key: value for key, value in record.items() if value not in (None, "")})
    return records


def _create_set(cloud: Cloud, inputs: Props) -> str:
    if inputs["type"] == "SOA":
        raise RefusedError("the SOA record is created with its zone, and the local cloud does not change it")
    body = {
        "name": inputs["name"],
        "type": inputs["type"],
        "ttl": inputs.get("ttl"),
        "labels": inputs.get("labels"),
        "records": _records(inputs),
    }
    return cloud.create_below("zones", inputs["zone"], "rrsets", body)


def _settle_set(cloud: Cloud, id: str, inputs: Props) -> None:
    cloud.wait_for_actions("zones", inputs["zone"])
    if inputs.get("changeProtection"):
        _act(cloud, id, inputs, "change_protection", change=True)


def _act(cloud: Cloud, id: str, state: Props, command: str, **body: Any) -> None:
    zone, identity = _place(id, state)
    cloud.act("zones", f"{zone}/rrsets/{identity}", command, **body)


def _read_set(cloud: Cloud, id: str, state: Props) -> Props:
    zone, identity = _place(id, state)
    found = cloud.get_below("zones", zone, "rrsets", identity)
    return {
        "id": found["id"],
        "zone": zone,
        "name": found["name"],
        "type": found["type"],
        "ttl": found["ttl"],
        "labels": found["labels"],
        "changeProtection": found["protection"]["change"],
        "records": [{key: value for key, value in entry.items() if value} for entry in found["records"]],
    }


def _update_set(cloud: Cloud, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    """Update a record set. A protection is removed first or added last."""
    protected = bool(new.get("changeProtection", False))
    if "changeProtection" in changed and not protected:
        _act(cloud, id, new, "change_protection", change=False)
    if "ttl" in changed:
        _act(cloud, id, new, "change_ttl", ttl=new.get("ttl"))
    if "records" in changed:
        _act(cloud, id, new, "set_records", records=_records(new))
    if "labels" in changed:
        zone, identity = _place(id, new)
        cloud.change("zones", f"{zone}/rrsets/{identity}", labels=new.get("labels", {}))
    if "changeProtection" in changed and protected:
        _act(cloud, id, new, "change_protection", change=True)


def _delete_set(cloud: Cloud, id: str, state: Props) -> None:
    zone, identity = _place(id, state)
    cloud.delete_below("zones", zone, "rrsets", identity)


def _find_set(cloud: Cloud, inputs: Props) -> str | None:
    identity = f"{inputs['name']}/{inputs['type']}"
    try:
        _read_set(cloud, identity, inputs)
    except GoneError:
        return None
    return identity


def _same_records(one: list[Props], other: list[Props]) -> bool:
    """Whether two lists of records mean the same. Order and empty comments do not count."""
    return same_elements(map(_canonical, one), map(_canonical, other))


def _canonical(record: Props) -> list[str]:
    return [str(record.get("value")), str(record.get("comment") or "")]


ZONE_RRSET = ResourceType(
    token="hcloud:index/zoneRrset:ZoneRrset",  # noqa: S106 - the name of a type
    properties={
        "zone": Property(required=True, replaces=True),
        "name": _NAME,
        "type": Property(required=True, replaces=True),
        "ttl": Property(),
        "labels": LABELS,
        "changeProtection": Property(default=False),
        "records": Property(required=True, same=_same_records),
    },
    create=_create_set,
    settle=_settle_set,
    read=_read_set,
    update=_update_set,
    delete=_delete_set,
    find=_find_set,
    delete_before_replace=True,
)
