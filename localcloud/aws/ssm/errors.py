"""Errors of SSM's calls for managed nodes. All have status 400; the code names the error."""

from __future__ import annotations

from typing import NoReturn

from moto.core.exceptions import JsonRESTError


def refuse(code: str, message: str) -> NoReturn:
    """`code` is the name of the error's shape, or the code that the agent expects if the API's model has none."""
    raise JsonRESTError(code, message)


def invalid(message: str) -> NoReturn:
    refuse("ValidationException", message)
