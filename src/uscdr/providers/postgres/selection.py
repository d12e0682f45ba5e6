"""Decides which entries of a dump are restored, which are left out, and why.

A platform's databases contain its own objects, and only a superuser may create some kinds of objects. No row is ever
left out: what rows depend on stays, and the restore fails if it cannot be created.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from uscdr.errors import MachineError
from uscdr.models.postgres import LeftOut
from uscdr.providers.postgres.complaints import first_upper, lacking
from uscdr.providers.postgres.contents import FOREIGN, OBJECTS, ROWS, DumpEntry
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping, Sequence

EXTENSIONS_SCHEMA = "heroku_ext"
"""The platform's schema for extensions; dumps may name it without creating it."""
_PLATFORM_SCHEMA = "_heroku"

_SETTINGS = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"})
_GRANTS = frozenset({"ACL", "ACL LANGUAGE", "DEFAULT ACL", "SECURITY LABEL", "STATISTICS DATA"})
"""Refers to another server's roles; statistics are collected again."""
_REPLICATION = frozenset(
    {"PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION", "SUBSCRIPTION TABLE"}
)
_HOLDING = frozenset({"TABLE", ROWS, "SEQUENCE", "SEQUENCE SET", "TYPE", "DOMAIN", "BLOB", "BLOB METADATA", OBJECTS})


@dataclass(frozen=True)
class EntrySelection:
    """The entries that are restored, in the dump's order, and those left out."""

    entries: tuple[DumpEntry, ...]
    left_out: tuple[LeftOut, ...]

    @classmethod
    def of(cls, entries: Sequence[DumpEntry]) -> Self:
        """The entries that every restore on another server leaves out."""
        platform = _of_platform(entries)
        kept, left = list[DumpEntry](), list[LeftOut]()
        for entry in entries:
            if entry.kind in _SETTINGS | _GRANTS:
                continue
            if entry.number in platform:
                if entry.kind != "COMMENT":
                    left.append(LeftOut(what=entry.words, why="it belongs to the platform", of_platform=True))
            elif entry.kind == "EVENT TRIGGER":
                left.append(LeftOut(what=entry.words, why="only a superuser may create an event trigger"))
            elif entry.kind in _REPLICATION:
                left.append(LeftOut(what=entry.words, why="a restore does not set up replication"))
            elif not entry.comments_on({"EVENT TRIGGER", "PUBLICATION", "SUBSCRIPTION", "EXTENSION", "DATABASE"}):
                kept.append(entry)
        return cls(tuple(kept), tuple(left))

    def without(self, gone: Collection[int], why: str) -> EntrySelection | None:
        """The same without these entries and their dependents; None when rows depend on them."""
        return None if _held(self.entries) & set(gone) else self.less(dict.fromkeys(gone, why))

    def less(self, gone: Mapping[int, str]) -> EntrySelection:
        """The same without these entries (by number: why) and their dependents; but what rows depend on stays."""
        stay, users = _held(self.entries), _users(self.entries)
        roots = [entry for entry in self.entries if entry.number in gone and entry.number not in stay]
        under = dict[int, DumpEntry]()
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
        return EntrySelection(kept, self.left_out + said)


def _of_platform(entries: Sequence[DumpEntry]) -> set[int]:
    """The platform's schema, its content, and triggers on its functions; nothing that the application depends on."""
    own = {entry.number for entry in entries if _lies_in_platform(entry)}
    harmless = {"EVENT TRIGGER", "COMMENT"} | _GRANTS
    own -= _needed(entries, [one.number for one in entries if one.number not in own and one.kind not in harmless])
    triggers = {entry.number for entry in entries if entry.kind == "EVENT TRIGGER" and entry.needs & own}
    comments = {entry.number for entry in entries if entry.kind == "COMMENT" and entry.needs & (own | triggers)}
    needed = {entry.schema for entry in entries if entry.number not in own}
    schemas = {entry.number for entry in entries if entry.kind == "SCHEMA" and entry.name in needed}
    return (own | triggers | comments) - schemas


def _lies_in_platform(entry: DumpEntry) -> bool:
    if entry.kind == "SCHEMA":
        return entry.name == _PLATFORM_SCHEMA
    if entry.schema == EXTENSIONS_SCHEMA:
        return entry.kind not in {"COLLATION"} | _HOLDING
    return entry.schema == _PLATFORM_SCHEMA


def _on(root: DumpEntry) -> str:
    return f"it depends on {root.words}, which is left out"


def _held(entries: Sequence[DumpEntry]) -> set[int]:
    """The numbers of the entries with rows, and of all their dependencies."""
    return _needed(entries, [one.number for one in entries if one.rows or one.kind in _HOLDING])


def _needed(entries: Sequence[DumpEntry], roots: Iterable[int]) -> set[int]:
    """The numbers of `roots` and of all their dependencies."""
    needs = defaultdict[int, set[int]](set)
    for entry in entries:
        needs[entry.number] |= entry.needs
    return _reached(roots, needs)


