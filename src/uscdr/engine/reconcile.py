"""A write whose answer was lost, or whose process died, is settled by looking: never by repeating."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from uscdr.engine.gate import SEND, STOP, Gate
from uscdr.engine.step import BoundStep, Effect, FoundWrite, Intent, Reporter, StepReporter, View
from uscdr.errors import AnswerLost, Declined, EffectFailed, OutcomeUnknown, ProviderError
from uscdr.models.events import StepSettled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from uscdr.engine.wait import Stop
    from uscdr.events import Bus
    from uscdr.models.base import Fact

MOST_REPEATS = 3
LOOK_SECONDS, LOOK_INTERVAL = 30.0, 0.5
"""For how long, and how often, a provider is asked whether a lost write arrived: its lists lag behind."""
RESUMED = {True: "at a terminal: adopt, redo or abort", False: "it looks first and repeats nothing"}


class _Made(Protocol):
    """What a write makes at a provider."""

    @property
    def id(self) -> str:
        """The provider's name for it."""
        ...


M = TypeVar("M", bound=_Made)


@dataclass(frozen=True)
class Search(Generic[M]):
    """Where the effect of a lost write is looked for. `look`: what can only be this run's, the likeliest first."""

    looked_at: str
    look: Callable[[], Sequence[M]]
    words: Callable[[M], str]
    """Says what was found."""
    nothing: str
    """Says that nothing was."""


def look_for(search: Search[M], intent: Intent, stop: Stop, tell: Reporter) -> FoundWrite:
    """What the provider accepted before its process died, else what appears within `LOOK_SECONDS`.

    What does not appear by then may still come: that is for the `Reconciler` to judge.
    """
    if intent.accepted is not None:
        return FoundWrite(search.looked_at, f"accepted before as {intent.accepted}", intent.accepted)
    deadline = time.monotonic() + LOOK_SECONDS
    while True:
        found = search.look()
        if found:
            return FoundWrite(search.looked_at, search.words(found[0]), found[0].id)
        if time.monotonic() >= deadline:
            return FoundWrite(search.looked_at, search.nothing, None)
        tell.progress("looking whether the lost request arrived")
        stop.pause(LOOK_INTERVAL)


