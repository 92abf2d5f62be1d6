"""The hcloud stand-in's tables against the emulator: every type made, read, changed, found and deleted."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock

import grpc
import pulumi_hcloud
import pytest
from hcloud import APIException
from hcloud.actions import ActionFailedException
from pulumi.runtime.proto import provider_pb2
from werkzeug.serving import make_server

from localcloud.hetzner import Application, create_app
from localcloud.network.certificate_authority import CertificateAuthority
from localcloud.plugins.hcloud import PLUGIN
from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.provider import Provider
from localcloud.plugins.table import Gone, Props, Refused, ResourceType
from localcloud.plugins.wire import UNKNOWN, from_wire, to_wire

TOKEN = "t" * 64
TABLES = {entry.token.rpartition(":")[2]: entry for entry in PLUGIN.resources}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl"


@pytest.fixture
def app() -> Application:
    # Long enough that a table which does not wait for an action finds its object busy.
    return create_app(None, token=TOKEN, action_seconds=0.03, choose_address=lowest)


def lowest(taken: Collection[str]) -> str:
    """The first loopback address that nothing has, so that a test can say which it is."""
    return next(address for n in range(1, 255) if (address := f"127.64.0.{n}") not in taken)


@pytest.fixture
def endpoint(app: Application) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}/v1"
    server.shutdown()
    thread.join()


@pytest.fixture
def cloud(endpoint: str) -> Cloud:
    connected: Cloud = PLUGIN.connect({"token": TOKEN, "endpoint": endpoint, "pollInterval": "5ms"}, {})
    return connected


def make(cloud: Cloud, kind: str, **inputs: Any) -> str:
    """What the engine's `Create` does."""
    table = TABLES[kind]
    identity = table.create(cloud, inputs)
    if table.settle is not None:
        table.settle(cloud, identity, inputs)
    return identity


def state(cloud: Cloud, kind: str, identity: str, **inputs: Any) -> Props:
    return TABLES[kind].read(cloud, identity, inputs)


def change(cloud: Cloud, kind: str, identity: str, old: Props, new: Props) -> Props:
    """What the engine's `Update` does."""
    table = TABLES[kind]
    assert table.update is not None
    changed = frozenset(key for key in {*old, *new} if old.get(key) != new.get(key))
    assert not any(table.properties[key].replaces for key in changed)
    table.update(cloud, identity, old, new, changed)
    return table.read(cloud, identity, new)


def covers(found: Props, inputs: Props) -> bool:
    return {key: found.get(key) for key in inputs} == inputs


def delete(cloud: Cloud, kind: str, identity: str, **inputs: Any) -> None:
    table = TABLES[kind]
    table.delete(cloud, identity, {**table.read(cloud, identity, inputs), **inputs})
    with pytest.raises(Gone):
        table.read(cloud, identity, {})
    with pytest.raises(Gone):
        table.delete(cloud, identity, inputs)


def network(cloud: Cloud) -> tuple[int, str]:
    """A network with one subnet: its id, and the subnet's."""
    made = make(cloud, "Network", name="net", ipRange="10.0.0.0/16")
    subnet = make(
        cloud, "NetworkSubnet", networkId=int(made), type="cloud", networkZone="eu-central", ipRange="10.0.1.0/24"
    )
    return int(made), subnet


SERVER: Props = {"name": "web", "serverType": "cx23", "image": "debian-12", "location": "fsn1"}
BALANCER: Props = {"name": "lb", "loadBalancerType": "lb11", "location": "fsn1"}


# -- the tables and the SDK -------------------------------------------------------------------------------------------

