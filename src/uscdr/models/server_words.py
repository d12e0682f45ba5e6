"""What PostgreSQL says of names alone, and so may be repeated: its other words may quote what a row holds. Pure."""

from __future__ import annotations

import re

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
    """The message, when it tells of names of tables, columns and the like and of nothing else; else nothing."""
    return message if _NAMES.match(message) else ""
