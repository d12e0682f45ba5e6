"""Single values, the key, published passwords and the application's own number."""

from __future__ import annotations

import hashlib
import secrets
import traceback
from dataclasses import replace
from typing import Any

import pytest
from kinds_database_world import KEY, NAME, VARIABLE, Place
from pydantic import SecretStr, ValidationError

from uscdr.checks.kinds.data import DecryptCheck, PasswordsCheck
from uscdr.checks.kinds.database import SqlCheck
from uscdr.checks.kinds.http import AgreeCheck
from uscdr.errors import BadInput, ProviderError
from uscdr.models.data_settings import CanaryColumn
from uscdr.models.probes import WebAnswer

PATIENTS = "SELECT count(*) FROM patient"


def query(text: str = PATIENTS, **bounds: Any) -> SqlCheck:
    return SqlCheck.model_validate({"kind": "sql", "query": text, **bounds})


def test_a_query_without_a_bound_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one of"):
        query()
    with pytest.raises(ValidationError):
        query("", equals=1)
    with pytest.raises(ValidationError):
        query(shrink=1.5)


@pytest.mark.parametrize(
    ("text", "bounds", "verdict", "words"),
    [
        (PATIENTS, {"minimum": 100}, "pass", "100 (expected >= 100) in "),
        (PATIENTS, {"minimum": 101}, "fail", "100, expected >= 101"),
        (PATIENTS, {"maximum": 99}, "fail", "100, expected <= 99"),
        (PATIENTS, {"equals": 100}, "pass", "100 (expected = 100)"),
        (PATIENTS, {"equals": "100"}, "pass", "100 (expected = 100)"),
        (PATIENTS, {"equals": 7.5}, "fail", "100, expected = 7.5"),
        ("SELECT count(*) = 100 FROM patient", {"equals": True}, "pass", "true (expected = true)"),
        ("SELECT count(*) = 1 FROM patient", {"equals": True}, "fail", "false, expected = true"),
        (PATIENTS, {"within": "10s"}, "pass", "100 in 0."),
        ("SELECT pg_sleep(0.4)", {"within": "0.1s"}, "fail", "the query took 0."),
        ("SELECT 1 FROM gone", {"minimum": 1}, "inconclusive", "query failed: undefined table (42P01)"),
        ("SELECT id FROM patient", {"minimum": 1}, "inconclusive", "the query returned more than one row"),
        ("SELECT name FROM patient WHERE id = 1", {"minimum": 1}, "fail", "another text (18 characters)"),
        ("SELECT name::int FROM patient WHERE id = 1", {"minimum": 1}, "inconclusive", "query failed: invalid text"),
        ("DELETE FROM patient RETURNING 1", {"minimum": 1}, "inconclusive", "query failed: read only sql"),
        ("SELECT 1; DELETE FROM record", {"minimum": 1}, "inconclusive", "query failed: syntax error"),
        (PATIENTS, {"shrink": 0.1}, "pass", "100 in 0."),
        ("SELECT name FROM patient WHERE id = 1", {"shrink": 0.1}, "inconclusive", "another text (18 characters): not"),
    ],
)
def test_one_value(place: Place, text: str, bounds: dict[str, Any], verdict: str, words: str) -> None:
    found, evidence = place.ask(query(text, **bounds))
    assert (found, evidence.startswith(words)) == (verdict, True), evidence
    assert place.ask(query(minimum=100))[0] == "pass"


def test_a_value_shrinks(place: Place) -> None:
    check = query("SELECT count(*) FROM record", shrink=0.1)
    assert place.ask(check)[1].endswith("no baseline to compare with")
    place.keep(check)
    place.run("DELETE FROM record WHERE id <= 10")
    assert place.ask(check)[0] == "pass"
    place.run("DELETE FROM record WHERE id <= 11")
    assert place.ask(check) == ("fail", "89, the baseline has 100: down by 11%, allowed are 10%")
    place.run("INSERT INTO record (patient_id) SELECT 1 FROM generate_series(1, 500)")
    assert place.ask(check)[0] == "pass"


def test_a_query_that_the_server_cuts_short_was_not_fast(place: Place) -> None:
    place.patience = 0.5
    verdict, evidence = place.ask(query("SELECT pg_sleep(60)", within="0.2s"))
    assert (verdict, "allowed are 0.2 s" in evidence) == ("fail", True)
    words = "query failed: query canceled (57014)"
    assert place.ask(query("SELECT pg_sleep(60)", within="60s")) == ("inconclusive", words)


DECRYPT = DecryptCheck(kind="decrypt")


def seal(place: Place, rows: int, key: str, text: str = NAME) -> None:
    place.run(
        f"INSERT INTO patient (name, name_enc) SELECT '{NAME}', pgp_sym_encrypt('{text}', '{key}', 's2k-mode=1')"
        f" FROM generate_series(1, {rows})"
    )