# Inputs of the SDK that are refused by name, each with its reason in the tables.
UNMAPPED = {
    "LoadBalancer": {"targets"},
    "NetworkSubnet": {"vswitchId"},
    "PrimaryIp": {"datacenter"},
    "Server": {"allowDeprecatedImages", "datacenter", "iso", "rescue"},
    "Zone": {"primaryNameservers"},
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_input_of_the_sdk_is_mapped_or_refused_on_purpose(kind: str) -> None:
    table, sdk = TABLES[kind], getattr(pulumi_hcloud, kind)
    module = inspect.getmodule(sdk)
    assert table.token in inspect.getsource(module or sdk)
    arguments = getattr(module, f"{kind}InitArgs", None) or getattr(module, f"{kind}Args")
    inputs = {_camel(name) for name in inspect.signature(arguments).parameters}
    required = {
        _camel(name) for name, entry in inspect.signature(arguments).parameters.items() if entry.default is entry.empty
    }
    outputs = {_camel(name) for name, entry in vars(sdk).items() if isinstance(entry, property)}
    assert set(table.properties) == inputs - UNMAPPED.get(kind, set())
    assert {name for name, entry in table.properties.items() if entry.required} == required
    assert set(table.computed) <= outputs
    # `datacenter` is an output that the API gives no longer.
    assert outputs - set(table.properties) - set(table.computed) <= UNMAPPED.get(kind, set()) | {"datacenter"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


# -- every type -------------------------------------------------------------------------------------------------------


def test_network_and_subnet(cloud: Cloud) -> None:
    inputs = {"name": "net", "ipRange": "10.0.0.0/16", "labels": {"a": "b"}, "deleteProtection": True}
    identity = make(cloud, "Network", **inputs)
    assert covers(state(cloud, "Network", identity), inputs)
    assert TABLES["Network"].find(cloud, inputs) == identity  # type: ignore[misc]
    subnet: Props = {
        "networkId": int(identity),
        "type": "cloud",
        "networkZone": "eu-central",
        "ipRange": "10.0.1.0/24",
    }
    assert TABLES["NetworkSubnet"].find(cloud, subnet) is None  # type: ignore[misc]
    inside = make(cloud, "NetworkSubnet", **subnet)
    assert inside == f"{identity}-10.0.1.0/24"
    assert state(cloud, "NetworkSubnet", inside) == {**subnet, "gateway": "10.0.0.1"}
    assert TABLES["NetworkSubnet"].find(cloud, subnet) == inside  # type: ignore[misc]
    delete(cloud, "NetworkSubnet", inside)
    # As the provider does it, not as its documentation says: the protection is not lifted by a deletion.
    with pytest.raises(APIException, match="protected"):
        TABLES["Network"].delete(cloud, identity, inputs)
    new: Props = {"name": "net2", "ipRange": "10.0.0.0/16", "exposeRoutesToVswitch": True}
    found = change(cloud, "Network", identity, inputs, new)
    assert covers(found, {**new, "labels": {}, "deleteProtection": False})
    delete(cloud, "Network", identity)


def test_firewall(cloud: Cloud) -> None:
    server = int(make(cloud, "Server", **SERVER))
    rules = [
        {"direction": "in", "protocol": "tcp", "port": "443", "sourceIps": ["0.0.0.0/0", "::/0"]},
        {"direction": "out", "protocol": "icmp", "destinationIps": ["203.0.113.9"], "description": "ping"},
    ]
    inputs: Props = {"name": "fw", "rules": rules, "applyTos": [{"server": server}]}
    identity = make(cloud, "Firewall", **inputs)
    found = state(cloud, "Firewall", identity)
    assert TABLES["Firewall"].properties["rules"].same(rules[::-1], found["rules"])  # type: ignore[misc]
    assert found["rules"][1]["destinationIps"] == ["203.0.113.9/32"]
    assert found["applyTos"] == [{"server": server}]
    new: Props = {
        "name": "fw",
        "labels": {"a": "b"},
        "rules": rules[:1],
        "applyTos": [{"labelSelector": "app=web"}],
    }
    found = change(cloud, "Firewall", identity, inputs, new)
    assert (len(found["rules"]), found["labels"]) == (1, {"a": "b"})
    assert found["applyTos"] == [{"labelSelector": "app=web"}]
    found = change(cloud, "Firewall", identity, new, {"name": "fw"})
    assert (found["rules"], found["applyTos"]) == ([], [{"labelSelector": "app=web"}])
    delete(cloud, "Firewall", identity)


def test_ssh_key_and_placement_group(cloud: Cloud) -> None:
    key: Props = {"name": "me", "publicKey": f"{KEY} me@example.com"}
    identity = make(cloud, "SshKey", **key)
    found = state(cloud, "SshKey", identity)
    assert covers(found, {**key, "labels": {}})
    assert len(found["fingerprint"].split(":")) == 16
    assert TABLES["SshKey"].properties["publicKey"].same(key["publicKey"], f"{KEY} other")  # type: ignore[misc]
    assert change(cloud, "SshKey", identity, key, {**key, "name": "you"})["name"] == "you"
    delete(cloud, "SshKey", identity)
    group: Props = {"name": "spread", "type": "spread"}
    identity = make(cloud, "PlacementGroup", **group)
    assert state(cloud, "PlacementGroup", identity) == {**group, "labels": {}, "servers": []}
    assert change(cloud, "PlacementGroup", identity, group, {**group, "labels": {"a": "b"}})["labels"] == {"a": "b"}
    delete(cloud, "PlacementGroup", identity)


def test_primary_ip(cloud: Cloud) -> None:
    inputs: Props = {"name": "front", "type": "ipv4", "location": "fsn1", "deleteProtection": True}
    identity = make(cloud, "PrimaryIp", **inputs)
    found = state(cloud, "PrimaryIp", identity)
    assert covers(found, {**inputs, "assigneeId": None, "assigneeType": "unassigned", "autoDelete": False})
    assert "ipNetwork" not in found
    server = int(make(cloud, "Server", **SERVER, publicNets=[{"ipv4Enabled": False}]))
    cloud.act("servers", server, "poweroff")
    assigned = {**inputs, "assigneeId": server, "assigneeType": "server", "deleteProtection": False}
    found = change(cloud, "PrimaryIp", identity, inputs, assigned)
    assert covers(found, assigned)
    assert change(cloud, "PrimaryIp", identity, assigned, {**inputs, "autoDelete": True})["assigneeId"] is None
    change(cloud, "PrimaryIp", identity, {**inputs, "autoDelete": True}, {**assigned, "labels": {"a": "b"}})
    # Taken from its server, which is stopped for it and started again.
    delete(cloud, "PrimaryIp", identity)
    assert state(cloud, "Server", str(server))["status"] == "running"
    ipv6 = make(cloud, "PrimaryIp", name="six", type="ipv6", location="fsn1")
    found = state(cloud, "PrimaryIp", ipv6)
    assert found["ipNetwork"] == f"{found['ipAddress']}/64"
    for wrong in ({}, {"location": "fsn1", "assigneeId": 1}, {"assigneeId": 1}):
        with pytest.raises(Refused, match="assignee"):
            make(cloud, "PrimaryIp", name="x", type="ipv4", **wrong)


def test_server(cloud: Cloud) -> None:
    net, subnet = network(cloud)
    key = make(cloud, "SshKey", name="me", publicKey=KEY)
    group = int(make(cloud, "PlacementGroup", name="spread", type="spread"))
    firewalls = [int(make(cloud, "Firewall", name=name)) for name in ("one", "two")]
    address = int(make(cloud, "PrimaryIp", name="front", type="ipv4", location="fsn1"))
    inputs: Props = {
        **SERVER,
        "sshKeys": ["me", key],
        "userData": "#cloud-config",
        "labels": {"app": "web"},
        "backups": True,
        "firewallIds": firewalls[:1],
        "placementGroupId": group,
        "publicNets": [{"ipv4": address, "ipv6Enabled": False}],
        "networks": [{"subnetId": subnet, "ip": "10.0.1.5", "aliasIps": ["10.0.1.6"]}],
        "deleteProtection": True,
        "rebuildProtection": True,
        "keepDisk": True,
        "shutdownBeforeDeletion": True,
    }
    identity = make(cloud, "Server", **inputs)
    found = state(cloud, "Server", identity, **inputs)
    plain = {key: value for key, value in inputs.items() if key in found}
    nested = ("userData", "publicNets", "networks")
    assert covers(found, {key: value for key, value in plain.items() if key not in nested})
    assert found["status"] == "running"
    assert (found["ipv4Address"], found["ipv6Address"]) == ("127.64.0.1", None)
    assert TABLES["Server"].properties["userData"].same("#cloud-config", found["userData"])  # type: ignore[misc]
    assert not TABLES["Server"].properties["userData"].same("#other", found["userData"])  # type: ignore[misc]
    assert "#cloud-config" not in str(found)
    assert state(cloud, "Server", identity, **found)["userData"] == found["userData"]
    assert found["networks"] == [
        {
            "networkId": net,
            "subnetId": subnet,
            "ip": "10.0.1.5",
            "aliasIps": ["10.0.1.6"],
            "macAddress": found["networks"][0]["macAddress"],
        }
    ]
    new: Props = {
        **SERVER,
        "name": "web2",
        "serverType": "cx33",
        "keepDisk": True,
        "firewallIds": firewalls[1:],
        "networks": [{"networkId": net, "ip": "10.0.1.7"}],
        "publicNets": [{}],
        "userData": "#cloud-config",
        "sshKeys": ["me", key],
    }
    found = change(cloud, "Server", identity, inputs, new)
    assert (found["name"], found["serverType"], found["primaryDiskSize"]) == ("web2", "cx33", 40)
    assert (found["backups"], found["deleteProtection"], found["placementGroupId"]) == (False, False, None)
    assert (found["firewallIds"], found["labels"], found["status"]) == (firewalls[1:], {}, "running")
    assert (found["networks"][0]["ip"], found["networks"][0]["aliasIps"]) == ("10.0.1.7", [])
    (public,) = found["publicNets"]
    assert public["ipv4Enabled"]
    assert public["ipv6Enabled"]
    assert public["ipv4"] != address
    # The address that was named is kept, the one that was made for the server goes with it.
    assert state(cloud, "PrimaryIp", str(address))["assigneeId"] is None
    hidden = {**new, "publicNets": [{"ipv4Enabled": False, "ipv6Enabled": False}]}
    found = change(cloud, "Server", identity, new, hidden)
    assert (found["ipv4Address"], found["ipv6Network"], found["status"]) == (None, None, "running")
    with pytest.raises(Gone):
        state(cloud, "PrimaryIp", str(public["ipv4"]))
    # Without `networks` the attachments are others' business.
    without = {key: value for key, value in hidden.items() if key != "networks"}
    change(cloud, "Server", identity, hidden, without)
    assert cloud.get("servers", identity)["private_net"]
    delete(cloud, "Server", identity, shutdownBeforeDeletion=True)


def test_a_server_without_public_addresses_starts_when_it_is_in_its_network(cloud: Cloud) -> None:
    net, _ = network(cloud)
    public = [{"ipv4Enabled": False, "ipv6Enabled": False}]
    identity = make(cloud, "Server", **SERVER, publicNets=public, networks=[{"networkId": net}])
    found = state(cloud, "Server", identity, publicNets=public, networks=[{"networkId": net}])
    assert (found["status"], found["networks"][0]["ip"]) == ("running", "10.0.1.1")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"deleteProtection": True}, "must be the same"),
        ({"image": "debian-99"}, "image debian-99 for architecture x86 not found"),
        ({"serverType": "cx1"}, "server type cx1 not found"),
        ({"publicNets": [{}, {}]}, "one public network"),
        ({"publicNets": [{"ipv4Enabled": False, "ipv4": 1}]}, "not allowed"),
        ({"publicNets": [{"ipv5": 1}]}, r"publicNets\[0\]\.ipv5"),
        ({"networks": [{"networkId": 2, "subnetId": "1-10.0.0.0/24"}]}, "not in the network 2"),
        ({"networks": [{"ip": "10.0.0.2"}]}, "needs `networkId` or `subnetId`"),
        ({"networks": [{"networkId": 1}, {"networkId": 1}]}, "once"),
        ({"networks": [{"networkId": 1, "gateway": "10.0.0.1"}]}, r"networks\[0\]\.gateway"),
    ],
)
def test_a_server_that_cannot_be_is_refused_before_anything_is_made(cloud: Cloud, wrong: Props, said: str) -> None:
    with pytest.raises(Refused, match=said):
        make(cloud, "Server", **{**SERVER, **wrong})
    assert cloud.named("servers", "web") is None


