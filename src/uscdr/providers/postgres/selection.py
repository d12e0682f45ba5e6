"""What of a dump is the application's to restore, and what is left out, for which reason.

A platform's databases hold objects of its own, and some kinds of objects only a superuser may make. No row is ever
left out: what rows hang on stays, and fails where it cannot be made.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from uscdr.models.postgres import LeftOut
from uscdr.providers.postgres.contents import DATA, NO_SECTION, OBJECTS, PRE_DATA, ROWS, Entry

EXTENSIONS_SCHEMA = "heroku_ext"
"""Where the platform keeps extensions; dumps may name it without making it."""
_PLATFORM_SCHEMA = "_heroku"

_SETTINGS = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"})
_GRANTS = frozenset({"ACL", "ACL LANGUAGE", "DEFAULT ACL", "SECURITY LABEL", "STATISTICS DATA"})
"""Of roles that are another server's; statistics are gathered anew."""
_REPLICATION = frozenset(
    {"PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION", "SUBSCRIPTION TABLE"}
)
_HOLDING = frozenset({"TABLE", ROWS, "SEQUENCE", "SEQUENCE SET", "TYPE", "DOMAIN", "BLOB", "BLOB METADATA", OBJECTS})
FOREIGN = frozenset({"FOREIGN DATA WRAPPER", "SERVER", "USER MAPPING", "FOREIGN TABLE"})
_ONLY_WATCHING = frozenset(
    {
        "amcheck", "auto_explain", "hypopg", "pageinspect", "pg_buffercache", "pg_cron", "pg_freespacemap",
        "pg_hint_plan", "pg_prewarm", "pg_proctab", "pg_qualstats", "pg_repack", "pg_stat_kcache", "pg_stat_monitor",
        "pg_stat_statements", "pg_track_settings", "pg_visibility", "pg_wait_sampling", "pg_walinspect", "pgaudit",
        "pgrowlocks", "pgstattuple", "pldbgapi", "plpgsql_check", "plprofiler", "sslinfo", "system_stats",
    }
)  # fmt: skip
"""Extensions that look at a server and that no table is made of."""
_ELSEWHERE = frozenset(
    {"dblink", "file_fdw", "mongo_fdw", "multicorn", "mysql_fdw", "oracle_fdw", "postgres_fdw", "redis_fdw", "tds_fdw"}
)
"""Extensions that reach data which lies elsewhere, and is in no dump."""

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_0-9$]+)'
_POLICY_ROLES = re.compile(
    rf"CREATE POLICY {_NAME} ON {_NAME}(?:\.{_NAME})?(?: AS RESTRICTIVE)?(?: FOR [A-Z]+)? TO ({_NAME}(?:, {_NAME})*)"
)
_MAPPED_ROLE = re.compile(rf"CREATE USER MAPPING FOR ({_NAME}) SERVER")
_IN_SCHEMA = re.compile(rf" WITH SCHEMA ({_NAME});\s*$")
_ANYBODY = frozenset({"public", "PUBLIC", "current_user", "session_user", "current_role"})


@dataclass(frozen=True)
class Selection:
    """The entries that are restored, in the dump's order, and what is not."""

    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]

    def without(self, gone: Collection[int], why: str) -> Selection | None:
        """The same less these entries and what hangs on them; None when rows hang on them."""
        hanging = dependents(self.entries, gone)
        if any(entry.number in hanging and (entry.rows or entry.kind in _HOLDING) for entry in self.entries):
            return None
        kept = tuple(entry for entry in self.entries if entry.number not in hanging)
        lost = [
            entry
            for entry in self.entries
            if entry.number in hanging and (entry.number in gone or entry.kind != "COMMENT")
        ]
        root = next((entry.words for entry in lost if entry.number in gone), "it")
        said = tuple(
            LeftOut(what=one.words, why=why if one.number in gone else f"it hangs on {root}, which is left out")
            for one in lost
        )
        return Selection(kept, self.left_out + said)


