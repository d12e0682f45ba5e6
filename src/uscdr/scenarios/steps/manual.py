"""An instruction to a person, with a recorded answer."""

from __future__ import annotations

from uscdr.engine.step import Action, Tell, View
from uscdr.models.base import Fact
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.results import ManualAnswer
from uscdr.scenarios.steps.base import DepsStep


class ManualParams(Fact):
    """What the person is to do or to look at."""

    instruction: str


class ManualSeen(Fact):
    """The instruction."""

    instruction: str


class Manual(DepsStep[ManualSeen, ManualAnswer]):
    """Asks, and records what was answered. Nothing is answered by default."""

    result = ManualAnswer

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id, deps, params)
        self._instruction = ManualParams.model_validate(params.model_dump()).instruction

    def probe(self, view: View, tell: Tell) -> ManualSeen:
        """Nothing to look at: only the person can."""
        return ManualSeen(instruction=self._instruction)

    def plan(self, seen: ManualSeen, view: View) -> Action:
        """The instruction is the plan."""
        return Action("change", f"a person: {seen.instruction}", (), (seen.instruction,))

    def apply(self, seen: ManualSeen, view: View, tell: Tell) -> ManualAnswer:
        """Ask. Without a terminal this raises Declined."""
        return ManualAnswer(instruction=seen.instruction, answer=self._deps.ask(seen.instruction))

    def unchanged(self, seen: ManualSeen, view: View) -> ManualAnswer:
        """Done in an earlier process, as the operator says who looked."""
        return ManualAnswer(instruction=seen.instruction, answer="done before, the operator says")

    def confirm_effect(self, result: ManualAnswer, view: View, tell: Tell) -> str:
        """The answer is the evidence."""
        return f"answered: {result.answer}"
