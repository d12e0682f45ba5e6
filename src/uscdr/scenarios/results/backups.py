"""Results of the steps of `recover backups`. Names, times, counts and digests; no value of a row."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from uscdr.backups.rpo import RpoState
from uscdr.models.base import Fact, Moment
from uscdr.models.postgres import CanaryVerdict, LeftOut
from uscdr.scenarios.results.db import BackupLine, Captured


class FailedBackup(Fact):
    """A failed backup, and the platform's last message about it."""

    name: str
    at: Moment
    why: str


class BackupSystemSeen(Fact):
    """The backup system as it was found: the platform's backups and schedules, the vault, and the objective."""

    app: str
    addon: str
    backups: tuple[BackupLine, ...]
    schedules: tuple[str, ...]
    failed: tuple[FailedBackup, ...]
    """After the newest good one."""
    newest: str
    """The newest backup to restore from, on the platform or off it; empty when there is none."""
    newest_age: float | None
    """Seconds since it started."""
    running: str
    """The running transfer, in words; empty when there is none."""
    place: str
    vault_why: str = ""
    """Why the vault cannot be read; empty when it can."""
    copies: int = 0
    damaged: tuple[str, ...] = ()
    """What is wrong with copies, in words."""
    proven: str = ""
    """The newest proven backup."""
    readers: str = ""
    """Who can open copies; empty when nobody is named."""
    drops: str = ""
    """The manual backup that the platform drops for the next one."""
    refused: str = ""
    """Why that backup must not be dropped."""
    standing: RpoState
    cron: str


class BackupsDecided(Fact):
    """What was approved."""

    app: str
    schedule: str
    """The schedule that is created; empty when one exists."""
    drops: str
    place: str
    """The store of the new backup's copy; empty when it is not copied."""


class BackupsScheduled(Fact):
    """The platform's schedules in words, and whether this run created one."""

    schedules: tuple[str, ...]
    created: bool

    @model_validator(mode="before")
    @classmethod
    def _of_older_journals(cls, recorded: Any) -> Any:  # noqa: ANN401 - as pydantic gives it
        """`recover infra` recorded the old schedule as hour and time zone."""
        if isinstance(recorded, dict) and "hour" in recorded:
            return {"schedules": [f"daily at {recorded['hour']:02d}:00 {recorded['timezone']}"], "created": True}
        return recorded


class TrialCapture(Captured):
    """The backup that shows that backups can be made."""


class CopyMade(Fact):
    """The copy off the platform; `fetched` is False when it existed before. Sizes are bytes of the plain dump."""

    copy_id: str
    backup: str
    place: str
    bytes: int
    sha256: str
    fetched: bool


class CopyProven(Fact):
    """The result of the proof."""

    backup: str
    grade: str
    sound: bool
    why: str
    sha256: str
    source: str
    copy_id: str
    copy_opened: bool
    tables: int
    rows: int
    invariants: int
    invariants_held: int
    canary: CanaryVerdict
    seconds: float
    left_out: tuple[LeftOut, ...] = ()


class BackupsVerdict(Fact):
    """The backup system after the recovery."""

    standing: RpoState
    parts: int
    """Number of parts of the objective, all met."""
    cron: str