def test_load_balancer(cloud: Cloud) -> None:
    address = int(make(cloud, "PrimaryIp", name="front", type="ipv4", location="fsn1"))
    inputs: Props = {
        **BALANCER,
        "ipv4Id": address,
        "algorithm": {"type": "least_connections"},
        "deleteProtection": True,
        "labels": {"a": "b"},
    }
    identity = make(cloud, "LoadBalancer", **inputs)
    found = state(cloud, "LoadBalancer", identity)
    assert covers(found, {**inputs, "ipv4": "127.64.0.1", "networkZone": "eu-central", "networkId": None})
    new: Props = {**BALANCER, "ipv4Id": address, "name": "lb2", "loadBalancerType": "lb21"}
    found = change(cloud, "LoadBalancer", identity, inputs, new)
    assert covers(found, {**new, "deleteProtection": False, "labels": {}})
    assert found["algorithm"] == {"type": "least_connections"}
    found = change(cloud, "LoadBalancer", identity, new, {**new, "algorithm": {"type": "round_robin"}})
    assert found["algorithm"] == {"type": "round_robin"}
    delete(cloud, "LoadBalancer", identity)
    assert state(cloud, "PrimaryIp", str(address))["ipAddress"] == "127.64.0.1"
    with pytest.raises(Refused, match="exactly one"):
        make(cloud, "LoadBalancer", name="x", loadBalancerType="lb11")


