"""Hosts as real processes: the effect of user data, the life of units, and the end of all processes at a power loss."""

from __future__ import annotations

import base64
import gzip
import json
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from localcloud.engine.provide import Engine
from localcloud.hosts import places, user_data
from localcloud.hosts.host import read_journal, run_folder
from localcloud.hosts.machine import unit_file
from localcloud.instance import process_tags
from localcloud.instance.folder import Folder, LocalCloudError
from localcloud.runtime import machines, process
from tests.conftest import a_local_cloud
from tests.localcloud.machines_harness import API, DIGEST, Cloud, a_cloud, answer, needs_haproxy, until

pytestmark = pytest.mark.skipif(not process_tags.can_be_read(), reason="processes of hosts are found by /proc")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with a_cloud(tmp_path_factory.mktemp("cloud"), balancers=False) as made:
        yield made


def said(cloud: Cloud, server: int, unit: str | None = None) -> list[str]:
    entries = read_journal(cloud.folder / "hosts" / str(server))
    return [entry["MESSAGE"] for entry in entries if unit in (None, entry["_SYSTEMD_UNIT"])]


def user_data_of(units: dict[str, str], files: dict[str, str] | None = None, more: str = "") -> str:
    """A cloud-config with these files and with these units, all enabled and started."""
    written = {**(files or {}), **{f"/etc/systemd/system/{name}": content for name, content in units.items()}}
    lines = ["#cloud-config", "write_files:"]
    for path, content in written.items():
        lines += [f"- path: {path}", "  encoding: b64", f"  content: {base64.b64encode(content.encode()).decode()}"]
    lines += ["runcmd:", "- [systemctl, daemon-reload]", f"- [systemctl, enable, --now, {', '.join(units)}]", more]
    return "\n".join(lines)


# Prints the reason why it runs; ends on SIGTERM, and prints that too.
TELLER = """\
import os, signal, sys, time
def end(*_):
    print("ends", flush=True)
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print("ended", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("runs", sys.argv[1], flush=True)
while True:
    time.sleep(60)
"""


def teller(name: str, unit: str = "", service: str = "", seconds: float = 0) -> str:
    return (
        f"[Unit]\nDescription={name}\n{unit}\n[Service]\n"
        f"ExecStart=/usr/bin/python3 /usr/local/lib/sample/teller.py {name} {seconds}\n{service}\n"
    )


def test_a_host_is_its_user_data_at_addresses_of_its_own(cloud: Cloud) -> None:
    """Two hosts use the same ports. Private addresses in their files become local ones. Unsupported parts are named."""
    one, two = cloud.api_host(1), cloud.api_host(2)
    until(lambda: answer(cloud.loopback("10.10.0.11"), 9000) == 200)
    until(lambda: answer(cloud.loopback("10.10.0.12"), 9000) == 200)
    assert cloud.loopback("10.10.0.11") != cloud.loopback("10.10.0.12")
    assert "packages is not done here" in said(cloud, one)
    assert any("not done here: NoNewPrivileges" in line for line in said(cloud, one))
    assert cloud.status(one) == cloud.status(two) == "running"
    file = cloud.folder / "hosts" / str(one) / "root/etc/sample/app.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"LISTEN_ADDRESS={cloud.loopback('10.10.0.11')}\n" in file.read_text()


