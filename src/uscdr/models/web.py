"""What the application answers over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from uscdr.models.base import Fact


class WebAnswer(Fact):
    """One answer. `body` may hold personal data: hidden in repr, never journalled or shown."""

    status: int
    content_type: str = ""
    seconds: float = 0.0
    body: bytes = Field(default=b"", repr=False)
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Names in lower case."""


class Sending(Fact):
    """One request that changes something: a JSON body, or a multipart form with a file, or nothing."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    path: str
    json_body: dict[str, Any] | None = None
    field: str = ""
    """The form field of the file."""
    form: Mapping[str, str] = Field(default_factory=dict)
    """Text fields beside the file."""
    file_name: str = ""
    content_type: str = "text/plain"
    content: bytes = Field(default=b"", repr=False)
