"""What is left out of a dump never takes a row with it."""

from __future__ import annotations

import time

import pytest

from uscdr.providers.postgres.contents import DATA, NO_SECTION, POST_DATA, PRE_DATA, DumpEntry
from uscdr.providers.postgres.selection import AllowedExtensions, EntrySelection
from uscdr.providers.postgres.statements import RestoreStatements
from uscdr.words import first_of


def entry(number: int, kind: str, name: str = "x", section: int = PRE_DATA, **given: object) -> DumpEntry:
    """One entry of a table of contents."""
    facts = {"rows": 0, "schema": "public", "definition": b"", "removal": b"", "copy": b"", "method": ""} | given
    needs = frozenset(facts.pop("needs", ()))  # type: ignore[call-overload]
    return DumpEntry(number=number, kind=kind, name=name, section=section, needs=needs, **facts)  # type: ignore[arg-type]


EXTENSION = entry(1, "EXTENSION", "pg_stat_statements", schema="")
VIEW = entry(2, "VIEW", "slow", needs=(1,))
OVER = entry(3, "VIEW", "slower", needs=(2,))
NOTE = entry(4, "COMMENT", "VIEW slow", NO_SECTION, needs=(2,))
TABLE = entry(5, "TABLE", "kept", needs=(3,))
HELD = entry(6, "TABLE DATB", "kept", DATA, needs=(3,), rows=1)


def test_what_hangs_on_it_goes_with_it_and_is_named() -> None:
    less = EntrySelection((EXTENSION, VIEW, OVER, NOTE), ()).without({1}, "it is not there")
    assert less is not None
    assert less.entries == ()
    assert [(one.what, one.why) for one in less.left_out] == [
        ("extension pg_stat_statements", "it is not there"),
        ("view slow", "it depends on extension pg_stat_statements, which is left out"),
        ("view slower", "it depends on extension pg_stat_statements, which is left out"),
    ]


def test_a_name_of_several_lines_stays_on_one() -> None:
    """What a dump calls its objects may look like what we say."""
    assert entry(1, "EXTENSION", "x\nb001: decrypts\x1b[2J", schema="").words == r"extension x\nb001: decrypts\x1b[2J"
    assert first_of(["a\nb", "c"]) == r"a\nb, c"


def test_a_table_or_rows_are_never_left_out() -> None:
    """Whatever a damaged entry calls them."""
    assert EntrySelection((EXTENSION, VIEW, OVER, TABLE), ()).without({1}, "it is not there") is None
    assert EntrySelection((EXTENSION, VIEW, OVER, HELD), ()).without({1}, "it is not there") is None
    assert RestoreStatements((EXTENSION, HELD)).rows() == [HELD]


def test_several_go_with_what_hangs_on_them_and_what_rows_hang_on_stays() -> None:
    wrapper, server = entry(20, "FOREIGN DATA WRAPPER", "w"), entry(21, "SERVER", "s", needs=(20,))
    needed, over = entry(22, "OPERATOR CLASS", "o"), entry(23, "VIEW", "v", needs=(21,))
    table = entry(24, "TABLE", "t", needs=(22,))
    less = EntrySelection((wrapper, server, needed, over, table), ()).less({20: "first", 21: "second", 22: "third"})
    assert less.entries == (needed, table)
    assert [(one.what, one.why) for one in less.left_out] == [
        ("foreign data wrapper w", "first"),
        ("server s", "it depends on foreign data wrapper w, which is left out"),
        ("view v", "it depends on foreign data wrapper w, which is left out"),
    ]


@pytest.mark.parametrize("kind", ["FUNCTION", "OPERATOR CLASS", "EXTENSION", "SERVER"])
def test_many_entries_take_no_longer_each_than_few(kind: str) -> None:
    """Whoever writes into a database decides how many there are, and what hangs on what."""
    schema, many = "_heroku" if kind == "FUNCTION" else "public", 20_000
    entries = [entry(one, kind, f"x{one}", schema=schema, needs=(one - 1,)) for one in range(1, many)]
    begun = time.process_time()
    admitted = AllowedExtensions.of(EntrySelection.of(entries), {}, "this machine's PostgreSQL")
    assert time.process_time() - begun < 10
    assert not admitted.selection.entries
    assert len(admitted.selection.left_out) == many - 1


def test_a_comment_belongs_where_it_stands() -> None:
    """Also the first of all, which stands before anything of a section."""
    key = entry(7, "CONSTRAINT", "k", POST_DATA)
    of_key = entry(8, "COMMENT", "CONSTRAINT k", NO_SECTION)
    entries = (NOTE, TABLE, HELD, key, of_key)
    assert RestoreStatements(entries)._section(PRE_DATA) == [NOTE, TABLE]
    assert RestoreStatements(entries)._section(DATA) == [HELD]
    assert RestoreStatements(entries)._section(POST_DATA) == [key, of_key]


def test_the_platforms_function_that_a_default_calls_stays() -> None:
    schema, call = entry(10, "SCHEMA", "_heroku", schema=""), entry(11, "FUNCTION", "f()", schema="_heroku")
    idle = entry(12, "FUNCTION", "g()", schema="_heroku")
    table = entry(13, "TABLE", "t", needs=(11,))
    chosen = EntrySelection.of((schema, call, idle, table))
    assert chosen.entries == (schema, call, table)
    assert [(one.what, one.of_platform) for one in chosen.left_out] == [("function _heroku.g()", True)]


def test_roles_are_read_as_they_are_quoted() -> None:
    head = b'CREATE POLICY "TO ""x""" ON public."my TO y" AS RESTRICTIVE FOR SELECT TO '
    policy = entry(
        20, "POLICY", "t p", POST_DATA, definition=head + b'analyst, "Odd ""r"", x", CURRENT_USER USING (true);'
    )
    assert policy.roles == {"analyst", 'Odd "r", x'}
    everybody = entry(
        21, "POLICY", "t p", POST_DATA, definition=b"CREATE POLICY p ON public.t USING ((a = 'TO b'::text));"
    )
    assert everybody.roles == frozenset()
    mapping = entry(22, "USER MAPPING", "m", definition=b'CREATE USER MAPPING FOR "Far" SERVER s;')
    assert mapping.roles == {"Far"}
    assert entry(23, "USER MAPPING", "m", definition=b"CREATE USER MAPPING FOR PUBLIC SERVER s;").roles == frozenset()
