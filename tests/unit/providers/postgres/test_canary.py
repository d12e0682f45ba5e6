"""A key is tried on encrypted rows in the server, and only numbers come back."""

from __future__ import annotations

import secrets
import traceback
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.errors import NotFound, ProviderError
from uscdr.models.data_settings import CanaryColumn
from uscdr.models.postgres import CanaryResult

KEY, OTHER = secrets.token_hex(16), secrets.token_hex(16)
RIGHT = SecretStr(KEY)
NAME = CanaryColumn(table="patient", encrypted="name_enc", plain="name")


@pytest.fixture(params=["public", "heroku_ext"])
def sealed(request: pytest.FixtureRequest, new_database: Any) -> Any:
    """300 rows under KEY, 20 of them without encrypted text; pgcrypto wherever the platform puts it."""
    clinic = new_database()
    clinic.run(f"CREATE SCHEMA IF NOT EXISTS {request.param}; CREATE EXTENSION pgcrypto SCHEMA {request.param}")
    clinic.schema = request.param
    clinic.run("CREATE TABLE patient (id serial PRIMARY KEY, name varchar(80), name_enc bytea, note text)")
    fill(clinic, 280, KEY)
    clinic.run("INSERT INTO patient (name) SELECT 'Canario ' || g FROM generate_series(1, 20) g")
    return clinic


def fill(clinic: Any, rows: int, key: str, table: str = "patient") -> None:
    clinic.run(
        f"INSERT INTO {table} (name, name_enc) SELECT 'Canario ñ' || g, {clinic.schema}.pgp_sym_encrypt("
        f"'Canario ñ' || g, '{key}', 'cipher-algo=aes256, s2k-mode=1') FROM generate_series(1, {rows}) g"
    )


def ask(clinic: Any, key: SecretStr = RIGHT, *columns: CanaryColumn, **options: Any) -> tuple[CanaryResult, ...]:
    results: tuple[CanaryResult, ...] = clinic.adapter().canary(columns or (NAME,), key, **options)
    return results


def test_the_right_key(sealed: Any) -> None:
    (result,) = ask(sealed)
    assert result == CanaryResult(table="patient", column="name_enc", sampled=200, matching=200, unencrypted=20)
    assert result.fits
    (all_of_them,) = ask(sealed, sample=1000)
    assert all_of_them.matching == 280
    (one,) = ask(sealed, sample=1)
    assert (one.sampled, one.matching) == (1, 1)


def test_a_wrong_key(sealed: Any) -> None:
    (result,) = ask(sealed, SecretStr(OTHER))
    assert (result.sampled, result.matching, result.unreadable) == (200, 0, 200)
    assert result.fits is False


def test_the_few_newest_rows_under_another_key_are_in_the_sample(sealed: Any) -> None:
    fill(sealed, 3, OTHER)
    fill(sealed, 2000, KEY)
    sealed.run("UPDATE patient SET id = id + 100000 WHERE id BETWEEN 301 AND 303")
    (result,) = ask(sealed)
    assert (result.sampled, result.matching, result.unreadable) == (200, 197, 3)
    assert result.fits is False


RUNS = {
    "the newer half": "id > 1140",
    "the older half": "id <= 1140",
    "the oldest few": "id <= 30",
    "a run in the middle": "id BETWEEN 1000 AND 1060",
    "every third": "id % 3 = 0",
}


@pytest.mark.parametrize("damaged", RUNS.values(), ids=RUNS)
def test_some_rows_under_another_key_are_in_the_sample_wherever_they_are(sealed: Any, damaged: str) -> None:
    fill(sealed, 2000, KEY)
    sealed.run(
        f"UPDATE patient SET name_enc = {sealed.schema}.pgp_sym_encrypt(name, '{OTHER}', 's2k-mode=1')"
        f" WHERE name_enc IS NOT NULL AND {damaged}"
    )
    (result,) = ask(sealed)
    assert result.sampled == 200
    assert 0 < result.unreadable < 200
    assert result.fits is False


