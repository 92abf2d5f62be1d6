"""The condition under which `make` sets up packages.

A folder may link to the environment of a different folder, and must not change it there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def linked_folder(tmp_path: Path) -> Path:
    """A copy of the files that determine the packages, with a link to this folder's environment."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", ".ci/uv.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to((ROOT / ".venv").resolve())
    return tmp_path


def set_up(folder: Path) -> bool:
    """Whether `make` has nothing to do for the packages. It changes nothing."""
    asked = subprocess.run(["make", "--question", "packages"], cwd=folder, capture_output=True, text=True, check=False)
    assert asked.returncode in (0, 1), asked.stderr
    return asked.returncode == 0


def test_newer_files_of_the_same_content_change_nothing(linked_folder: Path) -> None:
    assert set_up(linked_folder)
    for name in ("pyproject.toml", "uv.lock", ".ci/uv.txt"):
        (linked_folder / name).touch()
    assert set_up(linked_folder)


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
def test_older_files_of_other_content_are_set_up(linked_folder: Path, name: str) -> None:
    with (linked_folder / name).open("a") as file:
        file.write("# something else\n")
    os.utime(linked_folder / name, (0, 0))
    assert not set_up(linked_folder)
