"""The hcloud plugin: agreement with the SDK, refresh and import of each type, functions, and the connection."""

from __future__ import annotations

import inspect
from typing import Any
from unittest.mock import MagicMock

import grpc
import pulumi_hcloud
import pytest
from hcloud import APIException
from pulumi.runtime.proto import provider_pb2

from localcloud.network.certificate_authority import CertificateAuthority
from localcloud.plugins.hcloud import PLUGIN
from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.provider import Provider
from localcloud.plugins.table import GoneError, Props, RefusedError, ResourceType
from localcloud.plugins.wire import UNKNOWN, from_wire, to_wire
from tests.localcloud.plugins.hcloud.harness import BALANCER, KEY, SERVER, TABLES, TOKEN, made_network, make

# Inputs of the SDK that are refused by name. The tables give the reasons.
UNMAPPED = {
    "LoadBalancer": {"targets"},
    "NetworkSubnet": {"vswitchId"},
    "PrimaryIp": {"datacenter"},
    "Server": {"allowDeprecatedImages", "datacenter", "iso", "rescue"},
    "Zone": {"primaryNameservers"},
}


@pytest.mark.parametrize("kind", TABLES)
def test_sdk_inputs_mapped_or_listed(kind: str) -> None:
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
    # The API no longer returns the output `datacenter`.
    assert outputs - set(table.properties) - set(table.computed) <= UNMAPPED.get(kind, set()) | {"datacenter"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


@pytest.mark.parametrize("table", PLUGIN.resources, ids=lambda table: table.token)
def test_missing_object_is_gone(hcloud: Cloud, table: ResourceType) -> None:
    for identity in ("4711", "4711-4712", "4711__80", "4711-10.0.0.0/24", "lb-srv-tgt-1-4711", "nonsense", "a-b"):
        with pytest.raises(GoneError):
            table.read(hcloud, identity, {})
        with pytest.raises(GoneError):
            table.delete(hcloud, identity, {})


def declared(hcloud: Cloud) -> list[tuple[str, Props]]:
    """A declaration of each type, in an order in which they can be created."""
    net, subnet = made_network(hcloud)
    address = int(make(hcloud, "PrimaryIp", name="front", type="ipv4", location="fsn1"))
    group = int(make(hcloud, "PlacementGroup", name="spread", type="spread"))
    balancer = int(make(hcloud, "LoadBalancer", **{**BALANCER, "name": "first"}))
    issued = CertificateAuthority("Another authority", None).issue(["www.example.org"])
    return [
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


def test_new_object_has_no_drift(hcloud: Cloud, endpoint: str) -> None:
    """Through the plugin: a refresh finds the declared inputs, and the next update has no change."""
    provider = Provider(PLUGIN, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    context = MagicMock(spec=grpc.ServicerContext)
    for kind, inputs in declared(hcloud):
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


# -- functions --------------------------------------------------------------------------------------------------------


def call(provider: Provider, name: str, /, **arguments: Any) -> Props:
    token = f"hcloud:index/{name}:{name}"
    context = MagicMock(spec=grpc.ServicerContext)
    context.code.return_value = None
    context.abort.side_effect = lambda code, message: (_ for _ in ()).throw(RefusedError(message))
    answer = provider.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_wire(arguments)), context)
    assert not answer.failures
    return from_wire(getattr(answer, "return"))


def test_functions_with_unknown_token(hcloud: Cloud, endpoint: str) -> None:
    provider = Provider(PLUGIN, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    context = MagicMock(spec=grpc.ServicerContext)
    provider.Configure(provider_pb2.ConfigureRequest(args=to_wire({"token": UNKNOWN})), context)
    net, subnet = made_network(hcloud)
    one = make(hcloud, "Server", **SERVER, labels={"pool": "api"}, networks=[{"subnetId": subnet, "ip": "10.0.1.11"}])
    two = make(hcloud, "Server", **{**SERVER, "name": "other"}, labels={"pool": "worker"})
    found = call(provider, "getServers", withSelector="pool=api", withStatuses=["running"])
    (server,) = found["servers"]
    assert (server["id"], server["name"], server["status"]) == (int(one), "web", "running")
    assert server["networks"][0] == {**server["networks"][0], "networkId": net, "ip": "10.0.1.11"}
    assert call(provider, "getServers", withStatuses=["off"])["servers"] == []
    assert len(call(provider, "getServers")["servers"]) == 2
    assert call(provider, "getServer", name="other")["id"] == int(two)
    assert call(provider, "getServer", withSelector="pool=worker")["name"] == "other"
    for wrong in ({"id": 4711}, {"name": "nobody"}, {"withSelector": "pool"}, {"withSelector": "nothing"}, {}):
        with pytest.raises(RefusedError, match="Server"):
            call(provider, "getServer", **wrong)
    types = call(provider, "getServerTypes")
    assert "cx23" in types["names"]
    cx23 = next(entry for entry in types["serverTypes"] if entry["name"] == "cx23")
    assert {place["name"]: place["available"] for place in cx23["locations"]} == dict.fromkeys(
        ("fsn1", "nbg1", "hel1"), True
    )
    assert call(provider, "getServerType", name="cx23") == cx23
    balancer = make(hcloud, "LoadBalancer", **BALANCER)
    make(hcloud, "LoadBalancerService", loadBalancerId=balancer, protocol="http")
    (entry,) = call(provider, "getLoadBalancers")["loadBalancers"]
    assert (entry["services"][0]["listenPort"], entry["services"][0]["https"][0]["timeoutIdle"]) == (80, 60)
    assert call(provider, "getLoadBalancer", id=int(balancer))["name"] == "lb"
    zone = make(hcloud, "Zone", name="example.com", mode="primary")
    assert call(provider, "getZone", name="example.com")["id"] == int(zone)


def test_functions_accept_sdk_arguments() -> None:
    for function in PLUGIN.functions:
        name = function.token.rpartition(":")[2]
        module = inspect.getmodule(getattr(pulumi_hcloud, _snake(name)))
        signature = inspect.signature(getattr(module, _snake(name)))
        assert {_camel(argument) for argument in signature.parameters} - {"opts"} >= set(function.arguments)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


# -- the connection ---------------------------------------------------------------------------------------------------

LOCAL = "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("settings", "environment", "said"),
    [
        ({"endpoint": LOCAL}, {}, "token is missing"),
        ({"endpoint": LOCAL, "token": "short"}, {}, "must have 64 characters"),
        ({"token": TOKEN}, {}, "needs an endpoint"),
        ({"token": TOKEN, "endpoint": "https://api.hetzner.cloud/v1"}, {}, "only to loopback"),
        ({"token": TOKEN}, {"HCLOUD_ENDPOINT": "http://192.0.2.1/v1"}, "only to loopback"),
        ({"token": TOKEN, "endpoint": "http://127.0.0.1.example.com/v1"}, {}, "only to loopback"),
        ({"token": TOKEN, "endpoint": LOCAL, "endpointHetzner": "https://api.hetzner.com/v1"}, {}, "endpointHetzner"),
        ({"token": TOKEN, "endpoint": LOCAL, "pollInterval": "soon"}, {}, "pollInterval"),
    ],
)
def test_connection_refused(settings: Props, environment: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        PLUGIN.connect(settings, environment)


def test_connection_from_environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")  # must not be used for this machine's loopback addresses
    hcloud = PLUGIN.connect({}, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    assert make(hcloud, "PlacementGroup", name="g", type="spread")
    wrong = PLUGIN.connect({"token": "x" * 64}, {"HCLOUD_TOKEN": TOKEN, "HCLOUD_ENDPOINT": endpoint})
    with pytest.raises(APIException, match="unauthorized"):
        make(wrong, "PlacementGroup", name="h", type="spread")
