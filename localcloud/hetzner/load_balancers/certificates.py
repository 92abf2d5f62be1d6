"""Certificates for load balancers: uploaded ones, and managed ones, which the local cloud's own authority issues.

A managed certificate is issued under the conditions of the real one. Let's Encrypt queries Hetzner's DNS, so each
domain must be in a delegated zone of the project, and a CAA record there must not forbid it. It is never renewed: it is
valid for 90 days, which is long for a local cloud. The record holds the private key in `private_key`, next to
`certificate`. The API never shows it.
"""

from __future__ import annotations

import re
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from localcloud.hetzner import forms
from localcloud.hetzner.collection import Answer, Body, Collection, Command, acted, equals
from localcloud.hetzner.dns import zones
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field
from localcloud.hetzner.project import Ending, Project, Record
from localcloud.network.certificate_authority import CertificateAuthority

_LIFE = timedelta(days=90)  # Let's Encrypt's
_MOST_DOMAINS = 100  # Let's Encrypt's
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = rf"(?=.{{1,253}}$)(?:\*\.)?(?:{_LABEL}\.)+{_LABEL}"
_CAA = re.compile(r'\d+ (issue|issuewild) "?([^";]*)', re.IGNORECASE)
_AUTHORITY = "letsencrypt.org"
_ISSUED = ("certificate", "private_key", "fingerprint", "not_valid_before", "not_valid_after")


def _show(project: Project, record: Record) -> Body:
    return {
        **{key: record[key] for key in ("id", "name", "type", "labels", "created", "certificate", "fingerprint")},
        **{key: record[key] for key in ("not_valid_before", "not_valid_after", "domain_names", "status")},
        "used_by": [{"id": balancer["id"], "type": "load_balancer"} for balancer in _users(project, record)],
    }


def _users(project: Project, record: Record) -> list[Record]:
    return [
        balancer
        for balancer in project.all("load_balancers")
        if any(record["id"] in service.get("http", {}).get("certificates", []) for service in balancer["services"])
    ]


def _create(project: Project, body: Body) -> Answer:
    uploaded = body["type"] == "uploaded"
    needs, refuses = ({"certificate", "private_key"}, {"domain_names"})[:: 1 if uploaded else -1]
    problems = {key: [f"is required with the type {body['type']}"] for key in sorted(needs) if not body.get(key)}
    problems |= {key: [f"is not allowed with the type {body['type']}"] for key in sorted(refuses) if body.get(key)}
    if problems:
        raise invalid_input(problems)
    common = {"name": body["name"], "labels": body["labels"], "type": body["type"]}
    if uploaded:
        given = _uploaded(body["certificate"], body["private_key"])
        record = project.add("certificates", **common, **given, status=None)
        return Answer(201, {"certificate": _show(project, record), "action": None})
    record = project.add(
        "certificates",
        **common,
        **dict.fromkeys(_ISSUED),
        domain_names=list(dict.fromkeys(body["domain_names"])),
        status=_status(),
    )
    action = _order(project, record, "create_certificate")
    return Answer(201, {"certificate": _show(project, record), "action": project.show_action(action)})


def _uploaded(chain: str, key: str) -> Body:
    """Return the properties of a PEM certificate chain. The private key must belong to its first certificate."""
    try:
        first = x509.load_pem_x509_certificates(chain.encode())[0]
    except ValueError as fault:
        raise invalid_input({"certificate": [f"is not a chain of certificates in PEM: {fault}"]}) from None
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as fault:
        raise invalid_input({"private_key": [f"is not a private key in PEM: {fault}"]}) from None
    if _public(private.public_key()) != _public(first.public_key()):
        raise invalid_input({"private_key": ["does not belong to the certificate"]})
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        domains = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        domains = []
    return {**_described(first), "certificate": chain, "private_key": key, "domain_names": domains}


def _public(key: object) -> bytes:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    made: bytes = key.public_bytes(serialization.Encoding.DER, spki)  # type: ignore[attr-defined]
    return made


def _described(certificate: x509.Certificate) -> Body:
    return {
        "fingerprint": certificate.fingerprint(hashes.SHA1()).hex(":"),  # noqa: S303 - the form that the API shows
        "not_valid_before": certificate.not_valid_before_utc.isoformat(timespec="seconds"),
        "not_valid_after": certificate.not_valid_after_utc.isoformat(timespec="seconds"),
    }


# -- managed ones -----------------------------------------------------------------------------------------------------


def _status() -> Body:
    return {"issuance": "pending", "renewal": "unavailable", "error": None}