def select(entries: Sequence[Entry]) -> Selection:
    """What any restore on another server does without, whoever carries it out."""
    platform = _of_platform(entries)
    kept, left = list[Entry](), list[LeftOut]()
    for entry in entries:
        if entry.kind in _SETTINGS | _GRANTS:
            continue
        if entry.number in platform:
            if entry.kind != "COMMENT":
                left.append(LeftOut(what=entry.words, why="it belongs to the platform", of_platform=True))
        elif entry.kind == "EVENT TRIGGER":
            left.append(LeftOut(what=entry.words, why="only a superuser may make an event trigger"))
        elif entry.kind in _REPLICATION:
            left.append(LeftOut(what=entry.words, why="replication is not set up by a restore"))
        elif not _comments_on(entry, {"EVENT TRIGGER", "PUBLICATION", "SUBSCRIPTION", "EXTENSION", "DATABASE"}):
            kept.append(entry)
    return Selection(tuple(kept), tuple(left))


def _of_platform(entries: Sequence[Entry]) -> set[int]:
    """Its schema, what lies in it, and triggers on its functions; but nothing that the application hangs on."""
    own = {entry.number for entry in entries if _lies_in_platform(entry)}
    for number in sorted(own):
        users = dependents(entries, {number}) - own
        named = [entry for entry in entries if entry.number in users]
        if any(entry.kind not in {"EVENT TRIGGER", "COMMENT"} | _GRANTS for entry in named):
            own.discard(number)
    triggers = {entry.number for entry in entries if entry.kind == "EVENT TRIGGER" and entry.needs & own}
    comments = {entry.number for entry in entries if entry.kind == "COMMENT" and entry.needs & (own | triggers)}
    needed = {entry.schema for entry in entries if entry.number not in own}
    schemas = {entry.number for entry in entries if entry.kind == "SCHEMA" and entry.name in needed}
    return (own | triggers | comments) - schemas


def _lies_in_platform(entry: Entry) -> bool:
    if entry.kind == "SCHEMA":
        return entry.name == _PLATFORM_SCHEMA
    if entry.schema == EXTENSIONS_SCHEMA:
        return entry.kind not in {"COLLATION"} | _HOLDING
    return entry.schema == _PLATFORM_SCHEMA


def _comments_on(entry: Entry, kinds: Iterable[str]) -> bool:
    return entry.kind == "COMMENT" and any(entry.name.startswith(f"{kind} ") for kind in kinds)


def dependents(entries: Sequence[Entry], roots: Collection[int]) -> set[int]:
    """The numbers of `roots` and of all that hangs on them."""
    found = set(roots)
    while more := {entry.number for entry in entries if entry.needs & found} - found:
        found |= more
    return found


def in_section(entries: Sequence[Entry], section: int) -> list[Entry]:
    """Those of a section; what has none belongs to the section that it stands in."""
    found, current = list[Entry](), PRE_DATA
    for entry in entries:
        current = entry.section if entry.section != NO_SECTION else current
        if current == section:
            found.append(entry)
    return found


def is_delicate(entry: Entry) -> bool:
    """Whether an owner may lack the right, or the server the role, to make it; and no row hangs on it."""
    return entry.kind in FOREIGN | {"POLICY"} or _comments_on(entry, {"SCHEMA"})


def is_dispensable(extension: Entry) -> bool:
    """Whether an extension only watches a server or reaches another: no row of a dump needs it."""
    return extension.name in _ONLY_WATCHING | _ELSEWHERE


def extension_schema(extension: Entry) -> str:
    """The schema that a dump wants an extension in; empty when it names none."""
    found = _IN_SCHEMA.search(extension.definition.decode("utf-8", "replace"))
    return _plain(found[1]) if found else ""


def roles(entry: Entry) -> frozenset[str]:
    """The roles that a policy or a user mapping names."""
    pattern = {"POLICY": _POLICY_ROLES, "USER MAPPING": _MAPPED_ROLE}.get(entry.kind)
    found = pattern.search(entry.definition.decode("utf-8", "replace")) if pattern else None
    names = re.findall(_NAME, found[1]) if found else []
    return frozenset(_plain(name) for name in names) - _ANYBODY


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def rows(entries: Sequence[Entry]) -> list[Entry]:
    """Those that rows follow for, whatever they are called; large objects are no rows."""
    return [entry for entry in in_section(entries, DATA) if entry.rows and entry.kind != OBJECTS]
