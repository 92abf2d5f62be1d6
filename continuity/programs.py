"""Errors of programs that cannot be started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from continuity.errors import SetupError


@contextmanager
def starting(name: str) -> Iterator[None]:
    """Raises `SetupError` if the program is missing, or is built for a different kind of machine."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"`{name}` cannot be started: {error.strerror or error}. Install it for this machine, and add it to PATH"
        ) from None
