"""The report of a run as data: frozen and complete, the only source of every output format."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from uscdr.models.runs import RunKind

Verdict = Literal["met", "missed", "not known", "does not apply"]
Outcome = Literal["done", "failed", "declined", "unknown", "interrupted", "unfinished"]


class ReportModel(BaseModel):
    """Base class: immutable, without extra fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectiveReport(ReportModel):
    """A target in seconds, the achieved value (None if unknown) and its basis."""

    target_seconds: float
    achieved_seconds: float | None
    verdict: Verdict
    basis: str
    at_most: bool = False
    """Whether the achieved value is an upper bound."""


class PhaseReport(ReportModel):
    """A phase: its budget, and the seconds from its first start to its last end."""

    name: str
    budget_seconds: float | None
    seconds: float | None
    steps: int
    finished: int

    @property
    def over(self) -> bool:
        """Whether the phase exceeded its budget."""
        return bool(self.budget_seconds and self.seconds and self.seconds > self.budget_seconds)


class StepReport(ReportModel):
    """A step: its outcome and the provider's ids. `number` is None for an unplanned step."""

    id: str
    name: str = ""
    """The kind of step, e.g. `backup.restore`."""
    title: str
    phase: str
    effect: str
    number: int | None
    destructive: bool = False
    status: Literal["planned", "started", "done", "skipped", "not begun", "failed", "unknown"] = "planned"
    """`not begun`: the step ended before it sent anything, for example when the operator declined a question."""
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
    """The facts that the operator saw, the phrase to type, and the answer (None without one)."""

    step: str
    asked_at: datetime
    facts: dict[str, str]
    phrase: str
    confirmed: bool | None = None
    by: str = ""


class CheckReport(ReportModel):
    """A verdict with its evidence; `why` explains a failure."""

    step: str
    check: str
    verdict: str
    evidence: str
    at: datetime
    seconds: float
    why: str = ""


class ItemReport(ReportModel):
    """A line of the checklists, its checks, and those that the operator skipped."""

    list: str
    item: str
    verdict: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()


class RoundReport(ReportModel):
    """A round of checks. `wanted` are its planned checks; an incomplete round has no end and no items."""

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
        """Planned checks without a verdict."""
        ended = {check.check for check in self.checks}
        return tuple(name for name in self.wanted if name not in ended)


class NoteReport(ReportModel):
    """A message to the operator."""

    at: datetime
    level: str
    text: str


class Attempt(ReportModel):
    """One process's work on the run; `outcome` is empty if the process recorded no end."""

    started_at: datetime
    user: str
    host: str
    version: str
    ended_at: datetime | None = None
    outcome: str = ""
    exit_code: int | None = None
    summary: str = ""


class TableLoss(ReportModel):
    """A table's rows before and in the backup; None if they could not be counted.

    `changed`: the same keys with different content. `volatile`: sessions and the like, not in the totals.
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
    """The reason why the table could not be compared."""


class DataReport(ReportModel):
    """Rows before, in the backup, after, and lost. None means unknown, never zero."""

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
    """Integrity of the evidence: events read, missing numbers, hash of the last line (empty if not available)."""

    events: int
    first_seq: int | None
    last_seq: int | None
    missing: tuple[int, ...]
    last_hash: str


class RunReport(ReportModel):
    """The complete content of a run's report."""

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
    """Checks outside of rounds: those of a recovery."""
    rounds: tuple[RoundReport, ...] = ()
    notes: tuple[NoteReport, ...]
    attempts: tuple[Attempt, ...]
    left: dict[str, str]
    follow_up: tuple[str, ...]
    integrity: Integrity

    @property
    def only_looks(self) -> bool:
        """Whether the run is a verification."""
        return RunKind(self.scenario).only_looks

    @property
    def recovers(self) -> bool:
        """Whether the objectives apply to the run."""
        return RunKind(self.scenario).recovers

    @property
    def round(self) -> RoundReport | None:
        """The newest complete round, else the newest one; None without a round."""
        ended = [one for one in self.rounds if one.ended_at]
        return next(reversed(ended or self.rounds), None)
