"""Dumps that are damaged, of the wrong kind, too new, or that do not restore: each says why, and no more."""

from __future__ import annotations

import re
import secrets
import traceback
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from uscdr.errors import CheckFailed, MachineError, UscdrError
from uscdr.providers.postgres.scratch import LocalScratch

CANARY = "Canario"


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


def refusal(base: Path, dump: Path, **options: Any) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught, LocalScratch(base, **options).restore(dump, ignore):
        pytest.fail("a bad dump was restored")
    assert CANARY not in whole(caught.value)
    return caught.value


def whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(vars(error))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "The file is empty"),
        (b"PGDMP", "does not start"),
        (b"<!DOCTYPE html><html>Request has expired: Canario</html>", "web page"),
        (b"<?xml version='1.0'?><Error>Canario</Error>", "XML"),
        (b"--\n-- PostgreSQL database dump\n--\nINSERT INTO p VALUES ('Canario');", "plain SQL"),
        (b"\x1f\x8b\x08Canario", "gzip"),
        (b"Canario" * 100, "does not start"),
    ],
)
def test_what_is_no_dump(base: Path, tmp_path: Path, content: bytes, why: str) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(content)
    error = refusal(base, dump)
    assert error.message == "The file is not a database dump."
    assert why in error.why


def test_truncated_dump(base: Path, good: Path, tmp_path: Path) -> None:
    whole_dump = good.read_bytes()
    for length in (200, len(whole_dump) // 2, len(whole_dump) - 20_000):
        (tmp_path / "dump").write_bytes(whole_dump[:length])
        assert "pg_restore exited" not in refusal(base, tmp_path / "dump").why


def test_flipped_bit_in_the_data(base: Path, good: Path, tmp_path: Path) -> None:
    damaged = bytearray(good.read_bytes())
    # Behind the header of the largest block: elsewhere it may hit the length of a block.
    starts = [*(found.start() for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", damaged)), len(damaged)]
    start, _ = max(pairwise(starts), key=lambda one: one[1] - one[0])
    damaged[start + 40] ^= 0x10
    (tmp_path / "dump").write_bytes(damaged)
    error = refusal(base, tmp_path / "dump")
    assert "could not restore" in error.message
    assert "uncompress" in error.why


def test_dump_of_nothing(source: Any, base: Path, tmp_path: Path) -> None:
    error = refusal(base, source.dump(tmp_path / "dump", "--schema-only"))
    assert "no table data" in error.message


def test_newer_archive_format_names_the_client_needed(base: Path, good: Path, tmp_path: Path) -> None:
    newer = bytearray(good.read_bytes())
    newer[6] = 99
    (tmp_path / "dump").write_bytes(newer)
    error = refusal(base, tmp_path / "dump")
    assert "archive format 1.99 needs pg_restore" in error.message
    assert "too new" in error.message


def test_old_client_is_told_the_version_needed(base: Path, good: Path, tmp_path: Path) -> None:
    old = tmp_path / "tools" / "pg_restore"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 15.18'\n")
    old.chmod(0o755)
    error = refusal(base, good, tools=old.parent)
    assert "needs pg_restore 17 or newer" in error.message
    assert "15.18" in error.why


def test_missing_dump_is_this_machines_trouble(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError), LocalScratch(base).restore(tmp_path / "none", ignore):
        pytest.fail("restored nothing")


def test_errors_of_the_server_come_without_values(source: Any, base: Path, tmp_path: Path) -> None:
    """Rows that break a constraint, and a function that raises a name, quote nothing."""
    source.run(
        "CREATE FUNCTION strict(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN IF t LIKE 'Canario%' THEN RAISE 'Canario is %', t; END IF; RETURN true; END $$;"
        "CREATE TABLE raising (name text); INSERT INTO raising VALUES ('fine');"
        "ALTER TABLE raising ADD CHECK (strict(name));"
        "ALTER TABLE raising DISABLE TRIGGER ALL;"
        "CREATE TABLE parent (name text PRIMARY KEY); CREATE TABLE child (name text REFERENCES parent);"
        "SET session_replication_role = replica; INSERT INTO child VALUES ('Canario orphan')"
    )
    source.run(
        "CREATE OR REPLACE FUNCTION strict(t text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
        "INSERT INTO raising VALUES ('Canario 7')"
    )
    source.run(
        "CREATE OR REPLACE FUNCTION strict(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN IF t LIKE 'Canario%' THEN RAISE 'Canario is %', t; END IF; RETURN true; END $$"
    )
    dump = source.dump(tmp_path / "dump")
    source.run("DROP TABLE raising, child, parent; DROP FUNCTION strict")
    error = refusal(base, dump)
    assert error.message == "pg_restore could not restore the dump: 2 errors."
    assert 'COPY failed for table "raising": uscdr does not show the server\'s message' in error.why
    assert "could not execute query: insert or update on table" in error.why


def test_errors_have_something_to_do_next(base: Path, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(secrets.token_bytes(64))
    error: UscdrError = refusal(base, tmp_path / "dump")
    assert error.next_action


def test_without_room_for_the_dump_alone_no_restore_is_begun(
    good: Path, base: Path, homes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uscdr.providers.probes.machine.shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    scratch = LocalScratch(base)
    scratch.prepare()
    with pytest.raises(MachineError, match=r"no room .* has 1\.0 kB free") as caught, scratch.restore(good, ignore):
        pass
    assert "This does not mean that the dump is damaged" in caught.value.why
    assert homes() == []
