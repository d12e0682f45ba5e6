"""Whether the document and its contacts are fit for use: reviews, approval, people who can be reached.

`findings` is the one rule; `uscdr drill due` and an incident use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.exercises.periods import after
from uscdr.models.placeholders import is_placeholder
from uscdr.scenarios.config_exercises import APPROVAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from uscdr.exercises.records import AttestedRecord
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_document import DocumentControl


@dataclass(frozen=True)
class ReadinessFinding:
    """One thing that is missing or overdue. `overdue`: a date has passed, so that `uscdr drill due` ends with 1."""

    subject: str
    """`document`, `approval` or `contacts`."""
    message: str
    do: str
    overdue: bool = False


@dataclass(frozen=True)
class ReviewState:
    """The document's newest review that is known, and the day until which the next one is in time."""

    last: date
    next: date
    by: str = ""
    """Who recorded it; empty for the one in scenarios.yaml."""


def findings(config: Config, records: Iterable[AttestedRecord], today: date) -> tuple[ReadinessFinding, ...]:
    """What is wrong with the document and the contacts today. `records`: `ExerciseLog.attested`."""
    known = [one for one in records if one.on <= today]
    return (*_document(config.document, known, today), *_contacts(config))


def reviewed(document: DocumentControl, records: Iterable[AttestedRecord]) -> ReviewState:
    """By scenarios.yaml, or by a newer record of one of the exercises in `document.reviews`."""
    newer = [one for one in records if one.name in document.reviews and one.on > document.last_review]
    if not newer:
        return ReviewState(document.last_review, document.next_review)
    last = max(newer, key=lambda one: one.on)
    return ReviewState(last.on, after(last.on, document.review), last.by)


def _approver(document: DocumentControl, records: Iterable[AttestedRecord]) -> str:
    """Who approved this version, by a record or by scenarios.yaml; empty for nobody or a placeholder."""
    recorded = [one for one in records if one.kind == "approval" and one.document == document.version]
    if recorded:
        return max(recorded, key=lambda one: one.on).by
    return "" if is_placeholder(document.approved_by) else document.approved_by


def _document(
    document: DocumentControl | None, records: list[AttestedRecord], today: date
) -> Iterator[ReadinessFinding]:
    if document is None:
        yield ReadinessFinding(
            "document",
            "scenarios.yaml does not say which version of the runbook this is, when it was reviewed, and who approved "
            "it.",
            "Add the section `document` to scenarios.yaml; the packaged file shows it: uscdr runbook",
        )
        return
    review = reviewed(document, records)
    if today > review.next:
        name = document.reviews[0] if document.reviews else ""
        yield ReadinessFinding(
            "document",
            f"The review of the document (version {document.version}) was due on {review.next}; the last one was on "
            f"{review.last}.",
            f"uscdr drill record {name} --by WHO" if name else "Change document.next_review in scenarios.yaml.",
            overdue=True,
        )
    if not _approver(document, records):
        said = f" (approved_by: {document.approved_by})" if document.approved_by.strip() else ""
        yield ReadinessFinding(
            "approval",
            f"Nobody has approved version {document.version} of the document{said}.",
            f"uscdr drill record {APPROVAL} --by WHO",
        )


def _contacts(config: Config) -> Iterator[ReadinessFinding]:
    empty = [one.role for one in config.contacts if one.is_placeholder]
    if empty or not config.contacts:
        who = f"nobody can be reached as {', '.join(empty)}" if empty else "it lists nobody"
        yield ReadinessFinding(
            "contacts",
            f"The contacts of scenarios.yaml are incomplete: {who}.",
            "Write name and how under contacts in scenarios.yaml.",
        )
