"""Environment of units: files with variables, and variables in command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def read_environment(file: Path) -> dict[str, str]:
    """Parse a file of `NAME=value` lines. Quotes around a value are removed, like in systemd."""
    found = {}
    for line in file.read_text().splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;" or "=" not in stripped:
            continue
        key, value = stripped.split("=", 1)
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            quote = value[0]
            value = value[1:-1]
            if quote == '"':
                value = re.sub(r'\\(["\\$`])', r"\1", value)
        found[key.strip()] = value
    return found


def expand(words: tuple[str, ...], environment: Mapping[str, str]) -> list[str]:
    """Expand `${NAME}` anywhere to its value, a word `$NAME` to the value's words, and `$$` to a dollar sign."""
    made: list[str] = []
    for word in words:
        if re.fullmatch(r"\$[A-Za-z_]\w*", word):
            made.extend(environment.get(word[1:], "").split())
        else:
            made.append(
                re.sub(
                    r"\$\$|\$\{([A-Za-z_]\w*)\}",
                    lambda match: "$" if match.group(1) is None else environment.get(match.group(1), ""),
                    word,
                )
            )
    return made
