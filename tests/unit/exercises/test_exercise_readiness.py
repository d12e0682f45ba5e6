"""What a document and its contacts lack."""

from __future__ import annotations

from typing import Any

import pytest
from exercise_world import CONFIG, attested, day

from uscdr.exercises.readiness import findings, reviewed
from uscdr.exercises.records import AttestedRecord
from uscdr.models.placeholders import is_placeholder, reaches_nobody
from uscdr.scenarios.config import Config, Contact
from uscdr.scenarios.config_document import DocumentControl

assert CONFIG.document is not None
DOCUMENT: DocumentControl = CONFIG.document
PEOPLE = (Contact(role="Lead", name="Ada Reyes", how="+63 32 000 0000"),)


def config(*, contacts: tuple[Contact, ...] = PEOPLE, document: DocumentControl | None = DOCUMENT) -> Config:
    return CONFIG.model_copy(update={"contacts": contacts, "document": document})


def document(**changes: Any) -> DocumentControl:
    return DocumentControl.model_validate({**DOCUMENT.model_dump(), "approved_by": "Ada Reyes", **changes})


def told(found: Config, *records: AttestedRecord, today: str = "2026-11-20") -> dict[str, bool]:
    return {one.subject: one.overdue for one in findings(found, records, day(today))}


def test_the_packaged_document_lacks_a_review_an_approver_and_people() -> None:
    assert told(CONFIG) == {"document": True, "approval": False, "contacts": False}


def test_a_document_that_is_reviewed_approved_and_has_people_lacks_nothing() -> None:
    assert told(config(document=document(next_review="2026-11-20"))) == {}


@pytest.mark.parametrize(
    ("today", "overdue"), [("2025-11-13", False), ("2025-11-14", False), ("2025-11-15", True), ("2026-11-20", True)]
)
def test_a_review_is_overdue_on_the_day_after(today: str, overdue: bool) -> None:
    assert told(config(document=document()), today=today) == ({"document": True} if overdue else {})


@pytest.mark.parametrize(
    ("records", "last", "following"),
    [
        ([], "2025-08-14", "2025-11-14"),
        ([attested("procedures-review", "2026-08-20")], "2026-08-20", "2026-11-20"),
        ([attested("documentation-review", "2026-11-30")], "2026-11-30", "2027-02-28"),
        ([attested("procedures-review", "2026-08-20"), attested("procedures-review", "2026-05-02")],
         "2026-08-20", "2026-11-20"),
        # neither an older record nor one of something else says anything of the file's date
        ([attested("procedures-review", "2025-08-14"), attested("contacts-review", "2026-11-02")],
         "2025-08-14", "2025-11-14"),
    ],
)  # fmt: skip
def test_a_newer_record_counts_for_the_review(records: list[AttestedRecord], last: str, following: str) -> None:
    found = reviewed(DOCUMENT, records)
    assert (found.last, found.next) == (day(last), day(following))


def test_a_recorded_review_is_in_time_until_its_own_next_one() -> None:
    record = attested("procedures-review", "2026-08-20")
    assert told(config(document=document()), record, today="2026-11-20") == {}
    assert told(config(document=document()), record, today="2026-11-21") == {"document": True}
    assert told(config(document=document()), record, today="2026-08-19") == {"document": True}, "not yet done then"


@pytest.mark.parametrize("name", ["", "  ", "[System Administrator]", "TBD", "tba", "<name>", "Your name", "?"])
def test_a_placeholder_approves_nothing(name: str) -> None:
    assert told(config(document=document(approved_by=name, next_review="2027-01-01"))) == {"approval": False}


def test_an_approval_is_one_of_this_version() -> None:
    approval = attested("document-approval", "2026-11-02", kind="approval")
    fresh = {"approved_by": "TBD", "next_review": "2027-01-01"}
    assert told(config(document=document(**fresh)), approval) == {}
    assert told(config(document=document(**fresh, version="1.1")), approval) == {"approval": False}
    review = attested("procedures-review", "2026-11-02")
    assert told(config(document=document(**fresh)), review) == {"approval": False}


@pytest.mark.parametrize(
    "contact",
    [
        Contact(role="Lead"),
        Contact(role="Lead", name="Ada"),
        Contact(role="Lead", how="+63"),
        Contact(role="Lead", name="[Add contact info]", how="+63"),
        Contact(role="Lead", name="Ada", how="[Add contact info]"),
        Contact(role="Lead", name="TBD", how="TBD"),
    ],
)
def test_a_contact_that_reaches_nobody_is_named(contact: Contact) -> None:
    found = findings(
        config(contacts=(*PEOPLE, contact), document=document(next_review="2027-01-01")), (), day("2026-11-20")
    )
    assert ["Lead" in one.message for one in found] == [True]


def test_no_contacts_and_no_document_are_found() -> None:
    assert told(config(contacts=(), document=None)) == {"document": False, "contacts": False}


def test_a_query_in_an_address_is_no_placeholder() -> None:
    assert not reaches_nobody("Heroku", "https://help.heroku.com/?ticket=1")
    assert reaches_nobody("Heroku", "?")
    assert not is_placeholder("Ada Reyes")
