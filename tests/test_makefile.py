"""What `make` thinks is set up: a folder that borrows another's environment must never change it under its feet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def borrower(tmp_path: Path) -> Path:
    """A copy of the files that say what is set up, with this folder's environment by a link."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", ".ci/uv.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to((ROOT / ".venv").resolve())
    return tmp_path


def set_up(folder: Path) -> bool:
    """Whether `make` has nothing to do for the packages. Nothing is done."""
    asked = subprocess.run(["make", "--question", "packages"], cwd=folder, capture_output=True, text=True, check=False)
    assert asked.returncode in (0, 1), asked.stderr
    return asked.returncode == 0


def test_the_same_packages_are_not_set_up_again_however_young_the_files_are(borrower: Path) -> None:
    assert set_up(borrower)
    for name in ("pyproject.toml", "uv.lock", ".ci/uv.txt"):
        (borrower / name).touch()
    assert set_up(borrower)


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
def test_other_packages_are_set_up_however_old_the_files_are(borrower: Path, name: str) -> None:
    with (borrower / name).open("a") as file:
        file.write("# something else\n")
    os.utime(borrower / name, (0, 0))
    assert not set_up(borrower)
