"""Show an instruction to a person, and record the answer."""

from __future__ import annotations

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.models.base import Fact
from uscdr.scenarios.steps.base import ScenarioStep, StepParams


class _ManualAnswer(Fact):
    """What a person answered to an instruction."""

    instruction: str
    answer: str


class _ManualParams(StepParams):
    """What the person has to do or to check."""

    instruction: str


class _ManualSeen(Fact):
    """The instruction."""

    instruction: str


class Manual(ScenarioStep[_ManualSeen, _ManualAnswer]):
    """Asks, and records the answer. There is no default answer."""

    name = "manual"
    title = "Follow an instruction"
    effect = Effect.ONCE
    params = _ManualParams
    manual = ("{instruction}",)
    gives = _ManualAnswer
    may_be_added = True

    @override
    def probe(self, view: View, tell: Reporter) -> _ManualSeen:
        return _ManualSeen(instruction=self.given(_ManualParams).instruction)

    @override
    def plan(self, seen: _ManualSeen, view: View) -> Action:
        return Action("change", f"by hand: {seen.instruction}", ())

    @override
    def apply(self, seen: _ManualSeen, view: View, tell: Reporter) -> _ManualAnswer:
        return _ManualAnswer(instruction=seen.instruction, answer=self._deps.ask(seen.instruction))

    @override
    def current(self, seen: _ManualSeen, view: View) -> _ManualAnswer:
        return _ManualAnswer(instruction=seen.instruction, answer="already done, according to the operator")

    @override
    def verify(self, result: _ManualAnswer, view: View, tell: Reporter) -> str:
        return f"answered: {result.answer}"
