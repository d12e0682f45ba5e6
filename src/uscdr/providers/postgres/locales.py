"""Which locale a scratch database is made with: that of the dump's database, or one that folds texts alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.providers.postgres.contents import Entry

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_OPTION = re.compile(
    r"\b(LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|BUILTIN_LOCALE|ICU_LOCALE|ICU_RULES) = ('(?:[^']|'')*'|\w+)"
)
_FOLDING = (
    "ENCODING 'UTF8' LOCALE_PROVIDER builtin LOCALE 'C' BUILTIN_LOCALE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE 'C.UTF-8'",
    "ENCODING 'UTF8' LOCALE 'en_US.UTF-8'",
    "ENCODING 'UTF8' LOCALE 'C'",
)
"""From PostgreSQL 17 on, every server has the first; upper and lower case of all letters are as in any UTF-8 locale."""


@dataclass(frozen=True)
class Locale:
    """Options of CREATE DATABASE; `name` is the locale of the dump's database, empty if it does not tell."""

    name: str
    options: str


def of_dump(entries: Sequence[Entry]) -> Locale:
    """What the dump tells of its database."""
    for entry in entries:
        if entry.kind == "DATABASE":
            found = dict(_OPTION.findall(entry.definition.decode("utf-8", "replace")))
            options = " ".join(f"{option} {value}" for option, value in found.items())
            return Locale(_name(found), f"ENCODING 'UTF8' {options}" if found else "")
    return Locale("", "")


def _name(found: dict[str, str]) -> str:
    for option in ("ICU_LOCALE", "BUILTIN_LOCALE", "LOCALE", "LC_CTYPE", "LC_COLLATE"):
        if option in found:
            return found[option].strip("'").replace("''", "'")
    return ""


def create_database(connection: Connection, name: str, locale: Locale) -> str:
    """Makes an empty database, as near to `locale` as the server can; the locale's name if it is another one."""
    import psycopg

    for options in filter(None, (locale.options, *_FOLDING)):
        try:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 {options}'.encode())
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
            if isinstance(error, psycopg.errors.InsufficientPrivilege):
                raise
            continue
        return "" if options == locale.options else locale.name
    connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    return locale.name
