"""Services of a load balancer: the port that it listens on, the port of the targets, and the health check."""

from __future__ import annotations

from typing import Any

from localcloud.hetzner import catalogue, forms
from localcloud.hetzner.collection import Answer, Body, acted
from localcloud.hetzner.errors import ApiError, invalid_input
from localcloud.hetzner.forms import Field, Form
from localcloud.hetzner.load_balancers import certificates
from localcloud.hetzner.project import Project, Record

PORT = Field(forms.integer(1, 65535), required=True)
_LISTEN = {"http": 80, "https": 443}

_HTTP: Form = {
    "sticky_sessions": Field(forms.boolean),
    "cookie_name": Field(forms.text()),
    "cookie_lifetime": Field(forms.integer()),
    "redirect_http": Field(forms.boolean),
    "timeout_idle": Field(forms.integer(30, 300)),
    "certificates": Field(forms.listed(forms.integer())),
}
_CHECK_HTTP: Form = {
    "domain": Field(forms.text(least=0), nullable=True),
    "path": Field(forms.text(least=0)),
    "response": Field(forms.text(least=0), nullable=True),
    "status_codes": Field(
        forms.listed(forms.text(pattern=r"[1-5?][0-9?]{2}", message="must be three digits, with ? for any"))
    ),
    "tls": Field(forms.boolean),
}
_CHECK: Form = {
    "protocol": Field(forms.choice("tcp", "http", "https")),
    "port": Field(forms.integer(1, 65535)),
    "interval": Field(forms.integer(3, 60)),
    "timeout": Field(forms.integer(1, 60)),
    "retries": Field(forms.integer(0, 5)),
    "http": Field(forms.nested(_CHECK_HTTP)),
}
_SERVICE: Form = {
    "destination_port": Field(forms.integer(1, 65535)),
    "proxyprotocol": Field(forms.boolean),
    "http": Field(forms.nested(_HTTP)),
    "health_check": Field(forms.nested(_CHECK)),
}
ADD: Form = {
    **_SERVICE,
    "protocol": Field(forms.choice("tcp", "http", "https"), required=True),
    "listen_port": Field(forms.integer(1, 65535)),
}
UPDATE: Form = {**_SERVICE, "protocol": Field(forms.choice("tcp", "http", "https")), "listen_port": PORT}

_HTTP_DEFAULTS: Body = {
    "sticky_sessions": False,
    "cookie_name": "HCLBSTICKY",
    "cookie_lifetime": 300,
    "redirect_http": False,
    "timeout_idle": 60,
    "certificates": [],
}
_CHECK_HTTP_DEFAULTS: Body = {
    "domain": "",
    "path": "/",
    "response": "",
    "status_codes": ["2??", "3??"],
    "tls": False,
}


def add(project: Project, record: Record, body: Body) -> None:
    """Add a service with the API's defaults to a load balancer's record."""
    listen = body.get("listen_port", _LISTEN.get(body["protocol"]))
    if listen is None:
        raise invalid_input({"listen_port": ["is required with the protocol tcp"]})
    most = catalogue.find("load_balancer_types", record["load_balancer_type"])["max_services"]
    if len(record["services"]) >= most:
        raise ApiError("resource_limit_exceeded", f"a {record['load_balancer_type']} has at most {most} services")
    service = _whole({**body, "listen_port": listen})
    _check(project, record, service, record["services"])
    record["services"].append(service)


