"""RDS's errors that moto lacks, or has with a different code."""

from __future__ import annotations

from typing import NoReturn

from moto.rds.exceptions import RDSClientError


def refuse(code: str, message: str) -> NoReturn:
    """`code` is the error's `Code` in the response, which is not always the name of its shape."""
    raise RDSClientError(code, message)
