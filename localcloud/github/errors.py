"""What the API answers when it refuses: one exception, and the few forms that its body has."""

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


class Moved(Exception):  # noqa: N818 - it is an answer, not a fault
    """The repository was renamed: whoever asks under the old name is sent on by id."""

    def __init__(self, repository_id: int) -> None:
        super().__init__(repository_id)
        self.repository_id = repository_id


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def invalid_property(path: str, reason: str) -> ApiError:
    """The body does not have the form that the operation takes; `path` is a JSON pointer without its first slash."""
    return ApiError(422, f"Invalid request.\n\nInvalid property /{path}: {reason}.")


def missing_property(path: str) -> ApiError:
    return ApiError(422, f'Invalid request.\n\n"{path}" wasn\'t supplied.')


def unknown_property(path: str) -> ApiError:
    """For a field that the API does not know, and for one that it knows and this emulator does not."""
    return ApiError(422, f'Invalid request.\n\n"{path}" is not a permitted key.')


def validation_failed(*errors: Any) -> ApiError:
    return ApiError(422, "Validation Failed", list(errors))


def field_error(field: str, code: str, message: str = "", resource: str = "Repository") -> dict[str, str]:
    error = {"resource": resource, "field": field, "code": code}
    return {**error, "message": message} if message else error


def archived() -> ApiError:
    return ApiError(403, "Repository was archived so is read-only.")


def unsupported(what: str) -> ApiError:
    """For what the real API has and this emulator has not. Not 404: to a client that would mean an absent object."""
    return ApiError(501, f"The local cloud does not support {what}")
