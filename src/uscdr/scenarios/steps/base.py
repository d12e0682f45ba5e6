"""The base class of all steps in scenarios.yaml, and what several steps share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import ConfigDict
from typing_extensions import override

from uscdr.engine.step import Step, View
from uscdr.models.base import Call, Fact
from uscdr.scenarios.by_hand import Names, app_of, commands
from uscdr.scenarios.results.db import MaintenanceSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.scenarios.adapters import Adapters

S = TypeVar("S", bound=Fact)
R = TypeVar("R", bound=Fact)
P = TypeVar("P", bound=Fact)

ASSESS, RECOVER = "assess", "recover"
"""The phases of every scenario."""


class StepParams(Fact):
    """The parameters of a step: none, unless it adds its own."""

    model_config = ConfigDict(model_title_generator=lambda kind: kind.__name__.lstrip("_"))


class ScenarioStep(Step[S, R], Generic[S, R]):
    """A step that works through the adapters of a target."""

    default_id: ClassVar[str]
    """Its id in a scenario that gives none: the part of its name after the dot, unless the class sets another."""
    phase: ClassVar[str] = RECOVER
    params: ClassVar[type[Fact]] = StepParams
    manual: ClassVar[tuple[str, ...]]
    """What a person types instead; `{app}`, `{manage}` and the step's parameters are filled in."""
    sends: ClassVar[tuple[Call, ...]] = ()
    """The requests that it will send, as far as they are known before its probe; `{app}` and the like are filled in."""
    may_be_added: ClassVar[bool] = False
    """Whether a scenario may have it besides the required steps; a reading step that needs nothing always may."""

    @override
    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in vars(cls) and "default_id" not in vars(cls):
            cls.default_id = cls.name.partition(".")[2] or cls.name

    def __init__(self, step_id: str, deps: Adapters, params: Fact) -> None:
        super().__init__(step_id)
        self._deps = deps
        self._given = params.model_dump()

    def given(self, kind: type[P]) -> P:
        """Its parameters, as the class that `params` names."""
        return kind.model_validate(self._given)

    @override
    def by_hand(self, known: Mapping[str, str]) -> tuple[str, ...]:
        return commands(self.manual, {**self._filled_in(), **known})

    @override
    def calls(self) -> tuple[Call, ...]:
        known = self._filled_in()
        return tuple(call.model_copy(update={"request": call.request.format_map(known)}) for call in self.sends)

    def _filled_in(self) -> dict[str, str]:
        new_app = self._deps.app
        names = Names(app_of(self.name, self._deps.old_app, new_app), new_app, self._deps.services.dns)
        return names.facts(self._deps.config, self._given)

    @classmethod
    def chosen(cls, params: Fact) -> AnyStep:
        """The class to use: a subclass if the parameters decide what the step needs and gives."""
        del params
        return cls


AnyStep = type[ScenarioStep[Any, Any]]


def shut(view: View) -> bool:
    """Whether maintenance mode is on because of this run."""
    mode = view.get(MaintenanceSet)
    return mode is not None and mode.enabled


# The calls that steps list in a plan.


def reads(method: str, path: str) -> Call:
    """A call to the platform that only reads."""
    return Call(provider="heroku", request=f"{method} {path}", writes=False)


def writes(method: str, path: str) -> Call:
    """A call to the platform that changes something."""
    return Call(provider="heroku", request=f"{method} {path}", writes=True)


def sql(what: str, *, changes: bool = False) -> Call:
    """A statement for the database."""
    return Call(provider="postgres", request=what, writes=changes)


RESTORED_BY_HAND = (
    "createuser --pwprompt proof && createdb --owner proof proof   # no superuser: functions of the dump run",
    "pg_restore --no-owner --no-acl -h 127.0.0.1 -U proof -d proof proof.dump",
)
"""How a person proves a backup by hand, with a role that has no rights outside of its database."""
DOWNLOADS = (reads("POST", "/client/v11/apps/{app}/transfers/…/actions/public-url"), reads("GET", "the signed link"))
"""The requests for a stored backup; a step fills in `{app}`."""
