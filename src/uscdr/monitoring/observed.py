"""What one command found that monitoring wants to know. Imports nothing heavy: every command for cron has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

NEWEST_BACKUP = "newest_backup_age_seconds"
NEWEST_PROOF = "newest_proof_age_seconds"
RPO_MARGIN = "rpo_margin_seconds"
RPO_MET = "rpo_met"
CHECKS = "checks"
"""Names of metrics that only some commands can know, without the prefix `uscdr_`."""


def _not_saved() -> None:
    """Nobody wants the metrics while the command runs."""


@dataclass
class Observed:
    """What a command has found so far; None is unknown. Times are aware and in UTC, durations in seconds."""

    command: str
    """As on the command line: `backup status`."""
    may_know: frozenset[str] = frozenset()
    """The metrics that this command can know; its file has no others of the names above."""
    target: str = ""
    app: str = ""
    key: str = ""
    """The target's key in journals; empty while the target is unknown."""
    objective: float | None = None
    """The RPO."""
    newest_backup: datetime | None = None
    """The time of the data in the newest usable backup."""
    newest_proof: datetime | None = None
    """When the newest proof of a usable backup was made."""
    due: datetime | None = None
    """The deadline for a newer proven copy off the platform."""
    met: bool | None = None
    """Whether the backups meet the RPO."""
    verdicts: tuple[str, ...] | None = None
    """The verdicts of the checks in the newest finished round."""
    save: Callable[[], None] = _not_saved
    """Writes the metrics now, for a command that runs for long."""
