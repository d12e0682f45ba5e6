"""A PostgreSQL with ICU, as platforms have it: what the packaged one lacks is proven there, and no dump is blamed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.errors import MachineError
from uscdr.pgserver import cluster as clusters
from uscdr.pgserver.server import Guard, LocalPostgres
from uscdr.providers.postgres.loading import PostgresLoader
from uscdr.providers.postgres.scratch import LocalScratch
from uscdr.providers.postgres.scratch_own import OwnScratch

PASSWORD = "conformance"
FOLDED = """
CREATE COLLATION case_insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE contact (id serial PRIMARY KEY, email varchar(254) COLLATE case_insensitive UNIQUE);
INSERT INTO contact (email) VALUES ('Ana@example.org');
"""
BUILT_IN = """
CREATE TABLE contact (id serial PRIMARY KEY, email text COLLATE "de-x-icu");
INSERT INTO contact (email) VALUES ('Ana@example.org');
"""
ORDERED = """
CREATE TABLE name (n text) PARTITION BY RANGE (n);
CREATE TABLE name_low PARTITION OF name FOR VALUES FROM ('a') TO ('n');
CREATE TABLE name_rest PARTITION OF name DEFAULT; INSERT INTO name VALUES ('Ana'), ('ana'), ('zoe');
"""


@dataclass(frozen=True)
class Debian:
    """A server of Debian's packages."""

    binaries: Path
    port: int

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def dump(self, path: Path, script: str, options: str = "") -> Path:
        """Of a database that is made of the script and gone again."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE made TEMPLATE template0 {options}".encode())
            with psycopg.connect(self.url("made"), autocommit=True) as writing:
                writing.execute(script.encode())
            env = {**os.environ, "PGPASSWORD": PASSWORD}
            command = [str(self.binaries / "pg_dump"), "-Fc", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
            subprocess.run([*command, "-f", str(path), "made"], env=env, check=True)
            connection.execute("DROP DATABASE made")
        return path

    def proofs(self) -> list[str]:
        """Databases of proofs that are there."""
        with psycopg.connect(self.url()) as connection:
            found = connection.execute("SELECT datname::text FROM pg_database WHERE datname LIKE 'uscdr_proof%'")
            return [name for (name,) in found.fetchall()]


@pytest.fixture(scope="module")
def debian() -> Iterator[Debian]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL of Debian's packages on this machine: tests/conformance/install_packages.sh")
    root = Path(mkdtemp(dir="/var/tmp", prefix="uscdr-conformance-"))  # where the servers' own user can go, too
    root.chmod(0o711)
    cluster = clusters.Cluster.prepare(root / "postgres", found[0].parent)
    guard = Guard.start(cluster.data, [root])
    try:
        cluster.initialise(PASSWORD, tls=None, parameters={})
        yield Debian(found[0].parent, cluster.launch())
    finally:
        guard.release()


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


@pytest.mark.parametrize(
    ("script", "lack"),
    [(FOLDED, "lacks ICU (collation case_insensitive)"), (BUILT_IN, "lacks ICU (collation de-x-icu)")],
)
def test_collations_of_icu(debian: Debian, tmp_path: Path, script: str, lack: str) -> None:
    dump = debian.dump(tmp_path / "d", script)
    with pytest.raises(MachineError) as lacking, LocalScratch(tmp_path / "scratch").restore(dump, ignore):
        pytest.fail("restored without ICU")
    assert lacking.value.message == f"This machine's PostgreSQL {lack}."
    assert lacking.value.next_action.startswith(
        "Prove the backup on a PostgreSQL server that has it: --scratch postgresql://"
    )
    with OwnScratch(SecretStr(debian.url()), list).restore(dump, ignore) as database:
        assert database.counts(["contact"]) == {"contact": 1}
        assert len(debian.proofs()) == 1
    assert debian.proofs() == []


def test_a_database_whose_own_locale_is_of_icu(debian: Debian, tmp_path: Path) -> None:
    """Texts alone restore under any locale; where their order decides, the machine is named."""
    locale = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
    plain = debian.dump(tmp_path / "d", "CREATE TABLE t (n text UNIQUE); INSERT INTO t VALUES ('Peña')", locale)
    with LocalScratch(tmp_path / "scratch").restore(plain, ignore) as database:
        assert database.counts(["t"]) == {"t": 1}
    ordered = debian.dump(tmp_path / "e", ORDERED, locale)
    with (
        pytest.raises(MachineError, match="This machine's PostgreSQL lacks the locale en-US"),
        LocalScratch(tmp_path / "scratch").restore(ordered, ignore),
    ):
        pytest.fail("rows are in other partitions here")
    with OwnScratch(SecretStr(debian.url()), list).restore(ordered, ignore) as database:
        assert database.counts(["name_low", "name_rest"]) == {"name_low": 2, "name_rest": 1}


def test_a_live_database_without_icu_is_named_and_not_the_dump(debian: Debian, tmp_path: Path) -> None:
    dump = debian.dump(tmp_path / "d", FOLDED)
    with LocalPostgres.start(tmp_path / "live", tied=True) as live:
        url = SecretStr(live.dsn())
        with pytest.raises(MachineError, match=f"The database at 127.0.0.1:{live.port} lacks ICU"):
            PostgresLoader(read_only=False).load(url, dump, ignore)
    with psycopg.connect(debian.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE live")
    PostgresLoader(read_only=False).load(SecretStr(debian.url("live")), dump, ignore)
    with psycopg.connect(debian.url("live")) as there:
        folded = "SELECT count(*) FROM contact WHERE email = 'ANA@EXAMPLE.ORG'"
        assert there.execute(folded).fetchall() == [(1,)]


def test_a_server_older_than_the_dump_is_named(debian: Debian, tmp_path: Path) -> None:
    with LocalPostgres.start(tmp_path / "newer", tied=True) as newer:
        with psycopg.connect(newer.dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE t (id int)")
        env = {**os.environ, **newer.environment()}
        dump = tmp_path / "d"
        subprocess.run([newer.binaries / "pg_dump", "-Fc", "-f", dump], env=env, check=True)
    own = OwnScratch(SecretStr(debian.url()), list)
    with pytest.raises(MachineError, match="lacks features of PostgreSQL 17: it is version"), own.restore(dump, ignore):
        pytest.fail("restored into an older server")
