"""Hosts as real processes: the effect of user data, the life of units, and the end of all processes at a power loss."""

from __future__ import annotations

import base64
import json
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from localcloud.engine.provide import Engine
from localcloud.hosts.host import read_journal, run_folder
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


def test_host_has_neither_credentials_nor_home(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = "[Service]\nType=oneshot\nExecStart=/usr/bin/env\nEnvironment=OWN=yes\n"
    server = cloud.host("environment", "10.10.0.20", user_data_of({"environment.service": unit}))
    until(lambda: any(line.startswith("OWN=") for line in said(cloud, server)))
    lines = dict(line.partition("=")[::2] for line in said(cloud, server, "environment.service"))
    assert not {key for key in lines if "SECRET" in key or "TOKEN" in key or "ACCESS_KEY" in key}
    assert lines["HOME"] == str(cloud.folder / "hosts" / str(server) / "root/root")
    assert lines["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "SSL_CERT_FILE" in lines


def test_power_loss_ends_every_process_at_once(cloud: Cloud) -> None:
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


def test_shutdown_stops_units_in_reverse_order(cloud: Cloud) -> None:
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


def test_units_fail_restart_and_depend_like_systemd(cloud: Cloud) -> None:
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


def test_boot_waits_for_the_private_address(cloud: Cloud) -> None:
    text = API.format(ip="10.10.0.24", name="late", image=f"ghcr.io/sample/api@{DIGEST}")
    body = {"name": "late", "server_type": "cx23", "image": "debian-13", "location": "fsn1", "user_data": text}
    server = cloud.ask("POST", "/servers", body)["server"]["id"]
    time.sleep(1)
    assert cloud.processes(server) == []
    cloud.act(f"/servers/{server}", "attach_to_network", network=cloud.network, ip="10.10.0.24")
    until(lambda: answer(cloud.loopback("10.10.0.24"), 9000) == 200)


def test_host_keeps_address_of_future_host_and_successor(cloud: Cloud) -> None:
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


def test_journal_is_followed_from_a_cursor(cloud: Cloud) -> None:
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
def test_machines_end_when_local_cloud_stops_or_is_killed(engine: Engine, tmp_path: Path) -> None:
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
    monkeypatch.setattr(machines, "_SYSTEM_PROGRAMS", str(tmp_path))
    assert machines.haproxy({"PATH": str(tmp_path)}) is None
    with pytest.raises(LocalCloudError, match="there is no HAProxy on PATH"):
        machines.haproxy({"PATH": str(tmp_path), "LOCALCLOUD_HOSTS": "on"})
    with pytest.raises(LocalCloudError, match="there is no host 'a'; hosts: none"):
        machines.host_folder(Folder(tmp_path), "a")
