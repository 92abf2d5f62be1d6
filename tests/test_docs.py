"""What the documents say of the repository is so."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_picture_is_the_one_that_its_source_draws() -> None:
    source = hashlib.sha256((ROOT / "docs/architecture.dot").read_bytes()).hexdigest()
    assert f"from architecture.dot {source}" in (ROOT / "docs/architecture.svg").read_text(), "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_what_is_linked_to_is_there(document: Path) -> None:
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (document.parent / link.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", document.read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[\[<>=]", one)[0] for one in wanted}
    said = (ROOT / "docs/dependencies.md").read_text()
    assert [name for name in sorted(names) if name not in said and not name.startswith("types-")] == []
