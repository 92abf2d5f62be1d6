"""What the tests share: the real engine, and local clouds of their own in temporary folders."""

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


@dataclass(frozen=True)
class LocalCloud:
    """A local cloud of a test's own: its folder, where it listens, and the environment that leads tools to it."""

    folder: Folder
    running: Running
    env: Mapping[str, str]

    def run(self, *command: str, cwd: Path = ROOT, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command in it; what it printed is shown when the test fails."""
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
    """An empty local cloud in a folder of its own; it is gone afterwards.

    With `machines`, its servers and load balancers are real processes where there is HAProxy; few tests need them.
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
    """One for all tests of a module."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture
def fresh_cloud(engine: Engine, tmp_path: Path) -> Iterator[LocalCloud]:
    """One for a single test."""
    with a_local_cloud(engine, tmp_path) as cloud:
        yield cloud


def pytest_configure(config: pytest.Config) -> None:
    """A person's own accounts, proxies and stacks are out of every test's reach."""
    for key in list(os.environ):
        if key.startswith(("AWS_", "HCLOUD_", "GITHUB_", "PULUMI_", "LOCALCLOUD_")):
            del os.environ[key]