def test_load_balancer_network(cloud: Cloud) -> None:
    net, subnet = network(cloud)
    balancer = int(make(cloud, "LoadBalancer", **BALANCER))
    inputs: Props = {"loadBalancerId": balancer, "subnetId": subnet, "enablePublicInterface": False}
    identity = make(cloud, "LoadBalancerNetwork", **inputs)
    assert identity == f"{balancer}-{net}"
    found = state(cloud, "LoadBalancerNetwork", identity, **inputs)
    assert found == {**inputs, "networkId": net, "ip": "10.0.1.1"}
    assert state(cloud, "LoadBalancer", str(balancer))["networkIp"] == "10.0.1.1"
    assert TABLES["LoadBalancerNetwork"].find(cloud, inputs) == identity  # type: ignore[misc]
    assert TABLES["LoadBalancerNetwork"].create(cloud, inputs) == identity  # already in that network
    found = change(cloud, "LoadBalancerNetwork", identity, inputs, {**inputs, "enablePublicInterface": True})
    assert found["enablePublicInterface"] is True
    delete(cloud, "LoadBalancerNetwork", identity)
    fixed: Props = {"loadBalancerId": balancer, "subnetId": subnet, "ip": "10.0.1.2"}
    identity = make(cloud, "LoadBalancerNetwork", **fixed)
    assert covers(state(cloud, "LoadBalancerNetwork", identity, **fixed), fixed)
    assert state(cloud, "LoadBalancer", str(balancer))["networkIp"] == "10.0.1.2"


def test_servers_are_started_before_they_are_in_their_networks_if_they_can_be(cloud: Cloud, app: Application) -> None:
    """As the provider does it, and what boots has to expect."""
    _, subnet = network(cloud)
    networks = [{"subnetId": subnet, "ip": "10.0.1.11", "aliasIps": []}]
    hidden = [{"ipv4Enabled": False, "ipv6Enabled": False}]
    done = {}
    for name, public in (("public", [{}]), ("hidden", hidden)):
        identity = make(cloud, "Server", **{**SERVER, "name": name}, networks=networks, publicNets=public)
        assert state(cloud, "Server", identity, networks=networks)["networks"][0]["ip"] == "10.0.1.11"
        with app.reading() as data:
            about = {"id": int(identity), "type": "server"}
            actions = [action for action in data["actions"].values() if about in action["resources"]]
            assert data["servers"][identity]["boots"] == 1
        done[name] = [action["command"] for action in actions]
        delete(cloud, "Server", identity)
    assert done == {
        "public": ["create_server", "start_server", "attach_to_network"],
        "hidden": ["create_server", "attach_to_network", "start_server"],
    }


