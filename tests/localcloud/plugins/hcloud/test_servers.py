"""The tables of servers, networks, firewalls, keys and addresses, against the emulator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hcloud import APIException

from localcloud.hetzner import Application
from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.table import GoneError, Props, RefusedError
from tests.localcloud.plugins.hcloud.harness import (
    KEY,
    SERVER,
    TABLES,
    change,
    covers,
    delete,
    made_network,
    make,
    state,
)


def test_network_and_subnet(hcloud: Cloud) -> None:
    inputs = {"name": "net", "ipRange": "10.0.0.0/16", "labels": {"a": "b"}, "deleteProtection": True}
    identity = make(hcloud, "Network", **inputs)
    assert covers(state(hcloud, "Network", identity), inputs)
    assert TABLES["Network"].find(hcloud, inputs) == identity  # type: ignore[misc]
    subnet: Props = {
        "networkId": int(identity),
        "type": "cloud",
        "networkZone": "eu-central",
        "ipRange": "10.0.1.0/24",
    }
    assert TABLES["NetworkSubnet"].find(hcloud, subnet) is None  # type: ignore[misc]
    inside = make(hcloud, "NetworkSubnet", **subnet)
    assert inside == f"{identity}-10.0.1.0/24"
    assert state(hcloud, "NetworkSubnet", inside) == {**subnet, "gateway": "10.0.0.1"}
    assert TABLES["NetworkSubnet"].find(hcloud, subnet) == inside  # type: ignore[misc]
    delete(hcloud, "NetworkSubnet", inside)
    # Like the provider's source, and unlike its documentation: a deletion does not remove the protection.
    with pytest.raises(APIException, match="protected"):
        TABLES["Network"].delete(hcloud, identity, inputs)
    new: Props = {"name": "net2", "ipRange": "10.0.0.0/16", "exposeRoutesToVswitch": True}
    found = change(hcloud, "Network", identity, inputs, new)
    assert covers(found, {**new, "labels": {}, "deleteProtection": False})
    delete(hcloud, "Network", identity)


def test_firewall(hcloud: Cloud) -> None:
    server = int(make(hcloud, "Server", **SERVER))
    rules = [
        {"direction": "in", "protocol": "tcp", "port": "443", "sourceIps": ["0.0.0.0/0", "::/0"]},
        {"direction": "out", "protocol": "icmp", "destinationIps": ["203.0.113.9"], "description": "ping"},
    ]
    inputs: Props = {"name": "fw", "rules": rules, "applyTos": [{"server": server}]}
    identity = make(hcloud, "Firewall", **inputs)
    found = state(hcloud, "Firewall", identity)
    assert TABLES["Firewall"].properties["rules"].same(rules[::-1], found["rules"])  # type: ignore[misc]
    assert found["rules"][1]["destinationIps"] == ["203.0.113.9/32"]
    assert found["applyTos"] == [{"server": server}]
    new: Props = {
        "name": "fw",
        "labels": {"a": "b"},
        "rules": rules[:1],
        "applyTos": [{"labelSelector": "app=web"}],
    }
    found = change(hcloud, "Firewall", identity, inputs, new)
    assert (len(found["rules"]), found["labels"]) == (1, {"a": "b"})
    assert found["applyTos"] == [{"labelSelector": "app=web"}]
    found = change(hcloud, "Firewall", identity, new, {"name": "fw"})
    assert (found["rules"], found["applyTos"]) == ([], [{"labelSelector": "app=web"}])
    delete(hcloud, "Firewall", identity)


def test_ssh_key_and_placement_group(hcloud: Cloud) -> None:
    key: Props = {"name": "me", "publicKey": f"{KEY} me@example.com"}
    identity = make(hcloud, "SshKey", **key)
    found = state(hcloud, "SshKey", identity)
    assert covers(found, {**key, "labels": {}})
    assert len(found["fingerprint"].split(":")) == 16
    assert TABLES["SshKey"].properties["publicKey"].same(key["publicKey"], f"{KEY} other")  # type: ignore[misc]
    assert change(hcloud, "SshKey", identity, key, {**key, "name": "you"})["name"] == "you"
    delete(hcloud, "SshKey", identity)
    group: Props = {"name": "spread", "type": "spread"}
    identity = make(hcloud, "PlacementGroup", **group)
    assert state(hcloud, "PlacementGroup", identity) == {**group, "labels": {}, "servers": []}
    assert change(hcloud, "PlacementGroup", identity, group, {**group, "labels": {"a": "b"}})["labels"] == {"a": "b"}
    delete(hcloud, "PlacementGroup", identity)


def test_primary_ip(hcloud: Cloud) -> None:
    inputs: Props = {"name": "front", "type": "ipv4", "location": "fsn1", "deleteProtection": True}
    identity = make(hcloud, "PrimaryIp", **inputs)
    found = state(hcloud, "PrimaryIp", identity)
    assert covers(found, {**inputs, "assigneeId": None, "assigneeType": "unassigned", "autoDelete": False})
    assert "ipNetwork" not in found
    server = int(make(hcloud, "Server", **SERVER, publicNets=[{"ipv4Enabled": False}]))
    hcloud.act("servers", server, "poweroff")
    assigned = {**inputs, "assigneeId": server, "assigneeType": "server", "deleteProtection": False}
    found = change(hcloud, "PrimaryIp", identity, inputs, assigned)
    assert covers(found, assigned)
    assert change(hcloud, "PrimaryIp", identity, assigned, {**inputs, "autoDelete": True})["assigneeId"] is None
    change(hcloud, "PrimaryIp", identity, {**inputs, "autoDelete": True}, {**assigned, "labels": {"a": "b"}})
    # A deletion unassigns the address; its server is stopped for that and started again.
    delete(hcloud, "PrimaryIp", identity)
    assert state(hcloud, "Server", str(server))["status"] == "running"
    ipv6 = make(hcloud, "PrimaryIp", name="six", type="ipv6", location="fsn1")
    found = state(hcloud, "PrimaryIp", ipv6)
    assert found["ipNetwork"] == f"{found['ipAddress']}/64"
    for wrong in ({}, {"location": "fsn1", "assigneeId": 1}, {"assigneeId": 1}):
        with pytest.raises(RefusedError, match="assignee"):
            make(hcloud, "PrimaryIp", name="x", type="ipv4", **wrong)


def test_server(hcloud: Cloud) -> None:
    net, subnet = made_network(hcloud)
    key = make(hcloud, "SshKey", name="me", publicKey=KEY)
    group = int(make(hcloud, "PlacementGroup", name="spread", type="spread"))
    firewalls = [int(make(hcloud, "Firewall", name=name)) for name in ("one", "two")]
    address = int(make(hcloud, "PrimaryIp", name="front", type="ipv4", location="fsn1"))
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
    identity = make(hcloud, "Server", **inputs)
    found = state(hcloud, "Server", identity, **inputs)
    plain = {key: value for key, value in inputs.items() if key in found}
    nested = ("userData", "publicNets", "networks")
    assert covers(found, {key: value for key, value in plain.items() if key not in nested})
    assert found["status"] == "running"
    assert (found["ipv4Address"], found["ipv6Address"]) == ("127.64.0.1", None)
    assert TABLES["Server"].properties["userData"].same("#cloud-config", found["userData"])  # type: ignore[misc]
    assert not TABLES["Server"].properties["userData"].same("#other", found["userData"])  # type: ignore[misc]
    assert "#cloud-config" not in str(found)
    assert state(hcloud, "Server", identity, **found)["userData"] == found["userData"]
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
    found = change(hcloud, "Server", identity, inputs, new)
    assert (found["name"], found["serverType"], found["primaryDiskSize"]) == ("web2", "cx33", 40)
    assert (found["backups"], found["deleteProtection"], found["placementGroupId"]) == (False, False, None)
    assert (found["firewallIds"], found["labels"], found["status"]) == (firewalls[1:], {}, "running")
    assert (found["networks"][0]["ip"], found["networks"][0]["aliasIps"]) == ("10.0.1.7", [])
    (public,) = found["publicNets"]
    assert public["ipv4Enabled"]
    assert public["ipv6Enabled"]
    assert public["ipv4"] != address
    # A declared address is kept, and an address that was created for the server is deleted with it.
    assert state(hcloud, "PrimaryIp", str(address))["assigneeId"] is None
    hidden = {**new, "publicNets": [{"ipv4Enabled": False, "ipv6Enabled": False}]}
    found = change(hcloud, "Server", identity, new, hidden)
    assert (found["ipv4Address"], found["ipv6Network"], found["status"]) == (None, None, "running")
    with pytest.raises(GoneError):
        state(hcloud, "PrimaryIp", str(public["ipv4"]))
    # Without `networks` the attachments stay: separate resources may declare them.
    without = {key: value for key, value in hidden.items() if key != "networks"}
    change(hcloud, "Server", identity, hidden, without)
    assert hcloud.get("servers", identity)["private_net"]
    delete(hcloud, "Server", identity, shutdownBeforeDeletion=True)


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
def test_server_wrong_input_refused(hcloud: Cloud, wrong: Props, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        make(hcloud, "Server", **{**SERVER, **wrong})
    assert hcloud.named("servers", "web") is None


def test_server_start_and_attachment_order(hcloud: Cloud, app: Application) -> None:
    """The order is the provider's. A host must expect it at its first boot."""
    _, subnet = made_network(hcloud)
    networks = [{"subnetId": subnet, "ip": "10.0.1.11", "aliasIps": []}]
    hidden = [{"ipv4Enabled": False, "ipv6Enabled": False}]
    done = {}
    for name, public in (("public", [{}]), ("hidden", hidden)):
        identity = make(hcloud, "Server", **{**SERVER, "name": name}, networks=networks, publicNets=public)
        assert state(hcloud, "Server", identity, networks=networks)["networks"][0]["ip"] == "10.0.1.11"
        with app.reading() as data:
            about = {"id": int(identity), "type": "server"}
            actions = [action for action in data["actions"].values() if about in action["resources"]]
            assert data["servers"][identity]["boots"] == 1
        done[name] = [action["command"] for action in actions]
        delete(hcloud, "Server", identity)
    assert done == {
        "public": ["create_server", "start_server", "attach_to_network"],
        "hidden": ["create_server", "attach_to_network", "start_server"],
    }