def test_a_partitioned_table_is_tried_in_all_its_parts(sealed: Any) -> None:
    sealed.run(
        "CREATE TABLE visit (id serial, name text, name_enc bytea) PARTITION BY RANGE (id);"
        "CREATE TABLE visit_a PARTITION OF visit FOR VALUES FROM (1) TO (101);"
        "CREATE TABLE visit_b PARTITION OF visit FOR VALUES FROM (101) TO (1001)"
    )
    fill(sealed, 100, OTHER, table="visit")
    fill(sealed, 100, KEY, table="visit")
    sealed.run("INSERT INTO visit (name) VALUES ('Canario')")
    (result,) = ask(sealed, RIGHT, CanaryColumn(table="visit", encrypted="name_enc", plain="name"))
    assert (result.sampled, result.matching, result.unreadable, result.unencrypted) == (200, 100, 100, 1)


def test_rows_that_differ_are_blank_or_damaged(sealed: Any) -> None:
    sealed.run(
        "UPDATE patient SET name = 'another' WHERE id <= 5; UPDATE patient SET name = '' WHERE id = 6;"
        "UPDATE patient SET name = NULL WHERE id = 7; UPDATE patient SET name_enc = 'rubbish' WHERE id = 8;"
        "UPDATE patient SET name_enc = '' WHERE id = 9"
    )
    (result,) = ask(sealed, sample=500)
    assert (result.matching, result.differing, result.blank, result.unreadable) == (271, 5, 2, 2)
    assert result.sampled == 280


def test_nothing_encrypted_tells_nothing(sealed: Any) -> None:
    sealed.run("UPDATE patient SET name_enc = NULL")
    (result,) = ask(sealed)
    assert (result.sampled, result.unencrypted, result.fits) == (0, 300, None)


def test_armoured_text_and_odd_names(sealed: Any) -> None:
    sealed.run(
        'CREATE TABLE "Odd ""t""" ("$a" text, "b%s{}" text);'
        f'INSERT INTO "Odd ""t""" SELECT {sealed.schema}.armor({sealed.schema}.pgp_sym_encrypt($$it\'s$$, \'{KEY}\')),'
        " $$it's$$ FROM generate_series(1, 4)"
    )
    odd = CanaryColumn(table='Odd "t"', encrypted="$a", plain="b%s{}")
    assert [ask(sealed, key, odd)[0].matching for key in (RIGHT, SecretStr(OTHER))] == [4, 0]


def test_what_is_not_there_is_named(sealed: Any, new_database: Any) -> None:
    gone = CanaryColumn(table="nobody", encrypted="a_enc", plain="a")
    bare = CanaryColumn(table="patient", encrypted="name_enc", plain="no_such")
    results = ask(sealed, RIGHT, gone, bare, NAME)
    assert [result.missing for result in results] == ["table nobody", "column patient.no_such", ""]
    assert [result.fits for result in results] == [None, None, True]
    empty = new_database()
    empty.run("CREATE TABLE patient (name text, name_enc bytea)")
    assert ask(empty)[0].missing == "extension pgcrypto"


def test_the_key_is_nowhere(sealed: Any) -> None:
    results = ask(sealed)
    assert KEY not in repr(results)
    with psycopg.connect(sealed.server.dsn(sealed.name)) as other:
        other.execute("LOCK TABLE patient IN ACCESS EXCLUSIVE MODE")
        (locked,) = sealed.adapter(lock_timeout=0.1).canary((NAME,), RIGHT)
    assert locked.unread is not None
    assert KEY not in repr(locked)
    with pytest.raises(NotFound) as missing:
        sealed.adapter(sealed.server.dsn("nope")).canary((NAME,), RIGHT)
    assert KEY not in "".join(traceback.format_exception(missing.value)) + repr(vars(missing.value))


def test_the_key_is_not_in_the_servers_log_of_slow_statements(sealed: Any) -> None:
    """Every statement that takes a while is logged with its parameters here, as a platform may do."""
    sealed.run(f"ALTER DATABASE {sealed.name} SET log_min_duration_statement = 150")
    sealed.run(
        f"INSERT INTO patient (name, name_enc) SELECT 'Canario', {sealed.schema}.pgp_sym_encrypt("
        f"'Canario', '{OTHER}', 's2k-mode=3, s2k-count=60000000') FROM generate_series(1, 6) g"
    )
    log = sealed.server.home / "server.log"
    before = len(log.read_text())
    (result,) = ask(sealed, SecretStr(KEY), sample=20)
    assert result.unreadable
    logged = log.read_text()[before:]
    assert "DECLARE" in logged
    assert KEY not in logged
    assert "Canario" not in logged


def test_a_key_that_no_parameter_can_carry(sealed: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(sealed, SecretStr(f"{KEY}\0"))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert ask(sealed)[0].fits
