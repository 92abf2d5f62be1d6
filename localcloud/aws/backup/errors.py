"""AWS Backup's errors. All of them are answered with status 400, and their code says which one it is."""

from __future__ import annotations

from typing import NoReturn

from moto.core.exceptions import JsonRESTError


def refuse(code: str, message: str) -> NoReturn:
    """`code` is the name of the error's shape, such as `InvalidRequestException`."""
    raise JsonRESTError(code, message)


def invalid(message: str) -> NoReturn:
    refuse("InvalidParameterValueException", message)


def missing(message: str) -> NoReturn:
    refuse("ResourceNotFoundException", message)