def _order(project: Project, record: Record, command: str) -> Record:
    return project.act(command, ("certificate", record["id"]), then=["issue", record["id"]])


def issuing(authority: CertificateAuthority) -> Ending:
    """Return the end of an order: it issues the certificate, or sets a status with the reason."""

    def issue(project: Project, identity: int) -> ApiError | None:
        record = project.peek("certificates", identity)
        if record is None:
            return None
        for domain in record["domain_names"]:
            obstacle = _obstacle(project, domain)
            if obstacle is not None:
                error = {"code": obstacle.code, "message": obstacle.message}
                record["status"] = {"issuance": "failed", "renewal": "unavailable", "error": error}
                return obstacle
        issued = authority.issue(record["domain_names"], _LIFE)
        made = x509.load_pem_x509_certificate(issued.certificate.encode())
        record.update(_described(made), certificate=issued.certificate, private_key=issued.key)
        record["status"] = {"issuance": "completed", "renewal": "scheduled", "error": None}
        return None

    return issue


def _obstacle(project: Project, domain: str) -> ApiError | None:
    """The reason why a certificate is not issued for a domain; None if it can be issued."""
    zone = zones.covering(project, domain.removeprefix("*."))
    if zone is None:
        return ApiError("dns_zone_not_found", f"DNS zone not found: no zone of the project contains '{domain}'")
    if not zones.is_delegated(zone):
        return ApiError(
            "could_not_verify_domain_delegated_to_zone",
            f"Could not verify that '{domain}' is delegated to its DNS zone",
        )
    if not _allowed(zone, domain):
        return ApiError("caa_record_does_not_allow_ca", f"CAA record of '{domain}' does not allow {_AUTHORITY}")
    return None


def _allowed(zone: Record, domain: str) -> bool:
    """Apply RFC 8659: use the CAA records of the domain itself, or else those of the next higher name that has some."""
    wild, name = domain.startswith("*."), domain.removeprefix("*.")
    while True:
        relative = "@" if name == zone["name"] else name.removesuffix(f".{zone['name']}")
        found = zone["rrsets"].get(f"{relative}/CAA")
        if found is not None:
            rules = [match.groups() for entry in found["records"] if (match := _CAA.match(entry["value"]))]
            kind = "issuewild" if wild and any(tag.lower() == "issuewild" for tag, _ in rules) else "issue"
            allowed = [value.strip() for tag, value in rules if tag.lower() == kind]
            return not allowed or _AUTHORITY in allowed
        if relative == "@":
            return True
        name = name.partition(".")[2]


def _retry(project: Project, record: Record, body: Body) -> Answer:
    if record["type"] != "managed":
        raise ApiError("unsupported_error", f"certificate '{record['name']}' was uploaded, not ordered")
    if record["status"]["issuance"] != "failed":
        issuance = record["status"]["issuance"]
        message = f"the issuance of '{record['name']}' is {issuance}, and only a failed one is retried"
        raise ApiError("invalid_input", message)
    record["status"] = _status()
    return acted(project, _order(project, record, "issue_certificate"))


# -- use --------------------------------------------------------------------------------------------------------------


def check_usable(project: Project, identities: list[int]) -> None:
    """Refuse certificates that a load balancer cannot present: they must exist and be issued."""
    for identity in identities:
        record = project.peek("certificates", identity)
        if record is None:
            raise invalid_input({"http.certificates": [f"certificate with ID '{identity}' not found"]})
        if record["certificate"] is None:
            issuance = record["status"]["issuance"]
            raise invalid_input({"http.certificates": [f"the issuance of '{record['name']}' is {issuance}"]})


def _delete(project: Project, record: Record) -> Answer:
    users = ", ".join(f"load balancer '{balancer['name']}'" for balancer in _users(project, record))
    if users:
        raise ApiError("resource_in_use", f"certificate '{record['name']}' is still in use by {users}")
    project.remove("certificates", record["id"])
    return Answer(204)


CERTIFICATES = Collection(
    name="certificates",
    one="certificate",
    show=_show,
    create=_create,
    delete=_delete,
    form={
        "name": forms.NAME,
        "type": Field(forms.choice("uploaded", "managed"), default="uploaded"),
        "certificate": Field(forms.text(most=65536)),
        "private_key": Field(forms.text(most=65536)),
        "domain_names": Field(
            forms.listed(forms.text(pattern=_DOMAIN, message="must be a lowercase domain name"), _MOST_DOMAINS)
        ),
    },
    filters={"type": equals("type")},
    commands={"retry": Command(_retry)},
)
