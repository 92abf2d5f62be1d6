"""Networks, subnets, routes and firewalls of the Hetzner emulator."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.hetzner.harness import Api

# -- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ip_range", ["8.8.0.0/16", "10.0.0.0/25", "10.0.0.1/16", "fd00::/64", "10.0.0.0/7"])
def test_a_network_is_private_and_large_enough(api: Api, ip_range: str) -> None:
    assert api.refusal("POST", "/networks", {"name": "n", "ip_range": ip_range}) == (422, "invalid_input")


@pytest.mark.parametrize("ip_range", ["10.1.0.0/24", "10.0.1.128/25", "10.0.2.0/31"])
def test_subnet_outside_network_or_overlapping_is_refused(api: Api, ip_range: str) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    body = {"type": "cloud", "network_zone": "eu-central", "ip_range": ip_range}
    assert api.refusal("POST", f"/networks/{network}/actions/add_subnet", body) == (422, "invalid_input")


def test_addresses_of_a_network(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.0.0/29", "10.0.1.0/24")
    first, second = api.server("a", networks=[network])["id"], api.server("b")["id"]
    # The last subnet by range, from its first address on; the network's gateway and the ends are kept.
    assert api.get(f"/servers/{first}")["server"]["private_net"][0]["ip"] == "10.0.1.1"
    path = f"/servers/{second}/actions/attach_to_network"
    assert api.refusal("POST", path, {"network": network, "ip": "10.0.1.1"}) == (422, "ip_not_available")
    assert api.refusal("POST", path, {"network": network, "ip": "10.0.0.1"}) == (422, "invalid_input")
    assert api.refusal("POST", path, {"network": network, "ip_range": "10.0.9.0/24"}) == (422, "no_subnet_available")
    api.post(path, network=network, ip_range="10.0.0.0/29", alias_ips=["10.0.1.9"])
    (entry,) = api.get(f"/servers/{second}")["server"]["private_net"]
    assert (entry["ip"], entry["alias_ips"]) == ("10.0.0.2", ["10.0.1.9"])
    assert api.refusal("POST", path, {"network": network}) == (422, "server_already_attached")
    third = f"/servers/{api.server('c')['id']}/actions/attach_to_network"
    assert api.refusal("POST", third, {"network": network, "ip": "10.0.1.9"}) == (422, "ip_not_available")
    members = api.get(f"/networks/{network}/members")["members"]
    assert [(member["id"], member["subnet"]) for member in members] == [
        (first, "10.0.1.0/24"),
        (second, "10.0.0.0/29"),
    ]
    delete = f"/networks/{network}/actions/delete_subnet"
    assert api.refusal("POST", delete, {"ip_range": "10.0.1.0/24"}) == (422, "service_error")
    for server in (first, second):
        api.act(f"/servers/{server}", "detach_from_network", network=network)
    api.post(delete, ip_range="10.0.1.0/24")
    assert [subnet["ip_range"] for subnet in api.get(f"/networks/{network}")["network"]["subnets"]] == ["10.0.0.0/29"]


def test_a_small_subnet_runs_out(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.4.0/30")
    for name in ("a", "b"):
        api.server(name, networks=[network])
    body = {"name": "c", "server_type": "cx23", "image": "debian-12", "networks": [network]}
    assert api.refusal("POST", "/servers", body) == (422, "no_subnet_available")


def test_deleted_network_removes_attachments(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    server = api.server(networks=[network])["id"]
    balancer = api.balancer(network=network)["id"]
    api.act(f"/load_balancers/{balancer}", "add_target", type="server", server={"id": server}, use_private_ip=True)
    assert api.get(f"/networks/{network}")["network"]["load_balancers"] == [balancer]
    api.ask("DELETE", f"/networks/{network}")
    found = api.get(f"/load_balancers/{balancer}")["load_balancer"]
    assert (found["private_net"], found["targets"]) == ([], [])
    assert api.get(f"/servers/{server}")["server"]["private_net"] == []


def test_routes_and_growing_ranges(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    path = f"/networks/{network}"
    route = {"destination": "192.168.7.0/24", "gateway": "10.0.1.1"}
    api.act(path, "add_route", **route)
    assert api.get(path)["network"]["routes"] == [route]
    overlapping = {"destination": "10.0.1.0/28", "gateway": "10.0.1.1"}
    assert api.refusal("POST", f"{path}/actions/add_route", overlapping) == (422, "invalid_input")
    api.act(path, "delete_route", **route)
    assert api.refusal("POST", f"{path}/actions/change_ip_range", {"ip_range": "10.0.0.0/17"}) == (422, "invalid_input")
    api.act(path, "change_ip_range", ip_range="10.0.0.0/12")
    assert api.get(path)["network"]["ip_range"] == "10.0.0.0/12"


# -- firewalls --------------------------------------------------------------------------------------------------------

_RULE = {"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0"]}


@pytest.mark.parametrize(
    "change",
    [
        {"port": None},
        {"port": "0-10"},
        {"port": "90-80"},
        {"port": "https"},
        {"protocol": "icmp"},
        {"source_ips": []},
        {"source_ips": ["10.0.0.1/8"]},
        {"destination_ips": ["10.0.0.0/8"]},
        {"direction": "out"},
        {"direction": "sideways"},
    ],
)
def test_a_firewall_rule_that_makes_no_sense_is_refused(api: Api, change: dict[str, Any]) -> None:
    body = {"name": "fw", "rules": [{**_RULE, **change}]}
    assert api.refusal("POST", "/firewalls", body) == (422, "invalid_input")


def test_firewall_applies_before_boot_and_by_label(api: Api) -> None:
    named = api.post("/firewalls", name="named", rules=[_RULE])["firewall"]["id"]
    selected = {"type": "label_selector", "label_selector": {"selector": "role=web"}}
    by_label = api.post("/firewalls", name="by-label", apply_to=[selected])["firewall"]["id"]
    answer = api.server(firewalls=[{"firewall": named}], labels={"role": "web"})
    server = answer["id"]
    assert answer["status"] == "initializing"
    assert {entry["id"] for entry in answer["public_net"]["firewalls"]} == {named, by_label}
    assert api.refusal("DELETE", f"/firewalls/{named}") == (422, "resource_in_use")
    this = [{"type": "server", "server": {"id": server}}]
    path = f"/firewalls/{by_label}/actions/remove_from_resources"
    assert api.refusal("POST", path, {"remove_from": this}) == (422, "firewall_managed_by_label_selector")
    again = f"/firewalls/{named}/actions/apply_to_resources"
    assert api.refusal("POST", again, {"apply_to": this}) == (422, "firewall_already_applied")
    nobody = [{"type": "server", "server": {"id": 4711}}]
    assert api.refusal("POST", again, {"apply_to": nobody}) == (404, "firewall_resource_not_found")
    api.ask("PUT", f"/servers/{server}", {"labels": {}})
    shown = api.get(f"/firewalls/{by_label}")["firewall"]["applied_to"][0]
    assert shown == {**selected, "applied_to_resources": []}
    api.ask("DELETE", f"/servers/{server}")
    assert api.get(f"/firewalls/{named}")["firewall"]["applied_to"] == []
