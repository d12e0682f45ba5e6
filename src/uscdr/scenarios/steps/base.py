"""What all steps of the scenarios share: ports to work with."""

from __future__ import annotations

from typing import Generic, TypeVar

from uscdr.engine.step import Step
from uscdr.models.base import Fact
from uscdr.scenarios.deps import Deps

S = TypeVar("S", bound=Fact)
R = TypeVar("R", bound=Fact)


class NoParams(Fact):
    """A step without parameters."""


class DepsStep(Step[S, R], Generic[S, R]):
    """A step that works with the ports in `Deps`."""

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id)
        del params
        self._deps = deps
