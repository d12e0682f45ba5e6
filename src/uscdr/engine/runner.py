"""Carry a plan out: intent to the journal, act, wait, look again, outcome to the journal."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from uscdr.engine.plan import LATE
from uscdr.engine.reconcile import Reconciler
from uscdr.engine.step import Action, BlastRadius, BoundStep, Effect, Intent, Step, StepReporter, View, alternatives
from uscdr.errors import (
    AnswerLost,
    CheckFailed,
    EffectFailed,
    Interrupted,
    JournalError,
    OutcomeUnknown,
    Outdated,
    ProviderError,
    UscdrError,
)
from uscdr.models.events import GateAnswered, GateAsked, StepFailed, StepSkipped, StepStarted, StepSucceeded
from uscdr.models.runs import RunKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.engine.gate import Gate
    from uscdr.engine.history import History
    from uscdr.engine.plan import Forecaster, Planned
    from uscdr.engine.wait import Stop
    from uscdr.events import Bus
    from uscdr.models.base import Fact


@dataclass(frozen=True)
class _SentAhead:
    """A request that was sent before its step's turn: what the step saw, and the provider's id."""

    seen: Fact
    provider_id: str


class Runner:
    """Runs the steps of one plan, in order, at most once each."""

    def __init__(
        self,
        bus: Bus,
        gate: Gate,
        stop: Stop,
        history: History,
        forecaster: Forecaster | None = None,
        sent: Callable[[], int] | None = None,
    ) -> None:
        self._bus = bus
        self._gate = gate
        self._stop = stop
        self._history = history
        self._forecaster = forecaster
        self._sent = sent
        """How many writing requests of this process may have had an effect; None: not known."""
        self._sent_before = 0
        self._reconciler = Reconciler(bus, gate)
        self._guarding = True
        self._cautions: list[str] = []
        self._begun: set[str] = set()
        self._ahead: dict[str, _SentAhead] = {}
        self._tried_ahead: set[str] = set()
        self._lost: dict[str, AnswerLost] = {}
        """Requests of this process that were sent ahead and got no answer."""
        self._refused: dict[str, ProviderError] = {}
        """Those that failed for certain: with that error the run ends when the step's turn comes."""
        self.began = history.wrote
        self.wrote = history.wrote
        """Whether a step may have changed something."""
        self._wrote_before = history.wrote
        self.failed: BoundStep | None = None
        """The step that failed."""
        self.phrase = ""
        """The phrase that the last question asked for, until it is answered with it."""

    def run(self, plan: Sequence[Planned], view: View) -> None:
        """Run to the end, or raise the first error after recording it."""
        view.intents = dict(self._history.intents)
        self._guarding = not any(f.bound.step.destructive and f.bound.step.id in self._history.results for f in plan)
        for line in plan:
            self._stop.check()
            try:
                self._send_ahead(plan, view)
                self._take_turn(line, view)
            except JournalError:
                raise
            except UscdrError as error:
                self.failed = line.bound
                self._record_failure(line.bound, error)
                self._raise_unsettled(error, [one.bound for one in plan if one.bound.step.id in self._lost])
                raise

    def _send_ahead(self, plan: Sequence[Planned], view: View) -> None:
        """Send what later steps may send by now; their turns wait for the end, and fail if it failed."""
        for line in plan:
            step = line.bound.step
            known = self._tried_ahead | self._history.results.keys() | self._history.intents.keys()
            if step.ahead and self.began and step.id not in known and not view.lacks((*step.needs, *step.ahead)):
                self._tried_ahead.add(step.id)
                self._send_one_ahead(line, view)

    def _send_one_ahead(self, line: Planned, view: View) -> None:
        bound, tell = line.bound, StepReporter(self._bus, line.bound.step.id, line.bound.step.name)
        try:
            seen = bound.step.probe(view, tell)
            action = bound.step.plan(seen, view)
        except (ProviderError, CheckFailed):
            return  # the step's own turn tells it
        if action.kind != "change" or not bound.step.goes_ahead(seen) or _drifted(line, action):
            return
        self._start(bound, bound.step.before(seen))
        intent = Intent(datetime.now(UTC).isoformat(), bound.step.before(seen), None)
        try:
            self._ahead[bound.step.id] = _SentAhead(seen, bound.step.send(seen, tell))
        except AnswerLost as error:
            self._history.intents[bound.step.id] = view.intents[bound.step.id] = intent
            self._lost[bound.step.id] = error
        except ProviderError as error:
            self._refused[bound.step.id] = error

    def _raise_unsettled(self, error: UscdrError, lost: Sequence[BoundStep]) -> None:
        """A run that fails for another reason while the answer to a request is lost has an unknown outcome, too."""
        if not lost or isinstance(error, Interrupted | OutcomeUnknown):
            return
        also = ", ".join(f"“{bound.title}”" for bound in lost)
        for bound in lost:
            cause = self._lost[bound.step.id]
            self._record_failure(bound, OutcomeUnknown(cause.message, why=cause.why, next_action=cause.next_action))
        raise OutcomeUnknown(
            f"{error.message} Besides, uscdr does not know whether {also} took effect.",
            why=error.why,
            next_action=error.next_action,
        ) from error

    def _record_failure(self, bound: BoundStep, error: UscdrError) -> None:
        changed = self._may_have_changed(bound, error)
        if not changed and bound.step.id in self._begun:
            self.wrote = self._wrote_before
        self._bus.emit(
            StepFailed(
                step=bound.step.id,
                name=bound.step.name,
                message=error.message,
                why=error.why,
                next_action=RunKind.resumed(error.next_action) if self.wrote else error.next_action,
                known=not (isinstance(error, OutcomeUnknown) or (changed and self._cut_off(bound, error))),
                over=isinstance(error, EffectFailed | Outdated),
                begun=bool(self._history.attempts.get(bound.step.id)),
                changed=changed,
            )
        )

    def _may_have_changed(self, bound: BoundStep, error: UscdrError | None = None) -> bool:
        """False only if this process alone worked on the step and no request of it can have taken effect."""
        step_id = bound.step.id
        if bound.step.effect is Effect.READ:
            return False
        if step_id in self._history.touched or isinstance(error, EffectFailed | OutcomeUnknown):
            return True
        if step_id in self._ahead:
            return True
        if step_id not in self._begun:
            return False
        return self._sent is None or not bound.step.counted or self._sent() != self._sent_before

    def _cut_off(self, bound: BoundStep, error: UscdrError) -> bool:
        """Whether Ctrl-C came in the middle of a write, of this process or an earlier one: it may still succeed."""
        begun = bound.step.id in self._begun or bound.step.id in self._history.intents
        return isinstance(error, Interrupted) and begun and bound.step.effect is not Effect.READ

    def _take_turn(self, line: Planned, view: View) -> None:
        step_id = line.bound.step.id
        recorded = self._history.results.get(step_id)
        if recorded is not None:
            self._recall(line.bound, recorded, view)
            if not (self._guarding and line.bound.step.effect is Effect.IDEMPOTENT):
                return
        self._refuse_before_its_turn(line.bound.step, line.bound.title, view)
        if line.bound.step.effect is Effect.READ:
            self._look(line, view)
        else:
            self._change(line, view, again=recorded is not None)

    def _refuse_before_its_turn(self, step: Step[Any, Any], title: str, view: View) -> None:
        """Without the results of earlier steps nothing is sent, and nothing counts as verified."""
        lacking = [" or ".join(kind.__name__ for kind in alternatives(need)) for need in view.lacks(step.needs)]
        waiting = f"no earlier step gave {', '.join(lacking)}" if lacking else step.ready(view)
        if waiting:
            raise CheckFailed(
                f"“{title}” cannot run yet: {waiting}.",
                next_action="Check the order of the steps: uscdr runbook. Then: uscdr runs resume",
            )

    def _recall(self, bound: BoundStep, recorded: dict[str, object], view: View) -> None:
        if recorded:
            view.remember(bound.step.gives.model_validate(recorded))

    def _look(self, line: Planned, view: View) -> None:
        bound, started = line.bound, time.monotonic()
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        self._start(bound, {})
        fresh = line.seen is not None and started - line.at <= bound.step.fresh_for
        seen = line.seen if line.seen is not None and fresh else bound.step.probe(view, tell)
        action = bound.step.plan(seen, view)
        self._stop_if_blocked(action)
        self._cautions += [action.caution] if action.caution else []
        view.remember(seen)
        self._succeed(bound, seen, action.summary, started)

    def _change(self, line: Planned, view: View, *, again: bool) -> None:
        bound = line.bound
        started = time.monotonic()
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        if bound.step.id in self._refused:
            raise self._refused[bound.step.id]
        sent = self._ahead.get(bound.step.id)
        if sent is not None:
            result = bound.step.adopt(sent.provider_id, sent.seen, view, tell)
            self._finish(bound, result, view, started, adopted=False)
            return
        intent = self._history.intents.get(bound.step.id)
        if intent is None or bound.step.effect is Effect.IDEMPOTENT:
            seen = bound.step.probe(view, tell)
        else:
            with self._reconciler.in_doubt(bound, intent):
                seen = bound.step.probe(view, tell)
            cause = self._lost.pop(bound.step.id, None)
            found = self._reconciler.settle(bound, intent, seen, view, cause=cause)
            if found is not None:
                self._finish(bound, found, view, started, adopted=True)
                return
        action = bound.step.plan(seen, view)
        if self._nothing_to_do(bound, action, seen, view, again=again):
            return
        self._check_drift(line, action)
        self._ask(bound, seen, action, view)
        self._start(bound, bound.step.before(seen))
        result, adopted = self._reconciler.act(bound, seen, view, tell)
        self._finish(bound, result, view, started, adopted=adopted)

    def _nothing_to_do(self, bound: BoundStep, action: Action, seen: Fact, view: View, *, again: bool) -> bool:
        self._stop_if_blocked(action)
        if action.kind == "skip":
            self._skip(bound, action, {})
        elif action.kind == "noop":
            if not again:
                result = bound.step.current(seen, view)
                view.remember(result)
                self._skip(bound, action, result.model_dump(mode="json"))
        else:
            return False
        return True

    def _skip(self, bound: BoundStep, action: Action, result: dict[str, Any]) -> None:
        self._bus.emit(StepSkipped(step=bound.step.id, name=bound.step.name, reason=action.summary, result=result))

    def _stop_if_blocked(self, action: Action) -> None:
        if action.kind == "blocked":
            raise CheckFailed(action.summary, next_action=action.way or "Fix that, then: uscdr runs resume")

    def _check_drift(self, line: Planned, action: Action) -> None:
        approved, changed = line.action.approved, _drifted(line, action)
        if changed:
            words = "; ".join(
                f"{key} was {approved[key]}, is now {action.approved.get(key, 'gone')}" for key in changed
            )
            raise CheckFailed(
                f"What you approved changed before “{line.bound.title}”: {words}.",
                next_action="This step changed nothing. Plan again: uscdr recover … --dry-run",
            )

    def _ask(self, bound: BoundStep, seen: Fact, action: Action, view: View) -> None:
        if bound.step.destructive and bound.step.id not in self._history.confirmed:
            blast, step, name = self._told(bound.step.blast(seen, view), bound), bound.step.id, bound.step.name
            self._bus.emit(GateAsked(step=step, name=name, facts=dict(blast.facts), phrase=blast.phrase))
            self.phrase = blast.phrase
            how = self._gate.confirm(blast)
            self.phrase = ""
            self._bus.emit(GateAnswered(step=step, name=name, confirmed=True, by=how))
        elif not self.began:
            self._gate.begin(action.summary, (*self._cautions, *self._late(bound)))
        self.began = True

    def _told(self, blast: BlastRadius, bound: BoundStep) -> BlastRadius:
        """With the forecast, and with the warnings of earlier steps if this is the first question."""
        expected = self._expected(bound)
        warned = {} if self.began or not self._cautions else {"warning": " ".join(self._cautions)}
        return replace(blast, facts={**warned, **blast.facts, **expected})

    def _expected(self, bound: BoundStep) -> Mapping[str, str]:
        return self._forecaster.at_decision(bound.step.id) if self._forecaster else {}

    def _late(self, bound: BoundStep) -> tuple[str, ...]:
        """The warning that an objective will be missed, if one is to be expected."""
        words = self._expected(bound).get(LATE)
        return (words,) if words else ()

    def _start(self, bound: BoundStep, baseline: dict[str, object]) -> None:
        attempt = self._history.attempts.get(bound.step.id, 0) + 1
        self._history.attempts[bound.step.id] = attempt
        self._begun.add(bound.step.id)
        self._sent_before = self._sent() if self._sent else 0
        self._wrote_before = self.wrote
        self.wrote = self.wrote or bound.step.effect is not Effect.READ
        self._bus.emit(
            StepStarted(
                step=bound.step.id,
                name=bound.step.name,
                title=bound.title,
                phase=bound.phase,
                effect=bound.step.effect.value,
                attempt=attempt,
                baseline=baseline,
                says_when_sent=bound.step.says_when_sent,
            )
        )

    def _finish(self, bound: BoundStep, result: Fact, view: View, started: float, *, adopted: bool) -> None:
        view.remember(result)
        summary = bound.step.verify(result, view, StepReporter(self._bus, bound.step.id, bound.step.name))
        self._succeed(bound, result, summary, started, adopted=adopted)

    def _succeed(self, bound: BoundStep, result: Fact, summary: str, started: float, *, adopted: bool = False) -> None:
        self._bus.emit(
            StepSucceeded(
                step=bound.step.id,
                name=bound.step.name,
                seconds=round(time.monotonic() - started, 3),
                summary=summary,
                result=result.model_dump(mode="json"),
                adopted=adopted,
                changed=adopted or bound.step.destructive or self._may_have_changed(bound),
            )
        )


def _drifted(line: Planned, action: Action) -> list[str]:
    """Names of approved facts that differ now."""
    return [key for key, value in line.action.approved.items() if action.approved.get(key) != value]
