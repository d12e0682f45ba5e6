"""`exercises` and `supplies` of scenarios.yaml: what must be rehearsed, reviewed or at hand, and how often."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from uscdr.models.base import Fact

if TYPE_CHECKING:
    from collections.abc import Iterable

Every = Literal["monthly", "quarterly", "yearly"]
"""Once in every calendar month, quarter or year."""
DoneBy = Literal["proof", "drill", "communication", "record", "training"]
DrillName = Literal["db", "app", "media", "infra", "backups"]
"""The scenarios that `uscdr drill` rehearses."""
APPROVAL = "document-approval"
"""The name under which the approval of the document is recorded; no exercise has it."""
ExerciseName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+){0,8}$")]


class Exercise(Fact):
    """One test or review, and what counts as done.

    `done_by`: `proof` is a proven backup of the target; `drill` is a sound run of every drill in `drills`;
    `communication` is a communication drill, or a review that a person records; `record` is a review with its date
    and the reviewer's name; `training` is such a record with the names of those who took part.
    """

    name: ExerciseName
    title: Annotated[str, Field(min_length=1)]
    every: Every
    done_by: DoneBy
    drills: tuple[DrillName, ...] = ()
    since: date | None = None
    """From when on it is required; default: since the document is in force."""

    @model_validator(mode="after")
    def _whole(self) -> Exercise:
        if (self.done_by == "drill") != bool(self.drills):
            raise ValueError("`drills` lists the drills of an exercise with `done_by: drill`, and of no other")
        return self


class Supply(Fact):
    """Something that must be at hand in an emergency; a person attests it by name and date."""

    name: ExerciseName
    title: Annotated[str, Field(min_length=1)]
    every: Every = "quarterly"
    where: str = ""
    """Where it is, or how to get it. No secrets."""

    @property
    def exercise(self) -> Exercise:
        """The same as an exercise: a person records that it is at hand."""
        return Exercise(name=self.name, title=self.title, every=self.every, done_by="record")


def require_unique(names: Iterable[str], taken: Iterable[str] = ()) -> None:
    """Raises ValueError for a name that occurs twice, or that is taken or reserved."""
    seen = {APPROVAL, *taken}
    for name in names:
        if name in seen:
            raise ValueError(f"the name {name!r} is taken; give it another one")
        seen.add(name)
