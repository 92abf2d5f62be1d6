"""DNS zones and record sets of the Hetzner emulator."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.hetzner.harness import Api, zone


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
