"""Errors as the media service answers them: a status and `{"error": {"message": …}}`."""

from __future__ import annotations

from typing import Any


class MediaError(Exception):
    """Ends a request with an error answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {"error": {"message": self.message}}


def missing(public_id: str) -> MediaError:
    """404 for an asset that is not there."""
    return MediaError(404, f"Resource not found - {public_id}")


def bad(message: str) -> MediaError:
    """400 for a request that makes no sense."""
    return MediaError(400, message)


def unauthorized(message: str) -> MediaError:
    """401 for credentials or signatures that are not good."""
    return MediaError(401, message)
