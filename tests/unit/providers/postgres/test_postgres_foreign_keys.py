"""Foreign keys and the rows that break them, loaded as a bad restore loads them: with triggers off."""

from __future__ import annotations

from typing import Any

import pytest

from uscdr.models.postgres import ForeignKey

OFF = "SET session_replication_role = replica;"


def keys(clinic: Any, script: str = "") -> list[tuple[str, str, bool, int]]:
    clinic.run(OFF + script)
    found = clinic.adapter().foreign_keys()
    assert all(isinstance(key, ForeignKey) for key in found)
    return [(key.table, key.name, key.validated, key.orphans) for key in found]


PARENT = (
    "CREATE TABLE parent (id int PRIMARY KEY, a int, b int, UNIQUE (a, b));"
    "INSERT INTO parent VALUES (1, 1, 1), (2, 1, 2);"
)
ONE = PARENT + "CREATE TABLE child (id int, parent int CONSTRAINT fk REFERENCES parent);"
TREE = "CREATE TABLE child (id int PRIMARY KEY, up int CONSTRAINT fk REFERENCES child);"
INTEGERS = (
    "CREATE TABLE parent (id smallint PRIMARY KEY); CREATE TABLE child (p bigint CONSTRAINT fk REFERENCES parent);"
    "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1), (9000000000)"
)
COLLATIONS = (
    'CREATE TABLE parent (id text COLLATE "C" PRIMARY KEY);'
    'CREATE TABLE child (p varchar(9) COLLATE "POSIX" CONSTRAINT fk REFERENCES parent);'
    "INSERT INTO parent VALUES ('a'); INSERT INTO child VALUES ('a'), ('b')"
)
CITEXT = (
    "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE parent (id ext.citext PRIMARY KEY);"
    "CREATE TABLE child (p ext.citext CONSTRAINT fk REFERENCES parent);"
    "INSERT INTO parent VALUES ('Ada'); INSERT INTO child VALUES ('ADA'), ('Bob')"
)
UUIDS = (
    "CREATE TABLE parent (id uuid PRIMARY KEY); CREATE TABLE child (p uuid CONSTRAINT fk REFERENCES parent);"
    "INSERT INTO child VALUES (gen_random_uuid())"
)
HEIR = "CREATE TABLE heir () INHERITS ({});"
TWO = PARENT + "CREATE TABLE child (a int, b int, CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES parent (a, b) {});"


@pytest.mark.parametrize(
    ("script", "orphans"),
    [
        (ONE, 0),
        (ONE + "INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)", 0),
        (ONE + "INSERT INTO child VALUES (1, 1), (2, 3), (3, NULL), (4, 3), (5, 0)", 3),
        (ONE + "INSERT INTO child VALUES (1, 1), (2, 2); TRUNCATE parent CASCADE; INSERT INTO child VALUES (1, 1)", 1),
        (TWO.format("") + "INSERT INTO child VALUES (1, 1), (1, 2), (1, NULL), (NULL, 7), (9, NULL), (NULL, NULL)", 0),
        (TWO.format("") + "INSERT INTO child VALUES (1, 1), (2, 1), (2, 2)", 2),
        (TWO.format("MATCH FULL") + "INSERT INTO child VALUES (1, 1), (NULL, NULL)", 0),
        (TWO.format("MATCH FULL") + "INSERT INTO child VALUES (1, 2), (1, NULL), (NULL, 2), (3, 3)", 3),
        # a row that refers to itself, and a tree with a broken branch
        (TREE + "INSERT INTO child VALUES (1, 1)", 0),
        (TREE + "INSERT INTO child VALUES (1, NULL), (2, 1), (3, 9), (4, 3)", 1),
        # other types, other collations, an extension's type outside the search path
        (INTEGERS, 1),
        (COLLATIONS, 1),
        (CITEXT, 1),
        (UUIDS, 1),
        # children of a table are not the table: neither their rows nor their keys count
        (ONE + HEIR.format("child") + "INSERT INTO heir VALUES (1, 99)", 0),
        (ONE + HEIR.format("parent") + "INSERT INTO heir VALUES (7); INSERT INTO child VALUES (1, 7)", 1),
    ],
)
def test_orphans(new_database: Any, script: str, orphans: int) -> None:
    assert keys(new_database(), script) == [("child", "fk", True, orphans)]