def test_a_sold_out_server_fails_by_the_clouds_own_words(cloud: Cloud, app: Application) -> None:
    app._settings = replace(
        app._settings, sold_out=lambda server_type, location: "openly" if location == "fsn1" else None
    )
    with pytest.raises(APIException, match=r"error during placement \(resource_unavailable"):
        make(cloud, "Server", **SERVER)
    assert cloud.named("servers", "web") is None
    make(cloud, "Server", **{**SERVER, "location": "nbg1"})


def test_load_balancer_targets(cloud: Cloud) -> None:
    net, subnet = network(cloud)
    balancer = int(make(cloud, "LoadBalancer", **BALANCER))
    server = int(make(cloud, "Server", **SERVER, networks=[{"subnetId": subnet}]))
    of = {"loadBalancerId": balancer}
    private: Props = {**of, "type": "server", "serverId": server, "usePrivateIp": True}
    with ThreadPoolExecutor() as pool:
        # The target waits for the load balancer to be in the network, as things are made at the same time.
        target = pool.submit(make, cloud, "LoadBalancerTarget", **private)
        make(cloud, "LoadBalancerNetwork", **of, networkId=net)
        identity = target.result()
    assert identity == f"lb-srv-tgt-{server}-{balancer}"
    assert covers(state(cloud, "LoadBalancerTarget", identity), private)
    found = change(cloud, "LoadBalancerTarget", identity, private, {**private, "usePrivateIp": False})
    assert found["usePrivateIp"] is False
    imported = state(cloud, "LoadBalancerTarget", f"{balancer}__server__{server}")
    assert imported["id"] == identity
    others: list[Props] = [
        {**of, "type": "label_selector", "labelSelector": "app in (web, api)", "usePrivateIp": True},
        {**of, "type": "ip", "ip": "198.18.0.1"},
    ]
    for inputs in others:
        assert TABLES["LoadBalancerTarget"].find(cloud, inputs) is None  # type: ignore[misc]
        other = make(cloud, "LoadBalancerTarget", **inputs)
        assert covers(state(cloud, "LoadBalancerTarget", other), inputs)
        assert TABLES["LoadBalancerTarget"].find(cloud, inputs) == other  # type: ignore[misc]
        delete(cloud, "LoadBalancerTarget", other)
    delete(cloud, "LoadBalancerTarget", identity)
    for wrong in ({"serverId": 1}, {"ip": "198.18.0.1", "usePrivateIp": True}, {}):
        with pytest.raises(Refused):
            make(cloud, "LoadBalancerTarget", **of, type="ip", **wrong)


def test_load_balancer_service(cloud: Cloud) -> None:
    balancer = make(cloud, "LoadBalancer", **BALANCER)
    check = {"protocol": "http", "port": 8080, "interval": 3, "timeout": 2, "retries": 2}
    inputs: Props = {
        "loadBalancerId": balancer,
        "protocol": "http",
        "destinationPort": 8080,
        "http": {"stickySessions": True},
        "healthCheck": {**check, "http": {"path": "/up", "statusCodes": ["200"]}},
    }
    identity = make(cloud, "LoadBalancerService", **inputs)
    assert identity == f"{balancer}__80"
    found = state(cloud, "LoadBalancerService", identity)
    assert (found["listenPort"], found["proxyprotocol"], found["http"]["cookieName"]) == (80, False, "HCLBSTICKY")
    assert covers(found["healthCheck"], check)
    assert found["healthCheck"]["http"]["statusCodes"] == ["200"]
    new = {**inputs, "destinationPort": 8081, "proxyprotocol": True, "healthCheck": {**check, "interval": 5}}
    found = change(cloud, "LoadBalancerService", identity, inputs, new)
    assert (found["destinationPort"], found["proxyprotocol"], found["healthCheck"]["interval"]) == (8081, True, 5)
    assert found["healthCheck"]["http"]["path"] == "/up"
    assert TABLES["LoadBalancerService"].find(cloud, inputs) == identity  # type: ignore[misc]
    with pytest.raises(Refused, match=r"healthCheck\.http\.method"):
        broken = {**inputs, "listenPort": 81, "healthCheck": {**check, "http": {"method": "HEAD"}}}
        make(cloud, "LoadBalancerService", **broken)
    delete(cloud, "LoadBalancerService", identity)


