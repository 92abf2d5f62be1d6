"""A local Hetzner with running machines, called without a network, and clients that count failed requests."""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from localcloud.balancers.balancers import Balancers
from localcloud.hetzner import Application, create_app
from localcloud.hosts.host import run_folder
from localcloud.hosts.hosts import Hosts
from localcloud.instance import process_tags
from localcloud.network.addresses import unused_address
from localcloud.network.certificate_authority import CertificateAuthority
from localcloud.network.ports import local_port

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_haproxy = pytest.mark.skipif(
    HAPROXY is None and not os.environ.get("CI"), reason="haproxy is not on PATH, and this is not CI"
)

TOKEN = "t" * 64
DIGEST = "sha256:" + "0123456789abcdef" * 4
# The smallest host: the sample API at the host's private address.
API = """\
#cloud-config
packages: [podman]
write_files:
  - path: /etc/sample/app.env
    permissions: "0600"
    content: |
      LISTEN_ADDRESS={ip}
      LISTEN_PORT=9000
      HOST_NAME={name}
  - path: /etc/systemd/system/app.service
    content: |
      [Unit]
      Description=The sample API
      After=network-online.target
      [Service]
      Type=exec
      ExecStart=/usr/bin/podman run --rm --name app --network host --env-file /etc/sample/app.env {image}
      Restart=always
      RestartSec=1
      NoNewPrivileges=true
      [Install]
      WantedBy=multi-user.target
runcmd:
  - [systemctl, daemon-reload]
  - [systemctl, enable, --now, app.service]
"""


@dataclass
class Cloud:
    """The application, with machines that run in separate folders."""

    app: Application
    folder: Path
    network: int = 0

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = Client(self.app).open(
            f"/v1{path}", method=method, json=body, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return answer.get_json()

    def act(self, path: str, command: str, **body: Any) -> None:
        self.ask("POST", f"{path}/actions/{command}", body)

    def api_host(self, number: int, image: str = f"ghcr.io/sample/api@{DIGEST}", pool: str = "api") -> int:
        """Create a host with the sample API. Its private address is 10.10.0.(10 + number)."""
        ip, name = f"10.10.0.{10 + number}", f"host-{number}"
        return self.host(name, ip, API.format(ip=ip, name=name, image=image), pool)

    def host(self, name: str, ip: str, user_data: str, pool: str = "api") -> int:
        made = self.ask(
            "POST",
            "/servers",
            {
                "name": name,
                "server_type": "cx23",
                "image": "debian-13",
                "location": "fsn1",
                "user_data": user_data,
                "labels": {"pool": pool},
            },
        )
        identity: int = made["server"]["id"]
        self.act(f"/servers/{identity}", "attach_to_network", network=self.network, ip=ip)
        return identity

    def status(self, server: int) -> str:
        return str(self.ask("GET", f"/servers/{server}")["server"]["status"])

    def processes(self, server: int) -> list[int]:
        return process_tags.of_machine(self.folder / "hosts" / str(server))

    def loopback(self, ip: str) -> str:
        return self.app.loopbacks(self.network, [ip])[ip]

    def health(self, balancer: int) -> dict[int, str]:
        """Return the health of the targets by server, from the API."""
        found = self.ask("GET", f"/load_balancers/{balancer}")["load_balancer"]
        return {
            one["server"]["id"]: one["health_status"][0]["status"]
            for target in found["targets"]
            for one in target.get("targets", [target])
        }


@contextmanager
def a_cloud(folder: Path, hosts: bool = True, balancers: bool = True) -> Iterator[Cloud]:
    """Start a cloud with a network, and with machines if requested. Check that no process remains."""
    authority = CertificateAuthority("Test authority", folder / "authority")
    app = create_app(None, token=TOKEN, choose_address=unused_address, authority=authority)
    cloud = Cloud(app, folder)
    ends = []
    if hosts:
        environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "SSL_CERT_FILE": str(authority.ca)}
        running = Hosts(app, folder / "hosts", environment)
        running.start()
        ends.append(running.close)
    if balancers:
        assert HAPROXY is not None
        balancing = Balancers(app, HAPROXY, folder / "balancers", run_folder(folder / "balancers"))
        balancing.start()
        ends.append(balancing.close)
    try:
        cloud.network = cloud.ask("POST", "/networks", {"name": "net", "ip_range": "10.10.0.0/16"})["network"]["id"]
        cloud.act(
            f"/networks/{cloud.network}", "add_subnet", type="cloud", network_zone="eu-central", ip_range="10.10.0.0/24"
        )
        yield cloud
    finally:
        for end in ends:
            end()
        left = process_tags.of_machines(folder / "hosts") + process_tags.of_machines(folder / "balancers")
        for part in ("hosts", "balancers"):
            shutil.rmtree(run_folder(folder / part), ignore_errors=True)
    assert left == []


def until(true: Callable[[], object], patience: float = 20.0) -> float:
    """Wait until the condition is true. Return the seconds."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < patience, "the condition did not become true"
        time.sleep(0.02)
    return time.monotonic() - begun


@dataclass
class Load:
    """Clients that send requests continuously, each over one connection. `failures` are (seconds, error)."""

    address: str
    port: int
    path: str = "/"
    context: ssl.SSLContext | None = None
    host: str | None = None
    rate: float = 200.0
    clients: int = 8
    good: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)
    last_good: float = 0.0
    _ending: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._ending.wait(self.clients / self.rate):
            try:
                connection = connection or connect(self.address, self.port, self.context)
                connection.request("GET", self.path, headers={"Host": self.host or self.address})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise OSError(f"status {answer.status}")
                self.good += 1
                self.last_good = time.monotonic()
            except (OSError, http.client.HTTPException) as fault:
                self.failures.append((time.monotonic(), repr(fault)))
                if connection is not None:
                    connection.close()
                connection = None


def connect(address: str, port: int, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    if context is None:
        return http.client.HTTPConnection(address, port, timeout=5)
    return http.client.HTTPSConnection(address, port, timeout=5, context=context)


def answer(address: str, port: int, path: str = "/") -> int | None:
    """Return the status of the answer, or None if the connection is refused or breaks."""
    connection = connect(address, local_port(port))
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return None
    finally:
        connection.close()
