"""Resolve a write whose answer was lost, or whose process died: by checking, never by repeating."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from uscdr.engine.gate import SEND, STOP, Gate
from uscdr.engine.step import BoundStep, Effect, FoundWrite, Intent, Reporter, StepReporter, View
from uscdr.errors import AnswerLost, Declined, EffectFailed, OutcomeUnknown, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from uscdr.engine.wait import Stop
    from uscdr.events import Bus
    from uscdr.models.base import Fact

MOST_REPEATS = 3
LOOK_SECONDS, LOOK_INTERVAL = 30.0, 0.5
"""For how long, and how often, to ask a provider whether a lost write arrived: its lists lag behind."""
RESUMED = {True: "at a terminal, answer adopt, redo or abort", False: "it checks first and repeats nothing"}


class _Made(Protocol):
    """The object that a write creates at a provider."""

    @property
    def id(self) -> str:
        """The provider's name for it."""
        ...


M = TypeVar("M", bound=_Made)


@dataclass(frozen=True)
class Search(Generic[M]):
    """How to find the effect of a lost write.

    `look` returns objects that only this run can have created, the likeliest first.
    """

    looked_at: str
    look: Callable[[], Sequence[M]]
    words: Callable[[M], str]
    """Describes what was found."""
    nothing: str
    """The words when nothing was found."""

    def run(self, intent: Intent, stop: Stop, tell: Reporter) -> FoundWrite:
        """What the provider accepted before its process died, else what appears within `LOOK_SECONDS`.

        What does not appear by then may still come: the `Reconciler` decides about it.
        """
        if intent.accepted is not None:
            return FoundWrite(self.looked_at, f"accepted before as {intent.accepted}", intent.accepted)
        deadline = time.monotonic() + LOOK_SECONDS
        while True:
            found = self.look()
            if found:
                return FoundWrite(self.looked_at, self.words(found[0]), found[0].id)
            if time.monotonic() >= deadline:
                return FoundWrite(self.looked_at, self.nothing, None)
            tell.progress("checking whether the lost request arrived")
            stop.pause(LOOK_INTERVAL)


