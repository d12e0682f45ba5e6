"""The report of a run as data: frozen, complete in itself, the only source of every rendering."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from uscdr.models.runs import only_looks, recovers

Verdict = Literal["met", "missed", "not known", "does not apply"]
Outcome = Literal["done", "failed", "declined", "unknown", "interrupted", "unfinished"]


class ReportModel(BaseModel):
    """Base: immutable and closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectiveReport(ReportModel):
    """A target in seconds, what was achieved (None when not known) and how that was found."""

    target_seconds: float
    achieved_seconds: float | None
    verdict: Verdict
    basis: str
    at_most: bool = False
    """Whether what was achieved is an upper bound."""


class PhaseReport(ReportModel):
    """A phase: its budget and the seconds from its first start to its last end."""

    name: str
    budget_seconds: float | None
    seconds: float | None
    steps: int
    finished: int

    @property
    def over(self) -> bool:
        """Whether the budget was exceeded."""
        return bool(self.budget_seconds and self.seconds and self.seconds > self.budget_seconds)


class StepReport(ReportModel):
    """A step: how it ended and what the provider called its work. `number` is None when unplanned."""

    id: str
    name: str = ""
    """What kind of step it is, e.g. `backup.restore`."""
    title: str
    phase: str
    effect: str
    number: int | None
    destructive: bool = False
    status: Literal["planned", "started", "done", "skipped", "not begun", "failed", "unknown"] = "planned"
    """`not begun`: its turn came and ended, as when a question was declined, before anything of it was sent."""
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    summary: str = ""
    why: str = ""
    next_action: str = ""
    adopted: bool = False
    provider_ids: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    result: dict[str, Any] = {}


class GateReport(ReportModel):
    """What the operator was shown, what had to be typed, and the answer (None when none came)."""

    step: str
    asked_at: datetime
    facts: dict[str, str]
    phrase: str
    confirmed: bool | None = None
    by: str = ""


class CheckReport(ReportModel):
    """A verdict with its evidence; `why` is what a failure means."""

    step: str
    check: str
    verdict: str
    evidence: str
    at: datetime
    seconds: float
    why: str = ""


class ItemReport(ReportModel):
    """A line of the checklists, the checks that stand for it, and those that the operator left out."""

    list: str
    item: str
    verdict: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()


class RoundReport(ReportModel):
    """A round of checks. `wanted` are the checks it began with; one that was cut off has no end and no items."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float | None = None
    baseline_at: datetime | None = None
    wanted: tuple[str, ...] = ()
    checks: tuple[CheckReport, ...] = ()
    items: tuple[ItemReport, ...] = ()
    skipped_manual: bool = False
    changed: tuple[str, ...] = ()

    @property
    def unended(self) -> tuple[str, ...]:
        """Checks that were wanted and have no verdict."""
        ended = {check.check for check in self.checks}
        return tuple(name for name in self.wanted if name not in ended)


class NoteReport(ReportModel):
    """Something the operator was told."""

    at: datetime
    level: str
    text: str


class Attempt(ReportModel):
    """One process's work on the run; without an outcome it ended without a word."""

    started_at: datetime
    user: str
    host: str
    version: str
    ended_at: datetime | None = None
    outcome: str = ""
    exit_code: int | None = None
    summary: str = ""


class TableLoss(ReportModel):
    """A table's rows before and in the backup; None where they could not be counted.

    `changed`: the same keys with other content. `volatile`: sessions and the like, not in the totals.
    """

    table: str
    now: int | None = None
    backup: int | None = None
    lost: int | None = None
    damaged: int | None = None
    ranges: tuple[str, ...] = ()
    changed: bool = False
    volatile: bool = False
    unread: str = ""
    """Why the table could not be compared, in words."""


class DataReport(ReportModel):
    """Rows before, in the backup, after, and lost. None means not known, never zero."""

    readable_before: bool | None = None
    rows_before: int | None = None
    before_at_least: bool = False
    """Whether `rows_before` is a lower bound: not every table could be counted."""
    rows_backup: int | None = None
    rows_after: int | None = None
    rows_lost: int | None = None
    at_least: bool = False
    """Whether `rows_lost` is a lower bound."""
    tables: tuple[TableLoss, ...] = ()
    tables_matching: int | None = None
    tables_checked: int | None = None
    invariants_held: int | None = None
    invariants: int | None = None
    backup: str = ""
    backup_finished_at: str = ""
    backup_sha256: str = ""


class Integrity(ReportModel):
    """How whole the evidence is: events read, numbers missing, hash of the last line ("" when not given)."""

    events: int
    first_seq: int | None
    last_seq: int | None
    missing: tuple[int, ...]
    last_hash: str


class RunReport(ReportModel):
    """Everything a report says about one run."""

    run: str
    scenario: str
    target: str
    app: str
    operator: str
    version: str
    request: dict[str, Any]
    started_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome
    exit_code: int | None
    summary: str
    dry_run: bool
    plan_digest: str
    rto: ObjectiveReport
    rpo: ObjectiveReport
    data: DataReport
    phases: tuple[PhaseReport, ...]
    steps: tuple[StepReport, ...]
    gates: tuple[GateReport, ...]
    checks: tuple[CheckReport, ...]
    """Outside of rounds: those of a recovery."""
    rounds: tuple[RoundReport, ...] = ()
    notes: tuple[NoteReport, ...]
    attempts: tuple[Attempt, ...]
    left: dict[str, str]
    follow_up: tuple[str, ...]
    integrity: Integrity

    @property
    def only_looks(self) -> bool:
        """Whether the run is a verification."""
        return only_looks(self.scenario)

    @property
    def recovers(self) -> bool:
        """Whether the run is held against the objectives."""
        return recovers(self.scenario)

    @property
    def round(self) -> RoundReport | None:
        """The newest round that ended, else the newest; None when there was none."""
        ended = [one for one in self.rounds if one.ended_at]
        return next(reversed(ended or self.rounds), None)
