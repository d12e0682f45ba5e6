"""What small looks at certificates, queues and mail accounts give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from uscdr.models.base import Fact


class Certificate(Fact):
    """The certificate served for a hostname. Times are aware UTC datetimes, None when they could not be read."""

    hostname: str
    issuer: str = ""
    valid_from: datetime | None = None
    expires_at: datetime | None = None
    protocol: str = ""
    problem: str = ""
    """Why a browser would refuse it; empty when it would not."""


class QueueFacts(Fact):
    """A broker that answers: its version and how many messages wait by queue."""

    version: str = ""
    """Empty when the account may not ask for it."""
    waiting: Mapping[str, int] = Field(default_factory=dict)
