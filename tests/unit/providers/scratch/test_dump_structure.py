"""What pg_restore leaves out without a word is found before: on dumps of the real programs, restored by them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from uscdr.errors import CheckFailed, MachineError
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres import contents
from uscdr.providers.postgres.scratch import LocalScratch
from uscdr.wiring.stores import decode

SCHEMA = """
CREATE TABLE patient (id serial PRIMARY KEY, name text);
CREATE TABLE visit (id serial PRIMARY KEY, patient_id int REFERENCES patient (id), note text);
CREATE TABLE nobody (id int);
CREATE INDEX visit_by_patient ON visit (patient_id);
INSERT INTO patient (name) SELECT repeat(md5(g::text), 20) FROM generate_series(1, 500) g;
INSERT INTO visit (patient_id, note) SELECT g, md5(g::text) FROM generate_series(1, 500) g;
SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'));
"""
KINDS = {"gzip": (), "plain": ("--compress=0",), "zstd": ("--compress=zstd",), "lz4": ("--compress=lz4",)}


@dataclass(frozen=True)
class Clinic:
    """A small database, and its dumps."""

    server: LocalPostgres
    place: Path

    def dump(self, *options: str, into: str = "pipe") -> Path:
        """By pg_dump itself, into a pipe (as the platform does), or into a file that it opens or is given."""
        path = self.place / "clinic.dump"
        command = [str(self.server.binaries / "pg_dump"), "-Fc", *options]
        if into == "pipe":
            path.write_bytes(self.run(command, "clinic", stdout=subprocess.PIPE).stdout)
        elif into == "file":
            self.run([*command, "-f", str(path)], "clinic")
        else:
            with path.open("wb") as file:
                self.run(command, "clinic", stdout=file)
        return path

    def restored(self, dump: Path, name: str) -> list[int]:
        """Rows of both tables after a restore that must report no error, and the number of indexes."""
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
            connection.execute(f"CREATE DATABASE {name}".encode())
        done = self.run([str(self.server.binaries / "pg_restore"), "-j2", "-d", name, str(dump)], name)
        assert done.stderr == b""
        indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"
        asked = ("SELECT count(*) FROM patient", "SELECT count(*) FROM visit", indexes)
        with psycopg.connect(self.server.dsn(name)) as connection:
            return [int(connection.execute(one.encode()).fetchall()[0][0]) for one in asked]

    def run(self, command: list[str], database: str, stdout: Any = None) -> subprocess.CompletedProcess[bytes]:
        env = {**os.environ, **self.server.environment(database)}
        return subprocess.run(command, env=env, stdout=stdout, stderr=subprocess.PIPE, check=True)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    place = tmp_path_factory.mktemp("structure")
    with LocalPostgres.start(place / "server", tied=True) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(b"CREATE DATABASE clinic")
        with psycopg.connect(server.dsn("clinic")) as connection:
            connection.execute(SCHEMA.encode())
        yield Clinic(server, place)


def mark(data: bytes, kind: bytes, name: bytes, what: str) -> int:
    """Where an entry's section is, or its mark for rows."""
    head = rb"\0.{4}\0(?P<rows>[\0\1])\0{3}\0.{4}\d+\0.{4}\d+\0.{4}"
    entry = re.compile(head + name + rb"\0.{4}" + kind + rb"\0(?P<section>[\1-\4])\0{3}", re.DOTALL)
    found = entry.search(data)
    assert found
    return found.start(what)


def flipped(dump: Path, place: int, bit: int) -> None:
    data = bytearray(dump.read_bytes())
    data[place] ^= bit
    dump.write_bytes(data)


@pytest.mark.parametrize("into", ["pipe", "file", "a file that is open"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_dump_is_not_complained_of(clinic: Clinic, kind: str, into: str) -> None:
    dump = clinic.dump(*KINDS[kind], into=into)
    contents.check_blocks(dump)
    assert clinic.restored(dump, "whole") == [500, 500, 3]


@pytest.mark.parametrize(
    ("entry", "what", "bit", "left", "words"),
    [
        ((b"TABLE DATA", b"visit"), "section", 8, [500, 0, 3], "TABLE DATA visit"),
        ((b"TABLE DATA", b"visit"), "rows", 1, [500, 0, 3], "It contains rows that are not in its table of contents"),
        ((b"INDEX", b"visit_by_patient"), "section", 16, [500, 500, 2], "INDEX visit_by_patient"),
    ],
)
def test_one_bit_that_leaves_something_out_without_an_error(
    clinic: Clinic, entry: tuple[bytes, bytes], what: str, bit: int, left: list[int], words: str
) -> None:
    dump = clinic.dump()
    flipped(dump, mark(dump.read_bytes(), *entry, what), bit)
    assert clinic.restored(dump, "less") == left
    with pytest.raises(CheckFailed) as refused:
        contents.check_blocks(dump)
    assert words in refused.value.why


def test_rows_that_are_not_in_the_file_are_named(clinic: Clinic) -> None:
    dump = clinic.dump()
    place = mark(dump.read_bytes(), b"TABLE", b"nobody", "rows")
    flipped(dump, place, 1)
    with pytest.raises(CheckFailed, match="leave something out") as refused:
        contents.check_blocks(dump)
    assert refused.value.why == "It contains no rows for TABLE nobody."


def test_every_cut_is_found(clinic: Clinic) -> None:
    dump = clinic.dump()
    data = dump.read_bytes()
    for size in range(0, len(data) - 5, max(1, len(data) // 200)):
        dump.write_bytes(data[:size])
        with pytest.raises(CheckFailed):
            contents.check_blocks(dump)


def test_another_format_is_left_to_pg_restore(tmp_path: Path) -> None:
    dump = tmp_path / "newer.dump"
    dump.write_bytes(b"PGDMP\x01\x11\x00\x04\x08\x01" + bytes(100))
    contents.check_blocks(dump)
    with pytest.raises(MachineError, match="uscdr cannot read"):
        contents.check_blocks(tmp_path / "none.dump")


def test_no_proof_restores_it(clinic: Clinic, tmp_path: Path) -> None:
    dump = clinic.dump()
    flipped(dump, mark(dump.read_bytes(), b"TABLE DATA", b"visit", "section"), 8)
    scratch = LocalScratch(tmp_path / "scratch")
    with pytest.raises(CheckFailed, match="leave something out") as refused, scratch.restore(dump, lambda *_: None):
        pass
    assert "TABLE DATA visit" in refused.value.why
    with pytest.raises(CheckFailed, match="leave something out"):
        decode(dump)