def _whole(body: Body) -> Body:
    """Return a service with the API's defaults, and without settings that its protocol does not have."""
    protocol = body["protocol"]
    if protocol == "tcp":
        if body.get("http"):
            raise invalid_input({"http": ["is not allowed with the protocol tcp"]})
        if "destination_port" not in body:
            raise invalid_input({"destination_port": ["is required with the protocol tcp"]})
    destination = body.get("destination_port", 80)
    http = {**_HTTP_DEFAULTS, **(body.get("http") or {})}
    if protocol == "https" and not http["certificates"]:
        raise invalid_input({"http.certificates": ["are required with the protocol https"]})
    if protocol == "http":
        wrong = [name for name in ("redirect_http", "certificates") if http[name]]
        if wrong:
            raise invalid_input({f"http.{name}": ["is only allowed with the protocol https"] for name in wrong})
    given = body.get("health_check") or {}
    check: dict[str, Any] = {
        # TLS ends at the load balancer: the targets receive plain HTTP.
        "protocol": "http" if protocol == "https" else protocol,
        "port": destination,
        "interval": 15,
        "timeout": 10,
        "retries": 3,
        **{key: value for key, value in given.items() if key != "http"},
    }
    if check["timeout"] > check["interval"]:
        raise invalid_input({"health_check.timeout": ["must not be longer than the interval"]})
    if check["protocol"] == "tcp" and given.get("http"):
        raise invalid_input({"health_check.http": ["is not allowed with the protocol tcp"]})
    if check["protocol"] != "tcp":
        answers = {key: value for key, value in (given.get("http") or {}).items() if value is not None}
        check["http"] = {**_CHECK_HTTP_DEFAULTS, **answers}
    service = {
        "protocol": protocol,
        "listen_port": body["listen_port"],
        "destination_port": destination,
        "proxyprotocol": body.get("proxyprotocol", False),
        "health_check": check,
    }
    return service if protocol == "tcp" else {**service, "http": http}


def _check(project: Project, record: Record, service: Body, others: list[Body]) -> None:
    """Refuse a service whose ports are in use, or whose certificates are not usable."""
    for port in sorted(_ports(service) & {port for other in others for port in _ports(other)}):
        message = f"port {port} is already used by another service of the load balancer"
        raise ApiError("source_port_already_used", message)
    certificates.check_usable(project, _certificates(service))
    kind = catalogue.find("load_balancer_types", record["load_balancer_type"])
    assigned = {identity for one in (service, *others) for identity in _certificates(one)}
    if len(assigned) > kind["max_assigned_certificates"]:
        message = f"a {kind['name']} has at most {kind['max_assigned_certificates']} certificates"
        raise ApiError("resource_limit_exceeded", message)


def _ports(service: Body) -> set[int]:
    """The ports that a service listens on. A service that redirects HTTP also needs the HTTP port."""
    redirects = service.get("http", {}).get("redirect_http", False)
    return {service["listen_port"], *([_LISTEN["http"]] if redirects else [])}


def _certificates(service: Body) -> list[int]:
    found: list[int] = service.get("http", {}).get("certificates", [])
    return found


def _find(record: Record, port: int) -> Body:
    for service in record["services"]:
        if service["listen_port"] == port:
            found: Body = service
            return found
    raise ApiError("not_found", f"load balancer '{record['name']}' has no service on port {port}")


def add_service(project: Project, record: Record, body: Body) -> Answer:
    add(project, record, body)
    return acted(project, project.act("add_service", ("load_balancer", record["id"])))


def update_service(project: Project, record: Record, body: Body) -> Answer:
    """Update a service. A missing field keeps its value, in nested objects too."""
    old = _find(record, body["listen_port"])
    new = {**old, **body}
    if new["protocol"] == "tcp" and not body.get("http"):
        new.pop("http", None)
    elif body.get("http"):
        new["http"] = {**old.get("http", {}), **body["http"]}
    check, changes = old["health_check"], body.get("health_check") or {}
    new["health_check"] = {**check, **changes}
    if new["health_check"]["protocol"] == "tcp" and not changes.get("http"):
        new["health_check"].pop("http", None)
    elif changes.get("http"):
        new["health_check"]["http"] = {**check.get("http", {}), **changes["http"]}
    service = _whole(new)
    _check(project, record, service, [other for other in record["services"] if other is not old])
    record["services"][record["services"].index(old)] = service
    return acted(project, project.act("update_service", ("load_balancer", record["id"])))


def delete_service(project: Project, record: Record, body: Body) -> Answer:
    record["services"].remove(_find(record, body["listen_port"]))
    return acted(project, project.act("delete_service", ("load_balancer", record["id"])))
