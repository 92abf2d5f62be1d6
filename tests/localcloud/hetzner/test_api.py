"""The emulator of Hetzner Cloud at the level of its HTTP API: what it answers, what it refuses, what it remembers."""

from __future__ import annotations

import ipaddress
import itertools
import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from localcloud.hetzner import Application
from localcloud.hetzner.catalogue import SoldOut, nothing_sold_out
from localcloud.hetzner.labels import Selector
from localcloud.hetzner.project import ChooseAddress
from localcloud.network.addresses import unused_address
from localcloud.network.certificate_authority import Authority

TOKEN = "t" * 64
LOCATION = "fsn1"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Api:
    """The emulator with a token, asked without a network."""

    def __init__(
        self,
        path: Path | None = None,
        action_seconds: float = 0.0,
        choose_address: ChooseAddress = unused_address,
        authority: Authority | None = None,
        sold_out: SoldOut = nothing_sold_out,
    ) -> None:
        self.clock = Clock()
        self.app = Application(
            path,
            token=TOKEN,
            action_seconds=action_seconds,
            clock=self.clock,
            choose_address=choose_address,
            authority=authority,
            sold_out=sold_out,
        )
        self._client = Client(self.app)

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._client.open(f"/v1{path}", method=method, json=body, headers=headers)

    def get(self, path: str) -> Any:
        response = self.ask("GET", path)
        assert response.status_code == 200, response.text
        return response.json

    def post(self, path: str, **body: Any) -> Any:
        response = self.ask("POST", path, body)
        assert response.status_code == 201, response.text
        return response.json

    def act(self, path: str, command: str, **body: Any) -> Any:
        return self.post(f"{path}/actions/{command}", **body)

    def records(self, collection: str) -> list[Any]:
        """What the emulator keeps, which is more than its API shows."""
        return list(self.app._store.data[collection].values())

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        response = self.ask(method, path, body)
        assert response.status_code >= 400, response.text
        error = response.json["error"]  # type: ignore[index]
        assert error["message"]
        return response.status_code, error["code"]

    def server(self, name: str = "web-1", **more: Any) -> Any:
        body = {"name": name, "server_type": "cx23", "image": "debian-12", "location": LOCATION, **more}
        return self.post("/servers", **body)["server"]

    def network(self, name: str = "net", ip_range: str = "10.0.0.0/16", *subnets: str) -> int:
        made = self.post("/networks", name=name, ip_range=ip_range)["network"]["id"]
        for subnet in subnets:
            self.act(f"/networks/{made}", "add_subnet", type="cloud", network_zone="eu-central", ip_range=subnet)
        return int(made)

    def balancer(self, **more: Any) -> Any:
        body = {"name": "lb", "load_balancer_type": "lb11", "location": LOCATION, **more}
        return self.post("/load_balancers", **body)["load_balancer"]


@pytest.fixture
def api() -> Api:
    return Api()


# -- who may ask, and what there is -----------------------------------------------------------------------------------


