"""The damaged dumps by name: how each is made, and what may be said of it."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from uscdr.backups.proofs import ProofDocument

from . import dumps_layout as layouts
from .dumps_layout import Damage, Layout
from .dumps_oracle import Holding
from .dumps_sources import Programs, Source, identifier

Judge = Callable[[ProofDocument], str]
"""A complaint about what a proof says, or nothing."""


@dataclass(frozen=True)
class Made:
    """A dump under test, and what it should restore to: None when there is nothing that it should."""

    data: bytes
    truth: Holding | None


@dataclass(frozen=True)
class Case:
    """One dump. `fit`: whether it must earn a proof (True), must not (False), or may if nothing is lost (None).

    `expected`: kinds of residue that are known and explained; a proof earned for another loss is a wrong verdict.
    """

    group: str
    name: str
    make: Callable[[], Made]
    fit: bool | None = None
    key: SecretStr | None = None
    judge: Judge | None = None
    residue: str = ""


@dataclass(frozen=True)
class Base:
    """A whole dump that is damaged in many ways."""

    name: str
    data: bytes
    where: Layout
    truth: Holding
    loose: str
    """Why a bit of its rows can change unnoticed; empty where each table's rows have a checksum."""


_PLAIN, _NO_SUM = "rows that are not compressed", "rows compressed without a checksum"
BASES: dict[str, tuple[tuple[str, ...], bool, str]] = {
    "file": ((), False, ""),
    "pipe": ((), True, ""),
    "file, not compressed": (("--compress=0",), False, _PLAIN),
    "pipe, not compressed": (("--compress=0",), True, _PLAIN),
    "pipe, zstd": (("--compress=zstd",), True, _NO_SUM),
    "file, lz4": (("--compress=lz4",), False, _NO_SUM),
}
"""Options of pg_dump; whether it wrote to a pipe, as the platform's does: then the dump tells no offsets; `loose`.

By default rows are compressed as zlib does it, which ends with a checksum; pg_dump asks zstd and lz4 for none.
"""


def bases(source: Source) -> dict[str, Base]:
    """One of each kind; a kind of compression that the programs lack is left out."""
    truth, found = source.content(), {}
    for name, (options, piped, loose) in BASES.items():
        try:
            data = source.dump(*options, piped=piped)
        except RuntimeError:
            continue
        found[name] = Base(name, data, layouts.layout(data), truth, loose)
    return found


def undamaged(base: Base) -> Case:
    """As it was made."""
    return Case("whole", f"undamaged: {base.name}", partial(Made, base.data, base.truth), fit=True)


def cuts(base: Base, count: int) -> Iterator[Case]:
    """At each hundredth, when `count` is 100."""
    for step in range(count):
        size = len(base.data) * step // count
        yield Case("cut", f"{base.name}, {size} bytes", partial(_cut, base, size), fit=False)


def _cut(base: Base, size: int) -> Made:
    return Made(base.data[:size], base.truth)


def damages(group: str, base: Base, damage: Damage, count: int, seed: int, residue: str = "") -> Iterator[Case]:
    """`count` different ones."""
    for number in range(count):
        name = f"{base.name}, {number}"
        make = partial(_damaged, base, damage, f"{seed} {group} {name}")
        yield Case(group, name, make, residue=residue)


def _damaged(base: Base, damage: Damage, seed: str) -> Made:
    return Made(damage(base.data, base.where, random.Random(seed)), base.truth)


def flips(base: Base, header: int, contents: int, rows: int, seed: int) -> Iterator[Case]:
    """By the part that the bit is in. What is not compressed has no checksum of any kind."""
    at, end = base.where.contents
    yield from damages("bit of the header", base, layouts.flip(0, at), header, seed)
    yield from damages("bit of the contents", base, layouts.flip(at, end), contents, seed, "table of contents")
    yield from damages("bit of the rows", base, layouts.flip_in_rows, rows, seed, base.loose)


def wholes(source: Source, other_application: bytes) -> Iterator[Case]:
    """What is no dump of this application at all."""
    data = source.dump()
    texts = {
        "empty": b"",
        "a web page": b"<!DOCTYPE html><html><body><h1>Request has expired</h1></body></html>" * 20,
        "XML of the storage": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "JSON": b'{"id": "not_found", "message": "Couldn\'t find that backup."}',
        "gzip": gzip.compress(data, 1),
        "plain SQL": source.dump("--format=plain", piped=True),
        "tar format": source.dump("--format=tar"),
        "only the magic": b"PGDMP",
        "magic and zeros": b"PGDMP" + bytes(100_000),
        "zeros": bytes(len(data)),
        "another application": other_application,
        "schema only": source.dump("--schema-only"),
        "rows only": source.dump("--data-only"),
        "without the extension": source.dump("--exclude-extension=pgcrypto"),
        "in the newest format and one beyond": data[:6] + bytes([data[6] + 1]) + data[7:],
        "two dumps one after the other": data + data,
    }
    for name, text in texts.items():
        truth = source.content() if name.startswith("two") else None
        yield Case("whole", name, partial(Made, text, truth), fit=None if truth else False)


