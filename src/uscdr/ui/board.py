"""The state of a run at one moment, built from its events; contains no layout."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from uscdr.models import events as ev
from uscdr.models.causes import SharedCause
from uscdr.models.runs import NO_BASELINE, RunKind
from uscdr.words import moment

if TYPE_CHECKING:
    from uscdr.models.base import Event
    from uscdr.models.forecast import RunForecast, TimeRange

State = Literal["fail", "inconclusive", "cut off", "running", "not checked", "waiting", "pass"]
BEGUN = "verify"
"""A progress event of this step whose note is a check's name means that the check began."""


@dataclass
class CheckRow:
    """One check of the round. `before` is its verdict in the round before, "" when there was none."""

    name: str
    before: str = ""
    began: datetime | None = None
    ended: ev.CheckFinished | None = None
    ended_at: datetime | None = None


class CheckBoard:
    """Builds the newest round from the events of a run's checks, in order."""

    def __init__(self) -> None:
        self.round = 0
        """The round's number; 0 before the first round."""
        self.rows: dict[str, CheckRow] = {}
        self.lines = 0
        self.baseline_at: datetime | None = None
        self.started: datetime | None = None
        self.over_at: datetime | None = None
        self.finished: ev.ChecksFinished | None = None
        self._begins_told = False

    def apply(self, stamped: ev.Stamped) -> None:
        """Process one event; ignores events that do not concern a round."""
        match stamped.event:
            case ev.ChecksStarted() as event:
                self._begin(event, stamped.at)
            case ev.StepProgress(step=step, note=name) if step == BEGUN and name in self.rows:
                self._begins_told = True
                self.rows[name].began = stamped.at
            case ev.CheckFinished() as event if self.under_way:
                row = self.rows.setdefault(event.check, CheckRow(event.check))
                row.ended, row.ended_at = event, stamped.at
            case ev.ChecksFinished() as event:
                self.finished, self.over_at = event, stamped.at
            case ev.RunFinished():
                self.over_at = self.over_at or stamped.at
            case _:
                return

    @property
    def under_way(self) -> bool:
        """Whether a round is running."""
        return self.started is not None and self.over_at is None

    def state(self, row: CheckRow) -> State:
        """The check's state. If no event reports a start, every check without a verdict counts as running."""
        if row.ended:
            return row.ended.verdict
        if not self.under_way:
            return "cut off"
        return "running" if row.began or not self._begins_told else "waiting"

    def seconds(self, row: CheckRow, now: datetime) -> float | None:
        """Seconds it took, or has taken so far; None before it started."""
        if row.ended:
            return row.ended.seconds
        began = row.began or (None if self._begins_told else self.started)
        return max(0.0, ((self.over_at or now) - began).total_seconds()) if began else None

    def elapsed(self, now: datetime) -> float:
        """Duration of the round in seconds, so far or in total."""
        return max(0.0, ((self.over_at or now) - self.started).total_seconds()) if self.started else 0.0

    @property
    def baseline(self) -> str:
        """The baseline of counts, in words."""
        return f"compared with the baseline of {moment(self.baseline_at)}" if self.baseline_at else NO_BASELINE

    @property
    def causes(self) -> tuple[SharedCause, ...]:
        """The causes that several of the checks share."""
        return SharedCause.among(row.ended for row in self.rows.values() if row.ended)

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of the checks that ended."""
        return [row.ended.verdict for row in self.rows.values() if row.ended]

    def _begin(self, event: ev.ChecksStarted, at: datetime) -> None:
        before = {name: row.ended.verdict for name, row in self.rows.items() if row.ended}
        self.rows = {name: CheckRow(name, before.get(name, "")) for name in event.checks}
        self.round, self.lines, self.baseline_at = event.round, event.items, event.baseline_at
        self.started, self.over_at, self.finished, self._begins_told = at, None, None, False


Reminders = Callable[[datetime], list[str]]
"""What the operator is to be reminded of at a moment, in sentences; must be fast."""
Status = Literal["planned", "running", "done", "skipped", "not begun", "failed", "unknown"]
"""`not begun`: the step ended before it sent anything, for example when the operator declined a question."""

RATE_AFTER = 1.0
"""Seconds of progress before a rate is reliable."""


@dataclass
class StepState:
    """The state of one step. `number` is its position in the plan, None if it was not planned."""

    id: str
    title: str
    phase: str
    effect: str
    number: int | None = None
    destructive: bool = False
    blocked: bool = False
    status: Status = "planned"
    started: datetime | None = None
    ended: datetime | None = None
    summary: str = ""
    sent: bool = False
    """Whether a request of the step may have been sent and taken effect."""

    @property
    def writes(self) -> bool:
        """Whether the step changes anything outside this machine."""
        return self.effect != "read"


@dataclass
class _Progress:
    """The latest progress of the running step, and when its measurement began (monotonic seconds)."""

    event: ev.StepProgress
    mono: float
    first_mono: float
    first_done: float

    @property
    def share(self) -> float | None:
        """The share that is done, 0 to 1; None without a total."""
        if self.event.done is None or not self.event.total:
            return None
        return min(1.0, self.event.done / self.event.total)

    @property
    def eta(self) -> float | None:
        """Seconds left at the present rate; None without a rate or a total."""
        spent, done = self.mono - self.first_mono, self.event.done
        if done is None or not self.event.total or spent < RATE_AFTER or done <= self.first_done:
            return None
        left = self.event.total - done
        return left * spent / (done - self.first_done) if left > 0 else None


@dataclass
class PhaseState:
    """A phase: its budget in seconds (None when it has none) and its steps in order."""

    name: str
    budget: float | None
    steps: list[StepState] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """The number of steps of the phase that succeeded."""
        return sum(step.status in {"done", "skipped"} for step in self.steps)

    @property
    def finished(self) -> bool:
        """Whether every step of the phase succeeded."""
        return self.ended == len(self.steps)

    def elapsed(self, now: datetime) -> float:
        """Seconds from the first start to the last end, or to `now` while the phase is not finished."""
        starts = [step.started for step in self.steps if step.started]
        ends = [step.ended for step in self.steps if step.ended]
        if not starts:
            return 0.0
        end = max(ends) if ends and not self._under_way else now
        return max(0.0, (end - min(starts)).total_seconds())

    @property
    def _under_way(self) -> bool:
        started = any(step.started for step in self.steps)
        stopped = any(step.status in {"not begun", "failed", "unknown"} and step.ended for step in self.steps)
        return started and not self.finished and not stopped


class Board:
    """Builds the present state from events, in order. For a resumed run, process its earlier events first."""

    def __init__(self) -> None:
        self.run = ""
        self.begun: ev.RunStarted | None = None
        self.started: datetime | None = None
        self.digest = ""
        self.phases: dict[str, PhaseState] = {}
        self.steps: dict[str, StepState] = {}
        self.planned = 0
        self.dry_run = False
        self.forecast: RunForecast | None = None
        self.current: StepState | None = None
        self.progress: _Progress | None = None
        self.waiting: ev.GateAsked | None = None
        self.question = ""
        """The question, other than a confirmation, that waits for an answer."""
        self.recent: deque[tuple[datetime, ev.Note | ev.CheckFinished]] = deque(maxlen=8)
        self.verdicts: dict[str, int] = {}
        self.checks = CheckBoard()
        self.finished: ev.RunFinished | None = None
        self.finished_at: datetime | None = None
        self.reminders: Reminders = lambda _: []

    def apply(self, stamped: ev.Stamped) -> None:
        """Process one event."""
        self.run = stamped.run
        self.checks.apply(stamped)
        match stamped.event:
            case ev.RunStarted() as begun:
                self.begun, self.started = begun, stamped.at
            case ev.RunResumed():
                self._resume()
            case ev.PlanReady() as plan:
                self._plan(plan)
            case ev.StepProgress() as progress:
                self._progress(progress, stamped.mono)
            case ev.GateAsked() as gate:
                self.waiting = gate
            case ev.GateAnswered():
                self.waiting = None
            case ev.QuestionAsked() as asked:
                self.question = asked.words
            case ev.Note() | ev.CheckFinished() as news:
                self._recent(news, stamped.at)
            case ev.RunFinished() as end:
                self._finish(end, stamped.at)
            case event:
                self._step(event, stamped.at)

    @property
    def only_looks(self) -> bool:
        """Whether the run is a verification: no plan, no recovery clock, rounds of checks instead."""
        return self.begun is not None and RunKind(self.begun.scenario).only_looks

    @property
    def recovers(self) -> bool:
        """Whether the objectives apply to the run; they do not apply to a verification or a single write."""
        return self.begun is not None and RunKind(self.begun.scenario).recovers

    @property
    def title(self) -> str:
        """The run in words: `db recovery of usc-pis (production)`, `capture of usc-pis (production)`."""
        if self.begun is None:
            return f"Run {self.run}"
        what = f"{self.begun.scenario} recovery" if self.recovers else self.begun.scenario
        return f"{what} of {self.begun.app} ({self.begun.target})"

    def label(self, step: StepState) -> str:
        """A step by number and title, as `5/12 Restore the backup`."""
        return f"{step.number}/{self.planned} {step.title}" if step.number else step.title

    def label_of(self, step_id: str) -> str:
        """The same for the step with that id; the id if there is no such step."""
        step = self.step(step_id)
        return self.label(step) if step else step_id

    def step(self, step_id: str) -> StepState | None:
        """The step with that id, if it was planned or has started."""
        return self.steps.get(step_id)

    def elapsed(self, now: datetime) -> float:
        """Seconds on the recovery clock: from the outage, else from the start of the run, to its end, or to `now`."""
        if self.started is None:
            return 0.0
        begun = self.begun.counts_from(self.started) if self.begun else self.started
        return max(0.0, ((self.finished_at or now) - begun).total_seconds())

    def still_needed(self, now: datetime) -> float:
        """Seconds left in the budgets of the unfinished phases."""
        open_phases = [phase for phase in self.phases.values() if not phase.finished and phase.budget]
        return sum(max(0.0, (phase.budget or 0.0) - phase.elapsed(now)) for phase in open_phases)

    def expected(self, now: datetime, *, back: bool) -> TimeRange | None:
        """When the run is expected to be over, or with `back` the service to be there; None if not known, or past."""
        if self.forecast is None or self.finished or self.dry_run:
            return None
        step, following = self.current, self.next_step
        running = (step.id, step.started or now) if step and step.status == "running" else None
        # what the step has done tells more than earlier runs once it takes longer than they did
        left = self.progress.eta if self.progress and self.pace(now)[1] else None
        following_id = following.id if following else None
        return self.forecast.window(now, following_id, running=running, left=left or 0.0, back=back)

    def pace(self, now: datetime) -> tuple[str, bool]:
        """The running step against earlier runs, in words, and whether it takes longer; empty if nothing is known."""
        step = self.current
        told = self.forecast.of(step.id) if self.forecast and step else None
        if step is None or step.started is None or told is None or told.seconds is None:
            return "", False
        spent = (now - step.started).total_seconds()
        late = spent > told.seconds.high
        measured = self.progress is not None and self.progress.eta is not None  # tells more of the rest than they do
        return (told.usual if measured and not late else told.pace(spent)), late

    def at_risk(self, now: datetime) -> str:
        """That the RTO will or may be missed, as earlier runs say; empty if not, or if nothing is known."""
        window = self.expected(now, back=True)
        return self.forecast.late(window) if self.forecast and window else ""

    @property
    def next_step(self) -> StepState | None:
        """The first planned step that has not begun."""
        return next((step for step in self.steps.values() if step.status == "planned"), None)

    @property
    def doubted(self) -> StepState | None:
        """The step that an earlier process began and did not end, until its outcome is known."""
        return next((step for step in self.steps.values() if step.status == "unknown" and not step.ended), None)

    @property
    def changed(self) -> list[StepState]:
        """The steps that changed something or may have, in the order of the plan."""
        return [step for step in self.steps.values() if step.writes and step.sent]

    def _resume(self) -> None:
        self.finished = self.finished_at = self.waiting = self.current = self.progress = None
        self.question = ""
        for step in self.steps.values():
            if step.status in {"running", "unknown"} and step.sent:
                step.status, step.ended = "unknown", None
            elif step.status in {"running", "unknown", "failed", "not begun"}:
                step.status, step.ended = "planned", None

    def _plan(self, plan: ev.PlanReady) -> None:
        self.digest, self.planned, self.dry_run = plan.digest, len(plan.steps), plan.dry_run
        self.forecast = plan.forecast
        self.phases = {name: PhaseState(name, budget) for name, budget in plan.budgets.items()}
        known, self.steps = self.steps, {}
        for number, planned in enumerate(plan.steps, start=1):
            step = known.get(planned.id) or StepState(planned.id, planned.title, planned.phase, planned.effect)
            step.number, step.destructive = number, planned.destroys
            step.blocked = planned.action == "blocked"
            self._place(step)

    def _place(self, step: StepState) -> None:
        self.steps[step.id] = step
        self.phases.setdefault(step.phase, PhaseState(step.phase, None)).steps.append(step)

    def _progress(self, progress: ev.StepProgress, mono: float) -> None:
        done = progress.done or 0.0
        last = self.progress
        if last is None or last.event.step != progress.step or done < last.first_done:
            self.progress = _Progress(progress, mono, mono, done)
        else:
            last.event, last.mono = progress, mono

    def _recent(self, news: ev.Note | ev.CheckFinished, at: datetime) -> None:
        if not any(earlier == news for _, earlier in self.recent):
            self.recent.append((at, news))
        if isinstance(news, ev.CheckFinished):
            self.verdicts[news.verdict] = self.verdicts.get(news.verdict, 0) + 1

    def _finish(self, end: ev.RunFinished, at: datetime) -> None:
        self.finished, self.finished_at = end, at
        self.current = self.progress = self.waiting = None
        self.question = ""

    def _step(self, event: Event, at: datetime) -> None:
        self.question = ""
        match event:
            case ev.StepStarted():
                self._start(event, at)
            case ev.StepSucceeded():
                self._end(event.step, "done", event.summary, at)
                if not event.changed and (step := self.steps.get(event.step)):
                    step.sent = False
            case ev.StepSkipped():
                self._end(event.step, "skipped", event.reason, at)
            case ev.StepFailed():
                self._fail(event, at)
            case ev.StepSending():
                self._sending(event.step)
            case _:
                return

    def _sending(self, step_id: str) -> None:
        if (step := self.steps.get(step_id)) is not None:
            step.sent = True

    def _fail(self, event: ev.StepFailed, at: datetime) -> None:
        self.waiting = None
        if (step := self.steps.get(event.step)) is not None and not event.changed:
            step.sent = False
        self._end(event.step, "failed" if event.known else "unknown", event.message, at)

    def _start(self, event: ev.StepStarted, at: datetime) -> None:
        step = self.steps.get(event.step)
        if step is None:
            step = StepState(event.step, event.title, event.phase, event.effect)
            self._place(step)
        step.status, step.started, step.ended = "running", step.started or at, None
        step.sent = step.sent or not event.says_when_sent
        self.current, self.progress = step, None

    def _end(self, step_id: str, status: Status, summary: str, at: datetime) -> None:
        step = self.steps.get(step_id)
        if step is None:
            return
        not_begun = status in {"failed", "unknown"} and step.started is None
        step.status, step.summary, step.ended = "not begun" if not_begun else status, summary, at
        if self.current is step:
            self.current = next((one for one in self.steps.values() if one.status == "running"), None)
            self.progress = None
