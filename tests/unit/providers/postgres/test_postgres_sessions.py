"""Sessions, refusals and error messages of a real server: nothing written, nothing quoted."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from pydantic import SecretStr

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, WriteRefused
from uscdr.models.data_settings import Invariant
from uscdr.pgserver.cluster import TlsFiles
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres import connection as limited
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.content import read_in_parallel
from uscdr.providers.postgres.errors import LOST, translated

CANARY = "Canario"
SECRET = secrets.token_hex(8)


@pytest.fixture(scope="module")
def tls_server() -> Iterator[LocalPostgres]:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    with tempfile.TemporaryDirectory() as parent:
        files = TlsFiles(Path(parent) / "chain.pem", Path(parent) / "key.pem")
        files.certificate.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        files.key.write_bytes(leaf.private_key_pem.bytes())
        with LocalPostgres.start(Path(parent) / "server", tls=files, tied=True) as running:
            yield running


def whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def test_tls_is_used_when_required(clinic: Any, tls_server: LocalPostgres) -> None:
    adapter = clinic.adapter(tls_server.dsn(), require_tls=True)
    assert adapter.facts().database == "postgres"
    question = Invariant(name="tls", sql="SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", equals="true")
    assert adapter.invariants([question])[0].holds


def test_tls_is_not_given_up(clinic: Any) -> None:
    with pytest.raises(ProviderError, match="uscdr and the database server at"):
        clinic.adapter(require_tls=True).facts()


def test_url_cannot_weaken_required_tls(clinic: Any) -> None:
    with pytest.raises(ProviderError, match="uscdr and the database server at"):
        clinic.adapter(clinic.server.dsn(clinic.name) + "?sslmode=disable", require_tls=True).facts()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO django_migrations VALUES (3, 'a', 'b')",
        "CREATE TABLE t (a int)",
        "SELECT nextval('patients_patient_id_seq')",
        "TRUNCATE patients_patient",
    ],
)
def test_sessions_refuse_to_write(clinic: Any, read_only: bool, statement: str) -> None:
    adapter = clinic.adapter(read_only=read_only)
    with pytest.raises(ProviderError, match="read-only"):
        adapter._link.read(lambda connection: connection.execute(statement.encode()))


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO django_migrations VALUES (3, 'a', 'b') RETURNING id",
        "COMMIT; DELETE FROM patients_patient; SELECT 1",
        "SET TRANSACTION READ WRITE",
        "COMMIT",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM patients_patient; END $$",
        "SELECT 1 FROM (SELECT set_config('transaction_read_only', 'off', false)) a, patients_patient FOR UPDATE",
        "SET default_transaction_read_only = off",
    ],
)
def test_invariants_cannot_write(clinic: Any, sql: str) -> None:
    after = Invariant(name="after", sql="DELETE FROM visits RETURNING 1", minimum=0)
    first, second = clinic.adapter().invariants([Invariant(name="bad", sql=sql, minimum=0), after])
    assert first.holds is None
    assert second.holds is None
    assert clinic.adapter().counts(["patients_patient", "django_migrations", "visits_2026"]) == {
        "patients_patient": 300,
        "django_migrations": 2,
        "visits_2026": 2,
    }


def test_other_sessions_are_seen_without_their_queries(clinic: Any) -> None:
    with psycopg.connect(clinic.server.dsn(clinic.name), application_name="web.1") as other:
        other.execute(f"SELECT '{CANARY}'")
        (seen,) = clinic.adapter().sessions()
        assert (seen.pid, seen.user, seen.application) == (other.info.backend_pid, "postgres", "web.1")
        assert seen.state == "idle in transaction"
        assert seen.started_at is not None
        assert CANARY not in repr(seen)


def test_our_own_sessions_are_not_others(clinic: Any) -> None:
    with clinic.adapter()._link.session():
        assert clinic.adapter().sessions() == ()


def test_sessions_are_ended(clinic: Any) -> None:
    with psycopg.connect(clinic.server.dsn(clinic.name)) as one, psycopg.connect(clinic.server.dsn(clinic.name)) as two:
        assert clinic.adapter(read_only=False).end_sessions() == 2
        for connection in (one, two):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
    assert clinic.adapter(read_only=False).end_sessions() == 0
    assert clinic.adapter().counts(["patients_patient"]) == {"patients_patient": 300}


def test_sessions_of_a_superuser_are_left_by_a_lesser_role(clinic: Any) -> None:
    role = f"clerk_{secrets.token_hex(4)}"
    clinic.run(f"CREATE ROLE {role} LOGIN PASSWORD 'clerk'")
    url = clinic.server.dsn(clinic.name, role, "clerk")
    with psycopg.connect(clinic.server.dsn(clinic.name)) as boss, psycopg.connect(url):
        adapter = clinic.adapter(url, read_only=False)
        assert len(adapter.sessions()) == 2
        assert adapter.end_sessions() == 1
        assert boss.execute("SELECT 1").fetchone() == (1,)
    clinic.run(f"DROP ROLE {role}")


def test_read_only_wiring_refuses_to_end_sessions(clinic: Any) -> None:
    with psycopg.connect(clinic.server.dsn(clinic.name)) as other:
        with pytest.raises(WriteRefused):
            clinic.adapter().end_sessions()
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_wrong_password(clinic: Any) -> None:
    with pytest.raises(CredentialsRefused, match="the user or the password") as caught:
        clinic.adapter(clinic.server.dsn(clinic.name, password=SECRET)).facts()
    assert SECRET not in whole(caught.value)
    assert caught.value.next_action


def test_missing_database(clinic: Any) -> None:
    with pytest.raises(NotFound, match="answers, but the database does not exist"):
        clinic.adapter(clinic.server.dsn("nope")).facts()


def test_connections_forbidden(clinic: Any) -> None:
    with psycopg.connect(clinic.server.dsn(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {clinic.name} ALLOW_CONNECTIONS false".encode())
    with pytest.raises(Conflict, match="not accepting connections") as caught:
        clinic.adapter().facts()
    assert "restore" in caught.value.why


def test_no_connection_left(clinic: Any) -> None:
    role = f"lone_{secrets.token_hex(4)}"
    clinic.run(f"CREATE ROLE {role} LOGIN PASSWORD 'lone' CONNECTION LIMIT 0")
    with pytest.raises(Conflict, match="no free connection"):
        clinic.adapter(clinic.server.dsn(clinic.name, role, "lone")).facts()
    clinic.run(f"DROP ROLE {role}")


def test_connection_refused(clinic: Any) -> None:
    with socket.socket() as taken:  # bound but not listening: nobody else can get the port
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ProviderError, match="uscdr cannot reach the database server at") as caught:
            clinic.adapter(f"postgres://u:{SECRET}@127.0.0.1:{port}/d").facts()
    assert caught.value.retryable
    assert SECRET not in whole(caught.value)


def test_silent_server(clinic: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://u:p@127.0.0.1:{silent.getsockname()[1]}/d"
        with pytest.raises(ProviderError, match="did not answer in time"):
            clinic.adapter(url, connect_timeout=2.0).facts()


def test_unknown_host_and_unreadable_url(clinic: Any) -> None:
    with pytest.raises(ProviderError, match="does not resolve"):
        clinic.adapter(f"postgres://u:{SECRET}@no-such-host.invalid/d").facts()
    for url in (f"postgres://u:{SECRET}@[::1/d", SECRET, f"postgres://u:{SECRET}@127.0.0.1:port/d"):
        with pytest.raises(CredentialsRefused, match="malformed") as caught:
            clinic.adapter(url).facts()
        assert SECRET not in whole(caught.value)


def test_statement_timeout(clinic: Any) -> None:
    adapter = clinic.adapter(statement_timeout=0.1)
    (result,) = adapter.invariants([Invariant(name="slow", sql="SELECT pg_sleep(20)::text", equals="")])
    assert result.holds is None
    assert "query canceled (57014)" in result.seen
    clinic.run("CREATE TABLE big AS SELECT g, repeat('x', 200) FROM generate_series(1, 300000) g")
    with pytest.raises(ProviderError) as caught:
        clinic.adapter(statement_timeout=0.02).digests(["big"])
    assert caught.value.why.startswith("big: cannot be read: the server cancelled the query")


def test_lock_timeout(clinic: Any) -> None:
    with psycopg.connect(clinic.server.dsn(clinic.name)) as other:
        other.execute("LOCK TABLE patients_patient IN ACCESS EXCLUSIVE MODE")
        found: Any = clinic.adapter(lock_timeout=0.1).keys({"patients_patient": None, "audit.event": None})
        assert found["audit.event"].keys == ("-1", "9", "10", "100")
        assert found["patients_patient"].why.startswith(f"locked by session {other.info.backend_pid}")
        assert clinic.adapter(lock_timeout=0.1).counts(["visits_2026"]) == {"visits_2026": 2}


def test_a_session_cut_in_the_middle_is_asked_again(clinic: Any) -> None:
    attempts: list[int] = []

    def work(connection: Any) -> str:
        attempts.append(connection.info.backend_pid)
        if len(attempts) == 1:
            clinic.run(f"SELECT pg_terminate_backend({attempts[0]})")
        (word,) = connection.execute("SELECT 'whole'").fetchone()
        return str(word)

    assert clinic.adapter()._link.read(work) == "whole"
    assert len(attempts) == 2


def test_interrupt_cuts_the_other_queries_short(clinic: Any) -> None:
    """The first failure ends queries that would run for a minute."""
    asleep = threading.Event()

    def work(connection: Any, item: str) -> None:
        if item == "sleep":
            asleep.set()
            connection.execute("SELECT pg_sleep(60)")
        assert asleep.wait(60)
        connection.execute("SELECT 1 / 0")

    with pytest.raises(ProviderError) as caught:
        read_in_parallel(clinic.adapter(statement_timeout=90.0)._link, 2, lambda _: ["sleep", "fail"], work)
    assert caught.value.why == "SQLSTATE 22012: division by zero."


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name::int FROM patients_patient",
        "SELECT note::date FROM patients_patient WHERE note <> ''",
        "SELECT name FROM patients_patient WHERE id = 1",
        "SELECT name FROM patients_patient",
        "SELECT born FROM patients_patient WHERE id = 1",
        "SELECT extra || jsonb_build_object('n', name) FROM patients_patient WHERE id = 1",
        "SELECT name::bytea FROM patients_patient WHERE id = 1",
        "SELECT array_agg(name) FROM patients_patient",
        "SELECT (name || chr(0)) FROM patients_patient WHERE id = 1",
        "DO $$ BEGIN RAISE 'Canario: %', (SELECT name FROM patients_patient WHERE id = 1); END $$",
    ],
)
def test_no_patient_in_a_result_or_an_error(clinic: Any, sql: str) -> None:
    (result,) = clinic.adapter().invariants([Invariant(name="leak", sql=sql, equals="0")])
    assert not result.holds
    assert CANARY not in repr(result)
    assert "1990" not in repr(result)
    with pytest.raises(ProviderError) as caught:
        clinic.adapter()._link.read(lambda connection: connection.execute(b"SELECT name::int FROM patients_patient"))
    assert CANARY not in whole(caught.value)


def test_the_url_is_in_no_repr(clinic: Any, new_database: Callable[[], Any]) -> None:
    adapter = clinic.adapter()
    assert clinic.server.password not in repr(adapter) + repr(adapter._link) + repr(vars(adapter))
    assert isinstance(adapter._link.url, SecretStr)


def test_a_process_of_the_server_that_stands_still_is_not_waited_for_without_end(
    clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "MARGIN", 0.3)
    link = Link(
        SecretStr(clinic.server.dsn(clinic.name)), statement_timeout=0.2, lock_timeout=0.2, connect_timeout=10,
        application_name="still", require_tls=False,
    )  # fmt: skip
    told: list[ProviderError] = []

    def ask(connection: psycopg.Connection[Any]) -> None:
        with pytest.raises(ProviderError) as caught, translated("here"), link.moment(connection):
            connection.execute("SELECT 1")
        told.append(caught.value)

    with link.session() as connection:
        process = connection.info.backend_pid
        os.kill(process, signal.SIGSTOP)
        try:
            asking = threading.Thread(target=ask, args=(connection,), daemon=True)
            asking.start()
            asking.join(60)
        finally:
            os.kill(process, signal.SIGCONT)
        asking.join(60)
        assert connection.closed
    assert [one.error_id for one in told] == [LOST]
