"""Commands for outages: their messages and refusals, and the record that survives a restart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from moto.backends import get_backend

from localcloud.faults.outages import Outages, Verb, change, recorded, regions
from localcloud.instance.folder import Folder, LocalCloudError
from localcloud.runtime import process
from tests.conftest import LocalCloud
from tests.localcloud.faults.harness import FAR, HERE, THERE, client, localcloud, say


@pytest.mark.parametrize("verb", ["cut", "restore"])
def test_what_cannot_be_cut_is_refused_with_what_can(local_cloud: LocalCloud, tmp_path: Path, verb: Verb) -> None:
    near = {"eu-centrall-1": "did you mean eu-central-1? ", "hetzer": "did you mean hetzner? ", "42": ": "}
    for folder in (local_cloud.folder, Folder(tmp_path)):
        for target, hint in near.items():
            words = f"'{target}' .*{re.escape(hint)}Allowed: aws, hetzner, github, or an AWS region: af-south-1, "
            with pytest.raises(LocalCloudError, match=words):
                change(folder, verb, ["github", target])
        assert recorded(folder) == ()
    said = localcloud(local_cloud, verb, "42")
    assert said.returncode == 1
    assert "'42'" in said.stderr
    assert "Traceback" not in said.stderr


def test_every_region_of_the_local_aws_can_be_cut() -> None:
    for service in ("ec2", "kms", "rds", "secretsmanager", "backup"):
        assert set(get_backend(service)["123456789012"].regions) <= regions()  # type: ignore[call-overload]


def test_twice_is_once(local_cloud: LocalCloud) -> None:
    assert "is not cut off" in say(local_cloud, "restore", HERE)
    say(local_cloud, "cut", HERE)
    assert f"{HERE} is already cut off" in say(local_cloud, "cut", HERE)
    assert f"cut off: {HERE}; " in say(local_cloud, "start")
    assert f"cut off: {HERE}; " in say(local_cloud, "status")
    said = localcloud(local_cloud, "restore")
    assert said.returncode == 1
    assert f"--all; cut off now: {HERE}" in said.stderr
    say(local_cloud, "cut", "aws")
    assert "aws is still cut off as a whole" in say(local_cloud, "restore", HERE)
    assert "aws answers again" in say(local_cloud, "restore", "--all")
    assert "nothing is cut off" in say(local_cloud, "restore", "--all")
    assert "cut off" not in say(local_cloud, "status")


def test_outage_survives_restart_but_not_erase(fresh_cloud: LocalCloud) -> None:
    key = client(fresh_cloud, "kms").create_key()["KeyMetadata"]["KeyId"]
    say(fresh_cloud, "cut", HERE)
    process.stop(fresh_cloud.folder)
    assert f"cut off: {HERE}; " in localcloud(fresh_cloud, "status").stderr
    assert "is not running" in say(fresh_cloud, "cut", THERE)
    assert f"cut off: {HERE}, {THERE}; " in say(fresh_cloud, "start")
    assert "already running" in say(fresh_cloud, "start")
    for region in (HERE, THERE):
        with pytest.raises(ConnectionClosedError):
            client(fresh_cloud, "kms", region).list_keys()
    client(fresh_cloud, "kms", FAR).list_keys()
    say(fresh_cloud, "restore", "--all")
    assert [one["KeyId"] for one in client(fresh_cloud, "kms").list_keys()["Keys"]] == [key]
    say(fresh_cloud, "cut", "github")
    process.erase(fresh_cloud.folder)
    assert json.loads(localcloud(fresh_cloud, "status", "--json").stdout)["cut"] == []


def test_listeners_are_called_for_every_change(tmp_path: Path) -> None:
    outages = Outages(tmp_path / "cuts.json")
    heard: list[tuple[bool, bool]] = []
    outages.listeners.append(lambda is_dead: heard.append((is_dead(HERE), is_dead(THERE))))
    outages.announce()
    outages.cut(HERE)
    assert outages.cut("aws", HERE) == {"aws"}
    assert outages.restore("aws", "github") == {"aws"}
    assert Outages(tmp_path / "cuts.json").targets() == {HERE}

    def stumble(is_dead: Any) -> None:
        raise RuntimeError("no server")

    outages.listeners.insert(0, stumble)
    with pytest.raises(LocalCloudError, match="RuntimeError: no server"):
        outages.restore(HERE)
    assert heard == [(False, False), (True, False), (True, True), (True, False), (False, False)]
    (tmp_path / "cuts.json").write_text('{"cut": ["eu-moon-1"]}')
    with pytest.raises(LocalCloudError, match=r"cuts\.json: 'eu-moon-1' .* remove it"):
        Outages(tmp_path / "cuts.json")