def test_only_the_token_is_let_in(api: Api) -> None:
    for token in ("", "x" * 64):
        response = api.ask("GET", "/servers", token=token)
        assert (response.status_code, response.json["error"]["code"]) == (401, "unauthorized")  # type: ignore[index]
    assert api.get("/servers")["servers"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/servers/17", 404, "not_found"),
        ("GET", "/servers/one", 422, "invalid_input"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/volumes", 422, "unsupported_error"),
        ("POST", "/floating_ips", 422, "unsupported_error"),
        ("POST", "/certificates", 422, "invalid_input"),
        ("GET", "/datacenters", 410, "deprecated_api_endpoint"),
        ("GET", "/actions", 410, "deprecated_api_endpoint"),
        ("GET", "/servers?colour=red", 422, "invalid_input"),
        ("GET", "/servers?per_page=51", 422, "invalid_input"),
        ("GET", "/servers?sort=colour", 422, "invalid_input"),
        ("GET", "/servers?label_selector=a%20b", 422, "invalid_input"),
        ("POST", "/locations", 405, "method_not_allowed"),
        ("DELETE", "/servers", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_refused_by_name(api: Api, method: str, path: str, status: int, code: str) -> None:
    assert api.refusal(method, path, {} if method == "POST" else None) == (status, code)


def test_an_action_that_is_not_emulated_is_refused_by_name(api: Api) -> None:
    server = api.server()["id"]
    response = api.ask("POST", f"/servers/{server}/actions/enable_rescue", {"type": "linux64"})
    assert response.status_code == 422
    assert "enable_rescue" in response.json["error"]["message"]  # type: ignore[index]
    assert api.refusal("POST", f"/servers/{server}/actions/dance", {}) == (404, "not_found")


def test_a_broken_body_names_every_field_at_once(api: Api) -> None:
    response = api.ask("POST", "/servers", {"name": "no_host", "image": "debian-12", "datacenter": "fsn1-dc14", "x": 1})
    error = response.json["error"]  # type: ignore[index]
    assert error["code"] == "invalid_input"
    assert {field["name"] for field in error["details"]["fields"]} == {"name", "server_type", "datacenter", "x"}
    raw = Client(api.app).post("/v1/servers", data="{", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (raw.status_code, raw.json["error"]["code"]) == (400, "json_error")  # type: ignore[index]


def test_the_catalogue_has_the_places_and_what_is_offered_where(api: Api) -> None:
    zones = {entry["name"]: entry["network_zone"] for entry in api.get("/locations")["locations"]}
    assert [name for name, zone in zones.items() if zone == "eu-central"] == ["fsn1", "nbg1", "hel1"]
    (image,) = api.get("/images?name=debian-12&architecture=arm")["images"]
    assert (image["name"], image["architecture"]) == ("debian-12", "arm")
    assert api.get("/images?name=debian-11")["images"] == []
    assert api.get("/images?name=debian-11&architecture=x86&include_deprecated=true")["images"]
    made = {"name": "a", "server_type": "cx23", "image": "debian-12"}
    assert api.refusal("POST", "/servers", {**made, "location": "ash"}) == (422, "invalid_input")
    assert api.refusal("POST", "/servers", {**made, "image": image["id"]}) == (422, "invalid_input")


def test_what_is_sold_out_is_not_available_and_a_server_goes_where_its_type_can_be_had() -> None:
    stock = {("cx23", "fsn1"): "openly", ("cx23", "nbg1"): "silently", ("cx33", "hel1"): "openly"}
    api = Api(sold_out=lambda server_type, location: stock.get((server_type, location)))
    (cx23,) = api.get("/server_types?name=cx23")["server_types"]
    available = {place["name"]: place["available"] for place in cx23["locations"]}
    assert available == {"fsn1": False, "nbg1": True, "hel1": True}
    assert api.get(f"/server_types/{cx23['id']}")["server_type"] == cx23
    body = {"name": "a", "server_type": "cx23", "image": "debian-12"}
    for location in ("fsn1", "nbg1"):
        refused = api.ask("POST", "/servers", {**body, "location": location})
        assert refused.status_code == 412
        assert refused.json["error"] == {  # type: ignore[index]
            "code": "resource_unavailable",
            "message": "error during placement",
            "details": None,
        }
    assert api.get("/servers")["servers"] == []
    server = api.post("/servers", **body)["server"]
    assert server["location"]["name"] == "hel1"
    path = f"/servers/{server['id']}"
    api.act(path, "poweroff")
    bigger = {"server_type": "cx33", "upgrade_disk": False}
    assert api.refusal("POST", f"{path}/actions/change_type", bigger) == (412, "resource_unavailable")
    stock.clear()
    api.act(path, "change_type", **bigger)


def test_lists_come_in_pages(api: Api) -> None:
    made = [api.post("/placement_groups", name=f"g{n}", type="spread")["placement_group"]["id"] for n in range(7)]
    second = api.get("/placement_groups?page=2&per_page=3&sort=id:desc")
    assert [entry["id"] for entry in second["placement_groups"]] == made[::-1][3:6]
    assert second["meta"]["pagination"] == {
        "page": 2,
        "per_page": 3,
        "previous_page": 1,
        "next_page": 3,
        "last_page": 3,
        "total_entries": 7,
    }


def test_the_rate_limit_is_told_and_refills(api: Api) -> None:
    headers = [api.ask("GET", "/locations").headers for _ in range(3)]
    assert [int(entry["RateLimit-Remaining"]) for entry in headers] == [3599, 3598, 3597]
    assert int(headers[-1]["RateLimit-Reset"]) == int(api.clock.now) + 3
    api.clock.now += 2
    assert api.ask("GET", "/locations").headers["RateLimit-Remaining"] == "3598"


# -- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("env=prod", "ab"),
        ("env==prod,tier=web", "a"),
        ("env!=prod", "cd"),
        ("env", "abc"),
        ("!env", "d"),
        ("tier in (web, db)", "abc"),
        ("tier notin (web)", "bd"),
        ("env=prod,tier notin (web, api)", "b"),
    ],
)
def test_label_selectors(selector: str, found: str) -> None:
    labels: dict[str, dict[str, str]] = {
        "a": {"env": "prod", "tier": "web"},
        "b": {"env": "prod", "tier": "db"},
        "c": {"env": "dev", "tier": "web"},
        "d": {},
    }
    assert "".join(name for name, has in labels.items() if Selector(selector).matches(has)) == found


_WORD = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@given(st.dictionaries(_WORD, _WORD, max_size=4), _WORD, st.lists(_WORD, min_size=1, max_size=3))
def test_a_selector_and_its_opposite_never_agree(labels: dict[str, str], key: str, values: list[str]) -> None:
    among = ",".join(values)
    for one, other in ((f"{key} in ({among})", f"{key} notin ({among})"), (key, f"!{key}")):
        assert Selector(one).matches(labels) is not Selector(other).matches(labels)


@pytest.mark.parametrize("labels", [{"-a": "b"}, {"a": "b c"}, {"a" * 64: ""}, {"hetzner.cloud/a": "b"}, {"a": 1}])
def test_labels_have_a_form(api: Api, labels: dict[str, Any]) -> None:
    body = {"name": "g", "type": "spread", "labels": labels}
    assert api.refusal("POST", "/placement_groups", body) == (422, "invalid_input")


# -- actions ----------------------------------------------------------------------------------------------------------


def test_an_action_of_no_length_runs_in_its_own_answer_and_is_over_in_the_next(api: Api) -> None:
    answer = api.post("/servers", name="a", server_type="cx23", image="debian-12", location=LOCATION)
    assert (answer["action"]["status"], answer["server"]["status"]) == ("running", "initializing")
    assert [action["command"] for action in answer["next_actions"]] == ["start_server"]
    ids = [answer["action"]["id"], answer["next_actions"][0]["id"]]
    # As the provider polls: by ids, sorted by status.
    polled = api.get(f"/actions?id={ids[0]}&id={ids[1]}&page=1&sort=status&sort=id")
    assert [(action["id"], action["status"], action["progress"]) for action in polled["actions"]] == [
        (ids[0], "success", 100),
        (ids[1], "success", 100),
    ]
    server = answer["server"]["id"]
    assert api.get(f"/servers/{server}")["server"]["status"] == "running"
    assert api.get(f"/servers/actions/{ids[0]}")["action"] == api.get(f"/actions/{ids[0]}")["action"]
    assert [a["id"] for a in api.get(f"/servers/{server}/actions?status=success")["actions"]] == ids
    assert api.refusal("GET", f"/networks/actions/{ids[0]}") == (404, "not_found")


def test_what_takes_time_locks_and_shows_it() -> None:
    api = Api(action_seconds=10)
    server = api.server()
    path = f"/servers/{server['id']}"
    assert (server["status"], server["locked"]) == ("initializing", True)
    assert api.refusal("POST", f"{path}/actions/poweroff", {}) == (423, "locked")
    assert api.refusal("DELETE", path) == (423, "locked")
    api.clock.now += 10
    assert api.get(path)["server"]["status"] == "starting"
    api.clock.now += 10
    assert api.get(path)["server"]["status"] == "running"
    action = api.ask("DELETE", path).json["action"]  # type: ignore[index]
    api.clock.now += 5
    assert api.get(path)["server"]["status"] == "deleting"
    assert api.get(f"/actions/{action['id']}")["action"]["progress"] == 50
    api.clock.now += 5
    assert api.refusal("GET", path) == (404, "not_found")
    assert api.get(f"/actions/{action['id']}")["action"]["status"] == "success"
    network = api.network()
    api.act(f"/networks/{network}", "add_subnet", type="cloud", network_zone="eu-central", ip_range="10.0.0.0/24")
    second = {"type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.1.0/24"}
    assert api.refusal("POST", f"/networks/{network}/actions/add_subnet", second) == (409, "conflict")


# -- what the emulator remembers --------------------------------------------------------------------------------------


def test_state_outlives_the_process(tmp_path: Path) -> None:
    first = Api(tmp_path / "state.json")
    network = first.network("net", "10.0.0.0/16", "10.0.1.0/24")
    server = first.server(networks=[network])
    second = Api(tmp_path / "state.json")
    found = second.get(f"/servers/{server['id']}")["server"]
    assert (found["name"], found["private_net"][0]["ip"]) == ("web-1", "10.0.1.1")
    assert second.server("web-2")["id"] > server["id"]
    assert json.loads((tmp_path / "state.json").read_bytes())["servers"]


def test_a_state_that_an_older_emulator_wrote_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    first = Api(file)
    network = first.network("net", "10.0.0.0/16", "10.0.1.0/24")
    first.server(networks=[network])
    first.balancer(network=network)
    data = json.loads(file.read_bytes())
    for record in (*data["servers"].values(), *data["load_balancers"].values()):
        del record["private_net"][0]["loopback"]
    file.write_text(json.dumps(data))
    records = [*Api(file).records("servers"), *Api(file).records("load_balancers")]
    given = [record["private_net"][0]["loopback"] for record in records]
    assert len(set(given)) == 2
    again = [*Api(file).records("servers"), *Api(file).records("load_balancers")]
    assert [record["private_net"][0]["loopback"] for record in again] == given


def test_a_refusal_leaves_nothing_behind(api: Api) -> None:
    api.get("/servers")
    before = json.dumps(api.app._store.data)
    body = {"name": "a", "server_type": "cx23", "image": "debian-12", "firewalls": [{"firewall": 4711}]}
    assert api.refusal("POST", "/servers", body) == (404, "not_found")
    assert json.dumps(api.app._store.data) == before


# -- names, protection, limits ----------------------------------------------------------------------------------------

_CREATIONS: dict[str, dict[str, Any]] = {
    "firewalls": {},
    "load_balancers": {"load_balancer_type": "lb11", "location": LOCATION},
    "networks": {"ip_range": "10.0.0.0/16"},
    "placement_groups": {"type": "spread"},
    "primary_ips": {"type": "ipv4", "location": LOCATION},
    "servers": {"server_type": "cx23", "image": "debian-12"},
    "certificates": {"type": "managed", "domain_names": ["www.example.com"]},
    "ssh_keys": {"public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl a@b"},
}


@pytest.mark.parametrize("collection", _CREATIONS)
def test_every_kind_is_made_found_renamed_and_deleted(api: Api, collection: str) -> None:
    one = collection.removesuffix("s")
    body = {"name": "one", "labels": {"a": "b"}, **_CREATIONS[collection]}
    identity = api.post(f"/{collection}", **body)[one]["id"]
    assert api.refusal("POST", f"/{collection}", body) == (409, "uniqueness_error")
    assert [entry["id"] for entry in api.get(f"/{collection}?name=one")[collection]] == [identity]
    assert [entry["id"] for entry in api.get(f"/{collection}?label_selector=a%3Db")[collection]] == [identity]
    changed = api.ask("PUT", f"/{collection}/{identity}", {"name": "two", "labels": {}})
    assert (changed.status_code, changed.json[one]["name"]) == (200, "two")  # type: ignore[index]
    assert api.get(f"/{collection}?label_selector=a")[collection] == []
    assert api.ask("DELETE", f"/{collection}/{identity}").status_code in (200, 204)
    assert api.refusal("GET", f"/{collection}/{identity}") == (404, "not_found")


@pytest.mark.parametrize("collection", ["load_balancers", "networks", "primary_ips", "servers"])
def test_what_is_protected_stays(api: Api, collection: str) -> None:
    identity = api.post(f"/{collection}", name="one", **_CREATIONS[collection])[collection.removesuffix("s")]["id"]
    both = {"rebuild": True} if collection == "servers" else {}
    api.act(f"/{collection}/{identity}", "change_protection", delete=True, **both)
    assert api.refusal("DELETE", f"/{collection}/{identity}") == (423, "protected")
    api.act(f"/{collection}/{identity}", "change_protection", **dict.fromkeys({"delete", *both}, False))
    assert api.ask("DELETE", f"/{collection}/{identity}").status_code in (200, 204)


def test_a_placement_group_has_room_for_ten(api: Api) -> None:
    group = api.post("/placement_groups", name="g", type="spread")["placement_group"]["id"]
    members = [api.server(f"s{n}", placement_group=group)["id"] for n in range(10)]
    body = {"name": "s10", "server_type": "cx23", "image": "debian-12", "placement_group": group}
    assert api.refusal("POST", "/servers", body) == (403, "resource_limit_exceeded")
    assert api.get(f"/placement_groups/{group}")["placement_group"]["servers"] == members
    late = f"/servers/{api.server('s10')['id']}/actions"
    assert api.refusal("POST", f"{late}/add_to_placement_group", {"placement_group": group}) == (
        422,
        "server_not_stopped",
    )
    api.ask("DELETE", f"/servers/{members[0]}")
    api.post(f"{late}/poweroff")
    api.post(f"{late}/add_to_placement_group", placement_group=group)
    api.ask("DELETE", f"/placement_groups/{group}")
    assert all(server["placement_group"] is None for server in api.get("/servers")["servers"])


# -- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ip_range", ["8.8.0.0/16", "10.0.0.0/25", "10.0.0.1/16", "fd00::/64", "10.0.0.0/7"])
def test_a_network_is_private_and_large_enough(api: Api, ip_range: str) -> None:
    assert api.refusal("POST", "/networks", {"name": "n", "ip_range": ip_range}) == (422, "invalid_input")


@pytest.mark.parametrize("ip_range", ["10.1.0.0/24", "10.0.1.128/25", "10.0.2.0/31"])
def test_a_subnet_is_within_its_network_and_overlaps_with_none(api: Api, ip_range: str) -> None:
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


def test_a_network_that_goes_takes_its_attachments_with_it(api: Api) -> None:
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


def test_a_firewall_is_on_before_the_first_boot_and_follows_labels(api: Api) -> None:
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


# -- primary IPs and servers ------------------------------------------------------------------------------------------


def test_public_addresses_are_unique_and_are_this_machines_own_or_lead_nowhere(api: Api) -> None:
    network = api.network("net", "10.0.0.0/16", "10.0.1.0/24")
    for number in range(30):
        api.server(f"s{number}", networks=[network])
    api.balancer(network=network)
    ips = [address["ip"] for address in api.get("/primary_ips?per_page=50")["primary_ips"]]
    assert len(ips) == len(set(ips)) == 50
    loopback = ipaddress.ip_network("127.64.0.0/10")
    public = [ip for ip in ips if not ip.startswith("2001:db8:")]
    assert all(ipaddress.ip_address(ip) in loopback for ip in public)
    # What stands for a private address is another one, and the API does not tell it.
    records = [*api.records("servers"), *api.records("load_balancers")]
    private = [entry["loopback"] for record in records for entry in record["private_net"]]
    assert len(private) == 31
    assert not set(private) & set(ips)
    assert all(ipaddress.ip_address(ip) in loopback for ip in private)
    shown = api.get("/servers")["servers"] + api.get("/load_balancers")["load_balancers"]
    assert all("loopback" not in entry for record in shown for entry in record["private_net"])


def test_an_address_is_never_given_twice() -> None:
    """Whoever chooses is told of every address that is taken, and one that was given back is free again."""
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


def test_a_primary_ip_outlives_its_server_and_moves_only_while_that_is_off(api: Api) -> None:
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


# -- DNS ---------------------------------------------------------------------------------------------------------------


def zone(api: Api, name: str = "example.com", **more: Any) -> Any:
    return api.post("/zones", name=name, mode="primary", **more)["zone"]


def test_a_zone_has_what_every_zone_has(api: Api) -> None:
    made = zone(api, labels={"a": "b"})
    assert (made["ttl"], made["status"], made["record_count"], made["protection"]) == (3600, "ok", 4, {"delete": False})
    assert len(made["authoritative_nameservers"]["assigned"]) == 3
    # A path may name a zone by its id or its name.
    assert api.get("/zones/example.com") == api.get(f"/zones/{made['id']}")
    found = api.get("/zones/example.com/rrsets")["rrsets"]
    assert [(one["id"], one["zone"], len(one["records"])) for one in found] == [
        ("@/NS", made["id"], 3),
        ("@/SOA", made["id"], 1),
    ]
    assert api.refusal("POST", "/zones", {"name": "example.com", "mode": "primary"}) == (409, "uniqueness_error")
    api.act("/zones/example.com", "change_ttl", ttl=60)
    api.act("/zones/example.com", "change_protection", delete=True)
    assert api.refusal("DELETE", "/zones/example.com") == (423, "protected")
    api.act("/zones/example.com", "change_protection", delete=False)
    assert api.ask("PUT", "/zones/example.com", {"labels": {}}).json["zone"]["ttl"] == 60  # type: ignore[index]
    assert api.refusal("PUT", "/zones/example.com", {"name": "example.org"}) == (422, "invalid_input")
    assert len(api.get("/zones/example.com/actions")["actions"]) == 4
    assert api.ask("DELETE", "/zones/example.com").status_code == 201
    assert api.refusal("GET", "/zones/example.com") == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "example"}, "invalid_input"),
        ({"name": "Example.com"}, "invalid_input"),
        ({"name": "example.com."}, "invalid_input"),
        ({"ttl": 59}, "invalid_input"),
        ({"mode": "secondary"}, "unsupported_error"),
        ({"zonefile": "@ A 127.0.0.1"}, "invalid_input"),
        ({"primary_nameservers": [{"address": "198.51.100.1"}]}, "invalid_input"),
        ({"rrsets": [{"name": "@", "type": "A", "records": [{"value": "here"}]}]}, "invalid_input"),
    ],
)
def test_a_zone_that_cannot_be_is_refused(api: Api, change: dict[str, Any], code: str) -> None:
    assert api.refusal("POST", "/zones", {"name": "example.com", "mode": "primary", **change}) == (422, code)
    assert api.get("/zones")["zones"] == []


