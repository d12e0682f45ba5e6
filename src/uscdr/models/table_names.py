"""Tables and columns by schema and name, as text that names exactly one: quoted as PostgreSQL quotes.

`visits` is the table of the schema `public`, `audit.visits` that of another; a part that is more than lower-case
letters, digits and underscores stands in quotation marks, as `"Odd name"` and `audit."a.b"` do.
What people write and what was kept by earlier versions may have such parts without the marks, too: they are taken
as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

PUBLIC = "public"
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_PART = re.compile(r'"((?:[^"]|"")+)"(?=\.|$)|([^.]+)')


@dataclass(frozen=True, order=True)
class TableName:
    """One table. `str` gives what `parse` takes, another text for every other table."""

    schema: str
    relation: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """The table that `text` names; without a schema that of `public`. Raises ValueError when it names none."""
        return _table(tuple(_parts(text)))

    def __str__(self) -> str:
        return quoted(self.relation) if self.schema == PUBLIC else f"{quoted(self.schema)}.{quoted(self.relation)}"


@dataclass(frozen=True, order=True)
class ColumnName:
    """One column of one table."""

    table: TableName
    column: str

    @classmethod
    def parse(cls, text: str) -> ColumnName:
        """The column that `table.column` names. Raises ValueError when it names none."""
        *table, column = _parts(text)
        if not table:
            raise ValueError(f"“{text}” names a column of no table")
        return cls(_table(table), column)

    def __str__(self) -> str:
        return f"{self.table}.{quoted(self.column)}"


def _table(parts: Sequence[str]) -> TableName:
    return TableName(PUBLIC, parts[0]) if len(parts) == 1 else TableName(parts[0], ".".join(parts[1:]))


def quoted(name: str) -> str:
    """One part of a name, in quotation marks where it needs them to be told apart."""
    return name if _PLAIN.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def _parts(text: str) -> Iterator[str]:
    at = 0
    while at <= len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f"“{text}” is no name of the form table, schema.table or table.column")
        marked, plain = found.groups()
        yield plain if marked is None else marked.replace('""', '"')
        at = found.end() + 1


def table_text(text: str) -> str:
    """`text` as `TableName` prints it. Raises ValueError."""
    return str(TableName.parse(text))


def column_text(text: str) -> str:
    """`text` as `ColumnName` prints it. Raises ValueError."""
    return str(ColumnName.parse(text))


TableText = Annotated[str, AfterValidator(table_text)]
"""A table as `TableName` prints it, whatever was given."""
ColumnText = Annotated[str, AfterValidator(column_text)]
"""A column of a table as `ColumnName` prints it, whatever was given."""
