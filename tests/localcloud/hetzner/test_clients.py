"""The official clients against the emulator over HTTP: hcloud-python, and the `hcloud` command if it is installed."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hcloud import APIException
from hcloud import Client as Hcloud
from hcloud.actions import ActionFailedException
from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerHealthCheckHttp,
    LoadBalancerService,
    LoadBalancerServiceHttp,
    LoadBalancerTarget,
    LoadBalancerTargetIP,
    LoadBalancerTargetLabelSelector,
)
from hcloud.load_balancers.domain import LoadBalancerCreatePublicNetwork
from hcloud.locations import Location
from hcloud.networks import NetworkRoute, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers.domain import ServerCreatePublicNetwork
from hcloud.zones import ZoneRecord, ZoneRRSet
from werkzeug.serving import make_server

from localcloud.hetzner import create_app
from localcloud.network.certificate_authority import CertificateAuthority

TOKEN = "t" * 64
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl someone@example.com"
CX23, CX33, DEBIAN = ServerType(name="cx23"), ServerType(name="cx33"), Image(name="debian-12")
FSN1 = Location(name="fsn1")


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(None, token=TOKEN), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}/v1"
    server.shutdown()
    thread.join()


@pytest.fixture
def client(endpoint: str) -> Any:
    """Return `Any`: the official client's types allow None for every field."""
    return Hcloud(TOKEN, api_endpoint=endpoint, poll_interval=0.01)


def _server(client: Any, name: str, **more: Any) -> Any:
    made = client.servers.create(name=name, server_type=CX23, image=DEBIAN, location=FSN1, **more)
    for action in (made.action, *made.next_actions):
        action.wait_until_finished()
    return client.servers.get_by_id(made.server.id)


def _balancer(client: Any, **more: Any) -> Any:
    kind = LoadBalancerType(name="lb11")
    made = client.load_balancers.create(name="lb", load_balancer_type=kind, location=FSN1, **more)
    made.action.wait_until_finished()
    return client.load_balancers.get_by_id(made.load_balancer.id)


def test_python_networks_and_servers(client: Any) -> None:
    subnet = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")
    network = client.networks.create(name="net", ip_range="10.0.0.0/16", subnets=[subnet])
    second = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.2.0/24")
    route = NetworkRoute(destination="192.168.0.0/24", gateway="10.0.1.1")
    for action in (
        network.add_subnet(second),
        network.delete_subnet(second),
        network.add_route(route),
        network.delete_route(route),
        network.change_ip_range("10.0.0.0/14"),
        network.change_protection(delete=False),
    ):
        action.wait_until_finished()
    key = client.ssh_keys.create(name="me", public_key=KEY)
    group = client.placement_groups.create(name="spread", type="spread").placement_group
    firewall = client.firewalls.create(name="fw").firewall
    server = _server(client, "a", networks=[network], firewalls=[firewall], ssh_keys=[key], placement_group=group)
    assert server.private_net[0].ip == "10.0.1.1"
    assert server.placement_group.id == group.id
    assert server.public_net.firewalls[0].status == "applied"
    assert server.location.name == "fsn1"
    for action in (
        server.change_alias_ips(network, ["10.0.1.7"]),
        server.detach_from_network(network),
        server.attach_to_network(network, ip_range="10.0.1.0/24"),
        server.enable_backup(),
        server.disable_backup(),
        server.reboot(),
        server.reset(),
        server.shutdown(),
        server.remove_from_placement_group(),
        server.add_to_placement_group(group),
        server.change_type(CX33, upgrade_disk=False),
        server.power_off(),
        server.power_on(),
        server.change_dns_ptr(server.public_net.ipv4.ip, "a.example.com"),
        server.change_protection(delete=True, rebuild=True),
        server.change_protection(delete=False, rebuild=False),
        server.rebuild(Image(name="debian-13")).action,
    ):
        action.wait_until_finished()
    server.update(labels={"a": "b"})
    assert [entry.id for entry in client.servers.get_all(label_selector="a=b")] == [server.id]
    assert client.servers.get_by_name("a").image.name == "debian-13"
    assert {member.ip for member in network.get_member_all()} == {"10.0.1.1"}
    assert len(server.get_actions()) > 17
    server.delete().wait_until_finished()
    with pytest.raises(APIException, match="not_found"):
        client.servers.get_by_id(server.id)
    for leftover in (network, group, firewall, key):
        leftover.delete()


