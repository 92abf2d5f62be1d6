"""SSM's errors that its calls for managed nodes give. They are answered with status 400, and their code says which."""

from __future__ import annotations

from typing import NoReturn

from moto.core.exceptions import JsonRESTError


def refuse(code: str, message: str) -> NoReturn:
    """`code` is the name of the error's shape, or what the agent is told where no model of the API names it."""
    raise JsonRESTError(code, message)


def invalid(message: str) -> NoReturn:
    refuse("ValidationException", message)
