"""How people are told, and what follows an incident: `communication:` and `incident:` in scenarios.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from uscdr.models.base import Duration, Fact
from uscdr.models.incidents import OUTBOX, PAGE
from uscdr.scenarios.config_channels import AudienceSettings, ChannelSettings

ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+){0,5}$")]
_Interval = Annotated[Duration, Field(ge=60, le=7 * 86400)]
OWN_CHANNELS = frozenset({OUTBOX, PAGE})


class Communication(Fact):
    """When notices are due, and over which channels they go."""

    first: _Interval = 900.0
    """From the detection to the first notice."""
    every: _Interval = 1800.0
    """Between two notices while the service is down."""
    completion: _Interval = 900.0
    """From the restoration to the notice of it."""
    contact: str = ""
    """How users reach the clinic meanwhile; part of every notice to users."""
    audience: AudienceSettings = Field(default_factory=AudienceSettings)
    channels: dict[ChannelName, ChannelSettings] = Field(default_factory=dict)

    @field_validator("channels")
    @classmethod
    def _not_our_own(cls, value: dict[str, ChannelSettings]) -> dict[str, ChannelSettings]:
        for name in OWN_CHANNELS & value.keys():
            raise ValueError(f"a channel named {name!r} cannot be added: uscdr has one of its own; give another name")
        return value


class ReviewQuestion(Fact):
    """A question that the report cannot be closed without, or that somebody waives by name."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z]+(?:-[a-z]+){0,4}$")]
    question: str


class IncidentSettings(Fact):
    """What follows the restoration: tasks with their times, and the questions of the review."""

    follow_up: tuple[str, ...] = ()
    """Tasks of every incident, each beginning with its time: `Within 24 h: …`, `Within a week: …`, `At once: …`."""
    review: tuple[ReviewQuestion, ...] = ()

    @field_validator("review")
    @classmethod
    def _unique(cls, questions: tuple[ReviewQuestion, ...]) -> tuple[ReviewQuestion, ...]:
        if len({one.id for one in questions}) < len(questions):
            raise ValueError("two questions have the same id")
        return questions
