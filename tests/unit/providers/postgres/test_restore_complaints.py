"""Of what pg_restore writes, only words that cannot be a patient's are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.providers.postgres.complaints import Complaint, lack, lacking

WITHHELD = "uscdr does not show the server's message: it may quote rows"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            'pg_restore: error: could not execute query: ERROR:  invalid input syntax for type date: "Ana"',
            ["could not execute query: invalid input syntax for type date"],
        ),
        (
            'pg_restore: error: COPY failed for table "p": ERROR:  duplicate key value violates unique constraint "k"',
            ['COPY failed for table "p": duplicate key value violates unique constraint "k"'],
        ),
        (
            'pg_restore: error: could not execute query: ERROR:  duplicate key value violates unique constraint "r_k"',
            ['could not execute query: duplicate key value violates unique constraint "r_k"'],
        ),
        (
            'pg_restore: error: could not execute query: ERROR:  insert or update on table "r" violates Ana "r_fk"',
            ["could not execute query: insert or update on table"],
        ),
        (
            'pg_restore: error: could not execute query: ERROR:  role "Ana" does not exist',
            ["could not execute query: role"],
        ),
        (
            "pg_restore: error: could not execute query: ERROR:  Ana is too young",
            [f"could not execute query: {WITHHELD}"],
        ),
        ("pg_restore: error: something new: ERROR: Ana", [WITHHELD]),
        (
            "pg_restore: error: could not uncompress data: incorrect data check",
            ["could not uncompress data: incorrect data check"],
        ),
        ('pg_restore: error: could not open input file "/home/ana/d"', ["could not open input file"]),
        ("DETAIL:  Key (name)=(Ana) already exists.", []),
        ('CONTEXT:  COPY p, line 1: "Ana"', []),
        ("Command was: INSERT INTO p VALUES ('Ana')", []),
        ("pg_restore: detail: Ana", []),
        ("pg_restore: warning: errors ignored on restore: 1", []),
    ],
)
def test_what_is_kept(line: str, kept: list[str]) -> None:
    assert Complaint.all_in([line]) == kept


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("ICU is not supported in this build", "ICU"),
        ('collation "pg_catalog.en-x-icu" for encoding "UTF8" does not exist', "ICU (collation en-x-icu)"),
        ('collation "pg_catalog.fr_FR" for encoding "UTF8" does not exist', "the locale fr_FR"),
        ('could not create locale "fr_FR.UTF-8": No such file or directory', "the locale fr_FR.UTF-8"),
        ('invalid locale name "PG_UNICODE_FAST" for builtin provider', "the locale PG_UNICODE_FAST"),
        ('extension "vector" is not available', "the extension vector"),
        ('could not open extension control file "/x/postgis.control": No such file', "the extension postgis"),
        ('could not access file "$libdir/postgis-3": No such file or directory', "the library postgis-3"),
        ('collation "public.mine" for encoding "UTF8" does not exist', ""),
        ('extension "Ana; DROP" is not available', ""),
        ('relation "p" does not exist', ""),
    ],
)
def test_what_a_server_lacks_is_told_from_what_is_wrong(message: str, what: str) -> None:
    assert lack(message) == what
    (reason,) = Complaint.all_in([f"pg_restore: error: could not execute query: ERROR:  {message}"])
    assert reason.lacks == what
    assert not what or not reason.blames_machine


def test_icu_is_named_once() -> None:
    error = lacking(["ICU", "ICU", "ICU (collation a)", "the locale b"], "this machine's PostgreSQL")
    assert error.message == "This machine's PostgreSQL lacks ICU (collation a), the locale b."


@given(st.text(alphabet=st.characters(exclude_characters="\r\n")))
def test_free_text_of_the_server_is_never_kept(value: str) -> None:
    told = [
        f"pg_restore: error: could not execute query: ERROR:  zz{value}",
        f'pg_restore: error: COPY failed for table "p": ERROR:  invalid input syntax for type date: "{value}"',
        f"DETAIL:  {value}",
    ]
    assert Complaint.all_in(told) == [
        f"could not execute query: {WITHHELD}",
        'COPY failed for table "p": invalid input syntax for type date',
    ]


def test_the_machines_troubles_are_told_from_the_dumps() -> None:
    full = 'pg_restore: error: COPY failed for table "p": ERROR:  could not extend file "base/1": No space'
    (reason,) = Complaint.all_in([full])
    assert reason.blames_machine
    assert not Complaint("could not uncompress data: incorrect data check").blames_machine