def test_the_key_fits(place: Place) -> None:
    words = f"{VARIABLE} decrypts all of 100 sampled values in 1 column"
    assert place.ask(DECRYPT) == ("pass", words)
    seal(place, 200, KEY)
    assert place.ask(DecryptCheck(kind="decrypt", sample=50))[1].startswith(f"{VARIABLE} decrypts all of 50")
    place.run("UPDATE patient SET name = NULL")
    assert place.ask(DECRYPT)[0] == "pass"


@pytest.mark.parametrize("value", [None, ""])
def test_the_key_is_lost(place: Place, value: str | None) -> None:
    place.config = {} if value is None else {VARIABLE: SecretStr(value)}
    verdict, evidence = place.ask(DECRYPT)
    assert (verdict, f"{VARIABLE} is not set" in evidence) == ("fail", True)


def test_another_key(place: Place) -> None:
    other = "planted-other-" + secrets.token_hex(8)
    place.planted.append(other)
    place.config = {VARIABLE: SecretStr(other)}
    words = f"{VARIABLE} does not fit 100 of 100 in patient.name_enc"
    assert place.ask(DECRYPT) == ("fail", words)


def test_rows_under_two_keys(place: Place) -> None:
    other = "planted-other-" + secrets.token_hex(8)
    place.planted.append(other)
    seal(place, 3, other)
    words = f"{VARIABLE} does not fit 3 of 103 in patient.name_enc"
    assert place.ask(DECRYPT) == ("fail", words)


def test_another_content_than_beside_it(place: Place) -> None:
    place.planted.append("somebody else")
    seal(place, 4, KEY, "somebody else")
    verdict, evidence = place.ask(DECRYPT)
    assert verdict == "pass", "a few that open are no sign of another key"
    assert "INSPECT 4 of 104 in patient.name_enc: they decrypt to something else than" in evidence
    seal(place, 1, KEY, "somebody else")
    verdict, evidence = place.ask(DECRYPT)
    assert (verdict, "5 of 105 in" in evidence, "something else" in evidence) == ("fail", True, True)


def test_rows_written_without_encryption(place: Place) -> None:
    place.run(f"INSERT INTO patient (name) VALUES ('{NAME}'), ('{NAME} B'), (NULL), ('')")
    words = "2 values in plain text only, allowed are 0: patient.name_enc (2)"
    assert place.ask(DECRYPT) == ("fail", words)
    allowing = DecryptCheck(kind="decrypt", unencrypted=2)
    assert place.ask(allowing)[1].endswith("; 2 in plain text only")
    place.keep(allowing)
    assert place.ask(DECRYPT)[0] == "pass"
    place.run(f"INSERT INTO patient (name) VALUES ('{NAME}')")
    words = "more values in plain text only than in the baseline: patient.name_enc 2 -> 3"
    assert place.ask(allowing) == ("fail", words)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("ALTER TABLE patient DROP COLUMN name_enc", "there is no column patient.name_enc"),
        ("ALTER TABLE patient DROP COLUMN name", "there is no column patient.name"),
        ("DROP TABLE patient CASCADE", "there is no table patient"),
        ("DROP EXTENSION pgcrypto", "there is no extension pgcrypto"),
    ],
)
def test_nothing_to_decrypt_with(place: Place, damage: str, words: str) -> None:
    place.run(damage)
    assert place.ask(DECRYPT) == ("fail", words)


def test_a_missing_column_is_no_less_a_failure_beside_a_good_one(place: Place) -> None:
    both = (*place.expected.canaries, CanaryColumn(table="record", encrypted="note_enc", plain="note"))
    place.expected = replace(place.expected, canaries=both)
    assert place.ask(DECRYPT)[0] == "fail"


def test_nothing_encrypted_says_nothing_of_the_key(place: Place) -> None:
    place.run("TRUNCATE patient CASCADE")
    assert place.ask(DECRYPT)[0] == "inconclusive"
    place.expected = replace(place.expected, canaries=())
    assert place.ask(DECRYPT)[0] == "inconclusive"


PUBLISHED = "planted-default-2025"
ADMINS = "SELECT id, password FROM account WHERE is_active AND is_superuser ORDER BY id"
PASSWORDS = PasswordsCheck.model_validate(
    {"kind": "passwords", "published": ["planted-first", PUBLISHED], "query": ADMINS, "timeout": "60s"}
)


def admin(place: Place, password: str | None, *, active: bool = True) -> None:
    """One administrator with the hash of this password, or with this hash when it has a `$` or a `!`."""
    place.planted += [PUBLISHED, "planted-first", "planted$salt", "root@clinic.example"]
    kept = password
    if password is not None and not set("$!") & set(password):
        kept = f"md5$planted-salt${hashlib.md5(('planted-salt' + password).encode()).hexdigest()}"
        place.planted.append(kept)
    quoted = "NULL" if kept is None else f"'{kept}'"
    place.run(
        "INSERT INTO account (email, password, is_active, is_superuser)"
        f" VALUES ('root@clinic.example', {quoted}, {active}, true)"
    )


