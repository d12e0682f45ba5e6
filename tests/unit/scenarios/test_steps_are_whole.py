"""Every step that scenarios.yaml may use has what its effect demands: nothing is missed in the middle of a run."""

from __future__ import annotations

import inspect
from typing import Any, cast

import pytest

from uscdr.engine.step import Effect, Step
from uscdr.scenarios.registry import STEPS
from uscdr.scenarios.specs.spec import StepSpec

WRITES = ("apply", "confirm_effect")
DEMANDED = {
    Effect.READ: (),
    Effect.IDEMPOTENT: WRITES,
    Effect.FINDABLE: (*WRITES, "find", "adopt"),
    Effect.ONCE: (*WRITES, "unchanged"),
}


def classes(spec: StepSpec) -> list[type[Step[Any, Any]]]:
    """What the spec makes: a class, or by a function each class that its parameters choose."""
    if isinstance(spec.build, type):
        return [spec.build]
    services = ("heroku-postgresql", "heroku-redis")
    return [type(spec.build("s", cast("Any", None), spec.params.model_validate({"service": one}))) for one in services]


@pytest.mark.parametrize("spec", STEPS.values(), ids=STEPS.keys())
def test_nothing_that_its_effect_demands_is_left_to_the_base(spec: StepSpec) -> None:
    for kind in classes(spec):
        demanded = {*DEMANDED[spec.effect], *(["blast"] if spec.destructive else [])}
        if spec.effect is not Effect.READ and '"noop"' in inspect.getsource(kind.plan):
            demanded.add("unchanged")
        assert [name for name in sorted(demanded) if getattr(kind, name) is getattr(Step, name)] == [], kind


def test_a_step_that_cannot_look_or_plan_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Blind", (Step,), {})("s")