def variants(source: Source, expected: frozenset[str]) -> Iterator[Case]:
    """Faithful dumps of databases that are not as they should be."""
    for table in source.tables():
        name = identifier(table)
        gone, emptied = f"DROP TABLE {name} CASCADE", f"TRUNCATE {name} CASCADE"
        without = partial(_changed, source, gone)
        yield Case("missing table", table, without, fit=False if table in expected else None, judge=_tables(source))
        yield Case("emptied table", table, partial(_changed, source, emptied))
    everything = "TRUNCATE " + ", ".join(map(identifier, source.tables()))
    yield Case("emptied table", "all", partial(_changed, source, everything), fit=False)
    behind = (
        "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations WHERE app = 'patients')",
    )
    yield Case("older schema", "one migration", partial(_changed, source, *behind), fit=True, judge=_pending)
    extra = "INSERT INTO django_migrations (app, name, applied) VALUES ('patients', '0999_later', now())"
    yield Case("newer schema", "one migration", partial(_changed, source, extra), fit=True, judge=_ahead)
    for name, statements in _BROKEN.items():
        yield Case("broken invariant", name, partial(_changed, source, *statements), fit=False)


_BROKEN = {
    "no superuser": ("UPDATE authentication_user SET is_superuser = false",),
    "sequence behind": ("SELECT setval('patients_patient_id_seq', 1)",),
    "no extension": ("DROP EXTENSION pgcrypto CASCADE",),
    "encrypted column gone": ("ALTER TABLE patients_patient DROP COLUMN first_name_enc CASCADE",),
    "encrypted with another key": (
        "UPDATE patients_patient SET first_name_enc = pgp_sym_encrypt(first_name, 'other') WHERE id % 2 = 0",
    ),
    "plain and encrypted differ": ("UPDATE patients_medicalrecord SET diagnosis = diagnosis || 'x' WHERE id % 3 = 0",),
    "orphans": (
        "ALTER TABLE patients_medicalrecord DISABLE TRIGGER ALL", "SET session_replication_role = replica",
        "DELETE FROM patients_patient WHERE id IN (SELECT patient_id FROM patients_medicalrecord LIMIT 3)",
    ),
    "an extension that is not here": (
        "CREATE EXTENSION hstore", "UPDATE pg_extension SET extname = 'postgis' WHERE extname = 'hstore'",
    ),
}  # fmt: skip


def _changed(source: Source, *statements: str) -> Made:
    with source.changed(*statements) as database:
        return Made(source.dump(database=database, piped=True), source.content(database))


def _tables(source: Source) -> Judge:
    """A proof of a dump without one of the tables says how many there are."""
    most = len(source.tables())

    def judge(proof: ProofDocument) -> str:
        return "" if proof.tables < most else f"it counts {proof.tables} tables"

    return judge


def _pending(proof: ProofDocument) -> str:
    return "" if proof.migrations.verdict == "pending" else f"migrations are said to be {proof.migrations.verdict}"


def _ahead(proof: ProofDocument) -> str:
    return "" if proof.migrations.verdict == "ahead" else f"migrations are said to be {proof.migrations.verdict}"


def keys(source: Source, right: str) -> Iterator[Case]:
    """The same dump, tried with keys that are not the application's."""
    wrong = (right[:-1], right + "x", right.upper(), right.lower(), right[::-1], "x", " " + right, right + "\n")
    made = partial(Made, source.dump(), source.content())
    yield Case("key", "the right one", made, fit=True)
    for number, key in enumerate(dict.fromkeys(one for one in wrong if one != right)):
        yield Case("key", f"wrong, {number}", made, fit=False, key=SecretStr(key))


def versions(servers: list[Source], programs: list[Programs]) -> Iterator[Case]:
    """Of each server by each version of pg_dump that can."""
    for server in servers:
        for one in programs:
            if one.major >= server.version:
                name = f"server {server.version}, pg_dump {one.major}"
                yield Case("version", name, partial(_by, server, one.directory), fit=True)
                yield Case("version", f"{name}, cut", partial(_by, server, one.directory, 0.9), fit=False)


def _by(server: Source, programs: Path, share: float = 1.0) -> Made:
    data = server.dump(piped=True, by=programs)
    return Made(data[: int(len(data) * share)], server.content())