def test_the_records_of_a_zone(api: Api) -> None:
    www = {"name": "www", "type": "A", "ttl": 60, "records": [{"value": "127.64.0.1", "comment": "first"}]}
    zone(api, rrsets=[www])
    sets, path = "/zones/example.com/rrsets", "/zones/example.com/rrsets/www/A"

    def serial() -> int:
        return int(api.get(f"{sets}/@/SOA")["rrset"]["records"][0]["value"].split()[2])

    def values() -> list[str]:
        return [record["value"] for record in api.get(path)["rrset"]["records"]]

    before = serial()
    assert api.get(path)["rrset"]["ttl"] == 60
    api.act(path, "set_records", records=[{"value": "127.64.0.2"}, {"value": "127.64.0.3"}])
    api.act(path, "add_records", records=[{"value": "127.64.0.4"}])
    api.act(path, "remove_records", records=[{"value": "127.64.0.2"}])
    api.act(path, "update_records", records=[{"value": "127.64.0.4", "comment": "last"}])
    assert (values(), serial()) == (["127.64.0.3", "127.64.0.4"], before + 4)
    assert api.get(path)["rrset"]["records"][1]["comment"] == "last"
    api.act(path, "change_ttl", ttl=None)
    assert api.get(path)["rrset"]["ttl"] is None
    api.ask("PUT", path, {"labels": {"a": "b"}})
    assert [one["id"] for one in api.get(f"{sets}?label_selector=a")["rrsets"]] == ["www/A"]
    assert [one["id"] for one in api.get(f"{sets}?type=A&type=NS&name=@")["rrsets"]] == ["@/NS"]
    api.act(path, "change_protection", change=True)
    for command, body in (
        ("set_records", {"records": [{"value": "127.64.0.9"}]}),
        ("add_records", {"records": [{"value": "127.64.0.9"}]}),
        ("remove_records", {"records": [{"value": "127.64.0.3"}]}),
        ("change_ttl", {"ttl": 300}),
    ):
        assert api.refusal("POST", f"{path}/actions/{command}", body) == (423, "protected")
    assert api.refusal("DELETE", path) == (423, "protected")
    api.act(path, "change_protection", change=False)
    # Adding makes a set that is not there, and taking the last record away removes one.
    api.act(f"{sets}/www/AAAA", "add_records", records=[{"value": "2001:DB8::1"}], ttl=60)
    assert api.get(f"{sets}/www/AAAA")["rrset"]["records"] == [{"value": "2001:db8::1", "comment": None}]
    api.act(f"{sets}/www/AAAA", "remove_records", records=[{"value": "2001:db8::1"}])
    assert api.refusal("GET", f"{sets}/www/AAAA") == (404, "not_found")
    api.ask("DELETE", path)
    assert api.refusal("DELETE", path) == (404, "not_found")
    assert api.refusal("DELETE", f"{sets}/@/SOA") == (422, "invalid_input")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"records": []}, "invalid_input"),
        ({"records": [{"value": "2001:db8::1"}]}, "invalid_input"),
        ({"records": [{"value": "127.64.0.1"}, {"value": "127.64.0.1"}]}, "invalid_input"),
        ({"name": "api.example.com"}, "invalid_input"),
        ({"name": "Api"}, "invalid_input"),
        ({"name": "a..b"}, "invalid_input"),
        ({"type": "SPF"}, "invalid_input"),
        ({"ttl": 10}, "invalid_input"),
        ({"name": "www"}, "uniqueness_error"),
        ({"name": "www", "type": "CNAME", "records": [{"value": "other"}]}, "invalid_input"),
        ({"name": "alias"}, "invalid_input"),
        ({"type": "TXT", "records": [{"value": "not quoted"}]}, "invalid_input"),
        ({"type": "TXT", "records": [{"value": '"' + "x" * 256 + '"'}]}, "invalid_input"),
        ({"type": "NS", "records": [{"value": "not a host"}]}, "invalid_input"),
        ({"name": "@", "type": "SOA", "records": [{"value": "any"}]}, "uniqueness_error"),
    ],
)
def test_records_that_cannot_be_are_refused(api: Api, change: dict[str, Any], code: str) -> None:
    alias = {"name": "alias", "type": "CNAME", "records": [{"value": "www.example.com."}]}
    zone(api, rrsets=[{"name": "www", "type": "A", "records": [{"value": "127.64.0.1"}]}, alias])
    body = {"name": "api", "type": "A", "records": [{"value": "127.64.0.1"}], **change}
    assert api.refusal("POST", "/zones/example.com/rrsets", body)[1] == code
    assert len(api.get("/zones/example.com/rrsets")["rrsets"]) == 4


