"""PgBouncer that ignores start-up options: everything is read all the same, nothing can be written."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from pooled import Pooled
from pydantic import SecretStr

from uscdr.errors import ProviderError
from uscdr.models.data_settings import Invariant, ReferenceColumn
from uscdr.providers.postgres.database import PostgresDatabase

Pooler = Callable[[str], Pooled]
TABLES = ["patient", "visit"]


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_all_is_read_as_without_it(pooled: Pooler, mode: str) -> None:
    place = pooled(mode)
    behind = place.adapter()
    direct = PostgresDatabase(
        SecretStr(place.server.dsn()), read_only=True, statement_timeout=20.0, lock_timeout=2.0, connect_timeout=5.0,
        require_tls=False,
    )  # fmt: skip
    for adapter in (behind, direct):
        assert adapter.counts(TABLES) == {"patient": 50, "visit": 2}
    assert behind.digests(TABLES) == direct.digests(TABLES)
    assert getattr(behind.keys({"visit": None})["visit"], "keys", ()) == ("1", "2")
    assert behind.newest(["patient.at"]) == {"patient.at": "2026-01-01T00:00:00.000000Z"}
    assert [key.orphans for key in behind.foreign_keys()] == [0]
    assert not behind.migrations()
    assert not behind.sequences()
    assert len(behind.file_references([ReferenceColumn(column="patient.name")]).found) == 50
    number = Invariant(name="n", sql="SELECT count(*) FROM patient", equals="50")
    assert [one.holds for one in behind.invariants([number, number])] == [True, True]


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_nothing_is_written_and_no_query_runs_for_ever(pooled: Pooler, mode: str) -> None:
    place = pooled(mode)
    wanted = [
        Invariant(name=name, sql=query, minimum=0)
        for name, query in (
            ("delete", "DELETE FROM visit RETURNING 1"),
            ("commit", "COMMIT"),
            ("writable", "SET default_transaction_read_only = off"),
            ("again", "DELETE FROM visit RETURNING 1"),
            ("long", "SELECT 1 FROM pg_sleep(30)"),
        )
    ]
    results = place.adapter(statement_timeout=0.5).invariants(wanted)
    assert [one.holds for one in results] == [None] * 5
    assert "read only" in results[0].seen
    assert "57014" in results[-1].seen
    assert place.direct("SELECT count(*) FROM visit") == [(2,)]


def test_the_next_client_of_the_pooled_session_finds_it_as_it_was(pooled: Pooler) -> None:
    place = pooled("transaction")
    place.adapter().counts(TABLES)
    with psycopg.connect(place.url, autocommit=True, prepare_threshold=None) as other:
        assert other.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
        assert other.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_a_pooler_that_allows_no_transaction_is_named_and_nothing_is_read(pooled: Pooler) -> None:
    with pytest.raises(ProviderError, match="pooler") as caught:
        pooled("statement").adapter().counts(TABLES)
    assert "the database server's own address" in caught.value.next_action
