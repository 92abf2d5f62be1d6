"""Record sets of a zone: all records of one name and one type, such as the addresses (A) of `www`.

Names are relative to the zone; `@` is the zone itself. An id is `NAME/TYPE`. The record sets are stored in their zone's
record, by id.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from werkzeug.datastructures import MultiDict

from localcloud.hetzner import forms
from localcloud.hetzner.collection import Answer, Body, Part, acted
from localcloud.hetzner.errors import ApiError, invalid_input, not_found, unsupported
from localcloud.hetzner.forms import LABELS, Field, Form
from localcloud.hetzner.labels import Selector
from localcloud.hetzner.paging import ordered, page
from localcloud.hetzner.project import Project, Record

_TYPES = (
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SOA", "SRV", "SVCB", "TLSA", "TXT",
)  # fmt: skip
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = rf"@|(?:\*|{_LABEL})(?:\.{_LABEL})*"
_HOST = re.compile(rf"@|(?:{_LABEL}\.)*{_LABEL}\.?", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,255}"(?: +"(?:[^"\\]|\\.){0,255}")*')

_RECORD: Form = {
    "value": Field(forms.text(most=65535), required=True),
    "comment": Field(forms.text(least=0), nullable=True),
}
_RECORDS = Field(forms.listed(forms.nested(_RECORD)), required=True)
_TTL = Field(forms.integer(60, 2147483647), nullable=True)
CREATION: Form = {
    "name": Field(
        forms.text(pattern=_NAME, message="must be '@' or a lowercase name that is relative to the zone"),
        required=True,
    ),
    "type": Field(forms.choice(*_TYPES), required=True),
    "ttl": _TTL,
    "labels": LABELS,
    "records": _RECORDS,
}
NAMESERVER: Form = {
    "address": Field(forms.address, required=True),
    "port": Field(forms.integer(1, 65535)),
    "tsig_algorithm": Field(forms.choice("hmac-md5", "hmac-sha1", "hmac-sha256")),
    "tsig_key": Field(forms.text()),
}


def _show(zone: Record, rrset: Record) -> Body:
    return {"zone": zone["id"], **rrset}


def put(zone: Record, name: str, kind: str, records: list[Body], ttl: int | None = None) -> Record:
    """Add a record set to a zone without checks."""
    identity = f"{name}/{kind}"
    zone["rrsets"][identity] = {
        "id": identity,
        "name": name,
        "type": kind,
        "ttl": ttl,
        "labels": {},
        "protection": {"change": False},
        "records": records,
    }
    made: Record = zone["rrsets"][identity]
    return made


def make(zone: Record, body: Body) -> Record:
    """Add a record set to a zone, if it is valid there."""
    name, kind = body["name"], body["type"]
    if f"{name}/{kind}" in zone["rrsets"]:
        raise ApiError("uniqueness_error", f"RRSet '{name}/{kind}' already exists in the zone '{zone['name']}'")
    if name != "@" and (name == zone["name"] or name.endswith(f".{zone['name']}")):
        raise invalid_input({"name": [f"must be relative to the zone, without '{zone['name']}'"]})
    _check_alias(zone, name, kind)
    rrset = put(zone, name, kind, _checked(kind, body["records"]), body.get("ttl"))
    rrset["labels"] = body.get("labels", {})
    return rrset


def _check_alias(zone: Record, name: str, kind: str) -> None:
    """Refuse other records next to an alias (RFC 1034, 3.6.2)."""
    others = {rrset["type"] for rrset in zone["rrsets"].values() if rrset["name"] == name}
    if (kind == "CNAME" and others) or "CNAME" in others:
        raise invalid_input({"type": [f"'{name}' cannot have both a CNAME and other records"]})


def _checked(kind: str, records: list[Body]) -> list[Body]:
    """Return the records in their canonical form. Wrong ones are refused, all at once."""
    problems: forms.Problems = {}
    result: list[Body] = []
    for index, entry in enumerate(records):
        problem, value = _value(kind, entry["value"])
        if problem:
            problems[f"records.{index}.value"] = [problem]
        result.append({"value": value, "comment": entry.get("comment") or None})
    if not records:
        problems["records"] = ["must have at least one entry"]
    if len({entry["value"] for entry in result}) < len(result):
        problems["records"] = ["must be different from each other"]
    if kind == "CNAME" and len(records) > 1:
        problems["records"] = ["must be exactly one with the type CNAME"]
    if problems:
        raise invalid_input(problems)
    return result


def _value(kind: str, text: str) -> tuple[str, str]:
    """Return the problem with a record's value, and the value in its canonical form."""
    try:
        if kind == "A":
            return "", str(ipaddress.IPv4Address(text))
        if kind == "AAAA":
            return "", str(ipaddress.IPv6Address(text))
    except ValueError:
        return f"is not an address of the type {kind}", text
    if kind in ("CNAME", "NS", "PTR") and _HOST.fullmatch(text) is None:
        return "is not a host name", text
    if kind == "TXT" and _QUOTED.fullmatch(text) is None:
        return "must be one or several quoted strings of at most 255 characters", text
    return "", text


def _touched(project: Project, zone: Record, command: str) -> Answer:
    """Record a change of the zone: its serial number grows, so that secondary servers notice."""
    soa = zone["rrsets"]["@/SOA"]["records"][0]
    parts = soa["value"].split(" ")
    parts[2] = str(int(parts[2]) + 1)
    soa["value"] = " ".join(parts)
    return acted(project, project.act(command, ("zone", zone["id"])))


# -- requests ---------------------------------------------------------------------------------------------------------


def _find(zone: Record, name: str, kind: str) -> Record:
    rrset: Record | None = zone["rrsets"].get(f"{name}/{kind}")
    if rrset is None:
        raise not_found("rrset", f"{name}/{kind}")
    return rrset


