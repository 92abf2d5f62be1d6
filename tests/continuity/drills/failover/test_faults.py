"""Faults through the API of a local Hetzner: injection, reversal, health and DNS."""

from __future__ import annotations

import pytest
from hcloud.zones import ZoneRecord

from continuity.drills.failover import faults
from continuity.drills.failover.faults import Fault, HetznerApi
from continuity.errors import ContinuityError
from tests.continuity.drills.failover.pool import ADDRESSES, HOSTS, TOKEN, Cloud
from tests.continuity.web import NAME


def test_servers_and_load_balancers_go_off_together_and_come_back(cloud: Cloud) -> None:
    fault = Fault(cloud.api, ["api-1", "worker-1"], ["lb-fsn1"])
    assert not fault.active
    killed, off = fault.inject()
    assert killed < off
    assert fault.active
    assert {name for name, on in cloud.powered().items() if not on} == {"api-1", "worker-1"}
    assert cloud.open() == {"lb-fsn1": False, "lb-nbg1": True}
    assert fault.revert() >= off
    assert all(cloud.powered().values())
    assert all(cloud.open().values())
    assert not fault.active
    assert fault.manual_commands() == [
        "hcloud server poweron api-1",
        "hcloud server poweron worker-1",
        "hcloud load-balancer enable-public-interface lb-fsn1",
    ]


def test_health_is_that_of_the_load_balancers_own_checks(cloud: Cloud) -> None:
    wanted = {name: state == "active" for name, (_, state) in HOSTS.items()}
    assert faults.health(cloud.api, ["lb-fsn1", "lb-nbg1"]) == {"lb-fsn1": wanted, "lb-nbg1": wanted}


def test_what_is_not_there_or_off_already_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ContinuityError, match="no server api-9"):
        Fault(cloud.api, ["api-1", "api-9"], [])
    with pytest.raises(ContinuityError, match="no load balancer lb-9"):
        Fault(cloud.api, [], ["lb-9"])
    Fault(cloud.api, ["api-1"], ["lb-fsn1"]).inject()
    with pytest.raises(ContinuityError, match="api-1 is not running"):
        Fault(cloud.api, ["api-1"], [])
    with pytest.raises(ContinuityError, match="public interface of lb-fsn1 is off"):
        Fault(cloud.api, [], ["lb-fsn1"])


def test_what_could_be_switched_off_comes_back_when_the_rest_could_not(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(cloud.api, ["api-1", "worker-1"], [])
    server = cloud.client.servers.get_by_name("worker-1")
    server.delete().wait_until_finished()
    with pytest.raises(ContinuityError, match="not everything could be switched off"):
        fault.inject()
    assert not cloud.powered()["api-1"]
    monkeypatch.setattr(faults, "_RESTORE_SECONDS", 0.1)
    with pytest.raises(ContinuityError, match=r"By hand: .*hcloud server poweron worker-1"):
        fault.revert()
    assert cloud.powered()["api-1"]


@pytest.mark.parametrize(
    ("endpoint", "real"),
    [
        ("https://api.hetzner.cloud/v1", True),
        ("http://127.0.0.1:4711/v1", False),
        ("http://localhost:4711/v1", False),
        ("http://[::1]:4711/v1", False),
        ("http://10.0.0.1/v1", True),
        ("http://127.0.0.1.example.com/v1", True),
    ],
)
def test_only_what_listens_on_loopback_is_no_real_cloud(endpoint: str, real: bool) -> None:
    assert HetznerApi(endpoint, TOKEN).real is real


@pytest.mark.parametrize(
    ("zone", "records", "words"),
    [
        pytest.param(None, [], ["no DNS zone for api.example.test"], id="no zone"),
        pytest.param("example.test", list(ADDRESSES.values()), [], id="as the load balancers have them"),
        pytest.param("example.test", [], ["(A) to nothing"], id="no record"),
        pytest.param(
            "example.test", ["127.64.78.1", "127.64.78.9"], ["127.64.78.9, and the load"], id="another address"
        ),
    ],
)
def test_dns_that_differs_is_said(cloud: Cloud, zone: str | None, records: list[str], words: list[str]) -> None:
    if zone is not None:
        made = cloud.client.zones.create(name=zone, mode="primary").zone
        made.create_rrset(name="api", type="AAAA", records=[ZoneRecord("2001:DB8:0::1")])
        if records:
            made.create_rrset(name="api", type="A", records=[ZoneRecord(record) for record in records])
    wanted = {"A": list(ADDRESSES.values()), "AAAA": ["2001:db8::1"]}
    said = faults.dns_differences(cloud.api, NAME, wanted)
    assert len(said) == len(words)
    assert all(part in sentence for part, sentence in zip(words, said, strict=True))
