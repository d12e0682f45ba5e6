"""`document`, `impact` and `links` of scenarios.yaml: the runbook as a controlled document, and where it points."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from uscdr.models.base import Destination, Fact
from uscdr.scenarios.config_exercises import Every, ExerciseName
from uscdr.scenarios.config_targets import Address


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


_PROVIDERS = re.compile(r"(?:[a-z0-9-]+\.)*(?:heroku|cloudinary|djangoproject|github)\.com")


def _is_of_a_provider(url: str | None) -> bool:
    """Whether the page is the documentation or the console of a provider: no other host learns of a request."""
    parts = urlsplit(url or "")
    return parts.scheme == "https" and _PROVIDERS.fullmatch(parts.hostname or "") is not None


class ReferenceLink(Fact):
    """A page to read, or a tool that watches the system: at an address, by a command, or only named so far."""

    title: Annotated[str, Field(min_length=1)]
    kind: Literal["documentation", "monitoring"] = "documentation"
    url: Annotated[Address | None, Destination(_is_of_a_provider)] = None
    """Opened by `uscdr runbook --online`."""
    command: str = ""
    note: str = ""
    """What is known of it, such as that the page does not exist."""
