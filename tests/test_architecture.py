"""Limits of size for files, folders and functions, and the independence of test modules.

The lists name what exceeds a limit today. They only get shorter: an entry that is within its limit fails the test.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT, tracked

FILE_LINES, FOLDER_FILES, FUNCTION_LINES, PARAMETERS = 400, 15, 80, 6

# A program whose bytes are part of the hosts' fingerprint: splitting it would replace every worker host.
LONG_FILES = {"components/hosts/image/programs/worker_turn.py"}
MANY_PARAMETERS = {"tests/components/database/test_instance.py:database"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Files = Mapping[str, str]
"""The text of Python files, by path."""


@cache
def python_files() -> Files:
    """The Python files of the repository."""
    return {str(path): (ROOT / path).read_text() for path in tracked() if path.suffix == ".py"}


@cache
def parsed(text: str) -> ast.Module:
    """The syntax of a file."""
    return ast.parse(text)


def functions(files: Files) -> Iterator[tuple[str, Function]]:
    """The functions of the files, each with its path and its name. The names of its classes come first."""

    def inside(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}{child.name}", child
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from inside(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                yield from inside(child, prefix)

    for path, text in files.items():
        yield from inside(parsed(text), f"{path}:")


def lines(function: Function) -> int:
    """The number of lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    """The number of parameters without `self` and `cls`."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def long_files(files: Files) -> set[str]:
    return {path for path, text in files.items() if len(text.splitlines()) > FILE_LINES}


def full_folders(files: Files) -> set[str]:
    counts = Counter(str(Path(path).parent) for path in files)
    return {folder for folder, count in counts.items() if count > FOLDER_FILES}


def long_functions(files: Files) -> set[str]:
    return {name for name, function in functions(files) if lines(function) > FUNCTION_LINES}


def many_parameters(files: Files) -> set[str]:
    return {name for name, function in functions(files) if parameters(function) > PARAMETERS}


def imported_test_modules(files: Files) -> set[str]:
    """The imports of a test module by any file, each as "file: module"."""
    found = set()
    for path, text in files.items():
        for node in ast.walk(parsed(text)) if "import test_" in text or ".test_" in text else ():
            for name in imported_names(node):
                module = re.match(r"(tests\.|\.)(\w+\.)*?test_\w+", name)
                if module is not None:
                    found.add(f"{path}: {module[0]}")
    return found


def imported_names(node: ast.AST) -> list[str]:
    """The full names that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}.{alias.name}".replace("..", ".") for alias in node.names]
    return []


@pytest.mark.parametrize(
    ("find", "listed"),
    [
        pytest.param(long_files, LONG_FILES, id="lines of a file"),
        pytest.param(full_folders, set(), id="files of a folder"),
        pytest.param(long_functions, set(), id="lines of a function"),
        pytest.param(many_parameters, MANY_PARAMETERS, id="parameters of a function"),
        pytest.param(imported_test_modules, set(), id="imports of test modules"),
    ],
)
def test_only_listed_code_exceeds_a_limit(find: Callable[[Files], set[str]], listed: set[str]) -> None:
    found = find(python_files())
    assert found - listed == set(), "split it by subject"
    assert listed - found == set(), "it is within the limit: remove it from the list"


LONG_FUNCTION = "class A:\n    def b(self, c):\n" + "        c()\n" * FUNCTION_LINES


@pytest.mark.parametrize(
    ("find", "files", "found"),
    [
        (long_files, {"a.py": "a\n" * (FILE_LINES + 1), "b.py": "b\n" * FILE_LINES}, "a.py"),
        (full_folders, {f"a/{number}.py": "" for number in range(FOLDER_FILES + 1)} | {"b/b.py": ""}, "a"),
        (long_functions, {"a.py": LONG_FUNCTION + "    def d(self): ...\n"}, "a.py:A.b"),
        (
            many_parameters,
            {"a.py": "def a(b, /, c, d, *, e, f, g, h): ...\ndef i(self, b, c, d, e, f, g): ..."},
            "a.py:a",
        ),
        (imported_test_modules, {"a.py": "from tests.b import test_c\nfrom tests.b import d"}, "a.py: tests.b.test_c"),
        (imported_test_modules, {"a.py": "from tests.test_b import c"}, "a.py: tests.test_b"),
        (imported_test_modules, {"a.py": "import tests.b.test_c as d"}, "a.py: tests.b.test_c"),
        (imported_test_modules, {"a.py": "from .test_b import c"}, "a.py: .test_b"),
    ],
)
def test_code_beyond_a_limit_is_found(find: Callable[[Files], set[str]], files: Files, found: str) -> None:
    assert find(files) == {found}
