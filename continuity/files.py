"""Errors of files that an operator or the environment names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from continuity.errors import UsageError


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Raises `UsageError` when the file cannot be read, or is not text."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text: name a text file in UTF-8") from None


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Raises `UsageError` when the file cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None
