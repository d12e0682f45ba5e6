"""What may be recorded by word, and what may not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from exercise_world import CONFIG, at_noon, day, exercise, known

from uscdr.errors import BadInput
from uscdr.exercises.attest import Attestation, _names, attested, communicated
from uscdr.exercises.records import AttestedRecord

NOW = at_noon("2026-11-20")


def recorded(name: str, by: str = "Ada Reyes", **more: Any) -> AttestedRecord:
    return attested(CONFIG, Attestation(name, by, **more), "ada on host", NOW)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("contacts-review", "review"),
        ("third-party-recovery", "review"),
        ("documentation-review", "review"),
        ("communication-review", "communication"),
        ("second-internet", "supply"),
        ("document-approval", "approval"),
    ],
)
def test_a_record_has_its_kind_its_day_and_the_documents_version(name: str, kind: str) -> None:
    found = recorded(name)
    assert (found.kind, found.on, found.by, found.document) == (kind, day("2026-11-20"), "Ada Reyes", "1.0")


def test_everything_that_may_be_recorded_can_be() -> None:
    assert len(_names(CONFIG)) == 11
    for name in _names(CONFIG):
        assert recorded(name, attendees=("Ben Cruz",)).name == name


def test_today_is_the_targets_day() -> None:
    late = at_noon("2026-11-20").replace(hour=16, minute=30)  # half past midnight in Manila
    given = Attestation("contacts-review", "Ada")
    assert attested(CONFIG, given, "", late).on == day("2026-11-21")


@pytest.mark.parametrize(
    ("given", "words", "following"),
    [
        ({"name": "nothing"}, "no exercise “nothing”", "contacts-review"),
        ({"name": "backup-verification"}, "cannot be recorded by word", "uscdr backup prove newest"),
        ({"name": "database-restore"}, "cannot be recorded by word", "uscdr drill db"),
        ({"name": "complete-drill"}, "cannot be recorded by word", "uscdr drill media"),
        ({"name": "staff-training"}, "needs the names of those who took part", "--attendee"),
        ({"name": "staff-training", "attendees": ("Ben", " ")}, "--attendee needs the name", "--attendee"),
        ({"by": ""}, "--by needs the name of a person", "--by"),
        ({"by": "  "}, "--by needs the name of a person", "--by"),
        ({"by": "[System Administrator]"}, "--by needs the name of a person", "--by"),
        ({"on": "2026-11-21"}, "is in the future", "on the day"),
        ({"on": "2027-02-29"}, "is not a date", "YYYY-MM-DD"),
        ({"on": "yesterday"}, "is not a date", "YYYY-MM-DD"),
        ({"note": "x" * 2001}, "2,001 characters", "Shorten"),
        ({"evidence": ("/no/such/file.pdf",)}, "There is no file", "--evidence"),
    ],
)
def test_it_is_refused_and_says_what_to_do(given: dict[str, Any], words: str, following: str) -> None:
    with pytest.raises(BadInput) as refused:
        recorded(**{"name": "contacts-review", **given})
    assert words in refused.value.message
    assert following in refused.value.next_action


def test_a_communication_drill_does_what_asks_for_communication() -> None:
    record = communicated(CONFIG, "comms", "ada on host", NOW, note="All five channels answered.")
    assert (record.kind, record.on) == ("communication", day("2026-11-20"))
    seen = known(record).of(exercise("monthly", "communication"), day("2026-11-20"))
    assert seen.counting is not None


def test_evidence_is_a_text_or_a_file_by_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"done")
    page, stored = recorded("contacts-review", evidence=("https://wiki/2026", str(file))).evidence
    assert (page.text, page.sha256, page.size) == ("https://wiki/2026", "", None)
    assert (stored.text, stored.sha256, stored.size) == ("report.pdf", hashlib.sha256(b"done").hexdigest(), 4)
