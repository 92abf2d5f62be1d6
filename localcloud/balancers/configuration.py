"""Configuration of HAProxy for one load balancer: from the API's records to data, and from data to text.

Hetzner's API does not document every detail. Where it is silent, the local cloud does this:

- A request that fails is not retried, neither on the same server nor on a different one.
- A new server gets no requests until its health check has succeeded as often as an unhealthy server needs.
- `retries` consecutive checks change a server's state in both directions; 0 means 1.
- A plain HTTP request to a service with a redirect is answered with 301.
"""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from localcloud.hetzner.labels import Selector
from localcloud.network.ports import local_port

Record = Mapping[str, Any]

_HTTP = 80
_MOST_CONNECTIONS = 10_000
_TCP_IDLE_SECONDS = 300  # the API has no setting for it


@dataclass(frozen=True)
class Server:
    """A target, as a server of HAProxy. `number` is the id of the API's server."""

    number: int
    address: str

    @property
    def name(self) -> str:
        return f"server-{self.number}"


@dataclass(frozen=True)
class Service:
    """One service. `port` is the local port that it listens on; `files` are its certificates with their keys."""

    listen_port: int
    port: int
    redirect_from: int | None
    mode: str
    tls: bool
    files: tuple[Path, ...]
    destination_port: int
    proxy_protocol: bool
    idle_seconds: int
    cookie: str | None
    cookie_seconds: int
    check: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"port-{self.listen_port}"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,) if self.redirect_from is None else (self.port, self.redirect_from)

    @property
    def changes_state(self) -> int:
        return max(1, int(self.check["retries"]))

    @property
    def statuses(self) -> str:
        """The API's patterns of status codes, as one regular expression."""
        return "^(" + "|".join(code.replace("?", ".") for code in self.check["http"]["status_codes"]) + ")$"


@dataclass(frozen=True)
class Configuration:
    """The complete configuration of one load balancer. `addresses` are the local addresses that it listens on."""

    number: int
    name: str
    addresses: tuple[str, ...]
    public: bool
    algorithm: str
    services: tuple[Service, ...]
    servers: tuple[Server, ...]
    keys: tuple[tuple[Path, str], ...]
    """Files that hold certificates with their keys: path and content."""

    @property
    def revision(self) -> str:
        """A hash that changes with the configuration."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def text(self, folder: Path) -> str:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = _MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, (hard - 200) // 2)
        return _TEMPLATES.get_template("haproxy.cfg.j2").render(balancer=self, folder=folder, connections=most)


def of(record: Record, data: Mapping[str, Mapping[str, Record]], folder: Path) -> Configuration:
    """Return the configuration for a record.

    `data` are the API's records; `folder` holds this load balancer's files.
    """
    files = {number: folder / "certificates" / f"{number}.pem" for number in _certificates(record)}
    keys = {number: _pem(data["certificates"].get(str(number))) for number in files}
    services = [
        _service(service, files, keys)
        for service in record["services"]
        # A service whose certificate is not issued yet cannot use TLS, so it does not listen.
        if service["protocol"] != "https" or any(keys[number] for number in service["http"]["certificates"])
    ]
    return Configuration(
        number=record["id"],
        name=record["name"],
        addresses=tuple(_addresses(record, data)),
        public=record["public_interface"],
        algorithm="leastconn" if record["algorithm"]["type"] == "least_connections" else "roundrobin",
        services=tuple(services),
        servers=tuple(_servers(record, data)),
        keys=tuple((files[number], pem) for number, pem in keys.items() if pem),
    )


def _addresses(record: Record, data: Mapping[str, Mapping[str, Record]]) -> Iterator[str]:
    """The public address, unless it is switched off, and the private one.

    IPv6 addresses do not exist on this machine.
    """
    if record["public_interface"]:
        primary = data["primary_ips"].get(str(record["ipv4"]))
        yield str(primary["ip"] if primary is not None else record["own_ipv4"])
    for entry in record["private_net"]:
        yield entry["loopback"]


def _certificates(record: Record) -> list[int]:
    return [number for service in record["services"] for number in service.get("http", {}).get("certificates", [])]


def _pem(certificate: Record | None) -> str:
    if certificate is None or not certificate.get("certificate") or not certificate.get("private_key"):
        return ""
    return f"{certificate['certificate'].rstrip()}\n{certificate['private_key'].rstrip()}\n"


def _service(service: Record, files: Mapping[int, Path], keys: Mapping[int, str]) -> Service:
    http = service.get("http", {})
    tls = service["protocol"] == "https"
    return Service(
        listen_port=service["listen_port"],
        port=local_port(service["listen_port"]),
        redirect_from=local_port(_HTTP) if http.get("redirect_http") else None,
        mode="tcp" if service["protocol"] == "tcp" else "http",
        tls=tls,
        files=tuple(files[number] for number in http.get("certificates", []) if keys[number]) if tls else (),
        destination_port=service["destination_port"],
        proxy_protocol=service["proxyprotocol"],
        idle_seconds=http.get("timeout_idle", _TCP_IDLE_SECONDS),
        cookie=http["cookie_name"] if http.get("sticky_sessions") else None,
        cookie_seconds=http.get("cookie_lifetime", 300),
        check=service["health_check"],
    )


def _servers(record: Record, data: Mapping[str, Mapping[str, Record]]) -> Iterator[Server]:
    """Every server that is a target and reachable, once."""
    found: dict[int, Server] = {}
    for target in record["targets"]:
        if target["type"] == "server":
            named = data["servers"].get(str(target["server"]["id"]))
            servers = [named] if named is not None else []
        elif target["type"] == "label_selector":
            matches = Selector(target["label_selector"]["selector"]).matches
            servers = [server for server in data["servers"].values() if matches(server["labels"])]
        else:
            servers = []  # a machine outside of the project cannot be reached from loopback
        for server in servers:
            address = _reached_at(record, server, target["use_private_ip"], data)
            if address is not None:
                found.setdefault(server["id"], Server(server["id"], address))
    yield from sorted(found.values(), key=lambda server: server.number)


def _reached_at(
    record: Record, server: Record, privately: bool, data: Mapping[str, Mapping[str, Record]]
) -> str | None:
    if privately:
        networks = {entry["network"] for entry in record["private_net"]}
        return next((str(entry["loopback"]) for entry in server["private_net"] if entry["network"] in networks), None)
    primary = data["primary_ips"].get(str(server["ipv4"]))
    return None if primary is None else str(primary["ip"])


def _quoted(text: object) -> str:
    """Quote a text as one word of HAProxy's configuration. Control characters cannot be quoted."""
    plain = str(text)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in plain):
        raise ValueError(f"{plain!r} has control characters, which HAProxy's configuration cannot hold")
    return "'" + plain.replace("'", "'\\''") + "'"


_TEMPLATES = Environment(  # noqa: S701 - the output is not HTML
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["quoted"] = _quoted
