"""The API of the Hetzner emulator: authorization, errors, lists, labels, actions and state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from localcloud.hetzner.labels import Selector
from tests.localcloud.hetzner.harness import LOCATION, TOKEN, Api

# -- authorization, errors and lists ----------------------------------------------------------------------------------


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


def test_unsupported_action_is_refused_by_name(api: Api) -> None:
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


def test_catalogue_lists_locations_and_offers(api: Api) -> None:
    zones = {entry["name"]: entry["network_zone"] for entry in api.get("/locations")["locations"]}
    assert [name for name, zone in zones.items() if zone == "eu-central"] == ["fsn1", "nbg1", "hel1"]
    (image,) = api.get("/images?name=debian-12&architecture=arm")["images"]
    assert (image["name"], image["architecture"]) == ("debian-12", "arm")
    assert api.get("/images?name=debian-11")["images"] == []
    assert api.get("/images?name=debian-11&architecture=x86&include_deprecated=true")["images"]
    made = {"name": "a", "server_type": "cx23", "image": "debian-12"}
    assert api.refusal("POST", "/servers", {**made, "location": "ash"}) == (422, "invalid_input")
    assert api.refusal("POST", "/servers", {**made, "image": image["id"]}) == (422, "invalid_input")


def test_account_has_a_limit_of_servers() -> None:
    api = Api(server_limit=1)
    first = {"name": "a", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
    api.post("/servers", **first)
    assert api.refusal("POST", "/servers", {**first, "name": "b"}) == (403, "resource_limit_exceeded")


def test_sold_out_type_moves_server_to_next_location() -> None:
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


def test_action_without_duration_ends_at_next_request(api: Api) -> None:
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


# -- stored state ------------------------------------------------------------------------------------------------------


def test_state_outlives_the_process(tmp_path: Path) -> None:
    first = Api(tmp_path / "state.json")
    network = first.network("net", "10.0.0.0/16", "10.0.1.0/24")
    server = first.server(networks=[network])
    second = Api(tmp_path / "state.json")
    found = second.get(f"/servers/{server['id']}")["server"]
    assert (found["name"], found["private_net"][0]["ip"]) == ("web-1", "10.0.1.1")
    assert second.server("web-2")["id"] > server["id"]
    assert json.loads((tmp_path / "state.json").read_bytes())["servers"]


def test_state_of_older_emulator_is_updated(tmp_path: Path) -> None:
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
