"""Ledgers of one incident for tests: one machine, or several that share a directory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from uscdr.incident.ledger import ROOM, Ledger
from uscdr.models.incidents import IncidentOpened
from uscdr.settings import Operator
from uscdr.shared.journals import JournalStore
from uscdr.store.directory import LocalStore

INCIDENT = "20261128T021500Z-incident-4f2a9c"
T0 = datetime(2026, 11, 28, 2, 15, tzinfo=UTC)


class Clock:
    """A clock that the test sets."""

    def __init__(self, at: datetime = T0) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


def opened(**facts: object) -> IncidentOpened:
    return IncidentOpened.model_validate(
        {
            "what": "the database is damaged", "severity": "critical", "target": "production", "app": "usc-pis",
            "key": "https://api.heroku.com usc-pis", "detected_at": T0, "rto_seconds": 7200.0, "rpo_seconds": 14400.0,
            "first_seconds": 900.0, "update_seconds": 1800.0, "completion_seconds": 900.0, "version": "0", **facts,
        }
    )  # fmt: skip


def ledger(place: Path, name: str = "ada", *, shared: Path | None = None, clock: Clock | None = None) -> Ledger:
    store = JournalStore(LocalStore(shared), ROOM) if shared else None
    return Ledger(place / name, INCIDENT, Operator(name, f"{name}-host", 1), store, now=clock or Clock())
