"""Errors as the provider answers them: a status and `{id, message}`."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Ends a request with an error answer."""

    def __init__(self, status: int, error_id: str, message: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"id": error_id, "message": message, **more}


def not_found(resource: str) -> ApiError:
    """404 that says which kind of thing was not found."""
    words = resource.replace("_", "-") if resource == "add_on" else resource
    return ApiError(404, "not_found", f"Couldn't find that {words}.", resource=resource)


def invalid(message: str) -> ApiError:
    """422 for a body that makes no sense."""
    return ApiError(422, "invalid_params", message)
