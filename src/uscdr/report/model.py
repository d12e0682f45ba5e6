"""The report of a run: complete and immutable, the only source of every output format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from uscdr.models.base import elapsed
from uscdr.models.runs import NO_BASELINE, RunKind, Tally
from uscdr.words import duration, moment

Verdict = Literal["met", "missed", "not known", "not measured", "does not apply"]
"""`not measured`: the run has not come to what the objective is about, or never will."""
Outcome = Literal["done", "failed", "declined", "unknown", "interrupted", "unfinished"]
UNKNOWN = "not known"
UNENDED = "it did not end"


def span(seconds: float | None) -> str:
    """Seconds in words; None is `not known`."""
    return UNKNOWN if seconds is None else duration(seconds)


def count(number: int | None) -> str:
    """A count with thousands separators; None is `not known`, never zero."""
    return UNKNOWN if number is None else f"{number:,}"


class _Model(BaseModel):
    """Base class: immutable, without extra fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ObjectiveReport(_Model):
    """A target in seconds, the achieved value (None if unknown) and its basis."""

    target_seconds: float
    achieved_seconds: float | None
    verdict: Verdict
    basis: str
    at_most: bool = False
    """Whether the achieved value is an upper bound."""

    @classmethod
    def measured(cls, target: float, seconds: float, basis: str) -> ObjectiveReport:
        """Of a value in seconds that was measured: only this can meet an objective."""
        verdict: Verdict = "met" if seconds <= target else "missed"
        return cls(target_seconds=target, achieved_seconds=seconds, verdict=verdict, basis=basis)

    @property
    def achieved(self) -> str:
        """The achieved value in words, `at most 41 min`; `-` if there is none."""
        if self.achieved_seconds is None:
            return "-"
        return f"{'at most ' if self.at_most else ''}{span(self.achieved_seconds)}"

    @property
    def words(self) -> str:
        """`met: 41 min of 2 h (until: …)`, or why the value is unknown."""
        achieved = "objective" if self.achieved_seconds is None else f"{self.achieved} of"
        return f"{self.verdict}: {achieved} {span(self.target_seconds)} ({self.basis})"


class ForecastReport(_Model):
    """When the service was to be back after the plan, as earlier runs said, and when it was; in seconds."""

    low_seconds: float
    high_seconds: float
    basis: str
    took_seconds: float | None = None
    """From the plan until the service was back, without `waited_seconds`; None if that is not known."""
    waited_seconds: float = 0.0
    """The time in which the run waited for answers."""
    verdict: Literal["within", "sooner", "later", "not known"] = "not known"
    why: str = ""
    """Why the true time is not known, or cannot be compared."""
    runs: int = 0
    """Earlier runs that it is made from."""
    quantiles: bool = False
    """Whether the seconds are p50 and p90; else they are the least and the most."""
    expected: str = ""
    """When the service was expected back, as the plan said, in words."""
    shown: str = ""
    """The same as the operator saw it in the question that was confirmed; empty if none was."""
    back_at: datetime | None = None

    @property
    def words(self) -> str:
        """Forecast and truth in one sentence, without its full stop."""
        low, high = span(self.low_seconds), span(self.high_seconds)
        told = f"service back {low if low == high else f'{low} to {high}'} after the plan ({self.basis})"
        if self.took_seconds is None:
            return f"{told}; {self.why}"
        waiting = f", and {span(self.waited_seconds)} of waiting for answers" if self.waited_seconds else ""
        against = {"within": "within the forecast", "sooner": "sooner", "later": "later"}.get(self.verdict, self.why)
        return f"{told}; it took {span(self.took_seconds)}{waiting}: {against}"


class PhaseReport(_Model):
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


class StepReport(_Model):
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
    changed: bool = False
    """Whether a request of the step may have been sent and taken effect."""
    result: dict[str, Any] = {}


class GateReport(_Model):
    """The facts that the operator saw, the phrase to type, and the answer (None without one)."""

    step: str
    asked_at: datetime
    facts: dict[str, str]
    phrase: str
    confirmed: bool | None = None
    by: str = ""
    answered_at: datetime | None = None


@dataclass(frozen=True)
class CheckReport:  # a watch has many
    """A verdict with its evidence; `why` explains a failure."""

    step: str
    check: str
    verdict: str
    evidence: str
    at: datetime
    seconds: float
    why: str = ""
    cause: str = ""

    @property
    def behind(self) -> str:
        """The check with its evidence, as the evidence of a line; a verdict other than pass comes first."""
        verdict = "" if self.verdict == "pass" else f"{self.verdict} "
        return f"{verdict}{self.check}: {self.evidence}"


class ItemReport(_Model):
    """A line of the checklists, its checks, and those that the operator skipped."""

    list: str
    item: str
    verdict: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...] = ()


