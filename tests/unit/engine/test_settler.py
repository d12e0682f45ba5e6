"""A write whose answer was lost, step by step: what is looked at, what is asked, what is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from typing_extensions import override

from rehearsal import Person
from uscdr.engine.gate import SEND, STOP, Gate
from uscdr.engine.reconcile import MOST_REPEATS, Reconciler
from uscdr.engine.step import Action, BoundStep, Effect, FoundWrite, Intent, Reporter, Step, StepReporter, View
from uscdr.errors import AnswerLost, EffectFailed, OutcomeUnknown, ProviderError
from uscdr.events import Bus
from uscdr.models.base import Fact
from uscdr.models.events import Stamped
from uscdr.redaction import Redactor

LOST = AnswerLost("The answer was lost.", provider="p")
REFUSED = ProviderError("The name is taken.", provider="p", status=409)
FAILED = EffectFailed("It failed at the provider.", provider="p")
ABSENT, THERE = FoundWrite("GET /things", "nothing new", None), FoundWrite("GET /things", "t-1 is ours", "t-1")
HARMLESS = FoundWrite("GET /things", "nothing new", None, again=True)
EARLIER = Intent("2026-11-23T03:15:00Z", {"newest": 7}, None)


class Made(Fact):
    id: str


class Scripted(Step[Made, Made]):
    """Does in turn what the test says; the last of it again and again."""

    name = "thing.make"
    title = "Make a thing"
    gives = Made

    def __init__(
        self, effect: Effect, answers: Sequence[Made | Exception], looks: Sequence[FoundWrite | Exception]
    ) -> None:
        super().__init__("make")
        self.effect = effect  # type: ignore[misc]
        self.answers, self.looks = list(answers), list(looks)
        self.sent = 0
        self.known: list[dict[str, Any]] = []

    @override
    def probe(self, view: View, tell: Reporter) -> Made:
        return Made(id="there" if _next(self.looks) is THERE else "")

    @override
    def plan(self, seen: Made, view: View) -> Action:
        return Action("noop" if seen.id else "change", "a thing")

    @override
    def before(self, seen: Made) -> dict[str, Any]:
        return {"newest": 9}

    @override
    def apply(self, seen: Made, view: View, tell: Reporter) -> Made:
        self.sent += 1
        return cast("Made", _next(self.answers))

    @override
    def current(self, seen: Made, view: View) -> Made:
        return Made(id="unchanged")

    @override
    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        self.known.append(dict(intent.baseline))
        return cast("FoundWrite", _next(self.looks))

    @override
    def adopt(self, provider_id: str, seen: Made, view: View, tell: Reporter) -> Made:
        return Made(id=provider_id)


def _next(script: list[Any]) -> object:
    found = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(found, Exception):
        raise found
    return found


class Scene:
    """A step with a person, or nobody, beside it; `written` is what the journal would hold."""

    def __init__(
        self, answers: Sequence[Made | Exception], looks: Sequence[FoundWrite | Exception], *,
        effect: Effect = Effect.FINDABLE, says: str = "",
    ) -> None:  # fmt: skip
        self.step = Scripted(effect, answers, looks)
        self.bound = BoundStep(self.step, "Make a thing", "phase", {})
        self.bus, self.written, self.view = Bus("run", Redactor()), list[Stamped](), View(thorough=True)
        self.bus.add_viewer(self.written.append)
        self.person = Person(interactive=bool(says), answers={"look again": says, "adopt": says})
        self.settler = Reconciler(self.bus, Gate(self.person, None))

    def act(self) -> tuple[Fact, bool]:
        return self.settler.act(self.bound, Made(id=""), self.view, StepReporter(self.bus, "make"))

    def settle(self, intent: Intent = EARLIER) -> Fact | None:
        return self.settler.settle(self.bound, intent, Made(id=""), self.view)

    def events(self, kind: str) -> list[dict[str, Any]]:
        found = (one.event.model_dump() for one in self.written)
        return [one for one in found if one["kind"] == kind]

    @property
    def decisions(self) -> list[str]:
        return [one["decision"] for one in self.events("step.settled")]


def test_what_arrived_after_all_is_adopted_and_written_down() -> None:
    scene = Scene([LOST], [THERE])
    assert scene.act() == (Made(id="t-1"), True)
    assert (scene.step.sent, scene.decisions) == (1, ["adopt"])
    assert [one["provider_id"] for one in scene.events("step.accepted")] == ["t-1"]


def test_what_is_not_to_be_seen_is_not_sent_again_unasked() -> None:
    scene = Scene([LOST, Made(id="second")], [ABSENT])
    with pytest.raises(OutcomeUnknown):
        scene.act()
    assert (scene.step.sent, scene.decisions) == (1, [])


def test_what_does_no_harm_twice_is_sent_again_unasked_three_times_at_most() -> None:
    scene = Scene([LOST, Made(id="second")], [HARMLESS])
    assert scene.act() == (Made(id="second"), False)
    assert (scene.step.sent, scene.decisions) == (2, ["redo"])
    endless = Scene([LOST], [HARMLESS])
    with pytest.raises(OutcomeUnknown):
        endless.act()
    assert endless.step.sent == MOST_REPEATS


def test_a_person_says_send_or_stop() -> None:
    sends = Scene([LOST, Made(id="second")], [ABSENT], says=SEND)
    assert sends.act() == (Made(id="second"), False)
    assert len(sends.person.questions) == 1
    stops = Scene([LOST], [ABSENT], says=STOP)
    with pytest.raises(OutcomeUnknown):
        stops.act()
    assert stops.step.sent == 1


def test_a_person_who_looks_again_sends_nothing() -> None:
    scene = Scene([LOST], [ABSENT, ABSENT, THERE], says="look again")
    assert scene.act() == (Made(id="t-1"), True)
    assert (scene.step.sent, len(scene.person.questions)) == (1, 2)


def test_a_refusal_after_a_lost_answer_may_be_the_first_requests_doing() -> None:
    scene = Scene([LOST, REFUSED], [HARMLESS, THERE])
    assert scene.act() == (Made(id="t-1"), True)
    with pytest.raises(ProviderError, match="taken"):
        Scene([REFUSED], [THERE]).act()
    with pytest.raises(ProviderError, match="taken"):
        Scene([LOST, REFUSED], [HARMLESS, ABSENT]).act()


def test_what_surely_failed_is_not_looked_for() -> None:
    scene = Scene([LOST, FAILED], [HARMLESS, THERE])
    with pytest.raises(EffectFailed):
        scene.act()
    assert len(scene.step.known) == 1


def test_what_may_be_repeated_is_looked_at_and_repeated() -> None:
    there = Scene([LOST], [THERE], effect=Effect.IDEMPOTENT)
    assert there.act() == (Made(id="unchanged"), True)
    assert (there.step.sent, there.decisions) == (1, ["adopt"])
    absent = Scene([LOST, Made(id="second")], [ABSENT], effect=Effect.IDEMPOTENT)
    assert absent.act() == (Made(id="second"), False)
    assert (absent.step.sent, absent.decisions) == (2, ["redo"])


@pytest.mark.parametrize("effect", [Effect.FINDABLE, Effect.IDEMPOTENT])
def test_a_look_that_fails_leaves_the_outcome_unknown(effect: Effect) -> None:
    with pytest.raises(OutcomeUnknown):
        Scene([LOST], [REFUSED], effect=effect).act()
    with pytest.raises(EffectFailed):
        Scene([LOST], [FAILED], effect=effect).act()


def test_an_earlier_process_is_settled_by_what_it_knew() -> None:
    scene = Scene([], [THERE])
    assert scene.settle() == Made(id="t-1")
    assert scene.step.known == [{"newest": 7}]
    with pytest.raises(OutcomeUnknown):
        Scene([], [ABSENT]).settle()
    assert Scene([], [ABSENT], says=SEND).settle() is None


def test_what_was_never_sent_is_sent_unasked() -> None:
    scene = Scene([], [THERE])
    assert scene.settle(Intent(EARLIER.at, {}, None, sent=False)) is None
    assert (scene.step.known, scene.decisions) == ([], ["redo"])


def test_a_second_attempt_knows_what_there_was_before_the_first() -> None:
    scene = Scene([LOST], [THERE])
    scene.view.intents["make"] = EARLIER
    scene.act()
    assert scene.step.known == [{"newest": 7}]
    fresh = Scene([LOST], [THERE])
    fresh.act()
    assert fresh.step.known == [{"newest": 9}]


def test_what_nobody_can_find_is_a_persons_word() -> None:
    once = Effect.ONCE
    assert Scene([LOST], [THERE], says="adopt", effect=once).act() == (Made(id="unchanged"), True)
    assert Scene([LOST, Made(id="second")], [THERE], says="redo", effect=once).act() == (Made(id="second"), False)
    for says in ("abort", ""):
        scene = Scene([LOST], [THERE], says=says, effect=once)
        with pytest.raises(OutcomeUnknown):
            scene.act()
        assert scene.step.sent == 1
