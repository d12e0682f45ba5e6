"""What of a dump is the application's to restore, and what is left out, for which reason.

A platform's databases hold objects of its own, and some kinds of objects only a superuser may make. No row is ever
left out: what rows hang on stays, and fails where it cannot be made.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
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
        return None if _held(self.entries) & set(gone) else self.less(dict.fromkeys(gone, why))

    def less(self, gone: Mapping[int, str]) -> Selection:
        """The same less each of these entries (by number: why) and what hangs on it; but what rows hang on stays."""
        stay, users = _held(self.entries), _users(self.entries)
        roots = [entry for entry in self.entries if entry.number in gone and entry.number not in stay]
        under = dict[int, Entry]()
        for root in roots:
            under |= dict.fromkeys(_reached([root.number], users, under), root)
        said = tuple(
            LeftOut(
                what=one.words,
                why=gone[one.number] if under[one.number].number == one.number else _on(under[one.number]),
            )
            for one in self.entries
            if one.number in under and (one.number in gone or one.kind != "COMMENT")
        )
        kept = tuple(entry for entry in self.entries if entry.number not in under)
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
    harmless = {"EVENT TRIGGER", "COMMENT"} | _GRANTS
    own -= _needed(entries, [one.number for one in entries if one.number not in own and one.kind not in harmless])
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


def _on(root: Entry) -> str:
    return f"it hangs on {root.words}, which is left out"


def _held(entries: Sequence[Entry]) -> set[int]:
    """The numbers of what holds rows, and of all that it hangs on."""
    return _needed(entries, [one.number for one in entries if one.rows or one.kind in _HOLDING])


def _needed(entries: Sequence[Entry], roots: Iterable[int]) -> set[int]:
    """The numbers of `roots` and of all that they hang on."""
    needs = defaultdict[int, set[int]](set)
    for entry in entries:
        needs[entry.number] |= entry.needs
    return _reached(roots, needs)


def _users(entries: Sequence[Entry]) -> Mapping[int, Collection[int]]:
    """By number, what hangs on it directly."""
    users = defaultdict[int, set[int]](set)
    for entry in entries:
        for number in entry.needs:
            users[number].add(entry.number)
    return users


def _reached(roots: Iterable[int], ways: Mapping[int, Collection[int]], known: Container[int] = ()) -> set[int]:
    """`roots` and all that a way leads to from them, but what is `known`. In one pass: a dump may have many entries."""
    found = {one for one in roots if one not in known}
    left = list(found)
    while left:
        more = {one for one in ways.get(left.pop(), ()) if one not in found and one not in known}
        found |= more
        left += more
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
