"""Names of tables and columns, as text that identifies exactly one: quoted like PostgreSQL.

`visits` is the table of the schema `public`, `audit.visits` that of another; a part with more than lower-case letters,
digits and underscores is quoted, as `"Odd name"` and `audit."a.b"` do. Input from people and from earlier versions may
have such parts without quotes: they are taken literally.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PUBLIC = "public"
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_PART = re.compile(r'"((?:[^"]|"")+)"(?=\.|$)|([^.]+)')


@dataclass(frozen=True, order=True)
class TableName:
    """One table. `str` returns what `parse` accepts, and is unique for each table."""

    schema: str
    relation: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """The table that `text` names; without a schema that of `public`. Raises ValueError when it names none."""
        return _table(tuple(_parts(text)))

    def __str__(self) -> str:
        return _quoted(self.relation) if self.schema == PUBLIC else f"{_quoted(self.schema)}.{_quoted(self.relation)}"


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
            raise ValueError(f"“{text}” does not name a table's column")
        return cls(_table(table), column)

    def __str__(self) -> str:
        return f"{self.table}.{_quoted(self.column)}"


def _table(parts: Sequence[str]) -> TableName:
    return TableName(PUBLIC, parts[0]) if len(parts) == 1 else TableName(parts[0], ".".join(parts[1:]))


def _quoted(name: str) -> str:
    """One part of a name, quoted where necessary."""
    return name if _PLAIN.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def _parts(text: str) -> Iterator[str]:
    at = 0
    while at <= len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f"“{text}” must have the form table, schema.table or table.column")
        marked, plain = found.groups()
        yield plain if marked is None else marked.replace('""', '"')
        at = found.end() + 1


def _table_text(text: str) -> str:
    return str(TableName.parse(text))


def _column_text(text: str) -> str:
    return str(ColumnName.parse(text))


TableText = Annotated[str, AfterValidator(_table_text)]
"""A table in the form of `TableName`, from any accepted form."""
ColumnText = Annotated[str, AfterValidator(_column_text)]
"""A column in the form of `ColumnName`, from any accepted form."""


# PostgreSQL messages that contain only names and may be shown; others may quote a row's values. Pure.


_NAMES = re.compile(
    r"^(?:(?:relation|column|table|constraint|sequence|index|type|schema|extension|role|database|trigger|function) \S+"
    r"(?: of relation \S+)? (?:already exists|does not exist|contains null values|is not a table)"
    r"|column \S+ of relation \S+ (?:contains null values|already exists|does not exist)"
    r"|(?:constraint|trigger|policy|rule) \S+ (?:of|for) (?:relation|table) \S+ (?:already exists|does not exist)"
    r"|column \S+ contains null values"
    r"|null value in column \S+(?: of relation \S+)? violates not-null constraint"
    r"|(?:duplicate key value violates|could not create) unique (?:constraint|index) \S+"
    r"|(?:insert or update|update or delete) on table \S+ violates (?:foreign key|check) constraint \S+"
    r"(?: on table \S+)?"
    r"|check constraint \S+(?: of relation \S+)? is violated by some row"
    r"|new row for relation \S+ violates check constraint \S+"
    r"|permission denied for \S+ \S+|must be owner of \S+ \S+|permission denied to create \S+ \S+"
    r"|canceling statement due to (?:statement|lock) timeout|deadlock detected"
    r"|cannot alter type of a column used by a [a-z]+(?: [a-z]+){0,2}"
    r"|cannot drop \S+ \S+(?: (?:of|on) \S+ \S+)? because other objects depend on it"
    r"|cannot ALTER TABLE \S+ because it has pending trigger events"
    r"|foreign key constraint \S+ cannot be implemented"
    r"|column \S+ cannot be cast automatically to type \S+"
    r"|default for column \S+ cannot be cast automatically to type \S+"
    r"|multiple primary keys for table \S+ are not allowed"
    r"|no such (?:table|column): \S+)$"
)


def of_names(message: str) -> str:
    """The message if it contains only names of tables, columns and the like; else empty."""
    return message if _NAMES.match(message) else ""