def test_python_firewalls_primary_ips_and_load_balancers(client: Any) -> None:
    subnet = NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")
    network = client.networks.create(name="net", ip_range="10.0.0.0/16", subnets=[subnet])
    server = _server(client, "a", networks=[network], labels={"app": "web"})
    rule = FirewallRule(direction="in", protocol="tcp", port="443", source_ips=["0.0.0.0/0", "::/0"])
    web = FirewallResource(type="label_selector", label_selector=FirewallResourceLabelSelector("app=web"))
    firewall = client.firewalls.create(name="fw", rules=[rule], resources=[web]).firewall
    this = FirewallResource(type="server", server=server)
    for actions in (
        firewall.set_rules([rule, FirewallRule(direction="in", protocol="icmp", source_ips=["10.0.0.0/8"])]),
        firewall.apply_to_resources([this]),
        firewall.remove_from_resources([this]),
    ):
        for action in actions:
            action.wait_until_finished()
    assert len(client.firewalls.get_by_id(firewall.id).rules) == 2
    address = client.primary_ips.create(type="ipv4", name="front", location=FSN1).primary_ip
    address.change_protection(delete=True).wait_until_finished()
    with pytest.raises(APIException, match="protected"):
        address.delete()
    balancer = _balancer(client, public_net=LoadBalancerCreatePublicNetwork(ipv4=address), network=network)
    assert balancer.public_net.ipv4.ip == address.ip
    check = LoadBalancerHealthCheck(
        protocol="http",
        port=8080,
        interval=3,
        timeout=2,
        retries=2,
        http=LoadBalancerHealthCheckHttp(path="/up", status_codes=["200"]),
    )
    service = LoadBalancerService(protocol="http", listen_port=80, destination_port=8080, health_check=check)
    selector = LoadBalancerTargetLabelSelector(selector="app=web")
    targets = [
        LoadBalancerTarget(type="server", server=server, use_private_ip=True),
        LoadBalancerTarget(type="label_selector", label_selector=selector, use_private_ip=False),
        LoadBalancerTarget(type="ip", ip=LoadBalancerTargetIP(ip="198.18.0.1")),
    ]
    for action in (
        balancer.add_service(service),
        *(balancer.add_target(target) for target in targets),
        balancer.change_algorithm(LoadBalancerAlgorithm(type="least_connections")),
        balancer.change_type(LoadBalancerType(name="lb21")),
        balancer.change_protection(delete=False),
        balancer.change_dns_ptr(address.ip, "front.example.com"),
    ):
        action.wait_until_finished()
    balancer.reload()
    assert [status.status for status in balancer.targets[0].health_status] == ["healthy"]
    assert [target.server.id for target in balancer.targets[1].targets] == [server.id]
    assert balancer.services[0].health_check.http.path == "/up"
    for action in (
        *(balancer.remove_target(target) for target in targets),
        balancer.disable_public_interface(),
        balancer.enable_public_interface(),
        balancer.update_service(LoadBalancerService(listen_port=80, proxyprotocol=True)),
        balancer.delete_service(service),
        balancer.detach_from_network(network),
        balancer.attach_to_network(network, ip="10.0.1.20"),
        balancer.delete().action,
    ):
        action.wait_until_finished()
    address.reload()
    assert (address.assignee_id, address.assignee_type) == (None, "unassigned")
    second = _server(client, "b", public_net=ServerCreatePublicNetwork(ipv4=address, enable_ipv6=False))
    second.power_off().wait_until_finished()
    address.unassign().wait_until_finished()
    address.assign(second.id, "server").wait_until_finished()
    assert client.servers.get_by_id(second.id).public_net.ipv4.ip == address.ip


def test_python_zones_and_record_sets(client: Any) -> None:
    www = ZoneRRSet(name="www", type="A", ttl=60, records=[ZoneRecord(value="127.64.0.1", comment="one")])
    made = client.zones.create(name="example.com", mode="primary", ttl=300, labels={"a": "b"}, rrsets=[www])
    made.action.wait_until_finished()
    zone = client.zones.get("example.com")
    assert (zone.id, zone.ttl, zone.record_count, zone.status) == (made.zone.id, 300, 5, "ok")
    assert zone.authoritative_nameservers.delegation_status == "valid"
    assert [entry.id for entry in client.zones.get_all(label_selector="a=b", mode="primary")] == [zone.id]
    six = zone.create_rrset(name="www", type="AAAA", records=[ZoneRecord(value="2001:db8::1")])
    six.action.wait_until_finished()
    found = zone.get_rrset("www", "A")
    for action in (
        zone.change_ttl(600),
        zone.change_protection(delete=False),
        found.change_rrset_ttl(120),
        found.set_rrset_records([ZoneRecord(value="127.64.0.2")]),
        found.add_rrset_records([ZoneRecord(value="127.64.0.3")]),
        found.remove_rrset_records([ZoneRecord(value="127.64.0.2")]),
        found.update_rrset_records([ZoneRecord(value="127.64.0.3", comment="three")]),
        found.change_rrset_protection(change=True),
    ):
        action.wait_until_finished()
    with pytest.raises(APIException, match="protected"):
        found.delete_rrset()
    found.change_rrset_protection(change=False).wait_until_finished()
    found.update_rrset(labels={"c": "d"})
    (again,) = zone.get_rrset_all(type=["A"])
    assert (again.id, again.ttl, again.labels, again.records[0].comment) == ("www/A", 120, {"c": "d"}, "three")
    assert {entry.id for entry in zone.get_rrset_all(name="www")} == {"www/A", "www/AAAA"}
    six.rrset.delete_rrset().action.wait_until_finished()
    assert len(zone.get_actions()) > 10
    with pytest.raises(APIException, match="zone files"):
        zone.export_zonefile()
    zone.update(labels={})
    zone.delete().action.wait_until_finished()
    with pytest.raises(APIException, match="not_found"):
        client.zones.get("example.com")


