"""RDS's errors that moto has not, or has under another code than RDS gives."""

from __future__ import annotations

from typing import NoReturn

from moto.rds.exceptions import RDSClientError


def refuse(code: str, message: str) -> NoReturn:
    """`code` as in the error's `Code` on the wire, which is not always the name of its shape."""
    raise RDSClientError(code, message)