def test_a_host_has_no_credentials_and_no_home_of_a_person(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = "[Service]\nType=oneshot\nExecStart=/usr/bin/env\nEnvironment=OWN=yes\n"
    server = cloud.host("environment", "10.10.0.20", user_data_of({"environment.service": unit}))
    until(lambda: any(line.startswith("OWN=") for line in said(cloud, server)))
    lines = dict(line.partition("=")[::2] for line in said(cloud, server, "environment.service"))
    assert not {key for key in lines if "SECRET" in key or "TOKEN" in key or "ACCESS_KEY" in key}
    assert lines["HOME"] == str(cloud.folder / "hosts" / str(server) / "root/root")
    assert lines["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "SSL_CERT_FILE" in lines


def test_power_that_is_taken_away_ends_every_process_at_once(cloud: Cloud) -> None:
    """A process that detached, cleared its environment and ignores signals ends too. A later boot starts the units."""
    detached = """\
import os, signal, subprocess, sys
if len(sys.argv) < 2:
    subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True, env={})
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print("stubborn", flush=True)
while True:
    signal.pause()
"""
    unit = "[Service]\nExecStart=/usr/bin/python3 /usr/local/lib/sample/detached.py\nRestart=always\n"
    more = "- [systemctl, start, nothing-of-this-name]"
    server = cloud.host(
        "stubborn",
        "10.10.0.21",
        user_data_of({"stubborn.service": unit}, {"/usr/local/lib/sample/detached.py": detached}, more),
    )
    until(lambda: said(cloud, server).count("stubborn") == 2)
    assert len(cloud.processes(server)) == 3
    cloud.act(f"/servers/{server}", "poweroff")
    seconds = until(lambda: not cloud.processes(server))
    assert seconds < 3
    assert cloud.status(server) == "off"
    cloud.act(f"/servers/{server}", "poweron")
    until(lambda: said(cloud, server).count("stubborn") == 4)
    commands = [line for line in said(cloud, server) if line.startswith("runcmd: systemctl enable")]
    assert len(commands) == 1, "user data is worked off once in a machine's life"
    before = set(cloud.processes(server))
    cloud.act(f"/servers/{server}", "reset")
    until(lambda: said(cloud, server).count("stubborn") == 6)
    assert before.isdisjoint(cloud.processes(server))
    cloud.act(f"/servers/{server}", "rebuild", image="debian-13")
    # A new disk, and so a new journal; user data is applied again.
    until(lambda: "stubborn is up" in said(cloud, server) and said(cloud, server).count("stubborn") == 2)
    cloud.ask("DELETE", f"/servers/{server}")
    until(lambda: not (cloud.folder / "hosts" / str(server)).exists())
    assert cloud.processes(server) == []


def test_a_shutdown_stops_units_in_reverse_order_and_then_the_server_is_off(cloud: Cloud) -> None:
    units = {
        "second.service": teller("second", "After=first.service\nRequires=first.service", seconds=0.5),
        "first.service": teller("first"),
        "drain.service": (
            "[Unit]\nAfter=second.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
            "ExecStart=/bin/true\nExecStop=/bin/sleep 1\n"
        ),
    }
    server = cloud.host("orderly", "10.10.0.22", user_data_of(units, {"/usr/local/lib/sample/teller.py": TELLER}))
    until(lambda: "orderly is up" in said(cloud, server))
    begun = time.monotonic()
    cloud.act(f"/servers/{server}", "shutdown")
    assert cloud.status(server) == "running"
    until(lambda: cloud.status(server) == "off")
    assert 1.5 < time.monotonic() - begun < 15
    entries = [
        (entry["_SYSTEMD_UNIT"], entry["MESSAGE"]) for entry in read_journal(cloud.folder / "hosts" / str(server))
    ]
    ends = [unit for unit, message in entries if message == "ended"]
    assert ends == ["second.service", "first.service"]
    drained = next(i for i, (_, message) in enumerate(entries) if message.startswith("Stopped drain.service"))
    assert drained < next(i for i, (_, message) in enumerate(entries) if message == "ends")
    assert entries[-1][1] == "orderly is off"
    assert cloud.processes(server) == []


def test_units_fail_restart_and_need_each_other_as_systemd_says(cloud: Cloud) -> None:
    units = {
        "broken.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
        "needs.service": "[Unit]\nRequires=broken.service\nAfter=broken.service\n[Service]\nExecStart=/bin/sleep 60\n",
        "wants.service": "[Unit]\nWants=broken.service\nAfter=broken.service\n[Service]\nExecStart=/bin/sleep 60\n",
        "crashes.service": "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=50ms\n",
        "stands.service": (
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nRuntimeDirectory=sample/inner\n"
            "StateDirectory=sample\n"
        ),
        "odd.service": "[Service]\nType=forking\nExecStart=/bin/true\n",
    }
    server = cloud.host("units", "10.10.0.23", user_data_of(units))
    until(lambda: "units is up" in said(cloud, server))
    until(lambda: any("repeated too quickly" in line for line in said(cloud, server)))
    lines = said(cloud, server)
    assert lines.count("crashes.service: Scheduled restart job.") == 5
    assert "Dependency failed for needs.service - needs.service." in lines
    assert any(line.startswith("Started wants.service") for line in lines)
    assert any("Type=forking is not done here" in line for line in lines)
    folder = cloud.folder / "hosts" / str(server)
    assert (folder / "root/var/lib/sample").is_dir()
    assert (run_folder(cloud.folder / "hosts") / str(server) / "sample/inner").is_dir()


def test_a_boot_waits_for_the_private_address_that_user_data_names(cloud: Cloud) -> None:
    text = API.format(ip="10.10.0.24", name="late", image=f"ghcr.io/sample/api@{DIGEST}")
    body = {"name": "late", "server_type": "cx23", "image": "debian-13", "location": "fsn1", "user_data": text}
    server = cloud.ask("POST", "/servers", body)["server"]["id"]
    time.sleep(1)
    assert cloud.processes(server) == []
    cloud.act(f"/servers/{server}", "attach_to_network", network=cloud.network, ip="10.10.0.24")
    until(lambda: answer(cloud.loopback("10.10.0.24"), 9000) == 200)


def test_a_host_knows_the_address_of_one_that_is_not_there_yet_and_of_its_successor(cloud: Cloud) -> None:
    unit = "[Service]\nType=oneshot\nExecStart=/bin/echo peer 10.10.0.31 in 10.10.0.0/24\n"
    server = cloud.host("watcher", "10.10.0.30", user_data_of({"watcher.service": unit}))
    until(lambda: any(line.startswith("peer") for line in said(cloud, server)))
    known = next(line.split()[1] for line in said(cloud, server) if line.startswith("peer"))
    for _ in range(2):
        peer = cloud.api_host(21)
        attached = cloud.app.loopbacks(cloud.network, ["10.10.0.31"])["10.10.0.31"]
        assert attached == known
        until(lambda: answer(known, 9000) == 200)
        cloud.ask("DELETE", f"/servers/{peer}")
        until(lambda: answer(known, 9000) is None)
    assert f"peer {known} in 10.10.0.0/24" in said(cloud, server)


def test_a_journal_can_be_followed_from_where_it_was_left(cloud: Cloud) -> None:
    program = (
        "import subprocess, sys\n"
        "def follow(*more):\n"
        "    asked = ['journalctl', '--output=json', '--cursor-file=/var/lib/sample/cursor', *more]\n"
        "    return len(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines())\n"
        "first = follow()\n"
        "print('first', first > 3, 'second', follow() < 2, flush=True)\n"
        "print(subprocess.run(['podman', 'run', '--privileged', 'x'], capture_output=True, text=True).stderr)\n"
    )
    unit = "[Service]\nType=oneshot\nStateDirectory=sample\nExecStart=/usr/bin/python3 /usr/local/lib/sample/f.py\n"
    files = {"/usr/local/lib/sample/f.py": program}
    server = cloud.host("follower", "10.10.0.32", user_data_of({"follower.service": unit}, files))
    until(lambda: "first True second True" in said(cloud, server, "follower.service"))
    until(lambda: "podman run --privileged is not known here" in said(cloud, server, "follower.service"))


# -- the parts --------------------------------------------------------------------------------------------------------


def test_user_data_is_read_and_what_is_not_done_is_named() -> None:
    packed = base64.b64encode(gzip.compress(b"packed")).decode()
    read = user_data.read(
        "#cloud-config\n"
        "packages: [a]\nfrobnicate: true\n"
        "write_files:\n"
        f"- {{path: /a/packed, encoding: gz+b64, content: {packed}, permissions: '0755'}}\n"
        "- {path: /a/plain, content: plain}\n"
        "- {path: relative, content: x}\n"
        "- {path: /a/bad, encoding: rot13, content: x}\n"
        "runcmd:\n"
        "- [systemctl, start, a]\n"
        "- systemctl start 'b c'\n"
        "- echo a | tee /etc/b\n"
    )
    assert [(file.path, file.content, file.mode) for file in read.files] == [
        ("/a/packed", b"packed", 0o755),
        ("/a/plain", b"plain", 0o644),
    ]
    assert read.commands == (("systemctl", "start", "a"), ("systemctl", "start", "b c"))
    notes = "\n".join(read.notes)
    for part in ("packages is not done", "frobnicate is not known", "'relative'", "rot13", "needs a shell"):
        assert part in notes
    assert user_data.read("#!/bin/sh\nrm -rf /").commands == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/etc/sample/app.env", "ROOT/etc/sample/app.env"),
        ("--file=/etc/sample/app.env,x", "--file=ROOT/etc/sample/app.env,x"),
        ("unix@/run/sample/s", "unix@RUN/sample/s"),
        ("/run", "RUN"),
        ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt"),
        ("/srv/etc/sample", "/srv/etc/sample"),
        ("/etc/sampler", "/etc/sampler"),
        ("/etc/motd.", "ROOT/etc/motd."),
        ("/root/.aws/credentials", "ROOT/root/.aws/credentials"),
        ("#!/usr/bin/python3\n", "#!PYTHON\n"),
        ("/usr/bin/python3.13", "/usr/bin/python3.13"),
        ("10.0.0.1:80 10.0.0.11 10.0.0.1/32 110.0.0.1", "127.64.0.1:80 10.0.0.11 10.0.0.1/32 110.0.0.1"),
        ("[10.0.0.1]", "[127.64.0.1]"),
        ("v10.0.0.1", "v10.0.0.1"),
    ],
)
def test_paths_and_addresses_of_a_host_are_replaced_as_whole_words(text: str, wanted: str) -> None:
    here = places.Places(
        root=Path("ROOT"),
        run=Path("RUN"),
        own=places.own_paths({"/etc/sample/app.env": "", "/etc/motd": ""}),
        programs={"/usr/bin/python3": "PYTHON"},
        addresses={"10.0.0.1": "127.64.0.1"},
    )
    assert here.translate(text) == wanted


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ("ExecStart=relative", "not an absolute path"),
        ("Type=simple", "needs ExecStart="),
        ("ExecStart=/bin/a\nExecStart=/bin/b", "exactly one ExecStart="),
        ("Type=oneshot\nExecStart=/bin/a\nRestart=always", "not allowed for Type=oneshot"),
        ("ExecStart=/bin/a\nTimeoutStopSec=soon", "'soon' is not a time span"),
        ("ExecStart=/bin/a %h", "specifier %h is not done here"),
        ("ExecStart=/bin/a\nKillSignal=SIGNOTHING", "unknown signal SIGNOTHING"),
    ],
)
def test_a_unit_that_is_wrong_is_refused_by_the_directive(lines: str, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "a.service"
    file.write_text(f"[Service]\n{lines}\n")
    with pytest.raises(unit_file.UnitFileError, match=wrong):
        unit_file.read(file)


def test_a_unit_is_read_with_systemds_own_rules(tmp_path: Path) -> None:
    file = tmp_path / "a.service"
    file.write_text(
        "[Unit]\nDescription=It\nAfter=b.service c.service\nAfter=d.service\n"
        '[Service]\nEnvironment=A=1 "B=2 3"\nEnvironmentFile=-/etc/x\nExecStartPre=-/bin/a\n'
        "ExecStart=/bin/a --long \\\n  word 100%%\n# a comment\nTimeoutStopSec=1min 5s\nKillSignal=USR1\n"
        "ProtectSystem=strict\nRestartSec=500ms\n"
    )
    unit = unit_file.read(file)
    assert unit.after == ("b.service", "c.service", "d.service")
    assert unit.environment == {"A": "1", "B": "2 3"}
    assert unit.environment_files == (("/etc/x", True),)
    assert unit.start_pre[0].lenient
    assert unit.start[0].words == ("/bin/a", "--long", "word", "100%")
    assert (unit.stop_seconds, unit.restart_seconds, unit.kill_signal) == (65.0, 0.5, signal.SIGUSR1)
    assert unit.unsupported == ("ProtectSystem=strict",)


# -- the local cloud as a whole ---------------------------------------------------------------------------------------


# The host enrols, and calls STS with the credentials of its agent.
WHO = """\
import time, boto3
for _ in range(100):
    try:
        print("I am", boto3.client("sts", "eu-central-1").get_caller_identity()["Arn"], flush=True)
        break
    except Exception as fault:
        print(type(fault).__name__, flush=True)
        time.sleep(0.2)
"""
HCLOUD = """
import os, sys, json, boto3
trust = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
boto3.client("iam", "eu-central-1").create_role(RoleName="hosts", AssumeRolePolicyDocument=json.dumps(trust))
activation = boto3.client("ssm", "eu-central-1").create_activation(IamRole="hosts", RegistrationLimit=1)
more = (f"- [ssm-setup-cli, -register, -activation-code, {activation['ActivationCode']}, "
        f"-activation-id, {activation['ActivationId']}, -region, eu-central-1]\\n- [systemctl, start, who]")
from hcloud import Client
from hcloud.server_types import ServerType
from hcloud.images import Image
from hcloud.locations import Location
client = Client(os.environ["HCLOUD_TOKEN"], api_endpoint=os.environ["HCLOUD_ENDPOINT"])
made = client.servers.create("whole", ServerType("cx23"), Image(name="debian-13"), location=Location("fsn1"),
                             user_data=sys.argv[1] + more)
made.action.wait_until_finished()
client.load_balancers.create("whole", __import__("hcloud").load_balancer_types.LoadBalancerType("lb11"),
                             location=Location("fsn1"))
print(made.server.id)
"""


@needs_haproxy
def test_nothing_is_left_when_the_local_cloud_stops_or_was_killed(engine: Engine, tmp_path: Path) -> None:
    with a_local_cloud(engine, tmp_path, machines=True) as cloud:
        text = user_data_of(
            {"sleeps.service": "[Service]\nExecStart=/bin/sleep 600\n"},
            {
                "/usr/local/lib/sample/who.py": WHO,
                "/etc/systemd/system/who.service": (
                    "[Service]\nType=oneshot\nExecStart=/usr/bin/python3 /usr/local/lib/sample/who.py\n"
                ),
            },
        )
        assert cloud.run(sys.executable, "-c", HCLOUD, text).returncode == 0

        def running() -> bool:
            return len(process_tags.of_machines(cloud.folder.hosts)) >= 2

        until(running)
        shown = cloud.run(sys.executable, "-m", "localcloud", "status", "--json")
        assert {(one["kind"], one["name"]) for one in json.loads(shown.stdout)["machines"]} >= {("host", "whole")}
        until(lambda: "whole is up" in cloud.run(sys.executable, "-m", "localcloud", "journal", "whole").stdout, 60)
        journal = cloud.run(sys.executable, "-m", "localcloud", "journal", "whole", "--", "-u", "who", "-o", "cat")
        assert "I am arn:aws:sts::123456789012:assumed-role/hosts/mi-" in journal.stdout
        assert process.stop(cloud.folder)
        assert process_tags.of_machines(cloud.folder.hosts) == []
        killed, _ = process.start(cloud.folder)
        until(running)
        psutil.Process(killed.pid).kill()
        time.sleep(0.2)
        assert running(), "a kill of the local cloud alone leaves them"
        process.start(cloud.folder)
        until(running)
        until(
            lambda: len(process_tags.of_machines(cloud.folder.hosts)) == 3, 30
        )  # the processes of the killed local cloud are gone
        again, _ = process.start(cloud.folder)
        psutil.Process(again.pid).kill()
        process.stop(cloud.folder)
        assert process_tags.of_machines(cloud.folder.hosts) == []
        short = run_folder(cloud.folder.hosts)
    assert not short.exists()


def test_whether_there_are_machines_is_a_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert machines.haproxy({"LOCALCLOUD_HOSTS": "off"}) is None
    with pytest.raises(LocalCloudError, match="'maybe'; allowed: auto"):
        machines.haproxy({"LOCALCLOUD_HOSTS": "maybe"})
    monkeypatch.setattr(machines, "_ALSO_IN", str(tmp_path))
    assert machines.haproxy({"PATH": str(tmp_path)}) is None
    with pytest.raises(LocalCloudError, match="there is no HAProxy on PATH"):
        machines.haproxy({"PATH": str(tmp_path), "LOCALCLOUD_HOSTS": "on"})
    with pytest.raises(LocalCloudError, match="there is no host 'a'; hosts: none"):
        machines.host_folder(Folder(tmp_path), "a")
