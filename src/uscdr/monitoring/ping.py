"""Tells a monitoring service that a command began, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from uscdr.providers.ports.probes import Heartbeat

START = "start"


@dataclass(frozen=True)
class Pinger:
    """The calls for one command. One that fails is a warning and changes nothing."""

    service: Heartbeat
    warn: Callable[[str], None]

    def begun(self) -> None:
        """The command begins."""
        self._tell(START, "the start")

    def ended(self, exit_code: int) -> None:
        """The command ended: the address itself is success, `/CODE` is failure."""
        self._tell(str(exit_code) if exit_code else "", f"the end (exit code {exit_code})")

    def _tell(self, part: str, what: str) -> None:
        try:
            self.service.tell(part)
        except ProviderError as error:
            self.warn(f"Warning: uscdr could not report {what} to the monitoring service. {error.reason}")
