"""Every path and every module that documents, docstrings and comments name in back-ticks exists."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, tracked

ROOMS = ("plan", "components", "stacks", "policy_pack", "continuity", "localcloud", "tests", "benchmarks")
QUOTED = re.compile(r"`([\w./-]+)`")


FILES = tracked()


def prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """The lines that are written for readers: all of a document, comments and docstrings of a program."""
    if path.suffix == ".md":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        # A docstring of a module, a class, a function or a field: a text that nothing uses.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from enumerate(node.value.value.splitlines(), node.lineno)


def is_path(quoted: str) -> bool:
    """Whether it is written as a path of this repository."""
    if quoted.startswith(("/", "./", ".venv", ".localcloud")):
        return False  # on a host, or in a folder that git ignores
    return (quoted.partition("/")[0] in ROOMS and "/" in quoted) or quoted.endswith((".py", ".j2", ".md", ".dot"))


def exists(quoted: str, named_in: Path, files: list[Path]) -> bool:
    """From the root, from the file that names it, or as the end of a path in the same room."""
    if any((ROOT / start / quoted).exists() for start in (Path(), named_in.parent)):
        return True
    end = Path(quoted).parts
    room = named_in.parts[0] if len(named_in.parts) > 1 and named_in.parts[0] in ROOMS else None
    return any(file.parts[-len(end) :] == end and room in (None, file.parts[0]) for file in files)


def module_exists(dotted: str) -> bool:
    """Whether its first parts are a module, and the rest a name that the module's text has."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:length])
        for source in (base.with_suffix(".py"), base / "__init__.py"):
            if source.exists():
                text = source.read_text()
                return all(re.search(rf"\b{re.escape(name)}\b", text) for name in parts[length:])
    return False


def missing(path: Path, text: str) -> list[str]:
    """The names in a file's text that do not exist, each as `path:line: name`."""
    found = []
    for number, line in prose(path, text):
        for quoted in QUOTED.findall(line):
            is_module = re.fullmatch(rf"({'|'.join(ROOMS)})(\.\w+)+", quoted) and not quoted.endswith(".yaml")
            if (is_module and not module_exists(quoted)) or (
                not is_module and is_path(quoted) and not exists(quoted, path, FILES)
            ):
                found.append(f"{path}:{number}: {quoted}")
    return found


@pytest.mark.parametrize("room", [*ROOMS, "docs", "."])
def test_named_paths_exist(room: str) -> None:
    in_room = [path for path in FILES if (path.parts[0] if len(path.parts) > 1 else ".") == room]
    read = [path for path in in_room if path.suffix in (".py", ".md")]
    assert [name for path in read for name in missing(path, (ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("plan/made_up.py", '"""Reads\n`plan/nothing.yaml`."""', "plan/made_up.py:2: plan/nothing.yaml"),
        ("plan/made_up.py", "# as in `nothing.py`", "plan/made_up.py:1: nothing.py"),
        ("plan/made_up.py", 'a: int\n"""`components.nothing.Thing`"""', "plan/made_up.py:2: components.nothing.Thing"),
        ("docs/made_up.md", "see `localcloud/nothing/`", "docs/made_up.md:1: localcloud/nothing/"),
    ],
)
def test_missing_name_is_found(path: str, text: str, found: str) -> None:
    assert missing(Path(path), text) == [found]


@pytest.mark.parametrize("text", ["`plan/plan.yaml`", "`model.py`", "`plan.model.Plan`", "`/etc/haproxy/haproxy.cfg`"])
def test_existing_name_is_accepted(text: str) -> None:
    assert missing(Path("plan/made_up.py"), f"# {text}") == []