def test_nobody_has_a_published_password(place: Place) -> None:
    assert place.ask(PASSWORDS) == ("inconclusive", "the query found no account")
    for password in ("a good one", "!unusable", None):
        admin(place, password)
    admin(place, PUBLISHED, active=False)
    words = "3 accounts, none has one of 2 published passwords"
    assert place.ask(PASSWORDS) == ("pass", words)


def test_somebody_has_a_published_password(place: Place) -> None:
    admin(place, "a good one")
    admin(place, PUBLISHED)
    words = "1 active account has a publicly known password: id 2"
    assert place.ask(PASSWORDS) == ("fail", words)
    admin(place, "planted-first")
    admin(place, "argon2$argon2id$v=19$m=1,t=1,p=1$x$y")
    words = "2 active accounts have a publicly known password: id 2, 3"
    assert place.ask(PASSWORDS) == ("fail", words)


def test_a_hash_that_cannot_be_tried_is_no_pass(place: Place) -> None:
    admin(place, "a good one")
    admin(place, "bcrypt_sha256$$2b$12$abc")
    assert place.ask(PASSWORDS) == ("inconclusive", "uscdr could not test 1 of 2 accounts")


def test_a_query_for_something_else_is_told_without_its_rows(place: Place) -> None:
    admin(place, PUBLISHED)
    for text, kind in (("SELECT email FROM account", BadInput), ("SELECT email, gone FROM account", ProviderError)):
        with pytest.raises(kind) as caught:
            PASSWORDS.model_copy(update={"query": text}).run("it", place.world())
        told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
        assert not [one for one in place.planted if one in told]
        assert "gone FROM" not in repr(vars(caught.value))


def test_published_passwords_do_not_stand_in_the_specs_text() -> None:
    assert PUBLISHED not in f"{PASSWORDS!r} {PASSWORDS.model_dump_json()}"


class Site:
    """Answers in turn."""

    def __init__(self, *answers: WebAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bool]] = []

    def ask(
        self, method: str, path: str, *, token: SecretStr | None = None, json_body: Any = None, empty_form: bool = False
    ) -> WebAnswer:
        self.asked.append((method, path, token is not None))
        return self.answers.pop(0)


AGREE = AgreeCheck.model_validate(
    {"kind": "agree", "path": "/stats/", "auth": True, "json": "totals.patients", "query": PATIENTS}
)


def says(place: Place, *answers: tuple[int, str], spec: AgreeCheck = AGREE) -> tuple[str, str]:
    place.website = Site(*(WebAnswer(status=status, body=body.encode()) for status, body in answers))
    result = place.ask(spec)
    assert not place.website.answers
    assert set(place.website.asked) <= {("GET", "/stats/", spec.auth)}
    return result


GOOD, OTHER = (200, '{"totals": {"patients": 100}}'), (200, '{"totals": {"patients": 7}}')


def test_both_agree(place: Place) -> None:
    assert says(place, GOOD) == ("pass", "/stats/ and the database both say 100")
    assert says(place, OTHER, GOOD)[0] == "pass"
    open_to_all = AGREE.model_copy(update={"auth": False})
    assert says(place, GOOD, spec=open_to_all)[0] == "pass"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OTHER, "/stats/ says 7, the database 100: the application may use another database"),
        ((200, '{"totals": {}}'), "/stats/: 0 numbers at JSON"),
        ((200, f'{{"totals": {{"patients": "{NAME}"}}}}'), "/stats/: 0 numbers at JSON"),
        ((200, '{"totals": {"patients": true}}'), "/stats/: 0 numbers at JSON"),
        ((200, f"<html>{NAME}</html>"), "/stats/: 0 numbers at JSON"),
        ((500, NAME), "/stats/: status 500, expected 200"),
        ((403, ""), "/stats/: status 403, expected 200"),
    ],
)
def test_they_do_not_agree(place: Place, answer: tuple[int, str], words: str) -> None:
    verdict, evidence = says(place, answer, answer)
    assert (verdict, evidence.startswith(words)) == ("fail", True), evidence


def test_whether_they_agree_is_not_known(place: Place) -> None:
    for text in ("SELECT 1 FROM gone", "SELECT name FROM patient LIMIT 1", "SELECT name FROM patient"):
        assert says(place, GOOD, spec=AGREE.model_copy(update={"query": text}))[0] == "inconclusive"
    place.run("TRUNCATE patient CASCADE")
    verdict, evidence = says(place, (200, '{"totals": {"patients": 0}}'))
    assert (verdict, "both say 0" in evidence) == ("inconclusive", True)
    place.signed_in = False
    assert says(place)[0] == "not checked"
