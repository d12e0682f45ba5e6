"""Many tables are read with as many questions to the catalogue as few, and small ones in few statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from uscdr.models.postgres import ForeignKey, UniqueKey

FEW, MANY = 5, 60


def fill(clinic: Any, tables: int) -> list[str]:
    names = [f"extra_{number:03}" for number in range(tables)]
    clinic.run(
        "".join(
            f"CREATE TABLE {name} (id int PRIMARY KEY, note text, secret bytea, twin int UNIQUE);"
            f"INSERT INTO {name} SELECT g, 'note ' || g, decode(md5(g::text), 'hex'), g FROM generate_series(1, 20) g;"
            for name in names
        )
    )
    return names


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that is sent meanwhile."""
    sent: list[str] = []
    plain = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        text = query if isinstance(query, (str, bytes)) else query.as_string(cursor)
        sent.append(text.decode() if isinstance(text, bytes) else text)
        return plain(cursor, query, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", noted)
        yield sent


def of_catalogue(sent: list[str]) -> list[str]:
    return [text for text in sent if re.search(r"FROM\s+pg_catalog\.|pg_class", text) and "pg_settings" not in text]


READS: dict[str, Callable[[Any, list[str]], object]] = {
    "counts": lambda adapter, names: adapter.counts(names),
    "digests": lambda adapter, names: adapter.digests(names),
    "keys": lambda adapter, names: adapter.keys(dict.fromkeys(names)),
    "variety": lambda adapter, names: adapter.variety(names),
    "repeated": lambda adapter, names: adapter.repeated([UniqueKey(table=one, columns=("twin",)) for one in names]),
    "breaking": lambda adapter, names: adapter.breaking([parent(one) for one in names]),
    "sequences": lambda adapter, _: adapter.sequences(),
    "tables": lambda adapter, _: adapter.tables(),
}


def parent(table: str) -> ForeignKey:
    return ForeignKey(
        table=table, name="fk", validated=True, orphans=0, other="extra_000", columns=("twin",), others=("id",)
    )


@pytest.mark.parametrize("what", READS)
def test_the_catalogue_is_asked_as_often_for_many_tables_as_for_few(
    what: str, new_database: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for tables in (FEW, MANY):
        clinic = new_database()
        names = fill(clinic, tables)
        with statements(monkeypatch) as sent:
            READS[what](clinic.adapter(workers=1), names)
        asked.append(len(of_catalogue(sent)))
    assert asked[0] == asked[1] > 0


@pytest.mark.parametrize("what", ["counts", "digests", "keys"])
def test_small_tables_share_a_statement(what: str, clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names = fill(clinic, MANY)
    with statements(monkeypatch) as sent:
        READS[what](clinic.adapter(workers=1), names)
    assert len([text for text in sent if "extra_" in text]) < MANY / 10


def test_a_table_that_cannot_be_read_is_named_and_the_others_of_its_statement_are_read(clinic: Any) -> None:
    names = fill(clinic, FEW)
    with psycopg.connect(clinic.server.dsn(clinic.name)) as other:
        other.execute("LOCK TABLE extra_002 IN ACCESS EXCLUSIVE MODE")
        adapter = clinic.adapter(lock_timeout=0.2)
        found = adapter.digested(names)
        keys = adapter.keys({**dict.fromkeys(names), "gone": None})
    assert [one.name for one in found.tables] == [name for name in names if name != "extra_002"]
    assert [one.table for one in found.unread] == ["extra_002"]
    assert found.unread[0].why.startswith("locked by session ")
    assert keys["gone"].why == "it was dropped meanwhile"
    assert [name for name in names if getattr(keys[name], "keys", None) is None] == ["extra_002"]


def test_locks_are_given_back_while_the_snapshot_stays(clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction that holds a lock on each of thousands of tables and indexes is refused by a small server."""
    names = fill(clinic, 150)
    held: list[int] = []
    plain = psycopg.Cursor.execute

    def looked(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        done = plain(cursor, query, *args, **more)
        with psycopg.connect(clinic.server.dsn(clinic.name), autocommit=True) as other:
            row = plain(
                other.cursor(),
                "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname LIKE 'extra%'",
            )
            held.append(row.fetchall()[0][0])
        return done

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", looked)
        assert len(clinic.adapter(workers=1).digests(names)) == 150
    assert 0 < max(held) <= 50 * 3
    assert held[-1] == 0


VALUES = """
INSERT INTO odd (first, note, middle, more, last) VALUES
    (NULL, NULL, NULL, NULL, NULL), ('', '', '', '', ''), ('a', '(', '\\x00', ')', '\\xff5c22'),
    ('\\x28', '(x)', '\\x29', 'say "hi"', '\\x'), ('\\x2c', 'a,b', NULL, 'ñ 漢字\\', '\\x0a20'),
    (NULL, ' ', 'x', '"', NULL)
"""


LAYOUTS = [
    "first bytea, note text, middle bytea, more text, last bytea",
    "note text, first bytea, last bytea, middle bytea, more text",
]


@pytest.mark.parametrize("columns", LAYOUTS)
def test_a_digest_is_of_the_values_of_binary_columns_too(clinic: Any, columns: str) -> None:
    clinic.run(f"CREATE TABLE odd ({columns})")
    clinic.run(VALUES)
    clinic.run("CREATE TABLE again AS SELECT * FROM odd ORDER BY more DESC")

    def of(name: str) -> str:
        digest: str = clinic.adapter().digests([name])[0].digest
        return digest

    same = of("odd")
    assert of("again") == same
    for change in (
        "first = NULL WHERE first = ''", "last = '' WHERE note = ' '", "middle = '\\x01' WHERE middle = '\\x00'",
        "first = middle, middle = first WHERE first = 'a'", "note = 'A,b' WHERE note = 'a,b'",
    ):  # fmt: skip
        clinic.run(f"DROP TABLE again; CREATE TABLE again AS SELECT * FROM odd; UPDATE again SET {change}")
        assert of("again") != same, change
    clinic.run("DROP TABLE again; CREATE TABLE again AS SELECT * FROM odd UNION ALL SELECT * FROM odd WHERE note = ''")
    assert of("again") != same
