"""The local cloud's commands: errors for missing programs, wrong settings and repeated calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from localcloud.engine.provide import Engine, provide
from localcloud.instance.folder import Folder, LocalCloudError, Running
from localcloud.runtime import process
from localcloud.runtime.environment import environment, official_plugins
from localcloud.runtime.recover import _restore_backup
from tests.conftest import ROOT


def localcloud(
    *arguments: str, folder: Path | None = None, cwd: Path = ROOT, **env: str
) -> subprocess.CompletedProcess[str]:
    led = {**os.environ, "PYTHONPATH": str(ROOT), **({"LOCALCLOUD_FOLDER": str(folder)} if folder else {}), **env}
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments], cwd=cwd, env=led, capture_output=True, text=True, check=False
    )


def test_status_of_what_does_not_run_is_exit_code_3(tmp_path: Path) -> None:
    said = localcloud("status", "--json", folder=tmp_path)
    assert said.returncode == 3
    assert json.loads(said.stdout) == {
        "running": False,
        "pid": None,
        "folder": str(tmp_path),
        "clouds": {},
        "cut": [],
        "machines": [],
        "sold_out": [],
    }
    assert localcloud("stop", folder=tmp_path).returncode == 0


def test_outside_a_project_it_says_what_to_do(tmp_path: Path) -> None:
    said = localcloud("status", cwd=tmp_path)
    assert said.returncode == 1
    assert "no Pulumi.yaml" in said.stderr
    assert "LOCALCLOUD_FOLDER" in said.stderr
    assert "Traceback" not in said.stderr


def test_unknown_plugins_setting_is_refused() -> None:
    assert official_plugins({}) is False
    assert official_plugins({"LOCALCLOUD_PLUGINS": "official"}) is True
    with pytest.raises(LocalCloudError, match=r"'real'; allowed: stand-in .* official"):
        official_plugins({"LOCALCLOUD_PLUGINS": "real"})


def test_official_plugins_get_the_same_endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official plugins cannot be downloaded here, but their environment can be checked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_PROFILE", "the-persons-own")
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/the/persons/own")
    folder = Folder(tmp_path / "cloud")
    running = Running(pid=1, created=0, ports={"aws": 1, "hetzner": 2, "github": 3}, broker_port=4, secret="s")
    engine = Engine(pulumi=tmp_path / "engine" / "pulumi", built=False)
    stand_in = environment(folder, running, engine)
    monkeypatch.setenv("LOCALCLOUD_PLUGINS", "official")
    official = environment(folder, running, engine)
    for key in ("AWS_ENDPOINT_URL", "HCLOUD_ENDPOINT", "GITHUB_BASE_URL", "PULUMI_BACKEND_URL", "HCLOUD_TOKEN"):
        assert official[key] == stand_in[key]
    assert "AWS_PROFILE" not in official
    assert "127.0.0.1" in official["NO_PROXY"]
    assert {stand_in[key] for key in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")} == {str(folder.trusted)}
    assert stand_in["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in official
    assert len(list(Path(stand_in["PULUMI_HOME"]).glob("plugins/resource-*/pulumi-resource-*"))) == 3
    assert not list(Path(official["PULUMI_HOME"]).glob("plugins/*"))


def test_credentials_are_generated_once_and_private(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cloud")
    made = folder.credentials()
    assert folder.credentials() == made
    assert made != Folder(tmp_path / "other").credentials()
    assert len(made.hcloud_token) == 64  # what Hetzner's own clients insist on
    for file in ("credentials.json", "passphrase"):
        assert (folder.path / file).stat().st_mode & 0o077 == 0


def a_pulumi(folder: Path, version: str) -> None:
    folder.mkdir()
    for name in ("pulumi", "pulumi-language-python"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)


def test_a_local_cloud_whose_folder_is_deleted_ends(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cloud")
    running, new = process.start(folder)
    assert new
    assert process.start(folder) == (running, False)
    shutil.rmtree(folder.path)
    another, new = process.start(folder)  # recreated at once: the first process ends, and leaves the second alone
    assert new
    assert another.pid != running.pid
    psutil.Process(running.pid).wait(60)
    assert not running.alive
    assert folder.running() == another
    assert process.erase(folder)
    assert not another.alive


def test_the_engine_on_path_is_taken_before_any_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_pulumi(tmp_path / "bin", "v3.300.1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert provide(Console(quiet=True)) == Engine(pulumi=tmp_path / "bin" / "pulumi", built=False)


def test_old_engine_is_refused_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_pulumi(tmp_path / "bin", "v3.99.0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(LocalCloudError, match=r"v3\.99\.0; the SDKs need 3\.231\.0 or newer"):
        provide(Console(quiet=True))


def test_without_pulumi_and_go_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(LocalCloudError, match="neither `pulumi` nor `go` is on PATH"):
        provide(Console(quiet=True))


class Shim:
    """A project whose `pulumi` is the local cloud's, without the clouds."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.folder, self.engine = folder / "cloud", engine
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text(
            f"name: shim\nruntime:\n  name: python\n  options:\n    toolchain: pip\n    virtualenv: {sys.prefix}\n"
        )
        (self.project / "__main__.py").write_text(
            "import pulumi\npulumi.export('said', pulumi.Config().require('say'))\n"
        )
        self.tracked = self.project / "Pulumi.real.yaml"
        self.write("hello")
        (self.folder / "pulumi").mkdir(parents=True)

    def write(self, say: str) -> None:
        """The tracked file, like that of production with its real key."""
        self.tracked.write_text(
            f"# ours\nsecretsprovider: awskms://alias/real\nencryptedkey: real\nconfig:\n  shim:say: {say}\n"
        )

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'pulumi'}",
            "PULUMI_CONFIG_PASSPHRASE": "shim",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        shim = ROOT / "localcloud" / "engine/shim.py"
        done = subprocess.run(
            [sys.executable, "-I", "-S", shim, self.folder, self.engine.pulumi, *arguments],
            cwd=self.project,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"$ pulumi {' '.join(arguments)}  -> {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@pytest.fixture
def shim(engine: Engine, tmp_path: Path) -> Shim:
    return Shim(engine, tmp_path)


def test_pulumi_leaves_the_tracked_file_unchanged(shim: Shim) -> None:
    before = shim.tracked.read_bytes()
    assert "hello" in shim.pulumi("up", "--yes", "--stack", "real").stdout
    assert shim.pulumi("preview", "--stack", "real", "--expect-no-changes").returncode == 0
    assert "hello" in shim.pulumi("config", "--stack", "real").stdout
    assert shim.tracked.read_bytes() == before
    shim.write("again")  # an edit of the tracked file takes effect at once
    assert "again" in shim.pulumi("up", "--yes", "--stack=real").stdout
    assert sorted(file.name for file in shim.project.iterdir() if not file.name.startswith("__pycache__")) == [
        "Pulumi.real.yaml",
        "Pulumi.yaml",
        "__main__.py",
    ]


def test_commands_that_write_the_tracked_file_are_refused(shim: Shim) -> None:
    assert shim.pulumi("stack", "init", "real").returncode == 0
    before = shim.tracked.read_bytes()
    refused = shim.pulumi("config", "set", "say", "other", "--stack", "real")
    assert refused.returncode == 2
    assert "edit" in refused.stderr
    refused = shim.pulumi("stack", "change-secrets-provider", "passphrase", "--stack", "real")
    assert refused.returncode == 2
    assert "keep its own key" in refused.stderr
    assert shim.pulumi("stack", "rm", "real", "--yes").returncode == 0
    assert shim.tracked.read_bytes() == before
    assert shim.pulumi("up", "--yes", "--stack", "real").returncode == 0  # and it can be made again


def test_a_stack_whose_making_was_killed_is_made_good(shim: Shim) -> None:
    assert shim.pulumi("stack", "init", "real").returncode == 0
    (shim.folder / "config/shim/Pulumi.real.yaml").unlink()  # created in the backend, not recorded yet
    assert shim.pulumi("up", "--yes", "--stack", "real").returncode == 0
    (shim.folder / "config/shim/Pulumi.real.yaml").unlink()  # the same with a resource in it
    assert shim.pulumi("preview", "--stack", "real", "--expect-no-changes").returncode == 0


def test_incomplete_state_is_restored_from_backup(shim: Shim) -> None:
    assert shim.pulumi("up", "--yes", "--stack", "real").returncode == 0
    state = shim.folder / "pulumi/.pulumi/stacks/shim/real.json"
    whole = state.read_bytes()
    assert _restore_backup(state) is False
    Path(f"{state}.attrs").write_bytes(
        b""
    )  # the backend's attributes of the file: with incomplete ones it cannot be read
    assert shim.pulumi("stack", "export", "--stack", "real").returncode != 0
    assert _restore_backup(state) is False
    assert shim.pulumi("stack", "export", "--stack", "real").returncode == 0
    state.write_bytes(whole[: len(whole) // 2])
    assert _restore_backup(state) is True
    assert shim.pulumi("up", "--yes", "--stack", "real").returncode == 0
    state.write_bytes(b"")
    state.with_suffix(".json.bak").unlink()  # interrupted when the stack was created
    assert _restore_backup(state) is True
    assert shim.pulumi("up", "--yes", "--stack", "real").returncode == 0