def test_zone_and_record_sets(cloud: Cloud) -> None:
    inputs: Props = {"name": "example.com", "mode": "primary", "labels": {"a": "b"}, "deleteProtection": True}
    identity = make(cloud, "Zone", **inputs)
    found = state(cloud, "Zone", identity)
    assert covers(found, {**inputs, "id": identity, "ttl": 3600, "registrar": "other"})
    assert len(found["authoritativeNameservers"]["assigneds"]) == 3
    assert state(cloud, "Zone", "example.com")["id"] == identity  # as an import may name it
    assert TABLES["Zone"].find(cloud, inputs) == identity  # type: ignore[misc]
    found = change(cloud, "Zone", identity, inputs, {**inputs, "ttl": 60, "labels": {}, "deleteProtection": False})
    assert covers(found, {"ttl": 60, "labels": {}, "deleteProtection": False})

    records = [{"value": "127.64.0.1", "comment": "one"}, {"value": "127.64.0.2"}]
    www: Props = {"zone": "example.com", "name": "www", "type": "A", "ttl": 60, "records": records}
    assert TABLES["ZoneRrset"].find(cloud, www) is None  # type: ignore[misc]
    rrset = make(cloud, "ZoneRrset", **www, changeProtection=True)
    assert rrset == "www/A"
    assert covers(state(cloud, "ZoneRrset", rrset, **www), {**www, "changeProtection": True, "labels": {}})
    assert state(cloud, "ZoneRrset", "example.com/www/A")["id"] == rrset  # an import names the zone too
    assert TABLES["ZoneRrset"].find(cloud, www) == rrset  # type: ignore[misc]
    assert TABLES["ZoneRrset"].properties["records"].same(records, records[::-1])  # type: ignore[misc]
    with pytest.raises(APIException, match="protected"):
        TABLES["ZoneRrset"].delete(cloud, rrset, www)
    # A protection that goes, goes first; one that stays or comes does not keep its own change out.
    old = {**www, "changeProtection": True}
    new = {**www, "labels": {"a": "b"}, "records": records[:1]}
    del new["ttl"]
    found = change(cloud, "ZoneRrset", rrset, old, new)
    assert covers(found, {"ttl": None, "labels": {"a": "b"}, "records": records[:1], "changeProtection": False})
    found = change(cloud, "ZoneRrset", rrset, new, {**www, "changeProtection": True})
    assert covers(found, {"ttl": 60, "labels": {}, "changeProtection": True})
    change(cloud, "ZoneRrset", rrset, {**www, "changeProtection": True}, www)
    delete(cloud, "ZoneRrset", rrset, zone=www["zone"])
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: make(cloud, "ZoneRrset", **{**www, "name": f"h{n}"}), range(16)))
    assert len(set(made)) == 16
    with pytest.raises(Refused, match="SOA"):
        make(cloud, "ZoneRrset", **{**www, "type": "SOA"})
    delete(cloud, "Zone", identity)


def test_certificates(cloud: Cloud) -> None:
    inputs: Props = {"name": "web", "domainNames": ["www.example.com", "example.com"]}
    # Made, but not issued: the engine keeps it as partly made, and the next update tries again.
    identity = TABLES["ManagedCertificate"].create(cloud, inputs)
    with pytest.raises((ActionFailedException, RuntimeError), match="dns_zone_not_found"):
        TABLES["ManagedCertificate"].settle(cloud, identity, inputs)  # type: ignore[misc]
    assert TABLES["ManagedCertificate"].find(cloud, inputs) == identity  # type: ignore[misc]
    make(cloud, "Zone", name="example.com", mode="primary")
    found = change(cloud, "ManagedCertificate", identity, inputs, {**inputs, "labels": {"a": "b"}})
    assert covers(found, {**inputs, "type": "managed", "labels": {"a": "b"}})
    assert found["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" not in str(found)

    balancer = make(cloud, "LoadBalancer", **BALANCER)
    http = {"certificates": [int(identity)], "redirectHttp": True}
    https: Props = {"loadBalancerId": balancer, "protocol": "https", "destinationPort": 8080, "http": http}
    service = make(cloud, "LoadBalancerService", **https)
    assert service == f"{balancer}__443"
    assert covers(state(cloud, "LoadBalancerService", service)["http"], http)
    with ThreadPoolExecutor() as pool:
        # A certificate waits for the service that uses it, when both go at the same time.
        going = pool.submit(delete, cloud, "ManagedCertificate", identity)
        delete(cloud, "LoadBalancerService", service)
        going.result()

    issued = CertificateAuthority("Another authority", None).issue(["www.example.org"])
    own: Props = {"name": "own", "certificate": issued.certificate, "privateKey": issued.key}
    identity = make(cloud, "UploadedCertificate", **own)
    found = state(cloud, "UploadedCertificate", identity)
    assert covers(found, {"name": "own", "type": "uploaded", "domainNames": ["www.example.org"]})
    assert TABLES["UploadedCertificate"].properties["certificate"].same(own["certificate"], found["certificate"])  # type: ignore[misc]
    assert change(cloud, "UploadedCertificate", identity, own, {**own, "name": "own2"})["name"] == "own2"
    delete(cloud, "UploadedCertificate", identity)


# -- functions --------------------------------------------------------------------------------------------------------


def call(provider: Provider, name: str, /, **arguments: Any) -> Props:
    token = f"hcloud:index/{name}:{name}"
    context = MagicMock(spec=grpc.ServicerContext)
    context.code.return_value = None
    context.abort.side_effect = lambda code, message: (_ for _ in ()).throw(Refused(message))
    answer = provider.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_wire(arguments)), context)
    assert not answer.failures
    return from_wire(getattr(answer, "return"))


