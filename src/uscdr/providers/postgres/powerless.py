"""What of a dump is made for an owner who may do nothing outside of the database, and what is left out for that.

Whoever writes into a database decides what its dump says. So a dump is restored by a role without any right beyond its
own database; what needs more is left out by its entry in the table of contents, and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uscdr.errors import MachineError
from uscdr.providers.postgres.contents import Entry
from uscdr.providers.postgres.lacks import SCRATCH, lacking
from uscdr.providers.postgres.selection import (
    FOREIGN,
    Selection,
    extension_schema,
    is_dispensable,
)
from uscdr.words import first_of

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
"""Extensions of types, functions and indexes: none starts a program, reads a file or reaches another machine."""
BY_HAND = "prove this backup by hand: restore it into an empty database at the platform"


@dataclass(frozen=True)
class Wanted:
    """An extension that is made before the restore; `schema` is empty when the dump names none that may be chosen."""

    entry: Entry
    name: str
    schema: str


@dataclass(frozen=True)
class Admitted:
    """What is restored, and the extensions that are made for it beforehand, which are no part of it."""

    selection: Selection
    extensions: tuple[Wanted, ...]


def admit(selection: Selection, known: Mapping[str, bool], server: str) -> Admitted:
    """`known` are the extensions of the server and whether it calls them trusted; `server` is what a message calls it.

    Raises:
        MachineError: rows of the dump hang on an extension that the server lacks, or that no proof makes.
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
        raise unmade(needed)
    made = [one for one in wanted if one.number in kept]
    numbers = {one.number for one in made}
    entries = tuple(one for one in selection.entries if one.number not in numbers)
    extensions = tuple(Wanted(one, one.name, _free(extension_schema(one))) for one in made)
    return Admitted(Selection(entries, selection.left_out), extensions)


def _may_be_made(extension: Entry, known: Mapping[str, bool]) -> bool:
    return extension.name in known and (known[extension.name] or extension.name in _HARMLESS)


def _without_kinds(selection: Selection) -> Selection:
    """Less what is a superuser's to make; what rows hang on stays, and fails."""
    reasons = dict.fromkeys(FOREIGN, "it reaches data that lies elsewhere, which no dump holds")
    reasons |= dict.fromkeys(_SUPERUSERS_OWN, "only a superuser may make it")
    return selection.less({one.number: reasons[one.kind] for one in selection.entries if one.kind in reasons})


def _why(entry: Entry, known: Mapping[str, bool], server: str) -> str:
    if entry.name in known:
        return "it may reach beyond its database, so no proof makes it"
    return f"{server} does not have it" + (", and no row needs it" if is_dispensable(entry) else "")


def _free(schema: str) -> str:
    """A schema of the server's own is chosen by the extension itself, or not at all."""
    return "" if schema.startswith("pg_") or schema == "information_schema" else schema


def unmade(entries: list[Entry]) -> MachineError:
    """The error: rows hang on what only a role may make that reaches beyond its database."""
    return MachineError(
        f"rows of the dump need what no proof makes: {first_of([one.words for one in entries])}",
        why="a dump is restored without any right beyond its own database; the dump itself may be sound",
        next_action=BY_HAND,
    )


def unproven(gone: list[str], why: str) -> MachineError:
    """The error: what is restored does not do without what was left out, and nobody knows whether it is sound."""
    return MachineError(
        f"the dump does not restore without what was left out of it: {first_of(gone)}",
        why=why,
        next_action=f"{SCRATCH}. Or {BY_HAND}",
    )
