"""Names and diagnoses are recognised by digests, and ordinary words are not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from uscdr.incident.audience import Audience
from uscdr.incident.private_words import ORDINARY, private_phrases
from uscdr.incident.screening import Screening
from uscdr.redaction import Redactor

NAMES = [(f"{first}", f"{last}") for first in ("Ana", "Ligaya", "Bonifacio", "Maria Clara", "José") for last in
         ("Cruz", "Dela Peña", "Reyes", "Macaraeg")]  # fmt: skip
DIAGNOSES = (
    "Asthma", "acute bronchitis", "Type 2 diabetes mellitus", "severe migraine with aura and nausea since childhood",
    "dengue fever", "PTSD", "hypertension, stage 2", "Crohn's disease",
)  # fmt: skip
VALUES = [*(f"{first} {last}" for first, last in NAMES), *(part for name in NAMES for part in name), *DIAGNOSES]


@pytest.fixture(scope="module")
def audience() -> Audience:
    return Audience.of((), "database", datetime(2026, 11, 28, tzinfo=UTC)).with_private(VALUES)


def screened(audience: Audience, text: str) -> bool:
    return bool(Screening(Redactor().text, audience.is_private).findings("subject", text))


@pytest.mark.parametrize("value", VALUES)
def test_every_value_is_recognised_within_a_sentence_in_any_spelling(audience: Audience, value: str) -> None:
    for spelled in (value, value.upper(), value.lower(), value.replace(" ", "  ")):
        assert screened(audience, f"The row of {spelled}, could not be read."), spelled


def test_a_part_of_a_long_value_is_recognised(audience: Audience) -> None:
    assert screened(audience, "It says migraine with aura and nausea there.")


def test_the_packaged_texts_have_only_ordinary_words(audience: Audience) -> None:
    for path in (Path(__file__).parents[3] / "src" / "uscdr" / "incident" / "templates").glob("*.j2"):
        for line in path.read_text().splitlines():
            assert not screened(audience, line.partition("{")[0])


@pytest.mark.parametrize("value", ["", "normal", "None", "N/A", "May", "12", "to", "well", "none known"])
def test_ordinary_entries_are_not_taken_for_a_person(value: str) -> None:
    assert list(private_phrases(value)) == []


def test_the_list_has_no_value_in_plain(audience: Audience) -> None:
    document = audience.model_dump_json()
    assert [value for value in VALUES if value in document] == []
    assert len(audience.private) > len(DIAGNOSES)
    assert all(len(one) == 12 for one in audience.private)
    assert "may" in ORDINARY
