"""The tables of load balancers, certificates and DNS zones, against the emulator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hcloud import APIException
from hcloud.actions import ActionFailedException

from localcloud.network.certificate_authority import CertificateAuthority
from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.table import Props, RefusedError
from tests.localcloud.plugins.hcloud.harness import (
    BALANCER,
    SERVER,
    TABLES,
    change,
    covers,
    delete,
    made_network,
    make,
    state,
)


def test_load_balancer(hcloud: Cloud) -> None:
    address = int(make(hcloud, "PrimaryIp", name="front", type="ipv4", location="fsn1"))
    inputs: Props = {
        **BALANCER,
        "ipv4Id": address,
        "algorithm": {"type": "least_connections"},
        "deleteProtection": True,
        "labels": {"a": "b"},
    }
    identity = make(hcloud, "LoadBalancer", **inputs)
    found = state(hcloud, "LoadBalancer", identity)
    assert covers(found, {**inputs, "ipv4": "127.64.0.1", "networkZone": "eu-central", "networkId": None})
    new: Props = {**BALANCER, "ipv4Id": address, "name": "lb2", "loadBalancerType": "lb21"}
    found = change(hcloud, "LoadBalancer", identity, inputs, new)
    assert covers(found, {**new, "deleteProtection": False, "labels": {}})
    assert found["algorithm"] == {"type": "least_connections"}
    found = change(hcloud, "LoadBalancer", identity, new, {**new, "algorithm": {"type": "round_robin"}})
    assert found["algorithm"] == {"type": "round_robin"}
    delete(hcloud, "LoadBalancer", identity)
    assert state(hcloud, "PrimaryIp", str(address))["ipAddress"] == "127.64.0.1"
    with pytest.raises(RefusedError, match="exactly one"):
        make(hcloud, "LoadBalancer", name="x", loadBalancerType="lb11")


def test_load_balancer_network(hcloud: Cloud) -> None:
    net, subnet = made_network(hcloud)
    balancer = int(make(hcloud, "LoadBalancer", **BALANCER))
    inputs: Props = {"loadBalancerId": balancer, "subnetId": subnet, "enablePublicInterface": False}
    identity = make(hcloud, "LoadBalancerNetwork", **inputs)
    assert identity == f"{balancer}-{net}"
    found = state(hcloud, "LoadBalancerNetwork", identity, **inputs)
    assert found == {**inputs, "networkId": net, "ip": "10.0.1.1"}
    assert state(hcloud, "LoadBalancer", str(balancer))["networkIp"] == "10.0.1.1"
    assert TABLES["LoadBalancerNetwork"].find(hcloud, inputs) == identity  # type: ignore[misc]
    assert TABLES["LoadBalancerNetwork"].create(hcloud, inputs) == identity  # already in that network
    found = change(hcloud, "LoadBalancerNetwork", identity, inputs, {**inputs, "enablePublicInterface": True})
    assert found["enablePublicInterface"] is True
    delete(hcloud, "LoadBalancerNetwork", identity)
    fixed: Props = {"loadBalancerId": balancer, "subnetId": subnet, "ip": "10.0.1.2"}
    identity = make(hcloud, "LoadBalancerNetwork", **fixed)
    assert covers(state(hcloud, "LoadBalancerNetwork", identity, **fixed), fixed)
    assert state(hcloud, "LoadBalancer", str(balancer))["networkIp"] == "10.0.1.2"


def test_load_balancer_targets(hcloud: Cloud) -> None:
    net, subnet = made_network(hcloud)
    balancer = int(make(hcloud, "LoadBalancer", **BALANCER))
    server = int(make(hcloud, "Server", **SERVER, networks=[{"subnetId": subnet}]))
    of = {"loadBalancerId": balancer}
    private: Props = {**of, "type": "server", "serverId": server, "usePrivateIp": True}
    with ThreadPoolExecutor() as pool:
        # Both are created in parallel: the target waits until the load balancer is in the network.
        target = pool.submit(make, hcloud, "LoadBalancerTarget", **private)
        make(hcloud, "LoadBalancerNetwork", **of, networkId=net)
        identity = target.result()
    assert identity == f"lb-srv-tgt-{server}-{balancer}"
    assert covers(state(hcloud, "LoadBalancerTarget", identity), private)
    found = change(hcloud, "LoadBalancerTarget", identity, private, {**private, "usePrivateIp": False})
    assert found["usePrivateIp"] is False
    imported = state(hcloud, "LoadBalancerTarget", f"{balancer}__server__{server}")
    assert imported["id"] == identity
    others: list[Props] = [
        {**of, "type": "label_selector", "labelSelector": "app in (web, api)", "usePrivateIp": True},
        {**of, "type": "ip", "ip": "198.18.0.1"},
    ]
    for inputs in others:
        assert TABLES["LoadBalancerTarget"].find(hcloud, inputs) is None  # type: ignore[misc]
        other = make(hcloud, "LoadBalancerTarget", **inputs)
        assert covers(state(hcloud, "LoadBalancerTarget", other), inputs)
        assert TABLES["LoadBalancerTarget"].find(hcloud, inputs) == other  # type: ignore[misc]
        delete(hcloud, "LoadBalancerTarget", other)
    delete(hcloud, "LoadBalancerTarget", identity)
    for wrong in ({"serverId": 1}, {"ip": "198.18.0.1", "usePrivateIp": True}, {}):
        with pytest.raises(RefusedError):
            make(hcloud, "LoadBalancerTarget", **of, type="ip", **wrong)


def test_load_balancer_service(hcloud: Cloud) -> None:
    balancer = make(hcloud, "LoadBalancer", **BALANCER)
    check = {"protocol": "http", "port": 8080, "interval": 3, "timeout": 2, "retries": 2}
    inputs: Props = {
        "loadBalancerId": balancer,
        "protocol": "http",
        "destinationPort": 8080,
        "http": {"stickySessions": True},
        "healthCheck": {**check, "http": {"path": "/up", "statusCodes": ["200"]}},
    }
    identity = make(hcloud, "LoadBalancerService", **inputs)
    assert identity == f"{balancer}__80"
    found = state(hcloud, "LoadBalancerService", identity)
    assert (found["listenPort"], found["proxyprotocol"], found["http"]["cookieName"]) == (80, False, "HCLBSTICKY")
    assert covers(found["healthCheck"], check)
    assert found["healthCheck"]["http"]["statusCodes"] == ["200"]
    new = {**inputs, "destinationPort": 8081, "proxyprotocol": True, "healthCheck": {**check, "interval": 5}}
    found = change(hcloud, "LoadBalancerService", identity, inputs, new)
    assert (found["destinationPort"], found["proxyprotocol"], found["healthCheck"]["interval"]) == (8081, True, 5)
    assert found["healthCheck"]["http"]["path"] == "/up"
    assert TABLES["LoadBalancerService"].find(hcloud, inputs) == identity  # type: ignore[misc]
    with pytest.raises(RefusedError, match=r"healthCheck\.http\.method"):
        broken = {**inputs, "listenPort": 81, "healthCheck": {**check, "http": {"method": "HEAD"}}}
        make(hcloud, "LoadBalancerService", **broken)
    delete(hcloud, "LoadBalancerService", identity)


def test_zone_and_record_sets(hcloud: Cloud) -> None:
    inputs: Props = {"name": "example.com", "mode": "primary", "labels": {"a": "b"}, "deleteProtection": True}
    identity = make(hcloud, "Zone", **inputs)
    found = state(hcloud, "Zone", identity)
    assert covers(found, {**inputs, "id": identity, "ttl": 3600, "registrar": "other"})
    assert len(found["authoritativeNameservers"]["assigneds"]) == 3
    assert state(hcloud, "Zone", "example.com")["id"] == identity  # an import may give the name
    assert TABLES["Zone"].find(hcloud, inputs) == identity  # type: ignore[misc]
    found = change(hcloud, "Zone", identity, inputs, {**inputs, "ttl": 60, "labels": {}, "deleteProtection": False})
    assert covers(found, {"ttl": 60, "labels": {}, "deleteProtection": False})

    records = [{"value": "127.64.0.1", "comment": "one"}, {"value": "127.64.0.2"}]
    www: Props = {"zone": "example.com", "name": "www", "type": "A", "ttl": 60, "records": records}
    assert TABLES["ZoneRrset"].find(hcloud, www) is None  # type: ignore[misc]
    rrset = make(hcloud, "ZoneRrset", **www, changeProtection=True)
    assert rrset == "www/A"
    assert covers(state(hcloud, "ZoneRrset", rrset, **www), {**www, "changeProtection": True, "labels": {}})
    assert state(hcloud, "ZoneRrset", "example.com/www/A")["id"] == rrset  # an import gives the zone too
    assert TABLES["ZoneRrset"].find(hcloud, www) == rrset  # type: ignore[misc]
    assert TABLES["ZoneRrset"].properties["records"].same(records, records[::-1])  # type: ignore[misc]
    with pytest.raises(APIException, match="protected"):
        TABLES["ZoneRrset"].delete(hcloud, rrset, www)
    # A protection is removed before the other changes and added after them.
    old = {**www, "changeProtection": True}
    new = {**www, "labels": {"a": "b"}, "records": records[:1]}
    del new["ttl"]
    found = change(hcloud, "ZoneRrset", rrset, old, new)
    assert covers(found, {"ttl": None, "labels": {"a": "b"}, "records": records[:1], "changeProtection": False})
    found = change(hcloud, "ZoneRrset", rrset, new, {**www, "changeProtection": True})
    assert covers(found, {"ttl": 60, "labels": {}, "changeProtection": True})
    change(hcloud, "ZoneRrset", rrset, {**www, "changeProtection": True}, www)
    delete(hcloud, "ZoneRrset", rrset, zone=www["zone"])
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: make(hcloud, "ZoneRrset", **{**www, "name": f"h{n}"}), range(16)))
    assert len(set(made)) == 16
    with pytest.raises(RefusedError, match="SOA"):
        make(hcloud, "ZoneRrset", **{**www, "type": "SOA"})
    delete(hcloud, "Zone", identity)


def test_certificates(hcloud: Cloud) -> None:
    inputs: Props = {"name": "web", "domainNames": ["www.example.com", "example.com"]}
    # Created, but not issued: the engine keeps it as partly created, and the next update tries again.
    identity = TABLES["ManagedCertificate"].create(hcloud, inputs)
    with pytest.raises((ActionFailedException, RuntimeError), match="dns_zone_not_found"):
        TABLES["ManagedCertificate"].settle(hcloud, identity, inputs)  # type: ignore[misc]
    assert TABLES["ManagedCertificate"].find(hcloud, inputs) == identity  # type: ignore[misc]
    make(hcloud, "Zone", name="example.com", mode="primary")
    found = change(hcloud, "ManagedCertificate", identity, inputs, {**inputs, "labels": {"a": "b"}})
    assert covers(found, {**inputs, "type": "managed", "labels": {"a": "b"}})
    assert found["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" not in str(found)

    balancer = make(hcloud, "LoadBalancer", **BALANCER)
    http = {"certificates": [int(identity)], "redirectHttp": True}
    https: Props = {"loadBalancerId": balancer, "protocol": "https", "destinationPort": 8080, "http": http}
    service = make(hcloud, "LoadBalancerService", **https)
    assert service == f"{balancer}__443"
    assert covers(state(hcloud, "LoadBalancerService", service)["http"], http)
    with ThreadPoolExecutor() as pool:
        # Both are deleted in parallel: the certificate waits until the service is gone.
        going = pool.submit(delete, hcloud, "ManagedCertificate", identity)
        delete(hcloud, "LoadBalancerService", service)
        going.result()

    issued = CertificateAuthority("Another authority", None).issue(["www.example.org"])
    own: Props = {"name": "own", "certificate": issued.certificate, "privateKey": issued.key}
    identity = make(hcloud, "UploadedCertificate", **own)
    found = state(hcloud, "UploadedCertificate", identity)
    assert covers(found, {"name": "own", "type": "uploaded", "domainNames": ["www.example.org"]})
    assert TABLES["UploadedCertificate"].properties["certificate"].same(own["certificate"], found["certificate"])  # type: ignore[misc]
    assert change(hcloud, "UploadedCertificate", identity, own, {**own, "name": "own2"})["name"] == "own2"
    delete(hcloud, "UploadedCertificate", identity)