class Reconciler:
    """Performs writes and answers `started, not finished`.

    Time that passed proves nothing: what was sent and is not to be seen is sent again only if the step says that this
    does no harm, or a person wants it.
    """

    def __init__(self, bus: Bus, gate: Gate) -> None:
        self._bus = bus
        self._gate = gate

    def act(self, bound: BoundStep, seen: Fact, view: View, tell: Reporter) -> tuple[Fact, bool]:
        """Apply; on a lost answer look. Returns the result and whether it was adopted."""
        # a second look must know what the first one saw, as the journal does
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
        later = f"Look at the provider's status, then: uscdr runs resume. {bound.step.otherwise(seen)}"
        raise OutcomeUnknown(
            f"The answer to “{bound.title}” was lost {MOST_REPEATS} times.",
            why="Each time the provider was asked, and the change was not there.",
            next_action=later.rstrip(),
        )

    def _echo(self, bound: BoundStep, intent: Intent, seen: Fact, view: View, error: ProviderError) -> Fact | None:
        """What is refused after a lost answer may be refused because the first request arrived after all."""
        if bound.step.effect is not Effect.FINDABLE or isinstance(error, EffectFailed):
            return None
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        with in_doubt(bound, intent):
            finding = bound.step.find(intent, view, tell)
            return self._adopted(bound, finding, seen, view)

    def _after_loss(self, bound: BoundStep, intent: Intent, seen: Fact, view: View, error: AnswerLost) -> Fact | None:
        """The result if the lost write took effect, None if it is to be sent again."""
        if bound.step.effect is not Effect.IDEMPOTENT:
            return self.settle(bound, intent, seen, view, cause=error)
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        with in_doubt(bound, intent):
            now = bound.step.probe(view, tell)
        done = bound.step.plan(now, view).kind == "noop"
        self._report(bound, FoundWrite(bound.title, "in effect" if done else "not in effect", None), done=done)
        return bound.step.current(now, view) if done else None

    def settle(
        self, bound: BoundStep, intent: Intent, seen: Fact, view: View, *, cause: AnswerLost | None = None
    ) -> Fact | None:
        """Answer a started write: its result when adopted, None when it must be sent (again).

        Raises OutcomeUnknown when only a person can tell, and nobody is there or wants it sent again.
        """
        if bound.step.effect is Effect.ONCE:
            return self._ask(bound, intent, seen, view, cause)
        if not intent.sent:
            finding = FoundWrite("the journal", "nothing had been sent", None, again=True)
            self._report(bound, finding, done=False)
            return None
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        while True:
            with in_doubt(bound, intent):
                finding = bound.step.find(intent, view, tell)
                adopted = self._adopted(bound, finding, seen, view)
            if adopted is not None:
                return adopted
            if finding.again or self._sent_again(bound, intent, finding, cause):
                self._report(bound, finding, done=False)
                return None

    def _adopted(self, bound: BoundStep, finding: FoundWrite, seen: Fact, view: View) -> Fact | None:
        if finding.provider_id is None:
            return None
        tell = StepReporter(self._bus, bound.step.id, bound.step.name)
        self._report(bound, finding, done=True)
        tell.accepted(finding.provider_id)
        adopted: Fact = bound.step.adopt(finding.provider_id, seen, view, tell)
        return adopted

    def _sent_again(self, bound: BoundStep, intent: Intent, finding: FoundWrite, cause: AnswerLost | None) -> bool:
        """Whether a person wants it sent again; False to look once more."""
        question = (
            f"“{bound.title}” was sent (started {intent.at}), and its effect is not to be seen: {finding.found} "
            f"({finding.looked_at}). It may still come. Sent again, it may happen twice."
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
            answer = self._gate.settle(f"“{bound.title}” was started at {intent.at} and did not report its end.")
        except Declined as error:
            raise _unsettled(bound, intent, cause) from error
        if answer == "abort":
            raise _unsettled(bound, intent, cause)
        self._report(bound, FoundWrite("the operator's own look", answer, None), done=answer == "adopt")
        return bound.step.current(seen, view) if answer == "adopt" else None

    def _report(self, bound: BoundStep, finding: FoundWrite, *, done: bool) -> None:
        self._bus.emit(
            StepSettled(
                step=bound.step.id,
                name=bound.step.name,
                looked_at=finding.looked_at,
                found=finding.found,
                decision="adopt" if done else "redo",
            )
        )


@contextmanager
def in_doubt(bound: BoundStep, intent: Intent) -> Iterator[None]:
    """While a write may or may not have taken effect, a look that fails leaves its outcome unknown."""
    try:
        yield
    except EffectFailed:
        raise
    except ProviderError as error:
        raise _unsettled(bound, intent, error) from error


def _unsettled(bound: BoundStep, intent: Intent, cause: ProviderError | None) -> OutcomeUnknown:
    then = RESUMED[bound.step.effect is Effect.ONCE]
    return OutcomeUnknown(
        f"It is not known whether “{bound.title}” (started {intent.at}) took effect.",
        why=cause.message if cause else "The process that started it ended before it was recorded.",
        next_action=f"Look at the provider yourself, then: uscdr runs resume ({then}).",
    )


def _not_seen(bound: BoundStep, intent: Intent, finding: FoundWrite, cause: ProviderError | None) -> OutcomeUnknown:
    heard = f"{cause.message} " if cause else ""
    return OutcomeUnknown(
        f"It is not known whether “{bound.title}” (started {intent.at}) takes effect: nothing is to be seen of it yet.",
        why=f"{heard}Looked at {finding.looked_at}: {finding.found}. A request without an answer may still take "
        "effect, so it is not sent again unasked.",
        next_action="Wait a minute and look again, nothing is sent twice: uscdr runs resume. Only when you have seen "
        "at the provider that it did not happen: uscdr runs resume --send-again",
    )
