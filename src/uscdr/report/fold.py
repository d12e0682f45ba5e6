"""Processes a journal's events one by one and keeps the data that a report needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uscdr.journal.reader import name_of
from uscdr.models import events as ev
from uscdr.models.base import elapsed
from uscdr.report.model import Attempt, CheckReport, GateReport, ItemReport, NoteReport, RoundReport, StepReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from uscdr.models.base import Event


class Fold:
    """The mutable state of `build`: each event replaces frozen records by newer ones."""

    def __init__(self) -> None:
        self.run = ""
        self.begun: ev.RunStarted | None = None
        self.plan: ev.PlanReady | None = None
        self.plan_at: datetime | None = None
        self.finished: ev.RunFinished | None = None
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.last_at: datetime | None = None
        self.set_back = 0.0
        """The largest number of seconds by which an event is earlier than its predecessor."""
        self.steps: dict[str, StepReport] = {}
        self.gates: list[GateReport] = []
        self.question = ""
        """The question that nobody has answered yet."""
        self.checks: list[CheckReport] = []
        self.rounds: list[RoundReport] = []
        self.notes: list[NoteReport] = []
        self.attempts: list[Attempt] = []
        self.numbers: list[int] = []

    @classmethod
    def of(cls, events: Iterable[ev.Stamped | Mapping[str, Any]]) -> Fold:
        """The state after `events` in journal order; a mapping is one decoded journal line."""
        fold = cls()
        for item in events:
            fold.take(item if isinstance(item, ev.Stamped) else ev.Stamped.model_validate(item))
        return fold

    def take(self, stamped: ev.Stamped) -> None:
        """Process one event; ignores progress."""
        if stamped.seq is None:
            return
        if self.last_at is not None and stamped.at < self.last_at:
            self.set_back = max(self.set_back, (self.last_at - stamped.at).total_seconds())
        self.run, self.last_at = stamped.run, stamped.at
        self.numbers.append(stamped.seq)
        match stamped.event:
            case ev.Note() as event:
                self.notes.append(NoteReport(stamped.at, event.level, event.text))
            case ev.RunStarted() | ev.RunResumed() | ev.PlanReady() | ev.RunFinished() as event:
                self._run(event, stamped.at)
            case ev.GateAsked() | ev.GateAnswered() as event:
                self._gate(event, stamped.at)
            case ev.ChecksStarted() | ev.CheckFinished() | ev.ChecksFinished() as event:
                self._check(event, stamped.at)
            case ev.QuestionAsked() as event:
                self.question = event.words
            case event:
                self.question = ""
                self._step(event, stamped.at)

    def named(self, *names: str) -> list[StepReport]:
        """The steps of these kinds, in the plan's order."""
        return [step for step in self.steps.values() if step.name in names]

    def result(self, *names: str) -> dict[str, Any]:
        """The newest result of a step of these kinds, empty if there is none."""
        return next((step.result for step in reversed(self.named(*names)) if step.result), {})

    def _run(self, event: Event, at: datetime) -> None:
        self.question = ""
        match event:
            case ev.RunStarted():
                self.begun, self.started_at = event, at
                self._attempt(event.user, event.host, event.version, at)
            case ev.RunResumed():
                self.finished = self.finished_at = None
                self._attempt(event.user, event.host, event.version, at)
            case ev.PlanReady():
                self._plan(event)
                self.plan_at = at
            case ev.RunFinished():
                self._finish(event, at)

    def _attempt(self, user: str, host: str, version: str, at: datetime) -> None:
        self.attempts.append(Attempt(started_at=at, user=user, host=host, version=version))

    def _plan(self, plan: ev.PlanReady) -> None:
        self.plan = plan
        known, self.steps = self.steps, {}
        for number, step in enumerate(plan.steps, start=1):
            facts = {"number": number, "destructive": step.destroys, "name": name_of(step.name, step.id)}
            fresh = StepReport(id=step.id, title=step.title, phase=step.phase, effect=step.effect, number=number)
            self.steps[step.id] = known.pop(step.id, fresh).model_copy(update=facts)
        self.steps.update(known)

    def _finish(self, event: ev.RunFinished, at: datetime) -> None:
        self.finished, self.finished_at = event, at
        ended = {"ended_at": at, "outcome": event.outcome, "exit_code": event.exit_code, "summary": event.summary}
        if self.attempts:
            self.attempts[-1] = self.attempts[-1].model_copy(update=ended)

    def _gate(self, event: ev.GateAsked | ev.GateAnswered, at: datetime) -> None:
        if isinstance(event, ev.GateAsked):
            self.gates.append(GateReport(step=event.step, asked_at=at, facts=event.facts, phrase=event.phrase))
            return
        for index in range(len(self.gates) - 1, -1, -1):
            if self.gates[index].step == event.step and self.gates[index].confirmed is None:
                answer = {"confirmed": event.confirmed, "by": event.by, "answered_at": at}
                self.gates[index] = self.gates[index].model_copy(update=answer)
                return

    def _check(self, event: ev.ChecksStarted | ev.CheckFinished | ev.ChecksFinished, at: datetime) -> None:
        match event:
            case ev.ChecksStarted():
                self.rounds.append(
                    RoundReport(number=event.round, started_at=at, baseline_at=event.baseline_at, wanted=event.checks)
                )
            case ev.CheckFinished():
                told = event.step, event.check, event.verdict, event.evidence
                self._checked(CheckReport(*told, at, event.seconds, event.why, event.cause))
            case ev.ChecksFinished() if self._in_round:
                facts = event.model_dump(include={"seconds", "skipped_manual", "changed"})
                items = tuple(ItemReport(**item.model_dump(exclude={"kind"})) for item in event.items)
                self._change_round(ended_at=at, items=items, **facts)

    def _checked(self, check: CheckReport) -> None:
        if self._in_round:
            self._change_round(checks=(*self.rounds[-1].checks, check))
        else:
            self.checks.append(check)

    @property
    def _in_round(self) -> bool:
        return bool(self.rounds) and self.rounds[-1].ended_at is None

    def _change_round(self, **facts: object) -> None:
        self.rounds[-1] = self.rounds[-1].model_copy(update=facts)

    def _step(self, event: Event, at: datetime) -> None:
        match event:
            case ev.StepStarted():
                self._start(event, at)
            case ev.StepAccepted():
                self._change(event.step, provider_ids=(*self._get(event.step).provider_ids, event.provider_id))
            case ev.StepSending():
                self._change(event.step, changed=True)
            case ev.StepSettled():
                words = f"looked at {event.looked_at}; found {event.found}; decision: {event.decision}"
                self._change(event.step, settled=(*self._get(event.step).settled, words))
            case ev.StepSucceeded() | ev.StepSkipped() | ev.StepFailed():
                self._end(event, at)

    def _start(self, event: ev.StepStarted, at: datetime) -> None:
        step = self._get(event.step)
        self._change(
            event.step,
            name=name_of(event.name, event.step),
            title=event.title,
            phase=event.phase,
            effect=event.effect,
            status="started",
            attempts=step.attempts + 1,
            changed=event.effect != "read" and (step.changed or not event.says_when_sent),
            started_at=step.started_at or at,
            ended_at=None,
        )

    def _end(self, event: ev.StepSucceeded | ev.StepSkipped | ev.StepFailed, at: datetime) -> None:
        self._change(event.step, name=name_of(event.name, event.step))
        match event:
            case ev.StepSucceeded():
                facts = event.model_dump(include={"seconds", "summary", "result", "adopted"})
                changed = self._get(event.step).changed and event.changed
                self._change(event.step, status="done", ended_at=at, why="", next_action="", changed=changed, **facts)
            case ev.StepSkipped():
                self._change(event.step, status="skipped", ended_at=at, summary=event.reason, result=event.result)
            case ev.StepFailed():
                step = self._get(event.step)
                started = step.started_at
                self._change(
                    event.step,
                    changed=step.changed and event.changed,
                    status="not begun" if started is None else "failed" if event.known else "unknown",
                    ended_at=at,
                    seconds=elapsed(started, at) if started else None,
                    summary=event.message,
                    why=event.why,
                    next_action=event.next_action,
                )

    def _get(self, step_id: str) -> StepReport:
        blank = StepReport(id=step_id, title=step_id, phase="", effect="", number=None)
        return self.steps.get(step_id, blank)

    def _change(self, step_id: str, **facts: object) -> None:
        self.steps[step_id] = self._get(step_id).model_copy(update=facts)
