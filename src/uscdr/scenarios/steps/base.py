"""What all steps of the scenarios share: how scenarios.yaml names them, and ports to work with."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from uscdr.engine.step import Step, View
from uscdr.models.base import Fact
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.results import MaintenanceSet

S = TypeVar("S", bound=Fact)
R = TypeVar("R", bound=Fact)

ASSESS, RECOVER = "assess", "recover"
"""The phases of every scenario."""


class NoParams(Fact):
    """A step without parameters."""


class DepsStep(Step[S, R], Generic[S, R]):
    """A step that works with the ports in `Deps`."""

    default_id: ClassVar[str]
    phase: ClassVar[str] = RECOVER
    params: ClassVar[type[Fact]] = NoParams
    manual: ClassVar[tuple[str, ...]]
    """What a person types instead; `{app}`, `{manage}` and the step's parameters are filled in."""
    may_be_added: ClassVar[bool] = False
    """Whether it may stand in a scenario beside those that the scenario must hold; what only reads always may."""

    def __init__(self, step_id: str, deps: Deps, params: Fact) -> None:
        super().__init__(step_id)
        del params
        self._deps = deps

    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        """The class that does it: another one where the parameters decide what the step needs and gives."""
        del params
        return cls


AnyStep = type[DepsStep[Any, Any]]


def shut(view: View) -> bool:
    """Whether this run has shut users out and not let them in again."""
    mode = view.get(MaintenanceSet)
    return mode is not None and mode.enabled