def _get(project: Project, zone: Record, path: list[str], query: MultiDict[str, str]) -> Answer:
    match path:
        case []:
            return Answer(200, _list(zone, query))
        case [name, kind]:
            return Answer(200, {"rrset": _show(zone, _find(zone, name, kind))})
    raise not_found("path", "/".join(path))


def _list(zone: Record, query: MultiDict[str, str]) -> Body:
    shown = [_show(zone, rrset) for rrset in zone["rrsets"].values()]
    for key in query:
        wanted = query.getlist(key)
        if key in ("name", "type"):
            shown = [one for one in shown if one[key] in wanted]
        elif key == "label_selector":
            try:
                matches = Selector(wanted[-1]).matches
            except ValueError as fault:
                raise invalid_input({"label_selector": [str(fault)]}) from None
            shown = [one for one in shown if matches(one["labels"])]
        elif key not in ("sort", "page", "per_page"):
            raise invalid_input({key: ["is not a known query parameter"]})
    return page("rrsets", ordered(shown, query, ("id", "name", "type")), query)


def _change(project: Project, zone: Record, method: str, path: list[str], body: Any) -> Answer:
    match method, path:
        case "POST", []:
            wanted = forms.read(body, CREATION)
            if wanted["type"] == "SOA":
                raise ApiError("uniqueness_error", "a zone has one SOA record, which the API creates")
            rrset = make(zone, wanted)
            answer = _touched(project, zone, "create_rrset")
            return Answer(201, {"rrset": _show(zone, rrset), **(answer.body or {})})
        case "PUT", [name, kind]:
            rrset = _find(zone, name, kind)
            rrset.update(forms.read(body, {"labels": Field(forms.label_map)}))
            return Answer(200, {"rrset": _show(zone, rrset)})
        case "DELETE", [name, kind]:
            return _delete(project, zone, _find(zone, name, kind))
        case "POST", [name, kind, "actions", command]:
            return _command(project, zone, name, kind, command, body)
    raise ApiError("method_not_allowed", f"{method} is not allowed for this path of a zone")


def _delete(project: Project, zone: Record, rrset: Record) -> Answer:
    if rrset["type"] == "SOA":
        raise ApiError("invalid_input", "the SOA record is deleted with its zone")
    _must_be_open(rrset)
    del zone["rrsets"][rrset["id"]]
    return _touched(project, zone, "delete_rrset")


def _must_be_open(rrset: Record) -> None:
    if rrset["protection"]["change"]:
        raise ApiError("protected", f"RRSet '{rrset['id']}' is protected from changes")


def _command(project: Project, zone: Record, name: str, kind: str, command: str, body: Any) -> Answer:
    if command == "add_records":
        return _add(project, zone, name, kind, body)
    rrset = _find(zone, name, kind)
    match command:
        case "change_protection":
            wanted = forms.read(body, {"change": Field(forms.boolean, required=True)})
            rrset["protection"] = {"change": wanted["change"]}
            # The answers of a name server do not change.
            return acted(project, project.act("change_rrset_protection", ("zone", zone["id"])))
        case "change_ttl":
            _must_be_open(rrset)
            rrset["ttl"] = forms.read({} if body is None else body, {"ttl": _TTL}).get("ttl")
        case "set_records":
            _must_be_open(rrset)
            rrset["records"] = _checked(kind, forms.read(body, {"records": _RECORDS})["records"])
        case "remove_records":
            _must_be_open(rrset)
            _remove(zone, rrset, forms.read(body, {"records": _RECORDS})["records"])
        case "update_records":
            _must_be_open(rrset)
            comments = {entry["value"]: entry["comment"] for entry in _known(rrset, body)}
            for entry in rrset["records"]:
                entry["comment"] = comments.get(entry["value"], entry["comment"])
        case _:
            raise unsupported(f"the action {command} of RRSets")
    verb, _, what = command.partition("_")
    return _touched(project, zone, f"{verb}_rrset_{what}")


def _add(project: Project, zone: Record, name: str, kind: str, body: Any) -> Answer:
    """Add records to a set, and create the set if it does not exist."""
    wanted = forms.read(body, {"records": _RECORDS, "ttl": _TTL})
    rrset = zone["rrsets"].get(f"{name}/{kind}")
    if rrset is None:
        make(zone, forms.read({"name": name, "type": kind, **wanted}, CREATION))
    else:
        _must_be_open(rrset)
        if wanted.get("ttl") not in (None, rrset["ttl"]):
            raise invalid_input({"ttl": [f"is {rrset['ttl']} for the existing set"]})
        rrset["records"] = _checked(kind, [*rrset["records"], *wanted["records"]])
    return _touched(project, zone, "add_rrset_records")


def _known(rrset: Record, body: Any) -> list[Body]:
    """Return the records that a body names. The set must have each of them."""
    named = _checked(rrset["type"], forms.read(body, {"records": _RECORDS})["records"])
    has = {entry["value"] for entry in rrset["records"]}
    strange = [entry["value"] for entry in named if entry["value"] not in has]
    if strange:
        raise ApiError("not_found", f"RRSet '{rrset['id']}' has no record {', '.join(map(repr, strange))}")
    return named


def _remove(zone: Record, rrset: Record, records: list[Body]) -> None:
    """Remove records, and the set with its last record."""
    gone = {entry["value"] for entry in _known(rrset, {"records": records})}
    rrset["records"] = [entry for entry in rrset["records"] if entry["value"] not in gone]
    if not rrset["records"]:
        del zone["rrsets"][rrset["id"]]


RRSETS = Part(name="rrsets", get=_get, change=_change)
