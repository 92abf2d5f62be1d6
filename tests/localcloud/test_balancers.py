"""Load balancers as real HAProxy, in front of sample APIs that are killed, replaced and shut down."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localcloud.balancers import configuration, runtime
from localcloud.balancers.balancer import Balancer
from localcloud.balancers.configuration import Configuration
from localcloud.instance import process_tags
from localcloud.network.certificate_authority import CertificateAuthority
from localcloud.network.ports import local_port
from tests.localcloud.machines_harness import HAPROXY, Cloud, Load, a_cloud, answer, needs_haproxy, until

pytestmark = needs_haproxy

CHECK = {
    "protocol": "http",
    "port": 9000,
    "interval": 3,
    "timeout": 2,
    "retries": 2,
    "http": {"path": "/healthz", "status_codes": ["200"]},
}
NAME = "api.example.test"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with a_cloud(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def balancer(cloud: Cloud) -> dict[str, Any]:
    """A load balancer with TLS in front of two hosts, both healthy."""
    issued = CertificateAuthority("Test authority", cloud.folder / "authority").issue([NAME])
    certificate = cloud.ask(
        "POST",
        "/certificates",
        {"name": "c", "type": "uploaded", "certificate": issued.certificate, "private_key": issued.key},
    )["certificate"]["id"]
    for number in (1, 2):
        cloud.api_host(number)
    made: dict[str, Any] = cloud.ask(
        "POST",
        "/load_balancers",
        {
            "name": "balancer",
            "load_balancer_type": "lb11",
            "location": "fsn1",
            "network": cloud.network,
            "services": [
                {
                    "protocol": "https",
                    "listen_port": 443,
                    "destination_port": 9000,
                    "http": {"certificates": [certificate], "redirect_http": True},
                    "health_check": CHECK,
                }
            ],
            "targets": [{"type": "label_selector", "label_selector": {"selector": "pool=api"}, "use_private_ip": True}],
        },
    )["load_balancer"]
    until(lambda: list(cloud.health(made["id"]).values()) == ["healthy"] * 2)
    return made


@pytest.fixture
def trusting(cloud: Cloud) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cloud.folder / "authority" / "ca.pem"))


def load(balancer: dict[str, Any], trusting: ssl.SSLContext, **more: Any) -> Load:
    """HTTPS clients that verify its name although they connect to its address."""
    trusting.check_hostname = False
    return Load(balancer["public_net"]["ipv4"]["ip"], local_port(443), context=trusting, host=NAME, **more)


def test_load_balancer_ends_tls_with_its_certificate(balancer: dict[str, Any], trusting: ssl.SSLContext) -> None:
    address = balancer["public_net"]["ipv4"]["ip"]
    with (
        socket.create_connection((address, local_port(443)), 5) as plain,
        trusting.wrap_socket(plain, server_hostname=NAME) as safe,
    ):
        assert safe.version() == "TLSv1.3"
        safe.sendall(b"GET / HTTP/1.1\r\nHost: api.example.test\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in safe.recv(4096)
    with (
        socket.create_connection((address, local_port(443)), 5) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        trusting.wrap_socket(plain, server_hostname="other.example.test")


def test_a_plain_request_is_sent_to_https(balancer: dict[str, Any]) -> None:
    address = balancer["public_net"]["ipv4"]["ip"]
    with socket.create_connection((address, local_port(80)), 5) as plain:
        plain.sendall(b"GET /a?b=c HTTP/1.1\r\nHost: api.example.test\r\nConnection: close\r\n\r\n")
        answer = plain.makefile().read()
    port = local_port(443)
    assert answer.startswith("HTTP/1.1 301 ")
    assert f"location: https://api.example.test{'' if port == 443 else f':{port}'}/a?b=c" in answer


def test_only_the_owner_reads_a_certificates_key(cloud: Cloud, balancer: dict[str, Any]) -> None:
    files = list((cloud.folder / "balancers" / str(balancer["id"]) / "certificates").iterdir())
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"]


def test_killed_host_fails_requests_until_health_check(
    cloud: Cloud, balancer: dict[str, Any], trusting: ssl.SSLContext
) -> None:
    killed = cloud.ask("GET", "/servers?name=host-1")["servers"][0]["id"]
    with load(balancer, trusting) as clients:
        until(lambda: clients.good > 200)
        assert clients.failures == []
        begun = time.monotonic()
        cloud.act(f"/servers/{killed}", "poweroff")
        until(lambda: cloud.health(balancer["id"])[killed] == "unhealthy")
        time.sleep(1)
    seconds = max((moment for moment, _ in clients.failures), default=begun) - begun
    print(f"{clients.good} good, {len(clients.failures)} failed, the last {seconds:.1f} s after the kill")
    assert clients.failures, "half of the requests went to a host that was not there"
    assert seconds <= CHECK["interval"] * CHECK["retries"] + 2  # type: ignore[operator]
    cloud.act(f"/servers/{killed}", "poweron")
    back = until(lambda: cloud.health(balancer["id"])[killed] == "healthy")
    print(f"back after {back:.1f} s")


def test_a_change_under_load_loses_no_request(cloud: Cloud, balancer: dict[str, Any], trusting: ssl.SSLContext) -> None:
    """Targets and services come and go. A new host gets requests after its checks have succeeded."""
    path = f"/load_balancers/{balancer['id']}"
    with load(balancer, trusting) as clients:
        until(lambda: clients.good > 100)
        new = cloud.api_host(3)
        cloud.act(path, "change_algorithm", type="least_connections")
        until(lambda: cloud.health(balancer["id"])[new] == "healthy")
        cloud.ask("PUT", f"/servers/{new}", {"labels": {"pool": "none"}})  # removed from the pool while it still runs
        cloud.act(path, "add_service", protocol="http", listen_port=8888, destination_port=9000, health_check=CHECK)
        cloud.act(path, "delete_service", listen_port=8888)
        cloud.act(path, "change_algorithm", type="round_robin")
        time.sleep(2)
    print(f"{clients.good} good, {len(clients.failures)} failed")
    assert clients.failures == []
    cloud.ask("DELETE", f"/servers/{new}")


def test_disabled_public_interface_ends_connections(cloud: Cloud, balancer: dict[str, Any]) -> None:
    address, path = balancer["public_net"]["ipv4"]["ip"], f"/load_balancers/{balancer['id']}"
    with socket.create_connection((address, local_port(80)), 5) as kept:
        cloud.act(path, "disable_public_interface")
        begun = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert kept.recv(1) == b""
        assert time.monotonic() - begun < 3

    until(lambda: answer(address, 443) is None, 3)
    # Inside the network it continues, and keeps the health of its targets.
    private = cloud.ask("GET", path)["load_balancer"]["private_net"][0]["ip"]
    until(lambda: answer(cloud.loopback(private), 80) == 301, 10)
    until(lambda: list(cloud.health(balancer["id"]).values()) == ["healthy"] * 2, 10)
    cloud.act(path, "enable_public_interface")
    until(lambda: answer(address, 80) == 301, 10)


def test_a_deleted_load_balancer_leaves_nothing(cloud: Cloud) -> None:
    made = cloud.ask(
        "POST",
        "/load_balancers",
        {
            "name": "other",
            "load_balancer_type": "lb11",
            "location": "nbg1",
            "services": [{"protocol": "tcp", "listen_port": 5000, "destination_port": 9000}],
        },
    )["load_balancer"]
    folder = cloud.folder / "balancers" / str(made["id"])
    until(lambda: process_tags.of_machine(folder))
    cloud.ask("DELETE", f"/load_balancers/{made['id']}")
    until(lambda: not folder.exists())
    assert process_tags.of_machine(folder) == []


def test_haproxy_that_was_killed_comes_back(cloud: Cloud, balancer: dict[str, Any]) -> None:
    folder = cloud.folder / "balancers" / str(balancer["id"])
    for pid in process_tags.of_machine(folder):
        os.kill(pid, signal.SIGKILL)
    until(lambda: answer(balancer["public_net"]["ipv4"]["ip"], 80) == 301)


# -- configurations, without the API ----------------------------------------------------------------------------------


def a_record(**service: Any) -> dict[str, Any]:
    whole = {
        "protocol": "http",
        "listen_port": 18080,
        "destination_port": 9000,
        "proxyprotocol": False,
        "http": {
            "sticky_sessions": False,
            "cookie_name": "HCLBSTICKY",
            "cookie_lifetime": 300,
            "redirect_http": False,
            "timeout_idle": 60,
            "certificates": [],
        },
        "health_check": {
            **CHECK,
            "http": {"domain": "", "path": "/", "response": "", "status_codes": ["2??", "3??"], "tls": False},
        },
        **service,
    }
    return {
        "id": 7,
        "name": "a balancer",
        "algorithm": {"type": "round_robin"},
        "public_interface": True,
        "ipv4": None,
        "own_ipv4": "127.64.9.9",
        "private_net": [{"network": 1, "loopback": "127.64.9.8"}],
        "services": [whole],
        "targets": [{"type": "server", "server": {"id": 3}, "use_private_ip": True}],
    }


DATA: dict[str, dict[str, Any]] = {
    "primary_ips": {},
    "certificates": {},
    "servers": {"3": {"id": 3, "labels": {}, "ipv4": None, "private_net": [{"network": 1, "loopback": "127.64.9.7"}]}},
}


def check(**changes: Any) -> dict[str, Any]:
    before: dict[str, Any] = a_record()["services"][0]["health_check"]
    http = {**before["http"], **changes.pop("http", {})}
    return {**before, **changes, "http": http}


@pytest.mark.parametrize(
    ("service", "lines"),
    [
        (
            {},
            ["check port 9000 inter 3s fall 2 rise 2", "http-check expect rstatus '^(2..|3..)$'", "balance roundrobin"],
        ),
        ({"proxyprotocol": True}, ["send-proxy-v2"]),
        ({"health_check": check(retries=0)}, ["fall 1 rise 1"]),
        ({"health_check": check(protocol="tcp")}, ["server server-3 127.64.9.7:9000 check"]),
        ({"health_check": check(http={"response": 'it\'s "well"'})}, ["http-check expect string 'it'\\''s \"well\"'"]),
        ({"health_check": check(http={"domain": "100%.test", "path": "/a b"})}, ["'/a b'", "hdr Host '100%%.test'"]),
        ({"health_check": check(http={"tls": True})}, ["check-ssl verify none"]),
        (
            {"http": {**a_record()["services"][0]["http"], "sticky_sessions": True}},
            ["cookie 'HCLBSTICKY' insert indirect nocache maxlife 300s", "cookie server-3"],
        ),
        (
            {"protocol": "tcp", "http": {}},
            ["mode tcp", "timeout client 300s"],
        ),
    ],
)
def test_haproxy_accepts_the_configuration_of_services(
    service: dict[str, Any], lines: list[str], tmp_path: Path
) -> None:
    made = configuration.of(a_record(**service), DATA, tmp_path).text(tmp_path)
    for line in lines:
        assert line in made
    assert "retries 0" in made
    assert "redispatch" not in made
    file = tmp_path / "haproxy.cfg"
    file.write_text(made)
    assert HAPROXY is not None
    said = subprocess.run([HAPROXY, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_control_characters_are_refused_before_haproxy(tmp_path: Path) -> None:
    made = configuration.of(a_record(health_check=check(http={"path": "/\nserver x 10.0.0.1:1"})), DATA, tmp_path)
    with pytest.raises(ValueError, match="control characters"):
        made.text(tmp_path)


def test_service_without_issued_certificate_is_closed(tmp_path: Path) -> None:
    record = a_record(protocol="https", http={**a_record()["services"][0]["http"], "certificates": [9]})
    data = {**DATA, "certificates": {"9": {"id": 9, "certificate": None, "private_key": None}}}
    assert configuration.of(record, data, tmp_path).services == ()


def test_server_state_is_kept_and_new_servers_are_down(tmp_path: Path) -> None:
    made = configuration.of(a_record(), DATA, tmp_path)
    assert runtime.states(made, {}).splitlines()[1].split()[5] == "0"
    line = "5 port-18080 1 server-3 127.64.9.7 2 0 1 1 9 15 3 4 6 0 0 0 - 9000 - 0 0 - - 0"
    known = {("port-18080", "server-3", "127.64.9.7:9000"): line.split()}
    carried = runtime.states(made, known).splitlines()[1].split()
    assert (carried[5], carried[10:13]) == ("2", ["15", "3", "4"])


def test_what_haproxy_refuses_leaves_the_old_running(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert HAPROXY is not None
    running = Balancer(HAPROXY, tmp_path / "7", tmp_path / "s")
    good = configuration.of(a_record(), DATA, tmp_path / "7")
    bad = replace(good, addresses=("no address",))
    try:
        running.apply(good)
        before = json.loads((tmp_path / "7" / "balancer.json").read_text())
        running.apply(bad)
        assert "HAProxy refuses the configuration of a balancer" in caplog.text
        assert json.loads((tmp_path / "7" / "balancer.json").read_text()) == before
        assert answer("127.64.9.9", 18080) == 503
        assert running.server_health()["port-18080", "server-3"].status.startswith("DOWN")
    finally:
        running.remove()
    assert isinstance(good, Configuration)
    assert process_tags.of_machine(tmp_path / "7") == []


def test_rapid_changes_all_take_effect(tmp_path: Path) -> None:
    """A rolled host leaves, and a second one arrives while HAProxy still adds the first replacement."""
    assert HAPROXY is not None
    running = Balancer(HAPROXY, tmp_path / "7", tmp_path / "s")
    first = configuration.of(a_record(), DATA, tmp_path / "7")
    try:
        for number in range(10, 25):
            for server in (replace(first.servers[0], number=number), replace(first.servers[0], number=number + 100)):
                running.apply(replace(first, servers=(server,)))
            assert {name for service, name in running.server_health()} == {server.name}
    finally:
        running.remove()
