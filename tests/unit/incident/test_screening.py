"""What must not leave this machine is found, and ordinary notices pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import BadInput
from uscdr.incident.notices import NoticeFacts, composed
from uscdr.incident.screening import Screening
from uscdr.models.incidents import READERS
from uscdr.redaction import Redactor

SECRETS = (
    "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", "-----BEGIN OPENSSH PRIVATE KEY-----",
    "postgres://ada:hunter2@db.example/app", "HRKU-01234567-89ab-cdef-0123-456789abcdef", "ghp_abcdefghij0123456789",
    "xoxb-123456789012-abcdef", "sk_live_0123456789abcdef", "SG.abcdefghij.klmnopqrstuv", "AKIAABCDEFGHIJKLMNOP",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "https://hooks.slack.com/services/T0/B0/x",
    "https://discord.com/api/webhooks/1/abc", "01234567-89ab-4cde-8012-3456789abcde",
    "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b", "password: hunter22", "the token is abcd1234", "api key=abcd1234",
    "secret = s3cr3t!", "dGhpcyBpcyBhIHZlcnkgbG9uZyBrZXkgMTIz", "passphrase: correct horse",
)  # fmt: skip
PERSONS = (
    "ana.cruz@students.example", "Ana Cruz <ana@x.ph>", "+63 917 555 0142", "0917-555-0142", "(032) 555 01 42 77",
    "born 1984-03-05", "DOB: 5 March 1984",
    "birthday 12/04", "patient 10442", "student no. 20231234", "MRN 88123",
    "record #99120", "Patient Ana Cruz", "Patient's name: Ana Cruz", "diagnosed with asthma",
    "HIV positive", "allergic to penicillin", "prescribed amoxicillin", "ICD-10 J45.909",
    "Key (email)=(ana@x.ph) exists",
)  # fmt: skip


def found(text: str, **rules: object) -> list[str]:
    redactor = Redactor()
    return [one.kind for one in Screening(redactor.text, **rules).findings("a subject", text)]  # type: ignore[arg-type]


@pytest.mark.parametrize("canary", [*SECRETS, *PERSONS])
def test_a_canary_is_found_and_not_repeated(canary: str) -> None:
    text = f"The recovery goes on.\nSeen: {canary}\nMore later."
    with pytest.raises(BadInput) as refused:
        Screening(Redactor().text).require_clean("a subject", text)
    told = f"{refused.value.message} {refused.value.why} {refused.value.next_action}"
    assert canary not in told
    assert "line 2" in told


@pytest.mark.parametrize("canary", SECRETS[:5] + PERSONS[:5])
def test_it_is_found_in_a_subject_too(canary: str) -> None:
    found_there = Screening(Redactor().text).findings(f"down: {canary}", "a text")
    assert found_there
    assert found_there[0].words().startswith("the subject has ")


def test_a_secret_that_this_process_works_with_is_found() -> None:
    redactor = Redactor()
    redactor.register("HEROKU_API_KEY", "plain-words-as-a-key")
    kinds = [one.kind for one in Screening(redactor.text).findings("s", "it is plain-words-as-a-key")]
    assert kinds == ["a secret that uscdr works with"]


def test_words_that_the_application_knows_of_a_person_are_found() -> None:
    names = {"ana", "ana cruz", "severe migraine with aura"}
    assert found("Ana called.", is_private=names.__contains__) == [
        "a name or a value that the application has of a person"
    ]
    assert found("a severe  Migraine, with aura", is_private=names.__contains__)
    assert found("Nobody called.", is_private=names.__contains__) == []


@pytest.mark.parametrize(
    "text",
    [
        "Since: 2026-11-29 14:24 UTC", "Expected back: 2026-11-29 15:25 to 15:40 UTC", "Restore b001 (step 15 of 26)",
        "Data lost: 12 rows, written after backup b002", "The RTO of 2 h will be met.", "H12 errors since 02:10",
        "postgresql-curly-34461 is being restored", "1,460 of 1,460 rows", "Next update: by 2026-11-29 15:34 UTC",
        "Patient Records are read-only", "heroku-postgresql:essential-0", "run 20261129T151021Z-db-6805fc",
    ],
)  # fmt: skip
def test_ordinary_words_of_a_recovery_pass(text: str) -> None:
    assert found(text) == []


def test_what_the_configuration_allows_passes() -> None:
    assert found("Call +63 32 555 0142") == ["a telephone number"]
    assert found("Call +63 32 555 0142", allowed=("+63 32 555 0142",)) == []


@pytest.mark.parametrize("readers", READERS)
@pytest.mark.parametrize("stage", ["first", "update", "completion"])
def test_the_packaged_texts_pass_and_name_what_they_are_given(tmp_path: Path, stage: str, readers: str) -> None:
    incident = "20261128T021500Z-incident-4f2a9c"
    facts = NoticeFacts(
        incident=incident, service="usc-pis", target="production", what="the database is damaged", severity="critical",
        impact="medical records", lead="Ada", outage="2026-11-28 02:10 UTC", detected="2026-11-28 02:15 UTC",
        down_for="41 min", expected="2026-11-28 03:25 to 03:40 UTC", next_update="2026-11-28 03:00 UTC",
        progress="step 15 of 26, Restore b001: started", issues=("“Restore b001” failed",),
        restored="2026-11-28 03:31 UTC", verified="2026-11-28 03:33 UTC", lost="12 rows", entries_lost="before 02:10",
        summary="a disk failed", contact="the nurse on duty", review_by="2026-12-05 03:31 UTC", message="Thank you.",
    )  # fmt: skip
    draft = composed(stage, readers, facts, tmp_path)  # type: ignore[arg-type]
    assert Screening(Redactor().text, allowed=(incident,)).findings(draft.subject, draft.text) == ()
    assert "usc-pis" in draft.subject
    wanted = {
        ("first", "internal"): ("production", "Ada", "03:25", "03:00"),
        ("first", "users"): ("nurse on duty", "03:25", "03:00"),
        ("update", "internal"): ("step 15 of 26", "failed", "03:25"), ("update", "users"): ("nurse on duty", "03:25"),
        ("completion", "internal"): ("03:31", "12 rows", "2026-12-05"),
        ("completion", "users"): ("apologise", "a disk failed", "before 02:10"),
    }[stage, readers]  # fmt: skip
    assert [part for part in wanted if part not in draft.text] == []


def test_a_template_of_the_operator_comes_first_and_sees_only_facts(tmp_path: Path) -> None:
    def text(body: str) -> str:
        (tmp_path / "users-first.txt.j2").write_text(f"Subject: closed\n\n{body}")
        return composed("first", "users", FACTS, tmp_path).text

    assert text("Call us. {{ service }}") == "Call us. usc-pis\n"
    for body, why in [
        ("{{ nothing_of_this_name }}", "nothing_of_this_name"), ("{% if %}", "line 3"),
        ("{{ service.__class__.__mro__ }}", "users-first"), ("", "must begin with"),
        ('{% include "users-first.txt.j2" %}', "RecursionError"), ("long " * 2000, "more than 8,000 characters"),
    ]:  # fmt: skip
        with pytest.raises(BadInput) as refused:
            text(body)
        assert why in refused.value.message + refused.value.why
        assert "or remove it" in refused.value.next_action


FACTS = NoticeFacts(
    incident="i", service="usc-pis", target="t", what="w", severity="minor", impact="", lead="", outage="o",
    detected="d", down_for="1 min", expected="not known yet", next_update="n",
)  # fmt: skip
