"""Good dumps of odd make, each proven and loaded: none is refused, and both hold what was dumped, by digest."""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr

from uscdr.errors import UscdrError
from uscdr.models.postgres import LeftOut, TableDigest
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres.database import PostgresDatabase
from uscdr.providers.postgres.loading import PostgresLoader
from uscdr.providers.postgres.scratch import LocalScratch
from uscdr.providers.postgres.scratch_own import OwnScratch

from . import dumps_oracle
from . import dumps_sources as sources
from .dumps_oracle import Holding
from .dumps_proof import Kept, KeptScratch, kept
from .dumps_sources import Source
from .tally import Tally, say

_CASES = Path(__file__).with_suffix(".sql")
_FOLDING = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
"""As a platform's: every letter has its other case."""
_MADE, _LOADED, _OWNER, _PASSWORD = "good_made", "good_loaded", "good_owner", "campaign"
_SEVERAL = re.compile(r"^--- case: ", re.MULTILINE)
_WITH_ICU = """
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE contact (id serial PRIMARY KEY, mail text COLLATE folded UNIQUE, name text COLLATE "en-x-icu");
INSERT INTO contact (mail, name) VALUES ('Ana@example.org', 'Ñu');
"""


@dataclass(frozen=True)
class GoodCase:
    """One database. `database` are options of CREATE DATABASE, `options` those of pg_dump.

    `left_out` are beginnings of what a load must say that it left out; nothing else may be.
    """

    name: str
    script: str
    left_out: tuple[str, ...]
    database: str
    options: tuple[str, ...]


def cases() -> list[GoodCase]:
    """Those of the file beside."""
    return [_parsed(text) for text in _SEVERAL.split(_CASES.read_text(encoding="utf-8"))[1:]]


def _parsed(text: str) -> GoodCase:
    name, _, rest = text.partition("\n")
    said = dict(re.findall(r"^--- (left out|database|options): (.*)$", rest, re.MULTILINE))
    script = "\n".join(line for line in rest.splitlines() if not line.startswith("--- "))
    left = tuple(one.strip() for one in said.get("left out", "").split("|") if one.strip())
    return GoodCase(name, script, left, said.get("database", _FOLDING), tuple(said.get("options", "").split()))


def run(tally: Tally, *, count: int, seed: int) -> None:
    """`count` of the cases, drawn; those of another PostgreSQL with ICU too, when there is one."""
    known = cases()
    drawn = known if count >= len(known) else random.Random(seed).sample(known, count)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="uscdr-good-dumps-")))
        bench = stack.enter_context(_bench(place))
        for case in drawn:
            if not tally.goes_on():
                break
            tally.case(case.name, wrong=list(bench.complaints(case)))
        if count >= len(known):
            _with_icu(bench, tally)


@contextmanager
def _bench(place: Path) -> Iterator[_Bench]:
    with (
        LocalPostgres.start(place / "source", parameters={"autovacuum": "off"}, tied=True) as server,
        kept(place) as scratch,
    ):
        variables = {name: value for name, value in server.environment().items() if name != "PGDATABASE"}
        source = Source(sources.NEWEST, variables)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {_OWNER} LOGIN PASSWORD '{_PASSWORD}'".encode())
            connection.execute(b"CREATE ROLE good_reader")
        yield _Bench(source, scratch, place)


