"""Errors of the API: one exception, and the HTTP status of each documented code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# From the API's tables of general and of operation-specific errors (autumn 2026). If one code has two statuses, the
# operation states the second one.
_STATUS = {
    "json_error": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "resource_limit_exceeded": 403,
    "not_found": 404,
    "firewall_resource_not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "uniqueness_error": 409,
    "deprecated_api_endpoint": 410,
    "resource_unavailable": 412,
    "unavailable": 412,
    "source_port_already_used": 412,
    "primary_ip_version_mismatch": 412,
    "locked": 423,
    "protected": 423,
    "server_error": 500,
}


class ApiError(Exception):
    """A refusal in the API's error format. A code that is not in the table above has status 422."""

    def __init__(self, code: str, message: str, details: Any = None, *, status: int | None = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.details = details
        self.status = status if status is not None else _STATUS.get(code, 422)

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def invalid_input(problems: Mapping[str, Sequence[str]]) -> ApiError:
    """Return the error for wrong fields.

    `problems`: the messages for each field; a nested field is written with dots.
    """
    fields = [{"name": name, "messages": list(messages)} for name, messages in problems.items()]
    said = "; ".join(f"'{name}': {', '.join(messages)}" for name, messages in problems.items())
    plural = "s" if len(fields) > 1 else ""
    return ApiError("invalid_input", f"invalid input in field{plural} {said}", {"fields": fields})


def not_found(kind: str, identity: object) -> ApiError:
    return ApiError("not_found", f"{kind} with ID '{identity}' not found")


def not_unique(kind: str, field: str) -> ApiError:
    return ApiError("uniqueness_error", f"{kind} {field} is already used", {"fields": [{"name": field}]})


def unsupported(what: str) -> ApiError:
    """Return the error for a part of the real API that this emulator lacks:

    refused by name, never silently accepted.
    """
    return ApiError("unsupported_error", f"the local cloud does not support {what}")
