"""What every check has, and the check as it is run, under its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from uscdr.models.base import Fact
from uscdr.models.duration import Duration

Provider = Literal["application", "database", "platform", "media", "dns", "tls", "mail", "queue", "source", "person"]
"""Who must answer. One that hangs is waited for once, not once a check."""
TIMEOUT = 30.0
"""Seconds that a check may take unless scenarios.yaml says otherwise."""


class CheckSpec(Fact):
    """The fields that every kind of check has."""

    why: str = ""
    """For a person: what a failure means, or what to do about it."""
    timeout: Duration = TIMEOUT

    provider: ClassVar[Provider] = "application"
    writes: ClassVar[bool] = False
    """A canary: run only when the operator allows writes."""


@dataclass(frozen=True)
class Check:
    """One check to run."""

    name: str
    spec: CheckSpec
    kind: str