@dataclass(frozen=True)
class _Bench:
    """A server where databases are made, dumped and loaded, and one for proofs."""

    source: Source
    scratch: Kept
    place: Path

    def complaints(self, case: GoodCase) -> Iterator[str]:
        """What is wrong with what becomes of this case."""
        dump = self.place / "good.dump"
        with self._database(_MADE, case.database), psycopg.connect(self.source.dsn(_MADE), autocommit=True) as writing:
            writing.execute(case.script.encode())
            writing.close()
            dump.write_bytes(self.source.dump(*case.options, database=_MADE))
            truth = self.source.content(_MADE)
            try:
                yield from self._proven(dump, truth)
                yield from self._loaded(case, dump, truth)
            except UscdrError as error:
                yield f"a good dump is refused: {error.message} {error.why}"

    def _proven(self, dump: Path, truth: Holding) -> Iterator[str]:
        with KeptScratch(self.place, self.scratch).restore(dump, lambda done, total: None) as database:
            proven = _digests(database)
        with _live(self.source.dsn(_MADE)) as live:
            if _digests(live) != proven:
                yield "the proof's digests are not those of the database"
        lost = [one for one in truth.differences(self.scratch.seen[-1]) if one.startswith(("rows", "sequence"))]
        if lost:
            yield f"in the proof these differ: {', '.join(lost[:4])}"

    def _loaded(self, case: GoodCase, dump: Path, truth: Holding) -> Iterator[str]:
        """Twice, as a load may be repeated; into a database of an owner who is no superuser."""
        with self._database(_LOADED, f"{case.database} OWNER {_OWNER}"):
            url = f"{self.source.dsn(_LOADED)} user={_OWNER} password={_PASSWORD}"
            for _ in range(2):
                left = PostgresLoader(read_only=False).load(SecretStr(url), dump, lambda done, total: None)
                yield from _of_left_out(case, left)
            held = self.source.content(_LOADED)
            lost = truth.differences(held)
            if case.left_out:  # of the schema, too
                lost = [one for one in lost if one.startswith(("rows", "sequence"))]
            if lost:
                yield f"in the load these differ: {', '.join(lost[:4])}, {sorted(truth.schema ^ held.schema)[:3]}"

    @contextmanager
    def _database(self, name: str, options: str) -> Iterator[None]:
        with psycopg.connect(self.source.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {options}".encode())
            try:
                yield
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _of_left_out(case: GoodCase, left: Sequence[LeftOut]) -> Iterator[str]:
    if unexpected := [one.what for one in left if not one.what.startswith(case.left_out or ("-",))]:
        yield f"left out: {unexpected[:3]}"
    if unsaid := [one for one in case.left_out if not any(said.what.startswith(one) for said in left)]:
        yield f"not said to be left out: {unsaid}"


@contextmanager
def _live(dsn: str) -> Iterator[PostgresDatabase]:
    yield PostgresDatabase(
        SecretStr(dsn), read_only=True, statement_timeout=60, lock_timeout=5, connect_timeout=5, require_tls=False
    )


def _digests(database: PostgresDatabase | object) -> tuple[TableDigest, ...]:
    assert isinstance(database, PostgresDatabase)
    return database.digests([table.name for table in database.tables()])


def _with_icu(bench: _Bench, tally: Tally) -> None:
    """A collation that the packaged server lacks: said to be the machine's lack, and proven where there is one."""
    with sources.older(b"") as (servers, _):
        for server in servers:
            with psycopg.connect(server.dsn(), autocommit=True) as connection:
                if not connection.execute("SELECT FROM pg_collation WHERE collprovider = 'i'").fetchall():
                    continue
                connection.execute(_WITH_ICU.encode())
            dump = bench.place / "icu.dump"
            dump.write_bytes(server.dump())
            tally.case(f"ICU of PostgreSQL {server.version}", wrong=list(_icu_complaints(bench, server, dump)))
            return
    say("    good-dumps: no other PostgreSQL with ICU on this machine: its collations are not covered")


def _icu_complaints(bench: _Bench, server: Source, dump: Path) -> Iterator[str]:
    try:
        with LocalScratch(bench.place / "packaged").restore(dump, lambda done, total: None):
            yield "the packaged server has no ICU, and proved it"
    except UscdrError as error:
        if "This machine's PostgreSQL lacks ICU" not in error.message:
            yield f"a good dump is blamed: {error.message}"
    truth, url = dumps_oracle.look(server.dsn()), SecretStr(f"postgresql://{_url(server)}/postgres")
    with OwnScratch(url, list).restore(dump, lambda done, total: None) as database:
        rows = sum(one.rows for one in _digests(database))
    if rows != sum(number for number, _ in truth.tables.values()):
        yield "the server with ICU proved other rows"


def _url(server: Source) -> str:
    given = server.variables
    return f"{given['PGUSER']}:{given['PGPASSWORD']}@{given['PGHOST']}:{given['PGPORT']}"
