"""What the engine must know of a step before it is built."""

from __future__ import annotations

from dataclasses import dataclass

from uscdr.engine.step import BuildStep, Effect
from uscdr.models.base import Fact
from uscdr.scenarios.steps.base import NoParams

ASSESS, RECOVER = "assess", "recover"
"""The phases of every scenario."""


@dataclass(frozen=True)
class StepSpec:
    """One step that scenarios.yaml may use."""

    name: str
    title: str
    default_id: str
    phase: str
    effect: Effect
    build: BuildStep
    params: type[Fact] = NoParams
    destructive: bool = False
    manual: tuple[str, ...] = ()
    """What a person types instead; `{app}`, `{manage}` and the step's parameters are filled in."""