class Reconciler:
    """Performs writes, and resolves writes that started and did not finish.

    Elapsed time proves nothing. A write without a visible effect is sent again only if the step says that this is
    harmless, or the operator decides so.
    """

    def __init__(self, bus: Bus, gate: Gate) -> None:
        self._bus = bus
        self._gate = gate

    def act(self, bound: BoundStep, seen: Fact, view: View, tell: Reporter) -> tuple[Fact, bool]:
        """Apply; after a lost answer, check. Returns the result and whether it was adopted."""
        # a second check needs what the first one saw, as the journal has it
        earlier = view.intents.get(bound.step.id)
        begun = Intent(datetime.now(UTC).isoformat(), bound.step.before(seen), None)
        intent = Intent(earlier.at, earlier.baseline, None) if earlier and earlier.baseline else begun
        view.intents[bound.step.id] = intent
        lost = False
        for _ in range(MOST_REPEATS):
            try:
                return bound.step.apply(seen, view, tell), False
            except AnswerLost as error:
                lost = True
                settled = self._after_loss(bound, intent, seen, view, error)
            except ProviderError as error:
                settled = self._echo(bound, intent, seen, view, error) if lost else None
                if settled is None:
                    raise
            if settled is not None:
                return settled, True
        later = f"Check the provider's status page, then: uscdr runs resume. {bound.step.otherwise(seen)}"
        raise OutcomeUnknown(
            f"The provider's answer to “{bound.title}” was lost {MOST_REPEATS} times.",
            why="After each attempt uscdr asked the provider, and the change was not there.",
            next_action=later.rstrip(),
        )

    def _echo(self, bound: BoundStep, intent: Intent, seen: Fact, view: View, error: ProviderError) -> Fact | None:
        """The effect of the first request, if its arrival explains why the second one was refused."""
        if bound.step.effect is not Effect.FINDABLE or isinstance(error, EffectFailed):
            return None
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        with self.in_doubt(bound, intent):
            finding = bound.step.find(intent, view, tell)
            return self._adopted(bound, finding, seen, view)

    def _after_loss(self, bound: BoundStep, intent: Intent, seen: Fact, view: View, error: AnswerLost) -> Fact | None:
        """The result if the lost write took effect, None if it must be sent again."""
        if bound.step.effect is not Effect.IDEMPOTENT:
            return self.settle(bound, intent, seen, view, cause=error)
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        with self.in_doubt(bound, intent):
            now = bound.step.probe(view, tell)
        done = bound.step.plan(now, view).kind == "noop"
        self._report(bound, FoundWrite(bound.title, "in effect" if done else "not in effect", None), done=done)
        return bound.step.current(now, view) if done else None

    def settle(
        self, bound: BoundStep, intent: Intent, seen: Fact, view: View, *, cause: AnswerLost | None = None
    ) -> Fact | None:
        """Resolve a write that started: its result when adopted, None when it must be sent (again).

        Raises OutcomeUnknown when only a person can tell, and nobody answers or wants to send it again.
        """
        if bound.step.effect is Effect.ONCE:
            return self._ask(bound, intent, seen, view, cause)
        if not intent.sent:
            finding = FoundWrite("the journal", "nothing had been sent", None, again=True)
            self._report(bound, finding, done=False)
            return None
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        while True:
            with self.in_doubt(bound, intent):
                finding = bound.step.find(intent, view, tell)
                adopted = self._adopted(bound, finding, seen, view)
            if adopted is not None:
                return adopted
            if finding.again or self._sent_again(bound, intent, finding, cause):
                self._report(bound, finding, done=False)
                return None

    @staticmethod
    @contextmanager
    def in_doubt(bound: BoundStep, intent: Intent) -> Iterator[None]:
        """Inside, a check that fails leaves the outcome of the write unknown."""
        try:
            yield
        except EffectFailed:
            raise
        except ProviderError as error:
            raise _unsettled(bound, intent, error) from error

    def _adopted(self, bound: BoundStep, finding: FoundWrite, seen: Fact, view: View) -> Fact | None:
        if finding.provider_id is None:
            return None
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        self._report(bound, finding, done=True)
        tell.accepted(finding.provider_id)
        adopted: Fact = bound.step.adopt(finding.provider_id, seen, view, tell)
        return adopted

    def _sent_again(self, bound: BoundStep, intent: Intent, finding: FoundWrite, cause: AnswerLost | None) -> bool:
        """Whether the operator wants to send it again; False to check once more."""
        question = (
            f"uscdr sent “{bound.title}” (started {intent.at}) and cannot see its effect: {finding.found} "
            f"({finding.looked_at}). The request may still take effect. If you send it again, it may happen twice."
        )
        try:
            answer = self._gate.lost(question, earlier=cause is None)
        except Declined as error:
            raise _not_seen(bound, intent, finding, cause) from error
        if answer == STOP:
            raise _not_seen(bound, intent, finding, cause)
        return answer == SEND

    def _ask(self, bound: BoundStep, intent: Intent, seen: Fact, view: View, cause: AnswerLost | None) -> Fact | None:
        try:
            answer = self._gate.settle(f"“{bound.title}” started at {intent.at}, and its end is not recorded.")
        except Declined as error:
            raise _unsettled(bound, intent, cause) from error
        if answer == "abort":
            raise _unsettled(bound, intent, cause)
        self._report(bound, FoundWrite("the operator's answer", answer, None), done=answer == "adopt")
        return bound.step.current(seen, view) if answer == "adopt" else None

    def _report(self, bound: BoundStep, finding: FoundWrite, *, done: bool) -> None:
        from uscdr.models.events import StepSettled

        self._bus.emit(
            StepSettled(
                step=bound.step.id,
                name=bound.step.name,
                looked_at=finding.looked_at,
                found=finding.found,
                decision="adopt" if done else "redo",
            )
        )


def _unsettled(bound: BoundStep, intent: Intent, cause: ProviderError | None) -> OutcomeUnknown:
    then = RESUMED[bound.step.effect is Effect.ONCE]
    return OutcomeUnknown(
        f"uscdr does not know whether “{bound.title}” (started {intent.at}) took effect.",
        why=cause.message if cause else "The process that started it ended before it recorded the outcome.",
        next_action=f"Check at the provider yourself, then: uscdr runs resume ({then}).",
    )


def _not_seen(bound: BoundStep, intent: Intent, finding: FoundWrite, cause: ProviderError | None) -> OutcomeUnknown:
    heard = f"{cause.message} " if cause else ""
    return OutcomeUnknown(
        f"uscdr does not know whether “{bound.title}” (started {intent.at}) takes effect: it cannot see an effect yet.",
        why=f"{heard}uscdr checked {finding.looked_at}: {finding.found}. A request without an answer may still take "
        "effect, so uscdr does not send it again on its own.",
        next_action="Wait a minute, then check again (this sends nothing twice): uscdr runs resume. Only if you have "
        "seen at the provider that it did not happen: uscdr runs resume --send-again",
    )
