"""Escape text from programs and clouds for GitHub's Markdown."""

from __future__ import annotations

import json
from typing import Any, Final

_LONGEST_VALUE: Final = 120


def one_line(value: Any) -> str:
    """Format a value on one line, and cut it at a maximum length."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def in_fence(text: str) -> str:
    """Escape text so that it cannot end its fenced code block."""
    return text.replace("```", "` ` `")