def test_update_repeats_failed_step(hcloud: Cloud) -> None:
    """The engine keeps a partly created object and updates it without a changed input."""
    inputs: Props = {
        **SERVER,
        "backups": True,
        "deleteProtection": True,
        "rebuildProtection": True,
        "networks": [{"networkId": 4711}],
    }
    with pytest.raises(APIException, match="not_found"):
        make(hcloud, "Server", **inputs)
    identity = TABLES["Server"].find(hcloud, inputs)  # type: ignore[misc]
    assert identity is not None
    net, _ = made_network(hcloud)
    found = change(hcloud, "Server", identity, inputs, {**inputs, "networks": [{"networkId": net}]})
    assert (found["backups"], found["deleteProtection"], found["networks"][0]["networkId"]) == (True, True, net)


def test_many_servers_at_once(hcloud: Cloud) -> None:
    with ThreadPoolExecutor(10) as pool:
        servers = list(pool.map(lambda n: make(hcloud, "Server", **{**SERVER, "name": f"s{n}"}), range(20)))
        found = list(pool.map(lambda identity: state(hcloud, "Server", identity), servers))
        assert len({entry["ipv4Address"] for entry in found}) == 20
        list(pool.map(lambda identity: TABLES["Server"].delete(hcloud, identity, {}), servers))
    for identity in servers:
        with pytest.raises(GoneError):
            state(hcloud, "Server", identity)
