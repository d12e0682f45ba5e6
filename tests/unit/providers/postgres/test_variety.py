"""How many different values a column holds, in numbers."""

from __future__ import annotations

from typing import Any

SCRIPT = """
CREATE DOMAIN grade AS int;
CREATE TABLE t (id int PRIMARY KEY, name text, one varchar(5), none text, mark grade, day date, "odd name" text);
INSERT INTO t SELECT n, 'name ' || n % 4, 'x', NULL, n % 3, now(), nullif(n % 2, 0)::text FROM generate_series(1, 20) n;
CREATE TABLE parts (id int, kind text) PARTITION BY LIST (kind);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
INSERT INTO parts VALUES (1, 'a'), (1, 'b');
CREATE TABLE empty (a text);
CREATE TABLE days (day date);
"""


def test_values_of_texts_and_numbers_are_counted_and_null_is_one(new_database: Any) -> None:
    clinic = new_database()
    clinic.run(SCRIPT)
    found = clinic.adapter().variety(["t", "parts", "empty", "days", "not_there"])
    assert found == {
        "t": {"id": 20, "name": 4, "one": 1, "none": 1, "mark": 3, "odd name": 2},
        "parts": {"id": 1, "kind": 2},
        "empty": {"a": 0},
        "days": {},
    }
