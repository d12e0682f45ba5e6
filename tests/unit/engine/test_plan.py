"""What a plan says before anything is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typing_extensions import override

from uscdr.engine.plan import Plan, Planned, _digest
from uscdr.engine.step import Action, BlastRadius, BoundStep, Effect, Reporter, Step, StepReporter, View
from uscdr.events import Bus
from uscdr.models.base import Fact
from uscdr.redaction import Redactor


class Seen(Fact):
    rows: int = 5


class Overwrite(Step[Seen, Seen]):
    name = "thing.overwrite"
    title = "Overwrite"
    effect = Effect.IDEMPOTENT
    destructive = True
    slow = True
    gives = Seen

    @override
    def probe(self, view: View, tell: Reporter) -> Seen:
        return Seen()

    @override
    def plan(self, seen: Seen, view: View) -> Action:
        return Action("change", "5 rows", approved={"rows": str(seen.rows)})

    @override
    def blast(self, seen: Seen, view: View) -> BlastRadius:
        return BlastRadius({}, f"{seen.rows} rows")


BOUND = BoundStep(Overwrite("overwrite"), "Overwrite", "phase", {})


@pytest.mark.parametrize(("kind", "phrase"), [("change", "5 rows"), ("noop", None), ("skip", None), ("blocked", None)])
def test_what_destroys_nothing_has_no_phrase(kind: str, phrase: str | None) -> None:
    line = Planned(BOUND, Seen(), Action(kind, "5 rows"))  # type: ignore[arg-type]
    blast = Plan((line,), View(thorough=True)).destruction
    assert (blast and blast.phrase) == phrase


def test_plans_that_approve_other_things_are_told_apart() -> None:
    line = Planned(BOUND, Seen(), Action("change", "5 rows", approved={"rows": "5"}))
    other = replace(line, action=replace(line.action, approved={"rows": "6"}))
    assert _digest([line], "scenario") == _digest([replace(line, at=1.0)], "scenario")
    assert (
        len({_digest([line], "scenario"), _digest([other], "scenario"), _digest([line], "another"), _digest([], "")})
        == 4
    )


def test_a_slow_look_is_left_for_later_except_by_a_dry_run() -> None:
    tell = StepReporter(Bus("run", Redactor()), "plan")
    assert [line.seen for line in Plan.foresee([BOUND], View(thorough=True), tell).lines] == [Seen()]
    assert [line.seen for line in Plan.foresee([BOUND], View(thorough=False), tell).lines] == [None]
