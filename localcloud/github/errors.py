"""Refusals of the API: one exception, and the forms of its body."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal. `errors` are the details of a failed validation, as objects or as sentences."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.errors = errors

    def body(self, documentation: str) -> dict[str, Any]:
        details = {} if self.errors is None else {"errors": self.errors}
        return {
            "message": self.message,
            **details,
            "documentation_url": f"https://docs.github.com/rest{documentation and '/'}{documentation}",
            "status": str(self.status),
        }


class MovedError(Exception):
    """The repository was renamed. The client is redirected to its id."""

    def __init__(self, repository_id: int) -> None:
        super().__init__(repository_id)
        self.repository_id = repository_id


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def invalid_property(path: str, reason: str) -> ApiError:
    """The body has the wrong form. `path` is a JSON pointer without its first slash."""
    return ApiError(422, f"Invalid request.\n\nInvalid property /{path}: {reason}.")


def missing_property(path: str) -> ApiError:
    return ApiError(422, f'Invalid request.\n\n"{path}" wasn\'t supplied.')


def unknown_property(path: str) -> ApiError:
    """A field that the API does not have, or that this emulator does not support."""
    return ApiError(422, f'Invalid request.\n\n"{path}" is not a permitted key.')


def validation_failed(*errors: Any) -> ApiError:
    return ApiError(422, "Validation Failed", list(errors))


def field_error(field: str, code: str, message: str = "", resource: str = "Repository") -> dict[str, str]:
    error = {"resource": resource, "field": field, "code": code}
    return {**error, "message": message} if message else error


def archived() -> ApiError:
    return ApiError(403, "Repository was archived so is read-only.")


def unsupported(what: str) -> ApiError:
    """A request that GitHub supports and this emulator does not. 404 would mean that an object does not exist."""
    return ApiError(501, f"The local cloud does not support {what}")