# -- certificates -----------------------------------------------------------------------------------------------------


def managed(api: Api, *domains: str, name: str = "managed") -> Any:
    return api.post("/certificates", name=name, type="managed", domain_names=list(domains))


def test_a_managed_certificate_is_issued_for_the_domains_of_the_projects_zones() -> None:
    authority = Authority("Test authority", None)
    api = Api(authority=authority, action_seconds=5)
    zone(api)
    answer = managed(api, "api.example.com", "*.example.com")
    path = f"/certificates/{answer['certificate']['id']}"
    assert answer["certificate"]["status"] == {"issuance": "pending", "renewal": "unavailable", "error": None}
    assert answer["certificate"]["certificate"] is None
    api.clock.now += 5
    found = api.get(path)["certificate"]
    assert found["status"] == {"issuance": "completed", "renewal": "scheduled", "error": None}
    assert found["domain_names"] == ["api.example.com", "*.example.com"]
    assert not {"private_key", "key"} & set(found)
    # It really is one: its authority signed it, its key is the record's, and a client would take it for the name.
    certificate = x509.load_pem_x509_certificate(found["certificate"].encode())
    root = x509.load_pem_x509_certificate(authority.pem)
    leaf = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName("www.example.com"))
    assert leaf.verify(certificate, [])
    (record,) = api.records("certificates")
    key = serialization.load_pem_private_key(record["private_key"].encode(), password=None)
    assert key.public_key() == certificate.public_key()
    life = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=89) < life <= timedelta(days=90)
    assert api.refusal("POST", f"{path}/actions/retry", {}) == (422, "invalid_input")


