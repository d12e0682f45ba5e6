"""From a scenario in YAML to steps that can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.engine.step import BoundStep
from uscdr.scenarios.registry import OPERATIONS, STEPS
from uscdr.scenarios.steps.base import AnyStep, NoParams

if TYPE_CHECKING:
    from uscdr.scenarios.deps import Deps
    from uscdr.scenarios.model import Scenario, StepEntry


def chosen(entry: StepEntry) -> AnyStep:
    """The class of a step in scenarios.yaml. Raises KeyError and ValidationError, which the loader words."""
    family = STEPS[entry.use]
    return family.chosen(family.params.model_validate(entry.with_))


def operation(name: str, deps: Deps) -> list[BoundStep]:
    """The one step of a run that recovers nothing."""
    kind = OPERATIONS[name]
    return [BoundStep(kind(kind.default_id, deps, NoParams()), kind.title, kind.phase, {})]


def bind(scenario: Scenario, deps: Deps) -> list[BoundStep]:
    """Build every step of `scenario`, in order."""
    bound = []
    for entry in scenario.steps:
        kind = chosen(entry)
        step = kind(entry.id or kind.default_id, deps, kind.params.model_validate(entry.with_))
        bound.append(BoundStep(step, entry.title or kind.title, entry.phase or kind.phase, entry.with_))
    return bound
