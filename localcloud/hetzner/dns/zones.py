"""DNS zones. Their record sets have their own paths, in `rrsets.py`.

There is no registrar here. A zone counts as correctly delegated, unless it is below the top-level domain `invalid`,
which cannot be registered (RFC 2606). No server answers DNS queries: to resolve a name, read the records.
"""

from __future__ import annotations

from localcloud.hetzner import forms
from localcloud.hetzner.collection import Answer, Body, Collection, Command, acted, equals
from localcloud.hetzner.dns import rrsets
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import PROTECT_DELETE, Field
from localcloud.hetzner.project import Project, Record

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])"
_TTL = forms.integer(60, 2147483647)
_DEFAULT_TTL = 3600
_NAMESERVERS = ("hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de.")
# Primary server, mailbox, serial, and timers of the secondaries: the values of the real ones.
_SOA = "hydrogen.ns.hetzner.com. dns.hetzner.com. {serial} 86400 10800 3600000 3600"


def _show(project: Project, record: Record) -> Body:
    return {
        "id": record["id"],
        "name": record["name"],
        "created": record["created"],
        "mode": "primary",
        "ttl": record["ttl"],
        "labels": record["labels"],
        "protection": record["protection"],
        "primary_nameservers": [],
        "record_count": sum(len(rrset["records"]) for rrset in record["rrsets"].values()),
        "status": "ok",
        "registrar": "other",
        "authoritative_nameservers": {
            "assigned": list(_NAMESERVERS),
            "delegated": list(_NAMESERVERS) if is_delegated(record) else [],
            "delegation_last_check": record["created"],
            "delegation_status": "valid" if is_delegated(record) else "unregistered",
        },
    }


def is_delegated(record: Record) -> bool:
    return not str(record["name"]).endswith(".invalid")


def covering(project: Project, domain: str) -> Record | None:
    """The zone of a domain: the one with the longest name, if one zone is below another."""
    found = [zone for zone in project.all("zones") if f".{domain}".endswith(f".{zone['name']}")]
    return max(found, key=lambda zone: len(zone["name"]), default=None)


def _create(project: Project, body: Body) -> Answer:
    if body["mode"] == "secondary":
        raise ApiError("unsupported_error", "the local cloud does not support zones of the mode secondary")
    if body.get("primary_nameservers"):
        raise invalid_input({"primary_nameservers": ["is not allowed with the mode primary"]})
    serial = f"{project.now:.0f}"
    record = project.add(
        "zones",
        name=body["name"],
        labels=body["labels"],
        ttl=body["ttl"],
        protection={"delete": False},
        rrsets={},
    )
    rrsets.put(record, "@", "SOA", [{"value": _SOA.format(serial=serial), "comment": None}])
    rrsets.put(record, "@", "NS", [{"value": name, "comment": None} for name in _NAMESERVERS])
    for wanted in body["rrsets"]:
        rrsets.make(record, wanted)
    action = project.act("create_zone", ("zone", record["id"]))
    return Answer(201, {"zone": _show(project, record), "action": project.show_action(action)})


def _delete(project: Project, record: Record) -> Answer:
    action = project.act("delete_zone", ("zone", record["id"]), then=["remove", record["id"], "zones"])
    return Answer(201, {"action": project.show_action(action)})


def _change_ttl(project: Project, record: Record, body: Body) -> Answer:
    record["ttl"] = body["ttl"]
    return acted(project, project.act("change_zone_ttl", ("zone", record["id"])))


def _change_protection(project: Project, record: Record, body: Body) -> Answer:
    record["protection"] = {"delete": body["delete"]}
    return acted(project, project.act("change_zone_protection", ("zone", record["id"])))


def _change_nameservers(project: Project, record: Record, body: Body) -> Answer:
    raise ApiError("incorrect_zone_mode", "a zone of the mode primary has no primary nameservers")


ZONES = Collection(
    name="zones",
    one="zone",
    show=_show,
    create=_create,
    delete=_delete,
    form={
        "name": Field(
            forms.text(pattern=_NAME, most=253, message="must be a lowercase domain name without a dot at its end"),
            required=True,
        ),
        "mode": Field(forms.choice("primary", "secondary"), required=True),
        "ttl": Field(_TTL, default=_DEFAULT_TTL),
        "primary_nameservers": Field(forms.listed(forms.nested(rrsets.NAMESERVER)), default=[]),
        "rrsets": Field(forms.listed(forms.nested(rrsets.CREATION)), default=[]),
        "zonefile": Field(forms.text(), refused="the local cloud does not read zone files; use 'rrsets'"),
    },
    changes={"labels": Field(forms.label_map)},
    filters={"mode": equals("mode")},
    by_name=True,
    part=rrsets.RRSETS,
    commands={
        "change_protection": Command(_change_protection, PROTECT_DELETE),
        "change_ttl": Command(_change_ttl, {"ttl": Field(_TTL, required=True)}),
        "change_primary_nameservers": Command(
            _change_nameservers,
            {"primary_nameservers": Field(forms.listed(forms.nested(rrsets.NAMESERVER)), required=True)},
        ),
    },
    unsupported=("import_zonefile",),
)
