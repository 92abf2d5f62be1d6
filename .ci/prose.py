#!/usr/bin/env python3
"""Checks the project's English with Vale: documents, docstrings, comments, error messages and help texts.

Vale reads neither the string literals of Python nor the comments of every language here. So each file is copied to a
temporary folder with its prose alone, and each word stays on its line and in its column. Vale reads the copies, and its
findings are printed with the real paths. Code in back-ticks is not prose.

    .ci/prose.py                     every tracked file, except those of .ci/vale/pending.txt
    .ci/prose.py docs components     the tracked files below these paths, pending or not
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PENDING = ".ci/vale/pending.txt"

_CODE = re.compile(r"(`+)[^`\n]+\1")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|N\{[^}]*\}|.)")
_STRING = re.compile(r"([a-zA-Z]*)('''|\"\"\"|'|\")")
_PROSE = re.compile(r"[A-Za-z]\S*\s+\S|\s\S*[A-Za-z]")
# A comment of YAML, TOML, Make or the shell; of Go; of Jinja. The text that a template renders is not checked: changing
# a word of it would replace every host.
_HASH = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_SLASHES = re.compile(r"(?:^|(?<=\s))//.*", re.MULTILINE)
_JINJA = re.compile(r"\{#.*?#\}", re.DOTALL)
_COMMENTS = {
    **dict.fromkeys((".yaml", ".yml", ".toml", ".sh", ".mk"), _HASH),
    ".go": _SLASHES,
    ".j2": _JINJA,
}


class ProseError(Exception):
    """The check itself cannot be done."""


def blank(text: str) -> str:
    """The same number of lines and columns, with nothing on them."""
    return re.sub(r"[^\n]", " ", text)


def _without_fields(text: str) -> str:
    """The literal parts of an f-string's inside: `{...}` is blank, and so are doubled braces."""
    kept, depth, position = [], 0, 0
    while position < len(text):
        pair, char = text[position : position + 2], text[position]
        if depth == 0 and pair in ("{{", "}}"):
            kept.append("  ")
            position += 2
            continue
        depth += char == "{"
        kept.append(char if depth == 0 or char == "\n" else " ")
        depth -= char == "}" and depth > 0
        position += 1
    return "".join(kept)


def literal(source: str) -> str:
    """The prose of a string literal, as long as its source; blank where it is not prose."""
    prefix, quotes = _STRING.match(source).groups()  # type: ignore[union-attr]  # the tokenizer found a literal
    inside = source[len(prefix) + len(quotes) : -len(quotes)]
    prefix = prefix.lower()
    if "f" in prefix:
        inside = _without_fields(inside)
    if "r" not in prefix:
        inside = _ESCAPE.sub(lambda found: blank(found[0]), inside)
    if "b" in prefix or not _PROSE.search(inside):
        return blank(source)
    return blank(prefix + quotes) + inside + blank(quotes)


def _spans(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], bool]]:
    """Where comments and string literals begin and end; whether it is a comment."""
    opened: list[tuple[int, int]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":  # Python 3.12 and newer take an f-string apart; older ones have it as one STRING.
            opened.append(token.start)
        elif kind == "FSTRING_END":
            start = opened.pop()
            if not opened:
                yield start, token.end, False
        elif kind in ("COMMENT", "STRING") and not opened:
            yield token.start, token.end, kind == "COMMENT"


def python_prose(source: str) -> str:
    """The comments, docstrings and other prose of a Python module, each on its own line."""
    lines = source.splitlines(keepends=True)
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    kept, end = [], 0
    for (first, left), (last, right), comment in _spans(source):
        start, stop = offsets[first - 1] + left, offsets[last - 1] + right
        kept.append(blank(source[end:start]))
        text = source[start:stop]
        kept.append(re.sub(r"^#+!?", lambda found: blank(found[0]), text) if comment else literal(text))
        end = stop
    kept.append(blank(source[end:]))
    return "".join(kept)


def comments(source: str, pattern: re.Pattern[str]) -> str:
    """The comments that a pattern finds, each on its own line."""
    kept, end = [], 0
    for found in pattern.finditer(source):
        kept.append(blank(source[end : found.start()]))
        kept.append(re.sub(r"^(?:#+!?|//+|\{#)|#\}$", lambda mark: blank(mark[0]), found[0]))
        end = found.end()
    kept.append(blank(source[end:]))
    return "".join(kept)


def mirror(path: Path) -> tuple[str, str] | None:
    """The prose of a file, and what Vale is to read it as; None where there is none to read."""
    if path.suffix == ".md":
        return path.read_text(), ".md"
    if path.suffix == ".py":
        prose = python_prose(path.read_text())
    elif path.suffix in _COMMENTS:
        prose = comments(path.read_text(), _COMMENTS[path.suffix])
    elif path.name == "Makefile" or (not path.suffix and path.read_bytes()[:2] == b"#!"):
        prose = comments(path.read_text(), _HASH)
    else:
        return None
    prose = _CODE.sub(lambda found: blank(found[0]), prose)
    return "\n".join(line.rstrip() for line in prose.split("\n")), ".txt"


def tracked(root: Path) -> list[str]:
    """The files that git tracks, and those that it would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return sorted({name for name in listed.split("\0") if name and (root / name).is_file()})


def below(name: str, prefix: str) -> bool:
    """Whether a path is this file, or in this folder."""
    return prefix in (".", name) or name.startswith(prefix.rstrip("/") + "/")


def chosen(root: Path, paths: list[str]) -> list[str]:
    """The files to check: those below the paths, or all but the pending ones."""
    files = tracked(root)
    if paths:
        prefixes = [str((Path.cwd() / path).resolve().relative_to(root)) for path in paths]
        return [name for name in files if any(below(name, prefix) for prefix in prefixes)]
    pending = root / PENDING
    prefixes = pending.read_text().splitlines() if pending.is_file() else []
    prefixes = [line for line in prefixes if line and not line.startswith("#")]
    gone = [prefix for prefix in prefixes if not any(below(name, prefix) for name in files)]
    if gone:
        raise ProseError(f"{PENDING}: remove what no longer exists: {', '.join(gone)}")
    return [name for name in files if not any(below(name, prefix) for prefix in prefixes)]


def findings(root: Path, files: list[str], vale: str) -> list[tuple[str, int, str]]:
    """What Vale finds in these files: path, line, message."""
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        for name in files:
            prose = mirror(root / name)
            if prose is not None and prose[0].strip():
                copy = Path(folder) / (name + prose[1])
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(prose[0])
                names[str(copy)] = name
        if not names:
            return []
        done = subprocess.run(
            [vale, "--no-exit", "--no-global", "--output=JSON", f"--config={ROOT / '.vale.ini'}", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        try:
            report = json.loads(done.stdout)
            return sorted((names[copy], one["Line"], one["Message"]) for copy, found in report.items() for one in found)
        except (ValueError, KeyError, TypeError):
            raise ProseError(f"vale ended with {done.returncode}: {done.stdout}{done.stderr}") from None


def main() -> int:
    """Print the findings; 1 when there are some, 2 when the check cannot be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", help="files and folders to check; without any, all but the pending ones")
    parser.add_argument("--vale", default="vale", metavar="PROGRAM", help="the program to run (default: vale on PATH)")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder whose files are checked")
    asked = parser.parse_args()
    root = asked.root.resolve()
    try:
        if shutil.which(asked.vale) is None:
            raise ProseError(f"{asked.vale} is not a program that can be run; `make lint-prose` builds it")
        found = findings(root, chosen(root, asked.paths), asked.vale)
    except ProseError as error:
        print(error, file=sys.stderr)
        return 2
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
