"""Tests of user data: a host's programs accept it, and an error names each wrong value."""

from __future__ import annotations

import base64
import configparser
import gzip
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from components.hosts.image.hosts import ApiHost, Enrolment, Host, WorkerHost
from components.hosts.image.rendering import SIZE_LIMIT_BYTES, fingerprint, render, standby_threshold
from components.hosts.image.timing import drain_seconds
from tests.components.hosts.examples import (
    ENROLMENT,
    KEY,
    KINDS,
    active_api,
    active_worker,
    program,
    standby_api,
    standby_worker,
    written_haproxy,
)

every_kind = pytest.mark.parametrize("host", KINDS.values(), ids=KINDS)


def needed(name: str) -> str:
    """Return the path of a program that a test runs. In CI it must exist; elsewhere the test is skipped."""
    found = program(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed; .ci/run should have installed it")
        pytest.skip(f"{name} is not installed")
    return found


def read(host: Host) -> dict[str, Any]:
    document = yaml.safe_load(render(host, ENROLMENT))
    assert isinstance(document, dict)
    return document


def files(host: Host) -> dict[str, str]:
    return {
        file["path"]: gzip.decompress(base64.b64decode(file["content"])).decode()
        if file.get("encoding") == "gz+b64"
        else file["content"]
        for file in read(host)["write_files"]
    }


# -- checks by the programs on a host ---------------------------------------------------------------------------------


@every_kind
def test_cloud_init_accepts_it(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text(render(host, ENROLMENT))
    asked = subprocess.run(
        [needed("cloud-init"), "schema", "-c", str(file)], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked
    assert "deprecat" not in (asked.stdout + asked.stderr).lower(), asked


@pytest.mark.parametrize("host", [host for host in KINDS.values() if isinstance(host, ApiHost)], ids=lambda h: h.name)
def test_haproxy_accepts_its_configuration(host: ApiHost, tmp_path: Path) -> None:
    command = [needed("haproxy"), "-c", "-f", str(written_haproxy(host, tmp_path))]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    assert "WARNING" not in asked.stderr, asked.stderr


@every_kind
def test_sshd_accepts_its_settings(host: Host, tmp_path: Path) -> None:
    key = tmp_path / "key"
    sshd = program("sshd")
    if sshd is None:
        pytest.skip("sshd is not installed")
    if not Path("/run/sshd").is_dir():
        pytest.skip("sshd needs /run/sshd, which systemd creates when it starts sshd")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    file = tmp_path / "sshd_config"
    said = files(host)["/etc/ssh/sshd_config.d/10-botbrains.conf"]
    file.write_text(said.replace("/etc/ssh/ssh_host_ed25519_key", str(key)))
    shown = subprocess.run([sshd, "-T", "-f", str(file)], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert {
        "permitrootlogin no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "authenticationmethods publickey",
        "allowusers ben",
        "allowusers liam",
    } <= set(shown.stdout.splitlines())


@every_kind
def test_nftables_accepts_its_rules(host: Host, tmp_path: Path) -> None:
    nft = program("nft")
    if nft is None:
        pytest.skip("nft is not installed")
    if subprocess.run([nft, "list", "tables"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nft has no permission to query the kernel")
    file = tmp_path / "nftables.conf"
    file.write_text(files(host)["/etc/nftables.conf"])
    asked = subprocess.run([nft, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


@every_kind
def test_systemd_knows_every_directive(host: Host, tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    units = []
    for path, text in files(host).items():
        if path.startswith("/etc/systemd/system/"):
            units.append(tmp_path / path.rpartition("/")[2])
            # The programs that the units start exist only on a host.
            units[-1].write_text(re.sub(r"(?m)^(Exec\w+)=.*$", r"\1=/bin/true", text))
    asked = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", "--man=no", *map(str, units)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in asked.stderr.splitlines() if str(tmp_path) in line] == []


# -- contents ---------------------------------------------------------------------------------------------------------


@every_kind
def test_units_start_existing_files_in_order(host: Host) -> None:
    written = files(host)
    units = {
        path.rpartition("/")[2]: _unit(text)
        for path, text in written.items()
        if path.startswith("/etc/systemd/system/")
    }
    enabled = read(host)["runcmd"][-1]
    assert enabled[:3] == ["systemctl", "enable", "--now"]
    assert set(enabled[3:]) == set(units)
    for name, unit in units.items():
        # After a restart of the host, all units start without an operator.
        assert unit["Install"]["WantedBy"] == ["multi-user.target"]
        for other in (
            word
            for key in ("After", "Wants", "Requires")
            for line in unit["Unit"].get(key, [])
            for word in line.split()
        ):
            assert other in units or other == "network-online.target", f"{name} names {other}"
        for line in [*unit["Service"].get("ExecStartPre", []), *unit["Service"]["ExecStart"]]:
            called, *arguments = line.split()
            assert called in ("/usr/bin/python3", "/usr/bin/podman", "/usr/sbin/haproxy")
            if called == "/usr/bin/python3":
                assert arguments[0] in written
        if unit["Service"]["Type"] != ["oneshot"]:
            assert unit["Service"]["Restart"] == ["always"]
            assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]


def test_shutdown_ends_before_power_is_cut() -> None:
    written = files(active_api())
    stops = {
        name: int(_unit(written[f"/etc/systemd/system/{name}.service"])["Service"]["TimeoutStopSec"][0])
        for name in ("botbrains-drain", "haproxy", "botbrains-app")
    }
    # One after the other. Draining takes `drain_seconds`, not its limit.
    drains = drain_seconds(active_api())
    assert drains == 3 * 2 + 2 + 1 < stops["botbrains-drain"]
    assert drains + stops["haproxy"] + stops["botbrains-app"] <= 28


def test_only_load_balancers_and_peers_reach_port() -> None:
    rules = files(active_api())["/etc/nftables.conf"]
    assert [line.strip() for line in rules.splitlines() if line.strip().startswith("ip saddr")] == [
        "ip saddr { 10.10.0.2, 10.10.0.3, 10.10.0.11-10.10.0.119 } ip daddr 10.10.0.11 tcp dport 8080 accept"
    ]
    assert "policy drop" in rules
    assert "9000" not in rules
    assert "ip saddr" not in files(active_worker())["/etc/nftables.conf"]


@every_kind
def test_only_operators_have_accounts(host: Host) -> None:
    users = read(host)["users"]
    assert {user["name"]: user["ssh_authorized_keys"] for user in users} == {
        "liam": [f"{KEY} liam"],
        "ben": [f"{KEY} ben"],
    }
    assert all(user["lock_passwd"] for user in users)


@every_kind
def test_only_root_reads_activation_code(host: Host) -> None:
    text = render(host, ENROLMENT)
    assert text.count(ENROLMENT.activation_code) == 1
    assert ENROLMENT.activation_code not in repr(ENROLMENT)
    [file] = [file for file in yaml.safe_load(text)["write_files"] if ENROLMENT.activation_code in file["content"]]
    assert file["permissions"] == "0600"


def test_any_change_but_enrolment_changes_fingerprint() -> None:
    host = standby_api()
    later = replace(ENROLMENT, activation_code="something-else-altogether")
    assert render(host, ENROLMENT) != render(host, later)
    # The fingerprint does not depend on enrolments. It is the same in every run and on every machine.
    assert fingerprint(host) == fingerprint(standby_api())
    others = [
        replace(host, image=host.image.replace("0", "f")),
        replace(host, operators={"liam": f"{KEY} liam"}),
        replace(host, actives={**host.actives, "botbrains-prod-api-3": "10.10.0.13"}),
        replace(host, health_interval_seconds=4),
        replace(host, secrets=[]),
    ]
    assert len({fingerprint(one) for one in [host, *others]}) == len(others) + 1


def test_more_hosts_leave_existing_hosts_unchanged() -> None:
    """Only standbys have the number of actives. An active allows the whole address range of its peers."""
    with pytest.raises(ValueError, match="allowed is none for an active host"):
        active_api(actives={"botbrains-prod-api-2": "10.10.0.12"})
    assert fingerprint(standby_api(2)) != fingerprint(standby_api(20))


@pytest.mark.parametrize(
    ("actives", "place", "threshold"), [(2, 1, 2), (2, 2, 1), (20, 1, 20), (20, 2, 19), (1, 1, 1), (1, 2, 1)]
)
def test_standby_threshold(actives: int, place: int, threshold: int) -> None:
    assert standby_threshold(standby_api(actives, place)) == threshold


# -- refused values ---------------------------------------------------------------------------------------------------

REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (active_api, {"name": "Api_1"}, "name is 'Api_1'; allowed is"),
    (active_api, {"address": "8.8.8.8"}, "address is '8.8.8.8'; allowed is a private"),
    (active_api, {"address": "10.10.0"}, "address is '10.10.0'; allowed is a private"),
    (active_api, {"region": "Frankfurt"}, "region is 'Frankfurt'; allowed is"),
    (active_api, {"operators": {}}, "operators is empty; allowed is one"),
    (active_api, {"operators": {"root": KEY}}, "operators has 'root'; allowed is the name of an account"),
    (active_api, {"operators": {"liam": "ssh-dss AAAA"}}, "operators['liam'] is 'ssh-dss AAAA'; allowed is"),
    (active_api, {"operators": {"liam": f"{KEY}\nPermitRootLogin yes"}}, "operators['liam'] is"),
    (active_api, {"image": "ghcr.io/botbrains/api:latest"}, "image is 'ghcr.io/botbrains/api:latest'; allowed is"),
    (active_api, {"secrets": ["a", "a"]}, "secrets has 'a' twice; allowed is a list, none of them twice"),
    (active_api, {"secrets": ["a-b", "a_b"]}, "secrets[1] is 'a_b'; allowed is the name of a secret"),
    (active_api, {"secrets": ["a b"]}, "secrets[0] is 'a b'; allowed is"),
    (active_api, {"log_group": "a b"}, "log_group is 'a b'; allowed is"),
    (active_api, {"load_balancer_addresses": []}, "load_balancer_addresses is empty; allowed is"),
    (active_api, {"peer_addresses": ["10.10.0.9-10.10.0.3"]}, "peer_addresses[0] is '10.10.0.9-10.10.0.3'; allowed is"),
    (active_api, {"port": 80}, "port is 80; allowed is a port from 1024 to 65535"),
    (active_api, {"port": 9000}, "port is 9000; allowed is a port from 1024 to 65535 except 9000"),
    (active_api, {"app_port": 8080}, "port and app_port are both 8080; allowed is two"),
    (active_api, {"health_path": "healthz"}, "health_path is 'healthz'; allowed is"),
    (active_api, {"health_retries": 0}, "health_retries is 0; allowed is a whole number from 1 to 5"),
    (active_api, {"health_timeout_seconds": 4}, "health_timeout_seconds is 4; allowed is 1 to 3"),
    (active_api, {"health_interval_seconds": 10}, "health_interval_seconds is 10, health_retries 2"),
    (active_api, {"actives": {"a": "10.10.0.12"}}, "actives is {'a': '10.10.0.12'}; allowed is none for an active"),
    (standby_api, {"standby": 0}, "standby is 0; allowed is a whole number, 1 or more"),
    (standby_api, {"actives": {}}, "actives is empty for a standby; allowed is"),
    (standby_api, {"actives": {"a": "10.10.0.111"}}, "actives['a'] is 10.10.0.111, the standby's own"),
    (active_worker, {"slot": 0}, "slot is 0; allowed is a whole number from 1 to 50"),
    (active_worker, {"slots": 2}, "slot is 1 and slots is 2; allowed is one of the two"),
    (active_worker, {"slot": None}, "slot is None and slots is None; allowed is one of the two"),
    (standby_worker, {"grace_seconds": 60}, "grace_seconds is 60; allowed is a whole number from 1 to 23"),
]


@pytest.mark.parametrize(("made", "wrong", "said"), REFUSED, ids=[said[:40] for _, _, said in REFUSED])
def test_error_states_value_and_allowed_values(made: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        made(**wrong)


def test_refused_activation_code_is_not_shown() -> None:
    with pytest.raises(ValueError, match="activation_code is secret and not shown; allowed is 16 to 250") as refusal:
        Enrolment(activation_id=ENROLMENT.activation_id, activation_code="secret, really", region="eu-central-1")
    assert "really" not in str(refusal.value)


# -- all allowed values -----------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9-]{0,40}[a-z0-9]", fullmatch=True)
addresses = st.integers(1, 250).map(lambda number: f"10.10.0.{number}")
kinds = st.sampled_from(["ssh-ed25519", "sk-ssh-ed25519@openssh.com"])
keys = st.text("ABCDEFabcdef0123456789+/", min_size=40, max_size=400)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
comments = st.lists(words, max_size=3).map(lambda said: "".join(f" {word}" for word in said))
common = st.fixed_dictionaries(
    {
        "name": names,
        "stack": st.sampled_from(["prod", "dr"]),
        "region": st.sampled_from(["eu-central-1", "eu-west-1"]),
        "address": addresses,
        "operators": st.dictionaries(
            st.from_regex(r"x[a-z0-9-]{0,20}", fullmatch=True),
            st.builds(lambda kind, key, comment: f"{kind} {key}={comment}", kinds, keys, comments),
            min_size=1,
            max_size=3,
        ),
        "secrets": st.lists(
            st.from_regex(r"[a-z]{1,20}(-([a-z]{1,5}|[a-z]{7,9}))?", fullmatch=True), max_size=10, unique=True
        ),
        "image": st.just(f"ghcr.io/botbrains/api@sha256:{'a' * 64}"),
        "log_group": st.just("/botbrains/prod/hosts"),
    }
)
checks = st.sampled_from([(3, 2, 2), (3, 1, 1), (5, 5, 2), (4, 1, 3), (3, 3, 4), (10, 1, 1)])


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    told: dict[str, Any] = draw(common)
    if draw(st.booleans()):
        owned: dict[str, Any] = draw(st.sampled_from([{"slot": 1}, {"slot": 50}, {"slots": 1}, {"slots": 50}]))
        return WorkerHost(**told, **owned, grace_seconds=draw(st.integers(1, 23)))
    interval, timeout, retries = draw(checks)
    watched = draw(st.lists(addresses.filter(lambda one: one != told["address"]), max_size=20, unique=True))
    return ApiHost(
        **told,
        load_balancer_addresses=draw(st.lists(addresses, min_size=1, max_size=2, unique=True)),
        peer_addresses=draw(st.lists(addresses, max_size=20, unique=True)),
        standby=draw(st.integers(1, 20)) if watched else None,
        actives={f"active-{number}": address for number, address in enumerate(watched)},
        health_interval_seconds=interval,
        health_timeout_seconds=timeout,
        health_retries=retries,
    )


@settings(max_examples=60, deadline=None)
@given(host=hosts())
def test_allowed_values_render_to_valid_user_data(host: Host) -> None:
    text = render(host, ENROLMENT)
    assert len(text.encode()) < SIZE_LIMIT_BYTES
    document = yaml.safe_load(text)
    assert {user["name"]: user["ssh_authorized_keys"] for user in document["users"]} == {
        name: [key] for name, key in host.operators.items()
    }
    assert document["runcmd"][-1][:3] == ["systemctl", "enable", "--now"]


def _unit(text: str) -> dict[str, dict[str, list[str]]]:
    """Return a unit's sections. A directive that occurs several times has all its values."""

    class Several(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if isinstance(value, list) and key in self:
                self[key].extend(value)
            else:
                super().__setitem__(key, value)

    parser = configparser.RawConfigParser(dict_type=Several, strict=False, delimiters=("=",), default_section="none")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {section: {key: value.split("\n") for key, value in parser.items(section)} for section in parser.sections()}
