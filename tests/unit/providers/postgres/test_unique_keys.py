"""Keys that let nothing be there twice, and the rows that break those of another database."""

from __future__ import annotations

from typing import Any

SCRIPT = """
CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE, a int, b int, part text);
CREATE UNIQUE INDEX both_of_them ON t (b, a);
CREATE UNIQUE INDEX folded ON t (lower(part));
CREATE UNIQUE INDEX partly ON t (part) WHERE a > 0;
CREATE INDEX plain ON t (a);
INSERT INTO t VALUES (1, 'x', 1, 1), (2, NULL, 1, 2), (3, NULL, NULL, 2);
"""


def test_keys_are_known_by_their_columns(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(SCRIPT)
    assert [(key.table, key.columns) for key in clinic.adapter().unique_keys()] == [
        ("t", ("b", "a")),
        ("t", ("email",)),
        ("t", ("id",)),
    ]


def test_rows_that_are_there_again_are_counted_where_the_key_is_gone(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(SCRIPT)
    keys = clinic.adapter().unique_keys()
    assert clinic.adapter().repeated(keys) == (0, 0, 0)
    clinic.run(
        "ALTER TABLE t DROP CONSTRAINT t_email_key; DROP INDEX both_of_them; INSERT INTO t VALUES (4, 'x', 1, 2)"
    )
    assert [key.columns for key in clinic.adapter().unique_keys()] == [("id",)]
    assert clinic.adapter().repeated(keys) == (1, 1, 0)
    clinic.run("ALTER TABLE t DROP COLUMN email")
    assert clinic.adapter().repeated(keys) == (1, 0, 0)
    clinic.run("DROP TABLE t")
    assert clinic.adapter().repeated(keys) == (0, 0, 0)
