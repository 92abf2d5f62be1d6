"""An update is killed: the engine, or the engine and the local cloud, at several moments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from tests.conftest import ROOT, LocalCloud
from tests.scenarios.harness import CONTINUITY, LOCALCLOUD, hetzner


def creations(cloud: LocalCloud) -> int:
    """How many resources Hetzner was asked to create. The last line of the log may be half written."""
    if not cloud.folder.requests.exists():
        return 0
    lines = cloud.folder.requests.read_text().splitlines()
    return sum(1 for line in lines if '"method": "POST"' in line and '"hetzner"' in line)


def kill_after(cloud: LocalCloud, made: int) -> None:
    """Start `up` of all stacks, and kill all of its processes once Hetzner was asked for `made` resources."""
    before = creations(cloud)
    log = (cloud.folder.path / "killed").open("w+")
    update = subprocess.Popen(
        [*CONTINUITY, "up", "--yes"],
        cwd=ROOT,
        env=dict(cloud.env),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    deadline = time.monotonic() + 180
    while creations(cloud) - before < made:
        assert time.monotonic() < deadline, "the update never got that far"
        if update.poll() is not None:
            log.seek(0)
            pytest.fail(f"the update ended before it could be killed:\n{log.read()}")
        time.sleep(0.005)
    os.killpg(update.pid, signal.SIGKILL)
    update.wait()


@pytest.mark.parametrize("with_the_cloud", [False, True], ids=["the engine", "the engine and the local cloud"])
def test_next_up_recovers_from_a_kill(fresh_cloud: LocalCloud, with_the_cloud: bool) -> None:
    # The vault has resources at Hetzner too. It is deployed first, so that the kill hits production's update.
    assert fresh_cloud.run(*CONTINUITY, "up", "--yes", "vault").returncode == 0
    for made in (1, 6):
        kill_after(fresh_cloud, made)
        if with_the_cloud:
            running = fresh_cloud.folder.running()
            assert running is not None
            psutil.Process(running.pid).kill()
        said = fresh_cloud.run(*LOCALCLOUD, "recover")
        assert said.returncode == 0
        assert "prod: recovered from an interrupted update" in said.stderr
    assert fresh_cloud.run(*CONTINUITY, "up", "--yes").returncode == 0
    # No resource exists twice, and none is missing.
    state = json.loads(fresh_cloud.run("pulumi", "stack", "export", "--stack", "prod").stdout)["deployment"]
    declared = {r["id"] for r in state["resources"] if r["type"] == "hcloud:index/server:Server"}
    client = hetzner(fresh_cloud)
    assert {str(server.id) for server in client.servers.get_all()} == declared
    assert len(client.networks.get_all()) == 1
    again = fresh_cloud.run(*CONTINUITY, "up", "--yes")
    assert "prod: no change" in again.stdout
    assert "vault: no change" in again.stdout
    said = fresh_cloud.run(*LOCALCLOUD, "recover")
    assert (said.returncode, said.stderr) == (0, "")


def test_simultaneous_updates_do_not_harm_each_other(fresh_cloud: LocalCloud) -> None:
    first = subprocess.Popen(
        [*CONTINUITY, "up", "--yes", "vault"],
        cwd=ROOT,
        env=dict(fresh_cloud.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    locks = fresh_cloud.folder.backend / ".pulumi/locks/organization/botbrains/vault"
    deadline = time.monotonic() + 60
    while not list(locks.glob("*.json")):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.005)
    second = fresh_cloud.run(*CONTINUITY, "up", "--yes", "vault")
    recovering = fresh_cloud.run(*LOCALCLOUD, "recover") if first.poll() is None else None
    said, _ = first.communicate()
    # Either update may get the lock first. The other one reports the lock, and at least one succeeds.
    assert 0 in (first.returncode, second.returncode), said
    assert first.returncode == 0 or "locked" in said
    assert second.returncode == 0 or "locked" in second.stdout + second.stderr
    if recovering is not None and recovering.returncode != 0:
        assert "is being updated by process" in recovering.stderr
    again = fresh_cloud.run(*CONTINUITY, "up", "--yes", "vault")
    assert "vault: no change" in again.stdout
