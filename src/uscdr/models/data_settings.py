"""What scenarios.yaml says of the application's data: tables, columns, invariants, accounts, files, copies.

The name of a table or column identifies exactly one, and is quoted like PostgreSQL. `visits` is the table of the schema
`public`, `audit.visits` that of another; a part with more than lower-case letters, digits and underscores is quoted, as
in `"Odd name"` and `audit."a.b"`. Input from people and from earlier versions may have such parts without quotes: they
are taken literally.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from uscdr.models.base import Fact

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


class Invariant(Fact):
    """One expectation: `sql` returns one value. At least one bound is set.

    `equals` compares as text; `minimum` and `maximum` as numbers.
    """

    name: str
    sql: str
    equals: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    why: str = ""


class CanaryColumn(Fact):
    """A pgcrypto column and its plain counterpart: with the right key they are equal."""

    table: TableText
    encrypted: str
    plain: str


class AccessTables(Fact):
    """Where the application stores accounts, sessions and permissions."""

    accounts: TableText
    """The table of accounts."""
    flags: tuple[str, ...] = ("is_active", "is_staff", "is_superuser")
    """Its boolean columns that grant access or permissions."""
    password: str = "password"  # noqa: S105 - a column's name
    """Its column with the password hash; empty when there is none."""
    roles: tuple[str, ...] = ()
    """Its columns with an account's role: a word, a number, or a reference to a role or group."""
    logins: tuple[str, ...] = ()
    """Its columns with the login name, or the address for password resets; never shown."""
    sessions: tuple[TableText, ...] = ()
    """Tables whose rows grant access: tokens, sessions, keys. Without a row the user must sign in again."""
    permissions: tuple[TableText, ...] = ()
    """Tables whose rows grant permissions: groups, permissions, invitations to create an account."""

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that are compared by value."""
        return (*self.roles, *self.logins)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the accounts that is read."""
        return (*self.flags, *self.named, self.password)


ResourceType = Literal["image", "raw", "video"]


class ReferenceColumn(Fact):
    """A column that names stored files: `table.column`, or `schema.table.column`.

    A text column has names. A JSON column is searched for addresses and paths of files; nothing else is read.
    """

    column: ColumnText
    resource_type: ResourceType | Literal["by_extension"] = "by_extension"
    """The resource type that the column's storage uses; `by_extension` decides by the name."""
    written: str = "created_at"
    """The column of the same table with the time of writing."""
    size: str = "file_size"
    """The column of the same table with the file's size in bytes, if any (names only, not JSON)."""


_Kept = Annotated[int, Field(ge=0, le=1000)]


class Retention(Fact):
    """The numbers of days, weeks and months, among those with a copy, for which one copy is kept."""

    daily: _Kept = 7
    weekly: _Kept = 4
    monthly: _Kept = 3


POSTGRES, REDIS = "heroku-postgresql", "heroku-redis"


def service_of(plan: str) -> str:
    """`heroku-postgresql:essential-0` -> `heroku-postgresql`."""
    return plan.partition(":")[0]
