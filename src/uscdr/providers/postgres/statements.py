"""The statements by which a database becomes what a dump's table of contents says, each as it was dumped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from uscdr.providers.postgres.contents import DATA, POST_DATA, PRE_DATA, Entry
from uscdr.providers.postgres.selection import in_section

_CONSTANT = (
    b"SET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning;"
    b" SET row_security = off;"
)
_SETTINGS = ("ENCODING", "STDSTRINGS", "SEARCHPATH")
_PLACES = frozenset({"SCHEMA", "EXTENSION"})
_RELATIONS = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"})
_OBJECTS = frozenset({"BLOB", "BLOB METADATA"})
_LAST = "MATERIALIZED VIEW DATA"
"""May ask anything that is made of tables, keys and functions."""


def settings(entries: Sequence[Entry]) -> bytes:
    """How the session must be set for the dump's statements: encoding, quoting, an empty search path."""
    return b"".join(entry.definition for entry in entries if entry.kind in _SETTINGS) + _CONSTANT


def places(entries: Sequence[Entry]) -> list[Entry]:
    """Schemas first, extensions then."""
    return [entry for kind in ("SCHEMA", "EXTENSION") for entry in entries if entry.kind == kind]


def relation_drops(entries: Sequence[Entry]) -> list[bytes]:
    """What removes the dump's tables and views with all that hangs on them."""
    made = [entry for entry in _makes(entries) if entry.kind in _RELATIONS]
    return [_if_exists(entry).rstrip(b";\n ") + b" CASCADE;" for entry in reversed(made) if _if_exists(entry)]


def other_drops(entries: Sequence[Entry]) -> list[bytes]:
    """What removes its functions, types, sequences and the like, but nothing that the dump does not know."""
    made = [entry for entry in _makes(entries) if entry.kind not in _RELATIONS]
    return [drop for drop in map(_if_exists, reversed(made)) if drop]


def tables(entries: Sequence[Entry]) -> list[Entry]:
    """What makes types, functions, tables and views, in order."""
    return [entry for entry in _makes(entries) if entry.definition]


def constraints(entries: Sequence[Entry]) -> list[Entry]:
    """Keys, indexes, rules, triggers and policies, in order; the content of materialized views at the end."""
    found = [entry for entry in in_section(entries, POST_DATA) if entry.definition]
    return sorted(found, key=lambda entry: entry.kind == _LAST)


def positions(entries: Sequence[Entry]) -> list[bytes]:
    """What is to be said once the rows are there: the positions of sequences."""
    found = in_section(entries, DATA)
    return [entry.definition for entry in found if entry.definition and not entry.rows and entry.kind not in _OBJECTS]


def objects(entries: Sequence[Entry]) -> list[int]:
    """The numbers of large objects."""
    listed = (entry.definition for entry in entries if entry.kind in _OBJECTS)
    return [int(number) for definition in listed for number in re.findall(rb"\b\d+\b", definition)]


def made(entries: Iterable[Entry]) -> list[bytes]:
    """The definitions, with the access method that each table is to be made with."""
    statements, current = list[bytes](), ""
    for entry in entries:
        if entry.method and entry.method != current:
            current = entry.method
            statements.append(f'SET default_table_access_method = "{current}";'.encode())
        statements.append(entry.definition)
    return statements


def _makes(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in in_section(entries, PRE_DATA) if entry.kind not in _PLACES | _OBJECTS]


def _if_exists(entry: Entry) -> bytes:
    """`DROP TABLE IF EXISTS …`; nothing for what goes with something else, as a default with its table."""
    for kind in (entry.kind, "TYPE"):
        start = f"DROP {kind} ".encode()
        if entry.removal.startswith(start):
            return start + b"IF EXISTS " + entry.removal[len(start) :]
    if entry.kind in _RELATIONS:  # of views that need each other, the removal makes an empty one
        return _relation_drop(entry)
    return b""


def _relation_drop(entry: Entry) -> bytes:
    from psycopg import sql

    return f"DROP {entry.kind} IF EXISTS ".encode() + sql.Identifier(entry.schema, entry.name).as_bytes() + b";\n"
