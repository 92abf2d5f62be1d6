"""Parts of a host: user data, local paths, and unit files."""

from __future__ import annotations

import base64
import gzip
import signal
from pathlib import Path

import pytest

from localcloud.hosts import places, user_data
from localcloud.hosts.machine import unit_file
from localcloud.instance import process_tags

pytestmark = pytest.mark.skipif(not process_tags.can_be_read(), reason="processes of hosts are found by /proc")


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
    for part in ("packages is not done", "frobnicate is unknown", "'relative'", "rot13", "needs a shell"):
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
def test_paths_and_addresses_are_replaced_as_words(text: str, wanted: str) -> None:
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
def test_wrong_unit_is_refused_by_directive(lines: str, wrong: str, tmp_path: Path) -> None:
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