def _users(entries: Sequence[DumpEntry]) -> Mapping[int, Collection[int]]:
    """By number, the direct dependents."""
    users = defaultdict[int, set[int]](set)
    for entry in entries:
        for number in entry.needs:
            users[number].add(entry.number)
    return users


def _reached(roots: Iterable[int], ways: Mapping[int, Collection[int]], known: Container[int] = ()) -> set[int]:
    """`roots` and everything reachable from them, except `known`. In one pass: a dump may have many entries."""
    found = {one for one in roots if one not in known}
    left = list(found)
    while left:
        more = {one for one in ways.get(left.pop(), ()) if one not in found and one not in known}
        found |= more
        left += more
    return found


# The part of a dump for an owner without permissions outside of the database, and what is left out for that.


_SUPERUSERS_OWN = frozenset(
    {
        "ACCESS METHOD", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURAL LANGUAGE", "TEXT SEARCH PARSER",
        "TEXT SEARCH TEMPLATE",
    }
)  # fmt: skip
_HARMLESS = frozenset(
    {
        "address_standardizer", "address_standardizer_data_us", "autoinc", "bloom", "btree_gin", "btree_gist", "citext",
        "cube", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch", "h3", "h3_postgis", "hll", "hstore",
        "insert_username", "intagg", "intarray", "ip4r", "isn", "lo", "ltree", "moddatetime", "pg_bigm",
        "pg_hashids", "pg_partman", "pg_similarity", "pg_stat_statements", "pg_trgm", "pg_uuidv7", "pgcrypto",
        "pgrouting", "pgroonga", "plpgsql", "postgis", "postgis_raster", "postgis_sfcgal", "postgis_tiger_geocoder",
        "postgis_topology", "prefix", "refint", "roaringbitmap", "rum", "seg", "semver", "tablefunc", "tcn", "tdigest",
        "temporal_tables", "timescaledb", "topn", "tsm_system_rows", "tsm_system_time", "unaccent", "unit",
        "uuid-ossp", "vector", "xml2",
    }
)  # fmt: skip
"""Extensions with types, functions and indexes only: none starts a program, reads a file or reaches another machine."""
BY_HAND = "prove this backup manually: restore it into an empty database on the platform."


@dataclass(frozen=True)
class AllowedExtensions:
    """What is restored, and the extensions that are created before it, which are not part of it."""

    selection: EntrySelection
    extensions: tuple[DumpEntry, ...]

    @classmethod
    def of(cls, selection: EntrySelection, known: Mapping[str, bool], server: str) -> Self:
        """`known` are the server's extensions and whether each is trusted; `server` is its name in messages.

        Raises:
            MachineError: rows of the dump depend on an extension that the server lacks, or that no proof creates.
        """
        selection = _without_kinds(selection)
        wanted = [one for one in selection.entries if one.kind == "EXTENSION" and _may_be_made(one, known)]
        others = [one for one in selection.entries if one.kind == "EXTENSION" and not _may_be_made(one, known)]
        selection = selection.less({one.number: _why(one, known, server) for one in others})
        kept = {entry.number for entry in selection.entries}
        needed = [one for one in others if one.number in kept]
        if lacks := [one.name for one in needed if one.name not in known]:
            raise lacking([f"the extension {name}" for name in lacks], server)
        if needed:
            raise needs_permissions(needed)
        made = [one for one in wanted if one.number in kept]
        numbers = {one.number for one in made}
        entries = tuple(one for one in selection.entries if one.number not in numbers)
        return cls(EntrySelection(entries, selection.left_out), tuple(made))


def _may_be_made(extension: DumpEntry, known: Mapping[str, bool]) -> bool:
    return extension.name in known and (known[extension.name] or extension.name in _HARMLESS)


def _without_kinds(selection: EntrySelection) -> EntrySelection:
    """Without what only a superuser may create; what rows depend on stays, and fails."""
    reasons = dict.fromkeys(FOREIGN, "it reads data on another server, which no dump contains")
    reasons |= dict.fromkeys(_SUPERUSERS_OWN, "only a superuser may create it")
    return selection.less({one.number: reasons[one.kind] for one in selection.entries if one.kind in reasons})


def _why(entry: DumpEntry, known: Mapping[str, bool], server: str) -> str:
    if entry.name in known:
        return "it may reach beyond its database, so no proof creates it"
    return f"{server} does not have it" + (", and no row needs it" if entry.is_dispensable else "")


def needs_permissions(entries: list[DumpEntry]) -> MachineError:
    """The error for rows that depend on objects which need permissions beyond the database."""
    return MachineError(
        f"Rows of the dump need objects that no proof creates: {first_of([one.words for one in entries])}.",
        why="A proof restores a dump without permissions beyond its own database; the dump itself may be valid.",
        next_action=first_upper(BY_HAND),
    )
