"""Load balancers of the Hetzner emulator: addresses, targets, health and services."""

from __future__ import annotations

import itertools
from typing import Any

from tests.localcloud.hetzner.harness import LOCATION, Api


def test_load_balancer_keeps_its_address(api: Api) -> None:
    address = api.post("/primary_ips", name="front", type="ipv4", location=LOCATION)["primary_ip"]
    balancer = api.balancer(public_net={"ipv4": address["id"]})
    assert balancer["public_net"]["ipv4"]["ip"] == address["ip"]
    assert (balancer["public_net"]["ipv4"]["id"], balancer["public_net"]["ipv6"]["id"]) == (address["id"], None)
    path = f"/primary_ips/{address['id']}"
    assert api.get(path)["primary_ip"]["assignee_type"] == "load_balancer"
    assert api.refusal("POST", f"{path}/actions/unassign", {}) == (422, "unsupported_error")
    assert api.refusal("DELETE", path) == (422, "must_be_unassigned")
    api.ask("DELETE", f"/load_balancers/{balancer['id']}")
    rebuilt = api.balancer(public_net={"ipv4": address["id"]})
    assert rebuilt["public_net"]["ipv4"]["ip"] == address["ip"]


def test_targets_must_be_reachable(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    inside, outside = api.server("in", networks=[network])["id"], api.server("out")["id"]
    hidden = api.server("hidden", networks=[network], public_net={"enable_ipv4": False, "enable_ipv6": False})["id"]
    path = f"/load_balancers/{api.balancer()['id']}"

    def target(server: int, private: bool) -> dict[str, Any]:
        return {"type": "server", "server": {"id": server}, "use_private_ip": private}

    add = f"{path}/actions/add_target"
    assert api.refusal("POST", add, target(inside, True)) == (422, "load_balancer_not_attached_to_network")
    assert api.refusal("POST", add, target(hidden, False)) == (422, "resolve_cloud_public_targets_error")
    api.act(path, "attach_to_network", network=network)
    assert api.refusal("POST", f"{path}/actions/attach_to_network", {"network": network}) == (
        422,
        "load_balancer_already_attached",
    )
    assert api.refusal("POST", add, target(outside, True)) == (422, "resolve_cloud_private_targets_error")
    api.post(add, **target(outside, False))
    assert api.refusal("POST", f"{path}/actions/disable_public_interface", {}) == (
        422,
        "targets_without_use_private_ip",
    )
    api.act(path, "remove_target", **target(outside, False))
    api.act(path, "disable_public_interface")
    assert api.refusal("POST", add, target(outside, False)) == (422, "load_balancer_public_interface_disabled")
    for server in (inside, hidden):
        api.post(add, **target(server, True))
    assert api.refusal("POST", add, target(inside, True)) == (422, "target_already_defined")
    api.act(f"/servers/{hidden}", "detach_from_network", network=network)
    found = api.get(path)["load_balancer"]["targets"]
    assert [entry["server"]["id"] for entry in found] == [inside]


def test_the_health_of_targets_is_that_of_their_servers(api: Api) -> None:
    one, two = (api.server(name, labels={"app": "web"})["id"] for name in ("a", "b"))
    path = f"/load_balancers/{api.balancer()['id']}"
    api.act(path, "add_service", protocol="http", listen_port=80, destination_port=8080)
    api.act(path, "add_target", type="label_selector", label_selector={"selector": "app=web"})
    api.act(path, "add_target", type="server", server={"id": one})
    api.act(path, "add_target", type="ip", ip={"ip": "198.18.0.1"})
    for ours in api.get("/primary_ips")["primary_ips"][0]["ip"], api.balancer(name="b")["public_net"]["ipv6"]["ip"]:
        body = {"type": "ip", "ip": {"ip": ours}}
        assert api.refusal("POST", f"{path}/actions/add_target", body) == (422, "cloud_resource_ip_not_allowed")
    api.act(f"/servers/{two}", "poweroff")

    def health() -> Any:
        selected, named, outside = api.get(path)["load_balancer"]["targets"]
        entries = [*selected["targets"], named, outside]
        return [status["status"] for entry in entries for status in entry["health_status"]]

    assert health() == ["healthy", "unhealthy", "healthy", "unknown"]
    assert api.get(f"/servers/{two}")["server"]["load_balancers"]
    api.ask("PUT", f"/servers/{two}", {"labels": {"app": "other"}})
    assert health() == ["healthy", "healthy", "unknown"]
    # Something that knows better is asked: here, whether anything listens.
    api.app.health.probe = lambda balancer, server, service: service["destination_port"] != 8080
    assert health() == ["unhealthy", "unhealthy", "unknown"]
    api.app.health.probe = lambda balancer, server, service: None
    assert set(health()) == {"unknown"}


def test_services_have_defaults_and_change_in_part(api: Api) -> None:
    path = f"/load_balancers/{api.balancer()['id']}"
    api.act(path, "add_service", protocol="http", health_check={"interval": 3, "timeout": 2, "http": {"path": "/up"}})
    (service,) = api.get(path)["load_balancer"]["services"]
    assert (service["listen_port"], service["destination_port"], service["http"]["timeout_idle"]) == (80, 80, 60)
    assert service["health_check"] == {
        "protocol": "http",
        "port": 80,
        "interval": 3,
        "timeout": 2,
        "retries": 3,
        "http": {"domain": "", "path": "/up", "response": "", "status_codes": ["2??", "3??"], "tls": False},
    }
    api.act(path, "update_service", listen_port=80, health_check={"http": {"status_codes": ["200"]}})
    (changed,) = api.get(path)["load_balancer"]["services"]
    assert changed["health_check"]["http"] == {**service["health_check"]["http"], "status_codes": ["200"]}
    assert api.refusal("POST", f"{path}/actions/add_service", {"protocol": "http"}) == (412, "source_port_already_used")
    for wrong in (
        {"protocol": "tcp", "listen_port": 5},
        {"protocol": "https"},
        {"protocol": "https", "http": {"certificates": []}},
        {"protocol": "https", "http": {"certificates": [4711]}},
        {"protocol": "http", "listen_port": 81, "http": {"redirect_http": True}},
        {"protocol": "http", "listen_port": 81, "health_check": {"interval": 5, "timeout": 6}},
        {"protocol": "http", "listen_port": 81, "health_check": {"interval": 2}},
        {"protocol": "tcp", "listen_port": 81, "destination_port": 81, "http": {"sticky_sessions": True}},
        {"protocol": "http", "listen_port": 81, "http": {"certificates": [1]}},
    ):
        assert api.refusal("POST", f"{path}/actions/add_service", wrong) == (422, "invalid_input")
    for port in itertools.islice(itertools.count(1000), 4):
        api.act(path, "add_service", protocol="tcp", listen_port=port, destination_port=port)
    over = {"protocol": "tcp", "listen_port": 2000, "destination_port": 2000}
    assert api.refusal("POST", f"{path}/actions/add_service", over) == (403, "resource_limit_exceeded")
    api.act(path, "change_type", load_balancer_type="lb21")
    api.act(path, "add_service", **over)
    assert api.refusal("POST", f"{path}/actions/change_type", {"load_balancer_type": "lb11"}) == (
        422,
        "invalid_load_balancer_type",
    )
    api.act(path, "change_algorithm", type="least_connections")
    assert api.get(path)["load_balancer"]["algorithm"] == {"type": "least_connections"}