class RoundReport(_Model):
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

    @property
    def not_passed(self) -> tuple[CheckReport, ...]:
        """The checks that ended without a pass."""
        return tuple(check for check in self.checks if check.verdict != "pass")

    @property
    def skipped(self) -> tuple[str, ...]:
        """Checks that the operator skipped, each once."""
        return tuple(dict.fromkeys(name for item in self.items for name in item.skipped))

    @property
    def progress(self) -> str:
        """The numbers of checks that ended, by verdict: `12 of 45 ended (11 pass, 1 fail)`."""
        counts = Tally([check.verdict for check in self.checks]).words
        return f"{len(self.checks)} of {len(self.wanted)} ended ({counts})"

    @property
    def baseline(self) -> str:
        """The baseline of counts, in words."""
        return f"compared with the baseline of {moment(self.baseline_at)}" if self.baseline_at else NO_BASELINE

    @property
    def lasted(self) -> float:
        """Duration of the round in seconds; for an incomplete round, until its last check ended."""
        if self.seconds is not None:
            return self.seconds
        return max((elapsed(self.started_at, check.at) for check in self.checks), default=0.0)

    def evidence(self, item: ItemReport) -> list[str]:
        """The checks of a line with their evidence, and the skipped ones."""
        ended = {check.check: check.behind for check in self.checks}
        told = [ended.get(name, f"inconclusive {name}: {UNENDED}") for name in item.checks]
        return told + [f"not checked {name}: skipped" for name in item.skipped]

    def problems(self, item: ItemReport) -> list[str]:
        """The same, for checks that did not pass."""
        passed = {check.check for check in self.checks if check.verdict == "pass"}
        grave = item.model_copy(update={"checks": tuple(name for name in item.checks if name not in passed)})
        return self.evidence(grave)


@dataclass(frozen=True)
class NoteReport:  # a run has many
    """A message to the operator."""

    at: datetime
    level: str
    text: str


class Attempt(_Model):
    """One process's work on the run; `outcome` is empty if the process recorded no end."""

    started_at: datetime
    user: str
    host: str
    version: str
    ended_at: datetime | None = None
    outcome: str = ""
    exit_code: int | None = None
    summary: str = ""


class TableLoss(_Model):
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


class DataReport(_Model):
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

    @property
    def rows(self) -> str:
        """The numbers of rows before, in the backup and after, in words."""
        least = "at least " if self.before_at_least and self.rows_before is not None else ""
        before = "unreadable" if self.readable_before is False else f"{least}{count(self.rows_before)}"
        after = "" if self.rows_after is None else f", {count(self.rows_after)} after"
        known = "" if before == UNKNOWN else f"{before} before, "
        return f"{known}{count(self.rows_backup)} in the backup{after}"

    @property
    def lost(self) -> str:
        """The number of lost rows, with `at least` for a lower bound."""
        least = "at least " if self.at_least and self.rows_lost is not None else ""
        return f"{least}{count(self.rows_lost)}"

    @property
    def losses(self) -> str:
        """The number of lost rows as the end of a sentence."""
        return f"{self.lost} lost" if self.rows_lost is not None else "how many were lost is not known"


class Integrity(_Model):
    """Integrity of the evidence: events read, missing numbers, hash of the last line (empty if not available)."""

    events: int
    first_seq: int | None
    last_seq: int | None
    missing: tuple[int, ...]
    last_hash: str


class RunReport(_Model):
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
    restored_at: datetime | None = None
    """When the application was opened to users again; None if that did not happen or is not this run's work."""
    verified_at: datetime | None = None
    """When its checks had passed after that."""
    rto: ObjectiveReport
    rpo: ObjectiveReport
    forecast: ForecastReport | None = None
    """None for a run without a forecast."""
    no_forecast: str = ""
    """Why there is none."""
    data: DataReport
    phases: tuple[PhaseReport, ...]
    steps: tuple[StepReport, ...]
    gates: tuple[GateReport, ...]
    question: str = ""
    """The question, other than a confirmation, that the run has asked and nobody has answered."""
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
    def changed(self) -> tuple[StepReport, ...]:
        """The steps that changed something or may have, in the order of the plan."""
        return tuple(step for step in self.steps if step.changed)

    @property
    def overwrites(self) -> bool:
        """Whether a step that overwrites something began to, or no step of the plan does."""
        grave = [step for step in self.steps if step.destructive]
        return not grave or any(step.changed for step in grave)

    @property
    def rto_from(self) -> datetime | None:
        """The time from which the RTO counts: the outage, else the start of the run."""
        since = self.request.get("since")
        return datetime.fromisoformat(since) if isinstance(since, str) else self.started_at

    @property
    def passed(self) -> bool:
        """Whether the newest round of checks is complete and everything in it passed."""
        one, later = self.round, self.cut_off
        if one is None or one.ended_at is None:
            return False
        whole = bool(one.items) and all(item.verdict == "pass" for item in one.items)
        return whole and not one.not_passed and not (later and later.not_passed)

    @property
    def round(self) -> RoundReport | None:
        """The newest complete round, else the newest one; None without a round."""
        ended = [one for one in self.rounds if one.ended_at]
        return next(reversed(ended or self.rounds), None)

    @property
    def cut_off(self) -> RoundReport | None:
        """The newest round, if it stopped early after an earlier round had ended."""
        last = self.rounds[-1] if self.rounds else None
        return last if last and last is not self.round else None

    @property
    def result(self) -> str:
        """The newest round in one sentence without its full stop; an incomplete round has no result."""
        one = self.round
        if one is None:
            return "no round of checks started"
        if one.ended_at is None:
            return f"no result: the checks stopped early, {one.progress}"
        return Tally([item.verdict for item in one.items]).of_lines(skipped_manual=one.skipped_manual)
