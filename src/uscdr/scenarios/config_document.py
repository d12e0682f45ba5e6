"""`document` and `impact` of scenarios.yaml: the runbook as a controlled document, and what an outage concerns."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, model_validator

from uscdr.models.base import Fact
from uscdr.scenarios.config_exercises import Every, ExerciseName


class DocumentControl(Fact):
    """The document's version, reviews, approval and readers."""

    version: Annotated[str, Field(min_length=1)]
    classification: str = ""
    in_force: date
    """Since when the document applies: an exercise that was never done is counted from here."""
    last_review: date
    next_review: date
    review: Every = "quarterly"
    """How long after a recorded review the next one is due."""
    reviews: tuple[ExerciseName, ...] = ()
    """The exercises whose records count as a review of the document."""
    approved_by: str = ""
    distribution: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> DocumentControl:
        if not self.in_force <= self.last_review < self.next_review:
            raise ValueError("`in_force`, `last_review` and `next_review` must follow each other")
        return self


class BusinessImpact(Fact):
    """What an outage concerns, and how critical that is."""

    criticality: Annotated[str, Field(min_length=1)]
    concerns: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Both in one sentence without its full stop."""
        return f"{self.criticality} ({', '.join(self.concerns)})" if self.concerns else self.criticality
