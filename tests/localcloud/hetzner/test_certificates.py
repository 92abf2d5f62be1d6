"""Uploaded and managed certificates of the Hetzner emulator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from localcloud.network.certificate_authority import CertificateAuthority
from tests.localcloud.hetzner.harness import Api, zone


def managed(api: Api, *domains: str, name: str = "managed") -> Any:
    return api.post("/certificates", name=name, type="managed", domain_names=list(domains))


def test_managed_certificate_is_issued_for_own_zones() -> None:
    authority = CertificateAuthority("Test authority", None)
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


def test_zone_that_is_not_delegated_gets_no_certificate(api: Api) -> None:
    servers = zone(api, name="example.invalid")["authoritative_nameservers"]
    assert (servers["delegation_status"], servers["delegated"]) == ("unregistered", [])
    answer = managed(api, "api.example.invalid")
    status = api.get(f"/certificates/{answer['certificate']['id']}")["certificate"]["status"]
    assert (status["issuance"], status["error"]["code"]) == ("failed", "could_not_verify_domain_delegated_to_zone")


def test_failed_certificate_has_reason_and_can_be_retried(api: Api) -> None:
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


def test_uploaded_certificate_must_match_its_key(api: Api) -> None:
    one, other = (CertificateAuthority("Another authority", None).issue(["www.example.com"]) for _ in range(2))
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


def test_load_balancer_ends_tls_and_redirects_http(api: Api) -> None:
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