def test_a_certificate_that_cannot_be_issued_says_why_and_can_be_retried(api: Api) -> None:
    answer = managed(api, "api.example.com")
    path = f"/certificates/{answer['certificate']['id']}"
    action = api.get(f"/actions/{answer['action']['id']}")["action"]
    assert (action["status"], action["error"]["code"]) == ("error", "dns_zone_not_found")
    status = api.get(path)["certificate"]["status"]
    assert (status["issuance"], status["error"]["code"]) == ("failed", "dns_zone_not_found")
    assert "api.example.com" in status["error"]["message"]
    caa = {"name": "@", "type": "CAA", "records": [{"value": '0 issue "sectigo.com"'}]}
    zone(api, rrsets=[caa])
    api.act(path, "retry")
    assert api.get(path)["certificate"]["status"]["error"]["code"] == "caa_record_does_not_allow_ca"
    allowed = [{"value": '0 issue "letsencrypt.org; validationmethods=dns-01"'}]
    api.act("/zones/example.com/rrsets/@/CAA", "set_records", records=allowed)
    api.act(path, "retry")
    assert api.get(path)["certificate"]["status"]["issuance"] == "completed"
    wrongs: list[Any] = [
        {"domain_names": []},
        {"domain_names": ["Example"]},
        {"certificate": "x", "domain_names": ["a.de"]},
    ]
    for wrong in wrongs:
        body = {"name": "b", "type": "managed", **wrong}
        assert api.refusal("POST", "/certificates", body) == (422, "invalid_input")


