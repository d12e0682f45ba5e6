"""Every step that scenarios.yaml may use has what its effect demands: nothing is missed in the middle of a run."""

from __future__ import annotations

import inspect
import re

import pytest

from uscdr.engine.step import Effect, Step, alternatives
from uscdr.scenarios.registry import OPERATIONS, PIPELINES
from uscdr.scenarios.steps.base import AnyStep, ScenarioStep
from uscdr.scenarios.steps.infra_app import OrderOther
from uscdr.scenarios.steps.manual import Manual

WRITES = ("apply", "verify")
DEMANDED = {
    Effect.READ: (),
    Effect.IDEMPOTENT: WRITES,
    Effect.FINDABLE: (*WRITES, "find", "adopt"),
    Effect.ONCE: (*WRITES, "current"),
}


IN_PIPELINES = [step for pipeline in PIPELINES.values() for step in pipeline]
EVERY = tuple(dict.fromkeys([*IN_PIPELINES, *OPERATIONS.values(), Manual, OrderOther]))


@pytest.mark.parametrize("step", EVERY, ids=lambda step: f"{step.name}-{step.default_id}")
def test_nothing_that_its_effect_demands_is_left_to_the_base(step: AnyStep) -> None:
    demanded = {*DEMANDED[step.effect], *(["blast"] if step.destructive else [])}
    if step.effect is not Effect.READ and '"noop"' in inspect.getsource(step.plan):
        demanded.add("current")
    assert [name for name in sorted(demanded) if getattr(step, name) is getattr(Step, name)] == []


@pytest.mark.parametrize("step", EVERY, ids=lambda step: f"{step.name}-{step.default_id}")
def test_a_step_asks_for_no_result_that_it_does_not_name_among_its_needs(step: AnyStep) -> None:
    source = "".join(
        inspect.getsource(one) for one in step.__mro__ if issubclass(one, ScenarioStep) and one is not ScenarioStep
    )
    named = {kind.__name__ for need in step.needs for kind in alternatives(need)}
    assert set(re.findall(r"view\.need\((\w+)\)", source)) <= named


def test_a_step_that_cannot_look_or_plan_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Blind", (Step,), {})("s")