def test_python_certificates_and_https(client: Any) -> None:
    made = client.certificates.create_managed("managed", ["www.example.com"])
    with pytest.raises(ActionFailedException, match="dns_zone_not_found"):
        made.action.wait_until_finished()
    certificate = client.certificates.get_by_name("managed")
    assert (certificate.status.issuance, certificate.status.error.code) == ("failed", "dns_zone_not_found")
    client.zones.create(name="example.com", mode="primary").action.wait_until_finished()
    certificate.retry_issuance().wait_until_finished()
    certificate.reload()
    assert (certificate.status.issuance, certificate.status.error) == ("completed", None)
    assert certificate.not_valid_after > certificate.not_valid_before
    balancer = _balancer(client)
    options = LoadBalancerServiceHttp(certificates=[certificate], redirect_http=True)
    service = LoadBalancerService(protocol="https", listen_port=443, destination_port=8080, http=options)
    balancer.add_service(service).wait_until_finished()
    balancer.reload()
    assert [entry.id for entry in balancer.services[0].http.certificates] == [certificate.id]
    with pytest.raises(APIException, match="resource_in_use"):
        certificate.delete()
    balancer.delete_service(service).wait_until_finished()
    certificate.update(name="renamed")
    certificate.delete()
    issued = CertificateAuthority("Another authority", None).issue(["www.example.org"])
    uploaded = client.certificates.create("own", issued.certificate, issued.key)
    assert (uploaded.type, uploaded.domain_names, uploaded.status) == ("uploaded", ["www.example.org"], None)
    assert len(client.certificates.get_all()) == 1


@pytest.mark.skipif(shutil.which("hcloud") is None, reason="the official hcloud command is not installed")
def test_the_official_command(endpoint: str, client: Any, tmp_path: Path) -> None:
    def hcloud(*arguments: str) -> str:
        environment = {"HCLOUD_ENDPOINT": endpoint, "HCLOUD_TOKEN": TOKEN, "HOME": str(tmp_path)}
        command = [shutil.which("hcloud") or "", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    zone = ["--network-zone", "eu-central", "--type", "cloud"]
    ports = ["--listen-port", "80", "--destination-port", "8080"]
    place = ["--location", "fsn1", "--network", "net", "--firewall", "fw", "--placement-group", "spread"]
    client.primary_ips.create(type="ipv4", name="front", location=FSN1)
    hcloud("network", "create", "--name", "net", "--ip-range", "10.0.0.0/16")
    hcloud("network", "add-subnet", "net", *zone, "--ip-range", "10.0.1.0/24")
    hcloud("placement-group", "create", "--name", "spread", "--type", "spread")
    hcloud("firewall", "create", "--name", "fw")
    hcloud("server", "create", "--name", "web", "--type", "cx23", "--image", "debian-12", *place, "--label", "app=web")
    hcloud("load-balancer", "create", "--name", "lb", "--type", "lb11", "--location", "fsn1")
    hcloud("load-balancer", "attach-to-network", "lb", "--network", "net")
    hcloud("load-balancer", "add-target", "lb", "--server", "web", "--use-private-ip")
    hcloud("load-balancer", "add-service", "lb", "--protocol", "http", *ports)
    columns = hcloud("server", "list", "-o", "noheader", "-o", "columns=name,status,private_net")
    assert columns.split() == ["web", "running", "10.0.1.1", "(net)"]
    for kind, name, said in (
        ("server", "web", "127."),
        ("load-balancer", "lb", "healthy"),
        ("network", "net", "10.0.1.0/24"),
        ("firewall", "fw", "web"),
        ("placement-group", "spread", "web"),
        ("primary-ip", "front", "127."),
    ):
        assert name in hcloud(kind, "list")
        assert said in hcloud(kind, "describe", name)
    hcloud("server", "poweroff", "web")
    assert "unhealthy" in hcloud("load-balancer", "describe", "lb")
    hcloud("load-balancer", "delete", "lb")
    hcloud("server", "delete", "web")
    assert hcloud("server", "list", "-o", "noheader") == ""