def test_an_uploaded_certificate_and_its_key_belong_together(api: Api) -> None:
    one, other = (Authority("Another authority", None).issue(["www.example.com"]) for _ in range(2))
    answer = api.post("/certificates", name="own", certificate=one.certificate, private_key=one.key)
    found = answer["certificate"]
    assert (answer["action"], found["type"], found["status"]) == (None, "uploaded", None)
    assert (found["domain_names"], found["used_by"]) == (["www.example.com"], [])
    assert len(found["fingerprint"].split(":")) == 20
    for certificate, key in ((one.certificate, other.key), ("x", one.key), (one.certificate, "x"), (one.key, one.key)):
        body = {"name": "b", "certificate": certificate, "private_key": key}
        assert api.refusal("POST", "/certificates", body) == (422, "invalid_input")
    retry = f"/certificates/{found['id']}/actions/retry"
    assert api.refusal("POST", retry, {}) == (422, "unsupported_error")


def test_a_load_balancer_ends_tls_with_a_certificate_and_redirects_http(api: Api) -> None:
    zone(api)
    certificate = managed(api, "www.example.com")["certificate"]["id"]
    balancer = api.balancer()["id"]
    path = f"/load_balancers/{balancer}"
    add = f"{path}/actions/add_service"
    https = {"protocol": "https", "http": {"certificates": [certificate], "redirect_http": True}}
    api.post(add, **https, destination_port=8080)
    (service,) = api.get(path)["load_balancer"]["services"]
    assert (service["listen_port"], service["health_check"]["protocol"]) == (443, "http")
    assert (service["http"]["certificates"], service["http"]["redirect_http"]) == ([certificate], True)
    # The port of HTTP is taken as well: who comes there is sent on.
    assert api.refusal("POST", add, {"protocol": "http"}) == (412, "source_port_already_used")
    used = [{"id": balancer, "type": "load_balancer"}]
    assert api.get(f"/certificates/{certificate}")["certificate"]["used_by"] == used
    assert api.refusal("DELETE", f"/certificates/{certificate}") == (422, "resource_in_use")
    api.act(path, "update_service", listen_port=443, http={"redirect_http": False})
    api.post(add, protocol="http")
    update = f"{path}/actions/update_service"
    again = {"listen_port": 443, "http": {"redirect_http": True}}
    assert api.refusal("POST", update, again) == (412, "source_port_already_used")
    assert api.refusal("POST", update, {"listen_port": 443, "http": {"certificates": []}}) == (422, "invalid_input")
    more = [managed(api, "www.example.com", name=f"more-{n}")["certificate"]["id"] for n in range(11)]
    over = {"listen_port": 443, "http": {"certificates": more}}
    assert api.refusal("POST", update, over) == (403, "resource_limit_exceeded")
    failed = managed(api, "www.example.org", name="failed")["certificate"]["id"]
    assert api.refusal("POST", update, {"listen_port": 443, "http": {"certificates": [failed]}}) == (
        422,
        "invalid_input",
    )
    api.act(path, "delete_service", listen_port=443)
    assert api.ask("DELETE", f"/certificates/{certificate}").status_code == 204


# -- load balancers ---------------------------------------------------------------------------------------------------


def test_a_load_balancer_keeps_the_address_that_it_was_made_with(api: Api) -> None:
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