def test_a_key_that_is_not_validated(new_database: Any) -> None:
    clinic = new_database()
    script = (
        PARENT + "CREATE TABLE child (p int); INSERT INTO child VALUES (1), (8);"
        "ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent NOT VALID;"
    )
    assert keys(clinic, script) == [("child", "fk", False, 1)]
    assert keys(clinic, "DELETE FROM child WHERE p = 8; ALTER TABLE child VALIDATE CONSTRAINT fk") == [
        ("child", "fk", True, 0)
    ]


def test_partitions_are_one_key(new_database: Any) -> None:
    script = (
        "CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE child (p int, day int, CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent) PARTITION BY RANGE (day);"
        "CREATE TABLE child_1 PARTITION OF child FOR VALUES FROM (0) TO (10);"
        "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1), (2, 2)"
    )
    assert keys(new_database(), script) == [("child", "fk", True, 1)]


def test_names_schemas_and_order(new_database: Any) -> None:
    clinic = new_database()
    script = (
        'CREATE SCHEMA "Au""dit"; CREATE TABLE "Au""dit"."Pa;rent" ("I d" int PRIMARY KEY);'
        'CREATE TABLE "Chi""ld" ("F k" int CONSTRAINT "z fk" REFERENCES "Au""dit"."Pa;rent");'
        'ALTER TABLE "Chi""ld" ADD "G" int CONSTRAINT "a fk" REFERENCES "Au""dit"."Pa;rent" DEFERRABLE;'
        'INSERT INTO "Chi""ld" VALUES (3, NULL), (4, 4)'
    )
    assert keys(clinic, script) == [('"Chi""ld"', "a fk", True, 1), ('"Chi""ld"', "z fk", True, 2)]
    assert new_database().adapter().foreign_keys() == ()


def test_a_locked_table_is_no_orphan(new_database: Any) -> None:
    import psycopg

    clinic = new_database()
    clinic.run(ONE)
    with psycopg.connect(clinic.server.dsn(clinic.name)) as connection:
        connection.execute("LOCK TABLE child IN ACCESS EXCLUSIVE MODE")
        (key,) = clinic.adapter(lock_timeout=0.2).foreign_keys()
        assert key.unread is not None
        assert key.unread.words("compared").startswith("child: cannot be compared: locked by session ")
        assert str(connection.info.backend_pid) in key.unread.why
        assert not key.unread.damaged


@pytest.mark.parametrize(
    ("script", "without", "rows"),
    [
        (ONE + "INSERT INTO child VALUES (1, 1), (2, NULL), (3, 7)", "ALTER TABLE child DROP CONSTRAINT fk", 1),
        (CITEXT, "ALTER TABLE child DROP CONSTRAINT fk", 1),
        (INTEGERS, "ALTER TABLE child DROP CONSTRAINT fk", 1),
        (ONE + "INSERT INTO child VALUES (3, 7)", "DROP TABLE parent CASCADE", 0),
        (ONE + "INSERT INTO child VALUES (3, 7)", "ALTER TABLE child DROP COLUMN parent", 0),
    ],
)
def test_rows_that_break_a_key_of_another_database_are_counted(
    new_database: Any, script: str, without: str, rows: int
) -> None:
    clinic = new_database()
    clinic.run(OFF + script)
    keys = clinic.adapter().foreign_keys()
    clinic.run(without)
    assert clinic.adapter().foreign_keys() == ()
    assert clinic.adapter().breaking(keys) == (rows,)
