"""A table is known by its schema and its name: no two have the same text."""

from __future__ import annotations

from itertools import product

import pytest

from uscdr.models.data_settings import ColumnName, TableName
from uscdr.models.postgres import TableDigest

ODD = ("visits", "Visits", "a.b", 'a"b', '"', "a b", "a.", ".b", '"a"', "ü", "public", "a$1")


def test_every_table_has_a_text_of_its_own_that_names_it() -> None:
    names = [TableName(schema, relation) for schema, relation in product(("public", *ODD), ODD)]
    texts = {str(name) for name in names}
    assert len(texts) == len(set(names))
    assert {TableName.parse(text) for text in texts} == set(names)


@pytest.mark.parametrize(
    ("text", "schema", "relation", "printed"),
    [
        ("visits", "public", "visits", "visits"),
        ("public.visits", "public", "visits", "visits"),
        ("audit.visits", "audit", "visits", "audit.visits"),
        ('audit."a.b"', "audit", "a.b", 'audit."a.b"'),
        ('"audit.visits"', "public", "audit.visits", '"audit.visits"'),
        # As earlier versions wrote them into journals, and as people write them.
        ("Visits", "public", "Visits", '"Visits"'),
        ('Odd "n" x', "public", 'Odd "n" x', '"Odd ""n"" x"'),
    ],
)
def test_what_is_written_is_taken_as_it_stands(text: str, schema: str, relation: str, printed: str) -> None:
    assert TableName.parse(text) == TableName(schema, relation)
    assert str(TableName.parse(text)) == printed


def test_a_column_is_the_last_part() -> None:
    assert ColumnName.parse('audit."a.b"."Made at"') == ColumnName(TableName("audit", "a.b"), "Made at")
    assert str(ColumnName.parse("public.visits.at")) == "visits.at"


@pytest.mark.parametrize("text", ["", "visits.", ".at", "a..b"])
def test_what_names_no_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must have the form table, schema.table or table.column"):
        TableName.parse(text)


def test_a_column_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="does not name a table's column"):
        ColumnName.parse("created_at")


def test_a_digest_of_an_older_journal_is_of_the_same_table() -> None:
    old = TableDigest.model_validate({"name": "Visits", "rows": 1, "digest": "d"})
    assert old.name == str(TableName("public", "Visits"))
