"""An instruction to a person, with a recorded answer."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.models.base import Fact
from uscdr.scenarios.steps.base import ScenarioStep


class _ManualAnswer(Fact):
    """What a person answered to an instruction."""

    instruction: str
    answer: str


class ManualParams(Fact):
    """What the person is to do or to look at."""

    instruction: str


class _ManualSeen(Fact):
    """The instruction."""

    instruction: str


class Manual(ScenarioStep[_ManualSeen, _ManualAnswer]):
    """Asks, and records what was answered. Nothing is answered by default."""

    name = "manual"
    title = "By hand"
    effect = Effect.ONCE
    params = ManualParams
    manual = ("{instruction}",)
    gives = _ManualAnswer
    may_be_added = True

    @override
    def probe(self, view: View, tell: Reporter) -> _ManualSeen:
        return _ManualSeen(instruction=self.given(ManualParams).instruction)

    @override
    def plan(self, seen: _ManualSeen, view: View) -> Action:
        return Action("change", f"a person: {seen.instruction}", ())

    @override
    def apply(self, seen: _ManualSeen, view: View, tell: Reporter) -> _ManualAnswer:
        return _ManualAnswer(instruction=seen.instruction, answer=self._deps.ask(seen.instruction))

    @override
    def current(self, seen: _ManualSeen, view: View) -> _ManualAnswer:
        return _ManualAnswer(instruction=seen.instruction, answer="done before, the operator says")

    @override
    def verify(self, result: _ManualAnswer, view: View, tell: Reporter) -> str:
        return f"answered: {result.answer}"
