"""Fixtures for all tests: the real engine, local clouds in temporary folders, and the repository's files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from localcloud.engine.provide import Engine, provide
from localcloud.instance.folder import Folder, Running
from localcloud.runtime import process
from localcloud.runtime.environment import environment

ROOT = Path(__file__).resolve().parent.parent


def tracked() -> list[Path]:
    """The files of the repository: those that git knows, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]


@dataclass(frozen=True)
class LocalCloud:
    """A running local cloud: its folder, its ports, and the environment in which tools use it."""

    folder: Folder
    running: Running
    env: Mapping[str, str]

    def run(self, *command: str, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command in this environment. pytest shows the output when the test fails."""
        done = subprocess.run(
            command, cwd=cwd, env=dict(self.env), capture_output=True, text=True, timeout=timeout, check=False
        )
        print(f"$ {' '.join(command)}  -> {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Pulumi's engine, from PATH or built once into the user's cache."""
    return provide(Console(stderr=True))


@contextmanager
def a_local_cloud(engine: Engine, path: Path, *, machines: bool = False) -> Iterator[LocalCloud]:
    """An empty local cloud, which is erased at the end.

    With `machines`, and if HAProxy is installed, its servers and load balancers are real processes. Few tests need
    them.
    """
    folder = Folder(path / "localcloud")
    with patch.dict(os.environ, {"LOCALCLOUD_HOSTS": "auto" if machines else "off"}):
        try:
            running, _ = process.start(folder)
            yield LocalCloud(folder, running, environment(folder, running, engine))
        finally:
            process.erase(folder)
    assert not folder.path.exists()


@pytest.fixture(scope="module")
def local_cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud for all tests of a module."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture
def fresh_cloud(engine: Engine, tmp_path: Path) -> Iterator[LocalCloud]:
    """A local cloud for a single test."""
    with a_local_cloud(engine, tmp_path) as cloud:
        yield cloud


def pytest_configure(config: pytest.Config) -> None:
    """Remove the user's accounts and stacks from the environment of every test."""
    for key in list(os.environ):
        if key.startswith(("AWS_", "HCLOUD_", "GITHUB_", "PULUMI_", "LOCALCLOUD_")):
            del os.environ[key]
