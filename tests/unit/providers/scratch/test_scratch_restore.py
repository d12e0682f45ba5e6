"""A sound dump, restored for real into a private server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from uscdr.errors import WriteRefused
from uscdr.models.data_settings import Invariant
from uscdr.providers.postgres.scratch import LocalScratch

CANARY = "Canario"


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


def test_restored_database_is_the_same_and_read_only(source: Any, good: Path, base: Path, homes: Any) -> None:
    seen: list[tuple[int, int | None]] = []
    scratch = LocalScratch(base)
    scratch.prepare()
    with scratch.restore(good, lambda done, total: seen.append((done, total))) as database:
        live = source.adapter()
        names = [table.name for table in database.tables()]
        assert names == ["patient", "visit"] == [table.name for table in live.tables()]
        assert database.digests(names) == live.digests(names)
        assert database.keys({"patient": None})["patient"] == live.keys({"patient": None})["patient"]
        decrypts = "SELECT bool_and(pgp_sym_decrypt(secret, 'key') = 'Canario') FROM patient"
        (result,) = database.invariants([Invariant(name="canary", sql=decrypts, equals="true")])
        assert result.holds
        with pytest.raises(WriteRefused):
            database.end_sessions()
        (only,) = base.iterdir()
        assert only.stat().st_mode & 0o777 == 0o700
        assert base.stat().st_mode & 0o777 == 0o700
        (home,) = homes()
        assert home.stat().st_mode & 0o777 == 0o700
    assert not home.exists()
    assert seen[-1][0] > 1_000_000


def test_extension_without_its_schema_in_the_dump(source: Any, base: Path, tmp_path: Path) -> None:
    """As the platform dumps it: the schema is named, but not made."""
    dump = source.dump(tmp_path / "d", "--exclude-schema=heroku_ext", "--extension=pgcrypto")
    with LocalScratch(base).restore(dump, ignore) as database:
        assert database.counts(["patient"]) == {"patient": 3000}
        assert "pgcrypto" in [extension.name for extension in database.extensions()]


def test_restored_database_is_opened_by_a_mere_reader(good: Path, base: Path) -> None:
    with LocalScratch(base).restore(good, ignore) as database:
        rights = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
        asked = [
            Invariant(name="rights", sql=rights, equals="false"),
            Invariant(name="write", sql="SELECT has_table_privilege('patient', 'INSERT')", equals="false"),
            Invariant(name="size", sql="SELECT pg_database_size(current_database())", minimum=1_000_000),
        ]
        assert all(result.holds for result in database.invariants(asked))
        assert database.facts().version[0] >= 17


def test_one_after_another_and_two_at_once(good: Path, base: Path) -> None:
    scratch = LocalScratch(base, jobs=1)
    with scratch.restore(good, ignore) as one, scratch.restore(good, ignore) as two:
        assert one.counts(["visit"]) == two.counts(["visit"]) == {"visit": 3000}


def test_server_log_holds_no_rows(source: Any, base: Path, good: Path, homes: Any) -> None:
    with LocalScratch(base).restore(good, ignore) as database:
        failing = "SELECT name::int FROM patient"
        (result,) = database.invariants([Invariant(name="leak", sql=failing, equals="1")])
        assert result.holds is None
        (home,) = homes()
        assert CANARY not in (home / "server.log").read_text()