def test_functions_of_a_provider_that_a_preview_is_only_about_to_make(cloud: Cloud, endpoint: str) -> None:
    provider = Provider(PLUGIN, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    context = MagicMock(spec=grpc.ServicerContext)
    provider.Configure(provider_pb2.ConfigureRequest(args=to_wire({"token": UNKNOWN})), context)
    net, subnet = network(cloud)
    one = make(cloud, "Server", **SERVER, labels={"pool": "api"}, networks=[{"subnetId": subnet, "ip": "10.0.1.11"}])
    two = make(cloud, "Server", **{**SERVER, "name": "other"}, labels={"pool": "worker"})
    found = call(provider, "getServers", withSelector="pool=api", withStatuses=["running"])
    (server,) = found["servers"]
    assert (server["id"], server["name"], server["status"]) == (int(one), "web", "running")
    assert server["networks"][0] == {**server["networks"][0], "networkId": net, "ip": "10.0.1.11"}
    assert call(provider, "getServers", withStatuses=["off"])["servers"] == []
    assert len(call(provider, "getServers")["servers"]) == 2
    assert call(provider, "getServer", name="other")["id"] == int(two)
    assert call(provider, "getServer", withSelector="pool=worker")["name"] == "other"
    for wrong in ({"id": 4711}, {"name": "nobody"}, {"withSelector": "pool"}, {"withSelector": "nothing"}, {}):
        with pytest.raises(Refused, match="Server"):
            call(provider, "getServer", **wrong)
    types = call(provider, "getServerTypes")
    assert "cx23" in types["names"]
    cx23 = next(entry for entry in types["serverTypes"] if entry["name"] == "cx23")
    assert {place["name"]: place["available"] for place in cx23["locations"]} == dict.fromkeys(
        ("fsn1", "nbg1", "hel1"), True
    )
    assert call(provider, "getServerType", name="cx23") == cx23
    balancer = make(cloud, "LoadBalancer", **BALANCER)
    make(cloud, "LoadBalancerService", loadBalancerId=balancer, protocol="http")
    (entry,) = call(provider, "getLoadBalancers")["loadBalancers"]
    assert (entry["services"][0]["listenPort"], entry["services"][0]["https"][0]["timeoutIdle"]) == (80, 60)
    assert call(provider, "getLoadBalancer", id=int(balancer))["name"] == "lb"
    zone = make(cloud, "Zone", name="example.com", mode="primary")
    assert call(provider, "getZone", name="example.com")["id"] == int(zone)


def test_functions_give_what_the_sdk_expects() -> None:
    for function in PLUGIN.functions:
        name = function.token.rpartition(":")[2]
        module = inspect.getmodule(getattr(pulumi_hcloud, _snake(name)))
        signature = inspect.signature(getattr(module, _snake(name)))
        assert {_camel(argument) for argument in signature.parameters} - {"opts"} >= set(function.arguments)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


# -- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", PLUGIN.resources, ids=lambda table: table.token)
def test_what_is_not_there_is_gone(cloud: Cloud, table: ResourceType) -> None:
    for identity in ("4711", "4711-4712", "4711__80", "4711-10.0.0.0/24", "lb-srv-tgt-1-4711", "nonsense", "a-b"):
        with pytest.raises(Gone):
            table.read(cloud, identity, {})
        with pytest.raises(Gone):
            table.delete(cloud, identity, {})


def test_a_step_that_failed_is_done_by_the_next_update(cloud: Cloud) -> None:
    """The engine keeps what was made and updates it, with no input changed."""
    inputs: Props = {
        **SERVER,
        "backups": True,
        "deleteProtection": True,
        "rebuildProtection": True,
        "networks": [{"networkId": 4711}],
    }
    with pytest.raises(APIException, match="not_found"):
        make(cloud, "Server", **inputs)
    identity = TABLES["Server"].find(cloud, inputs)  # type: ignore[misc]
    assert identity is not None
    net, _ = network(cloud)
    found = change(cloud, "Server", identity, inputs, {**inputs, "networks": [{"networkId": net}]})
    assert (found["backups"], found["deleteProtection"], found["networks"][0]["networkId"]) == (True, True, net)


def test_many_at_once(cloud: Cloud) -> None:
    with ThreadPoolExecutor(10) as pool:
        servers = list(pool.map(lambda n: make(cloud, "Server", **{**SERVER, "name": f"s{n}"}), range(20)))
        found = list(pool.map(lambda identity: state(cloud, "Server", identity), servers))
        assert len({entry["ipv4Address"] for entry in found}) == 20
        list(pool.map(lambda identity: TABLES["Server"].delete(cloud, identity, {}), servers))
    for identity in servers:
        with pytest.raises(Gone):
            state(cloud, "Server", identity)


def test_what_was_just_made_has_not_drifted(cloud: Cloud, endpoint: str) -> None:
    """Through the plugin itself: a refresh finds what was declared, and the next update has nothing to do."""
    net, subnet = network(cloud)
    address = int(make(cloud, "PrimaryIp", name="front", type="ipv4", location="fsn1"))
    group = int(make(cloud, "PlacementGroup", name="spread", type="spread"))
    balancer = int(make(cloud, "LoadBalancer", **{**BALANCER, "name": "first"}))
    issued = CertificateAuthority("Another authority", None).issue(["www.example.org"])
    declared: list[tuple[str, Props]] = [
        ("Network", {"name": "second", "ipRange": "10.9.0.0/16", "deleteProtection": True}),
        ("NetworkSubnet", {"networkId": net, "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.9.0/24"}),
        ("SshKey", {"name": "me", "publicKey": f"{KEY} me@example.com", "labels": {"a": "b"}}),
        ("PlacementGroup", {"name": "other", "type": "spread"}),
        ("PrimaryIp", {"name": "six", "type": "ipv6", "location": "fsn1", "assigneeType": "server"}),
        ("Firewall", {"name": "open", "rules": []}),
        (
            "Firewall",
            {
                "name": "fw",
                "rules": [
                    {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["::/0", "203.0.113.9"]},
                    {"direction": "in", "protocol": "icmp", "sourceIps": ["0.0.0.0/0"]},
                ],
            },
        ),
        ("Server", {**SERVER, "name": "plain"}),
        (
            "Server",
            {
                **SERVER,
                "image": "114690387",
                "userData": "#cloud-config\n",
                "labels": {"app": "web"},
                "backups": True,
                "keepDisk": True,
                "shutdownBeforeDeletion": True,
                "placementGroupId": group,
                "publicNets": [{"ipv6Enabled": False}],
                "networks": [{"subnetId": subnet, "aliasIps": []}],
            },
        ),
        ("LoadBalancer", {**BALANCER, "ipv4Id": address, "algorithm": {"type": "round_robin"}}),
        ("LoadBalancerNetwork", {"loadBalancerId": balancer, "subnetId": subnet}),
        ("LoadBalancerTarget", {"loadBalancerId": balancer, "type": "label_selector", "labelSelector": "app=web"}),
        ("LoadBalancerService", {"loadBalancerId": str(balancer), "protocol": "http"}),
        ("Zone", {"name": "example.com", "mode": "primary", "deleteProtection": True}),
        (
            "ZoneRrset",
            {
                "zone": "example.com",
                "name": "www",
                "type": "A",
                "ttl": 60,
                "records": [{"value": "127.64.0.9"}, {"value": "127.64.0.8"}],
            },
        ),
        ("ManagedCertificate", {"name": "web", "domainNames": ["www.example.com"]}),
        (
            "UploadedCertificate",
            {"name": "own", "certificate": issued.certificate, "privateKey": issued.key, "labels": {"a": "b"}},
        ),
        (
            "LoadBalancerService",
            {
                "loadBalancerId": str(balancer),
                "protocol": "http",
                "listenPort": 81,
                "destinationPort": 8080,
                "healthCheck": {"protocol": "http", "port": 8080, "interval": 3, "timeout": 2, "retries": 2},
            },
        ),
    ]
    provider = Provider(PLUGIN, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    context = MagicMock(spec=grpc.ServicerContext)
    for kind, inputs in declared:
        urn = f"urn:pulumi:stack::project::{TABLES[kind].token}::one"
        wire = to_wire(inputs)
        assert not provider.Check(provider_pb2.CheckRequest(urn=urn, news=wire), context).failures
        created = provider.Create(provider_pb2.CreateRequest(urn=urn, properties=wire), context)
        request = provider_pb2.ReadRequest(urn=urn, id=created.id, properties=created.properties, inputs=wire)
        refreshed = provider.Read(request, context)
        assert (refreshed.id, from_wire(refreshed.inputs)) == (created.id, inputs)
        assert from_wire(refreshed.properties) == from_wire(created.properties)
        imported = provider.Read(provider_pb2.ReadRequest(urn=urn, id=created.id), context)
        assert set(from_wire(imported.inputs)) <= set(TABLES[kind].properties)
        again = provider_pb2.DiffRequest(
            urn=urn, id=created.id, olds=created.properties, old_inputs=refreshed.inputs, news=wire
        )
        assert provider.Diff(again, context).changes == provider_pb2.DiffResponse.DIFF_NONE, kind


# -- the way to the cloud ---------------------------------------------------------------------------------------------

LOCAL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("settings", "environment", "said"),
    [
        ({"endpoint": LOCAL}, {}, "token is missing"),
        ({"endpoint": LOCAL, "token": "short"}, {}, "64 characters"),
        ({"token": TOKEN}, {}, "needs an endpoint"),
        ({"token": TOKEN, "endpoint": "https://api.hetzner.cloud/v1"}, {}, "only to loopback"),
        ({"token": TOKEN}, {"HCLOUD_ENDPOINT": "http://192.0.2.1/v1"}, "only to loopback"),
        ({"token": TOKEN, "endpoint": "http://127.0.0.1.example.com/v1"}, {}, "only to loopback"),
        ({"token": TOKEN, "endpoint": LOCAL, "endpointHetzner": "https://api.hetzner.com/v1"}, {}, "endpointHetzner"),
        ({"token": TOKEN, "endpoint": LOCAL, "pollInterval": "soon"}, {}, "pollInterval"),
    ],
)
def test_only_a_cloud_on_this_machine_is_spoken_to(settings: Props, environment: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        PLUGIN.connect(settings, environment)


def test_token_and_endpoint_may_come_from_the_environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")  # must not be asked for this machine's own addresses
    cloud = PLUGIN.connect({}, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    assert make(cloud, "PlacementGroup", name="g", type="spread")
    wrong = PLUGIN.connect({"token": "x" * 64}, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    with pytest.raises(APIException, match="unauthorized"):
        make(wrong, "PlacementGroup", name="h", type="spread")
