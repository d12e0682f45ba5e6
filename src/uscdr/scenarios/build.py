"""From a scenario in YAML to steps that can run."""

from __future__ import annotations

from uscdr.engine.step import BoundStep
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.model import Scenario
from uscdr.scenarios.registry import STEPS


def bind(scenario: Scenario, deps: Deps) -> list[BoundStep]:
    """Build every step of `scenario`, in order."""
    bound = []
    for entry in scenario.steps:
        spec = STEPS[entry.use]
        step_id = entry.id or spec.default_id
        bound.append(
            BoundStep(
                step=spec.build(step_id, deps, spec.params.model_validate(entry.with_)),
                name=spec.name,
                title=entry.title or spec.title,
                phase=entry.phase or spec.phase,
                effect=spec.effect,
                params=entry.with_,
                destructive=spec.destructive,
            )
        )
    return bound
