"""What an application and its services answered: HTTP, certificates, queues, status pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from uscdr.models.base import Fact


class WebAnswer(Fact):
    """One answer. `body` may contain personal data: hidden in repr, never journalled or shown."""

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


# Results of the checks of certificates, queues and mail accounts.


class Certificate(Fact):
    """The certificate served for a hostname. Times are aware UTC datetimes, None when unreadable."""

    hostname: str
    issuer: str = ""
    valid_from: datetime | None = None
    expires_at: datetime | None = None
    protocol: str = ""
    problem: str = ""
    """Why a browser would refuse it; empty when it would accept it."""


class QueueFacts(Fact):
    """A broker that answers: its version and the number of messages by queue."""

    version: str = ""
    """Empty when the account may not read it."""
    waiting: Mapping[str, int] = Field(default_factory=dict)


class ServiceColor(Fact):
    """One line of a provider's status page: `green`, `yellow`, `red`."""

    system: str
    status: str


class StatusReport(Fact):
    """A provider's status page now."""

    systems: tuple[ServiceColor, ...] = ()
    incidents: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every system is green; False also when nothing was listed."""
        return bool(self.systems) and all(s.status == "green" for s in self.systems)


SIGNED_IN_ONLY = (401, 403, 429)
"""Answers of a page that is there and shows itself only to some, or later."""
FIRST_ERROR = 400


class LinkAnswer(Fact):
    """What a page answered at the end of its redirects (`at`). `status` is None when nothing answered."""

    url: str
    at: str
    status: int | None = None
    problem: str = ""
    """Why there is no answer, or why a redirect was not followed."""

    @property
    def alive(self) -> bool:
        """Whether the page is there; some pages show themselves only after a login."""
        status = self.status
        return not self.problem and status is not None and (status < FIRST_ERROR or status in SIGNED_IN_ONLY)

    @property
    def words(self) -> str:
        """`alive (200)`, `dead (404)`, or `no answer: …`."""
        moved = f", now at {self.at}" if self.at != self.url else ""
        if self.problem:
            return f"no answer: {self.problem}{moved}"
        return f"{'alive' if self.alive else 'dead'} ({self.status}){moved}"
