"""Servers and primary IPs of the Hetzner emulator."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Collection

from tests.localcloud.hetzner.harness import LOCATION, Api


def test_public_addresses_are_unique_and_local(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    for number in range(30):
        api.server(f"s{number}", networks=[network])
    api.balancer(network=network)
    ips = [address["ip"] for address in api.get("/primary_ips?per_page=50")["primary_ips"]]
    assert len(ips) == len(set(ips)) == 50
    loopback = ipaddress.ip_network("127.64.0.0/10")
    public = [ip for ip in ips if not ip.startswith("2001:db8:")]
    assert all(ipaddress.ip_address(ip) in loopback for ip in public)
    # The local address in place of a private one differs from it, and the API does not show it.
    records = [*api.records("servers"), *api.records("load_balancers")]
    private = [entry["loopback"] for record in records for entry in record["private_net"]]
    assert len(private) == 31
    assert not set(private) & set(ips)
    assert all(ipaddress.ip_address(ip) in loopback for ip in private)
    shown = api.get("/servers")["servers"] + api.get("/load_balancers")["load_balancers"]
    assert all("loopback" not in entry for record in shown for entry in record["private_net"])


def test_an_address_is_never_given_twice() -> None:
    """`choose_address` receives every address in use, and a released one is free again."""
    told: list[set[str]] = []

    def choose(taken: Collection[str]) -> str:
        told.append(set(taken))
        return next(f"127.64.0.{n}" for n in itertools.count(1) if f"127.64.0.{n}" not in taken)

    api = Api(choose_address=choose)
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    server = api.server("a", networks=[network])
    assert server["public_net"]["ipv4"]["ip"] == "127.64.0.1"
    assert api.balancer(network=network)["public_net"]["ipv4"]["ip"] == "127.64.0.3"
    api.post("/primary_ips", name="p", type="ipv4", location=LOCATION)
    assert {ip for ip in told[-1] if ip.startswith("127.")} == {f"127.64.0.{n}" for n in range(1, 5)}
    api.ask("DELETE", f"/servers/{server['id']}")
    assert api.server("b")["public_net"]["ipv4"]["ip"] == "127.64.0.1"


def test_primary_ip_outlives_server_and_moves_when_off(api: Api) -> None:
    kept = api.post("/primary_ips", name="kept", type="ipv4", location=LOCATION)["primary_ip"]
    assert (kept["assignee_id"], kept["assignee_type"]) == (None, "unassigned")
    public = {"enable_ipv4": True, "ipv4": kept["id"], "enable_ipv6": False}
    server = api.server(public_net=public)
    path = f"/primary_ips/{kept['id']}"
    assert (server["public_net"]["ipv4"]["ip"], server["public_net"]["ipv6"]) == (kept["ip"], None)
    assert api.refusal("DELETE", path) == (422, "must_be_unassigned")
    assert api.refusal("POST", f"{path}/actions/unassign", {}) == (422, "server_not_stopped")
    another = {"name": "b", "server_type": "cx23", "image": "debian-12", "public_net": public}
    assert api.refusal("POST", "/servers", another) == (422, "primary_ip_assigned")
    assign = {"assignee_id": server["id"], "assignee_type": "server"}
    assert api.refusal("POST", f"{path}/actions/assign", assign) == (422, "primary_ip_already_assigned")
    api.act(f"/servers/{server['id']}", "poweroff")
    api.act(path, "unassign")
    assert api.refusal("POST", f"/servers/{server['id']}/actions/poweron", {}) == (422, "invalid_input")
    api.act(path, "assign", **assign)
    api.ask("DELETE", f"/servers/{server['id']}")
    found = api.get(path)["primary_ip"]
    assert (found["ip"], found["assignee_id"], found["assignee_type"]) == (kept["ip"], None, "unassigned")
    elsewhere = {**another, "name": "c", "location": "hel1"}
    assert api.refusal("POST", "/servers", elsewhere) == (422, "primary_ip_datacenter_mismatch")
    swapped = {**another, "public_net": {"ipv6": kept["id"]}}
    assert api.refusal("POST", "/servers", swapped) == (412, "primary_ip_version_mismatch")


def test_what_a_server_goes_through(api: Api) -> None:
    server = api.server(user_data="#cloud-config")["id"]
    path = f"/servers/{server}"
    assert "user_data" not in api.get(path)["server"]
    assert api.refusal("POST", f"{path}/actions/change_type", {"server_type": "cx33", "upgrade_disk": True}) == (
        422,
        "server_not_stopped",
    )
    api.act(path, "shutdown")
    assert api.get(path)["server"]["status"] == "off"
    wrong = {"server_type": "cax21", "upgrade_disk": False}
    assert api.refusal("POST", f"{path}/actions/change_type", wrong) == (422, "invalid_server_type")
    api.act(path, "change_type", server_type="cx33", upgrade_disk=False)
    found = api.get(path)["server"]
    # It is started again when its disk has been copied.
    assert (found["server_type"]["name"], found["primary_disk_size"], found["status"]) == ("cx33", 40, "running")
    api.act(path, "enable_backup")
    assert api.get(path)["server"]["backup_window"]
    api.act(path, "disable_backup")
    assert api.get(path)["server"]["backup_window"] is None
    assert api.refusal("POST", f"{path}/actions/change_protection", {"delete": True}) == (422, "invalid_input")
    api.act(path, "change_protection", delete=True, rebuild=True)
    assert api.refusal("POST", f"{path}/actions/rebuild", {"image": "debian-13"}) == (423, "protected")
    api.act(path, "change_dns_ptr", ip=found["public_net"]["ipv4"]["ip"], dns_ptr="web.example.com")
    assert api.get(path)["server"]["public_net"]["ipv4"]["dns_ptr"] == "web.example.com"
    big = {"name": "b", "server_type": "cx23", "image": "debian-12", "user_data": "x" * (32 * 1024 + 1)}
    assert api.refusal("POST", "/servers", big) == (422, "invalid_input")


def test_the_records_say_what_a_machine_has_to_do(api: Api) -> None:
    told: list[int] = []
    api.app.runs_machines = True
    api.app.listeners.append(lambda: told.append(1))
    server = api.server()["id"]
    path = f"/servers/{server}"
    assert told

    def machine() -> tuple[bool, int, bool]:
        api.app.settle()  # as something does that has no request to make
        with api.app.reading() as data:
            record = data["servers"][str(server)]
            return record["powered"], record["boots"], record["stopping"]

    assert machine() == (True, 1, False)
    api.act(path, "poweron")
    assert machine() == (True, 1, False)
    api.act(path, "reset")
    assert machine() == (True, 2, False)
    # A shutdown only asks. The machine ends when it is ready to, and says so.
    api.act(path, "shutdown")
    assert machine() == (True, 2, True)
    assert api.get(path)["server"]["status"] == "running"
    told.clear()
    api.app.powered_off(server)
    assert told
    assert machine() == (False, 2, False)
    assert api.get(path)["server"]["status"] == "off"
    api.act(path, "reset")
    assert machine() == (False, 2, False)
    api.act(path, "poweron")
    api.act(path, "rebuild", image="debian-13")
    assert machine() == (True, 4, False)
    api.act(path, "poweroff")
    assert machine() == (False, 4, False)
    api.app.powered_off(4711)  # a server that went meanwhile
