"""The check of the project's English finds a banned word in each kind of text, on its line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

Check = Callable[..., subprocess.CompletedProcess[str]]

# Written in two parts, so that the check does not find it here.
WHOEVER = "who" + "ever"
SO_MANY = ("so", "many")


@pytest.fixture(scope="module")
def vale() -> str:
    """Vale: the one on PATH, or the one that `make lint-prose` uses, which is built once for each user."""
    if on_path := shutil.which("vale"):
        return on_path
    if shutil.which("go") is None:
        pytest.skip("there is neither vale nor Go on PATH")
    built = subprocess.run(["make", "--silent", "vale"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return built.stdout.splitlines()[-1]


@pytest.fixture
def check(tmp_path: Path, vale: str) -> Check:
    """Runs the check over a repository of the test's own."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)

    def run(*paths: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / ".ci/prose.py"), "--vale", vale, "--root", str(tmp_path), *paths]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def places(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The path and line of each finding."""
    return [":".join(line.split(":")[:2]) for line in done.stdout.splitlines()]


PYTHON = f'''"""A module.

The bucket is for {WHOEVER} needs it.
"""

NAME = "{WHOEVER}"  # a name alone is not prose, but {WHOEVER} reads this comment finds it


def refuse(path: str) -> None:
    """Refuse it."""
    raise ValueError(
        f"{{path}} is refused: "
        f"ask {WHOEVER} owns it"
    )
'''


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("package/module.py", PYTHON, [3, 6, 13]),
        ("docs/page.md", f"# A page\n\nPlain.\n\nFor {WHOEVER} reads it.\n", [5]),
        ("work.yml", f"on: push\n\n# For {WHOEVER} merges.\njob: {WHOEVER}\n", [3]),
        ("main.go", f"package main\n\n// For {WHOEVER} runs it.\n", [3]),
        ("host.conf.j2", f"{{# For {WHOEVER} edits it. #}}\n# what {WHOEVER} reads on a host\n", [1]),
        ("Makefile", f"help: ## For {WHOEVER} asks\n\techo {WHOEVER}\n", [1]),
    ],
)
def test_banned_word_is_found_on_its_line(check: Check, tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    done = check()
    assert places(done) == [f"{name}:{line}" for line in lines], done.stderr
    assert "name the person" in done.stdout
    assert done.returncode == 1


def test_phrase_is_found_across_lines(check: Check, tmp_path: Path) -> None:
    first, second = SO_MANY
    (tmp_path / "a.py").write_text(
        f'# Opens {first}\n# {second} connections.\nTEXT = "opens {first} " \\\n    "{second} of them"\n'
    )
    assert places(check()) == ["a.py:1", "a.py:3"]


def test_code_is_no_finding(check: Check, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        f'"""Calls `{WHOEVER}` of the SDK."""\n\n{WHOEVER} = "\\n{WHOEVER[3:]}"\nprint(f"the {{{WHOEVER}}}")\n'
    )
    (tmp_path / "b.md").write_text(f"Calls `{WHOEVER}`.\n\n    {WHOEVER}\n")
    done = check()
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_pending_paths_are_skipped_until_they_are_named(check: Check, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/page.md").write_text(f"For {WHOEVER} reads it.\n")
    (tmp_path / ".ci/vale").mkdir(parents=True)
    (tmp_path / ".ci/vale/pending.txt").write_text("# not yet rewritten\nold\n")
    assert check().returncode == 0
    assert places(check("old")) == ["old/page.md:1"]


def test_pending_path_that_is_gone_fails(check: Check, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Plain.\n")
    (tmp_path / ".ci/vale").mkdir(parents=True)
    (tmp_path / ".ci/vale/pending.txt").write_text("gone\n")
    done = check()
    assert done.returncode == 2
    assert "gone" in done.stderr


def test_missing_vale_fails(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / ".ci/prose.py"), "--vale", str(tmp_path / "vale")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make lint-prose" in done.stderr
