"""Errors in GitHub's form: a message, what is wrong with which field, and where it is documented."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    """An answer that is an error. `errors` are GitHub's own records: resource, field, code, message."""

    def __init__(self, status: int, message: str, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
        if errors:
            self.body["errors"] = list(errors)


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def invalid(resource: str, field: str, code: str, message: str) -> ApiError:
    """`code` is one of GitHub's: missing_field, invalid, already_exists, unprocessable, custom."""
    return ApiError(
        422,
        "Validation Failed",
        [{"resource": resource, "field": field, "code": code, "message": message}],
    )


def unsupported(what: str) -> ApiError:
    return ApiError(501, f"The local cloud's GitHub has no {what}.")
