"""Text from programs and clouds as it is put into GitHub's Markdown, where it must not be taken for our own words."""

from __future__ import annotations

import json
from typing import Any, Final

_LONGEST_VALUE: Final = 120


def one_line(value: Any) -> str:
    """A value on one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def in_fence(text: str) -> str:
    """Text that cannot end the fenced block of code that contains it."""
    return text.replace("```", "` ` `")
