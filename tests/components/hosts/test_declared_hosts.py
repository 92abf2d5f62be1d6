"""Checks of every declared host's user data, by the programs that read it on a host."""

from __future__ import annotations

import base64
import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.components.recording import SERVER, Registration, configuration, deploy_stack
from tests.localcloud.aws_harness import LocalAws

USER_DATA_BYTES = 32 * 1024  # Hetzner's limit


def needed(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None and "CI" not in os.environ:
        pytest.skip(f"{program} is not on this machine; CI installs it")
    assert found is not None, f"{program} is needed"
    return found


def user_data(host: Registration) -> str:
    """Return the user data. The activation code makes it a secret, so it is wrapped."""
    wrapped = host.inputs["userData"]
    said: str = wrapped["value"]
    return said


@pytest.fixture(scope="module")
def hosts(vault: dict[str, Any], aws: LocalAws) -> list[Registration]:
    """The hosts of production, and of recovery with an empty database."""
    empty = configuration("dr", {"database.source": {"from": "new"}})
    prod, dr = deploy_stack("prod", vault=vault), deploy_stack("dr", vault=vault, config=empty)
    return [*prod.all(SERVER), *dr.all(SERVER)]


def test_cloud_init_accepts_all_user_data(hosts: list[Registration], tmp_path: Path) -> None:
    cloud_init = needed("cloud-init")
    assert len(hosts) == 12
    for host in hosts:
        file = tmp_path / host.name
        file.write_text(user_data(host))
        asked = subprocess.run([cloud_init, "schema", "-c", str(file)], capture_output=True, text=True, check=False)
        assert asked.returncode == 0, f"{host.name}: {asked.stdout}{asked.stderr}"
        assert file.stat().st_size < USER_DATA_BYTES


def test_haproxy_accepts_all_configurations(hosts: list[Registration], tmp_path: Path) -> None:
    haproxy, checked = needed("haproxy"), 0
    for host in hosts:
        for file in yaml.safe_load(user_data(host))["write_files"]:
            if file["path"] == "/etc/haproxy/haproxy.cfg":
                content = file["content"]
                if file.get("encoding") == "gz+b64":
                    content = gzip.decompress(base64.b64decode(content)).decode()
                # The folder exists only on a host. A check does not bind the addresses, which this machine lacks.
                written = tmp_path / f"{host.name}.cfg"
                written.write_text(re.sub(r"/run/botbrains/haproxy", str(tmp_path), content))
                asked = subprocess.run([haproxy, "-c", "-f", str(written)], capture_output=True, text=True, check=False)
                assert asked.returncode == 0 and "WARNING" not in asked.stderr, f"{host.name}: {asked.stderr}"
                checked += 1
    assert checked == sum(1 for host in hosts if host.inputs["labels"]["role"] == "api") == 6


def test_user_data_has_no_credentials(hosts: list[Registration]) -> None:
    for host in hosts:
        said = user_data(host)
        assert not re.search(r"AKIA|ASIA|aws_secret_access_key|BEGIN [A-Z ]*PRIVATE KEY|password:", said), host.name
