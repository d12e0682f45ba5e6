"""A proof on a server of the operator's own: in a database of its own there, which is gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.cleanup import sweep, workplace
from uscdr.errors import BadInput, CheckFailed, ProviderError
from uscdr.models.trial import MigrationScript, ScriptEnd
from uscdr.pgserver.server import LocalPostgres
from uscdr.providers.postgres.scratch_own import OwnScratch, scratch_url

SECRET = "own-Canario"


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


class Own:
    """A server with a role that may create databases and roles and no more, and some that may not."""

    def __init__(self, server: LocalPostgres) -> None:
        self.server = server
        self.url = SecretStr(server.dsn("postgres", "prover", SECRET))

    def scratch(self, production: Sequence[str] = (), url: SecretStr | None = None) -> OwnScratch:
        return OwnScratch(url or self.url, lambda: [SecretStr(one) for one in production])

    def run(self, script: str) -> list[Any]:
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            cursor = connection.execute(script.encode())
            return cursor.fetchall() if cursor.description else []

    def databases(self) -> set[str]:
        return {name for (name,) in self.run("SELECT datname::text FROM pg_database")}

    def roles(self) -> set[str]:
        """Of proofs."""
        return {name for (name,) in self.run("SELECT rolname::text FROM pg_roles WHERE rolname ~ '^uscdr'")}


@pytest.fixture(scope="module")
def own() -> Iterator[Own]:
    with tempfile.TemporaryDirectory() as parent, LocalPostgres.start(Path(parent) / "own", tied=True) as running:
        made = Own(running)
        made.run(
            f"CREATE ROLE prover LOGIN CREATEDB CREATEROLE PASSWORD '{SECRET}';"
            f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'; CREATE ROLE maker LOGIN CREATEDB PASSWORD '{SECRET}'"
        )
        yield made
        assert made.databases() == {"postgres", "template0", "template1"}
        assert made.roles() == set()


def test_the_proof_is_the_same_and_nothing_stays(source: Any, good: Path, own: Own) -> None:
    with own.scratch().restore(good, ignore) as database:
        live = source.adapter()
        names = [table.name for table in database.tables()]
        assert database.digests(names) == live.digests(names)
        assert len(own.databases()) == 4
    assert len(own.databases()) == 3


@pytest.mark.parametrize("user", ["prover", "postgres"])
def test_nothing_of_a_dump_runs_with_more_than_the_rights_of_its_owner(good: Path, own: Own, user: str) -> None:
    script = MigrationScript(name="a.b", parts=("ALTER TABLE visit ADD COLUMN more int; DELETE FROM visit;",))
    url = own.url if user == "prover" else SecretStr(own.server.dsn())
    with own.scratch(url=url).restore(good, ignore) as database:
        assert database.tried([script], seconds=20.0) == (ScriptEnd(name="a.b"),)
        assert database.counts(["visit"]) == {"visit": 3000}
        (name,) = own.databases() - {"postgres", "template0", "template1"}
        rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        member = "(SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid)"
        assert own.run(f"SELECT rolname::text, {rights}, {member} FROM pg_roles r WHERE rolname ~ '^uscdr'") == [
            (name, False, False, False, False, user == "postgres", 0)
        ]
        assert own.run(f"SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = '{name}'") == [(name,)]


def test_a_dump_that_makes_its_database_a_template_keeps_nothing_there(source: Any, own: Own, tmp_path: Path) -> None:
    """An owner may do that, and a template is not dropped."""
    tries = "EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database())"
    source.run(
        "CREATE FUNCTION clings(int) RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN"
        f" IF current_database() ~ '^uscdr' THEN {tries}; END IF; RETURN true; END $f$;"
        "CREATE TABLE clinging (id int CHECK (public.clings(id))); INSERT INTO clinging VALUES (1)"
    )
    dump = source.dump(tmp_path / "d")
    source.run("DROP TABLE clinging; DROP FUNCTION clings")
    with own.scratch().restore(dump, ignore) as database:
        assert database.counts(["clinging"]) == {"clinging": 1}
        (name,) = own.databases() - {"postgres", "template0", "template1"}
        assert own.run(f"SELECT datistemplate FROM pg_database WHERE datname = '{name}'") == [(True,)]
    assert len(own.databases()) == 3
    assert own.roles() == set()


def test_two_at_once_and_one_that_fails_in_between(good: Path, own: Own) -> None:
    scratch = own.scratch()
    with scratch.restore(good, ignore) as one, scratch.restore(good, ignore) as two:
        assert one.counts(["visit"]) == two.counts(["visit"]) == {"visit": 3000}
    with pytest.raises(RuntimeError), scratch.restore(good, ignore):
        raise RuntimeError
    assert len(own.databases()) == 3


def test_policies_for_strangers_are_left_out_and_forced_ones_hide_nothing(
    source: Any, own: Own, tmp_path: Path
) -> None:
    source.run(
        "CREATE ROLE far_analyst; CREATE TABLE notes (id int); INSERT INTO notes VALUES (1), (2);"
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY mine ON notes TO far_analyst USING (true); CREATE POLICY none ON notes USING (false)"
    )
    dump = source.dump(tmp_path / "d", "--table=notes")
    source.run("DROP TABLE notes; DROP ROLE far_analyst")
    with own.scratch().restore(dump, ignore) as database:
        assert database.counts(["notes"]) == {"notes": 2}
    assert own.run("SELECT count(*) FROM pg_roles WHERE rolname = 'far_analyst'") == [(0,)]


@pytest.mark.parametrize("spelling", ["as it is", "localhost", "another database"])
def test_productions_own_server_is_refused(good: Path, own: Own, spelling: str) -> None:
    """However it is spelt: by address, or by asking both when they started."""
    urls = {
        "as it is": own.url.get_secret_value(),
        "localhost": own.url.get_secret_value().replace("127.0.0.1", "localhost"),
        "another database": own.server.dsn("template1"),
    }
    with (
        pytest.raises(BadInput, match="hosts the application's own database: uscdr proves no backup there") as refused,
        own.scratch([urls[spelling]]).restore(good, ignore),
    ):
        pytest.fail("restored beside the patients")
    assert SECRET not in f"{refused.value!r} {vars(refused.value)}"


def test_another_server_is_not_productions(source: Any, good: Path, own: Own) -> None:
    with own.scratch([source.server.dsn(), "postgres://u:p@127.0.0.1:1/d"]).restore(good, ignore) as database:
        assert database.counts(["visit"]) == {"visit": 3000}


def test_a_platform_that_does_not_answer_has_no_server_to_be_spared(good: Path, own: Own) -> None:
    def gone() -> list[SecretStr]:
        raise ProviderError("There is no such application.", provider="heroku")

    with OwnScratch(own.url, gone).restore(good, ignore) as database:
        assert database.counts(["visit"]) == {"visit": 3000}


@pytest.mark.parametrize(
    ("user", "what", "lacks"), [("guest", "database", ["CREATEDB", "CREATEROLE"]), ("maker", "role", ["CREATEROLE"])]
)
def test_a_role_that_may_not_create_what_a_proof_needs(
    good: Path, own: Own, user: str, what: str, lacks: list[str]
) -> None:
    url = SecretStr(own.server.dsn("postgres", user, SECRET))
    with (
        pytest.raises(BadInput, match=f"cannot be used for a proof: it refuses to create a {what}") as refused,
        own.scratch(url=url).restore(good, ignore),
    ):
        pytest.fail("restored without the right")
    assert refused.value.why == f"The role in its URL has no {' and no '.join(lacks)}."
    assert f'ALTER ROLE "{user}" {" ".join(lacks)};' in refused.value.next_action


def test_a_server_that_lets_no_new_role_in(good: Path, own: Own) -> None:
    rules = own.server.home / "data" / "pg_hba.conf"
    known = rules.read_text()
    rules.write_text("host all prover,postgres 127.0.0.1/32 scram-sha-256\n")
    own.run("SELECT pg_reload_conf()")
    try:
        with (
            pytest.raises(BadInput, match="refused the login of the role created for the proof"),
            own.scratch().restore(good, ignore),
        ):
            pytest.fail("restored by a role that has more rights")
    finally:
        rules.write_text(known)
        own.run("SELECT pg_reload_conf()")
    assert (len(own.databases()), own.roles()) == (3, set())


def test_an_extension_that_reaches_elsewhere_is_left_out_and_the_rest_is_proven(
    source: Any, own: Own, tmp_path: Path
) -> None:
    source.run("CREATE EXTENSION postgres_fdw; CREATE TABLE plain (id int); INSERT INTO plain VALUES (1)")
    dump = source.dump(tmp_path / "d", "--extension=postgres_fdw", "--table=plain")
    source.run("DROP EXTENSION postgres_fdw; DROP TABLE plain")
    with own.scratch().restore(dump, ignore) as database:
        assert database.counts(["plain"]) == {"plain": 1}
        assert [(one.what, one.why) for one in database.left_out] == [
            ("extension postgres_fdw", "it may reach beyond its database, so no proof creates it")
        ]


def test_a_damaged_dump_is_blamed(own: Own, good: Path, tmp_path: Path) -> None:
    # Which of the two is said depends on the bit: the check before the restore does not see every one.
    damaged = bytearray(good.read_bytes())
    damaged[len(damaged) // 2] ^= 0x10
    (tmp_path / "dump").write_bytes(damaged)
    with (
        pytest.raises(CheckFailed, match=r"could not restore the dump|The dump is damaged"),
        own.scratch().restore(tmp_path / "dump", ignore),
    ):
        pytest.fail("restored damaged rows")


OWNER = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from uscdr.cleanup import workplace
from uscdr.providers.postgres.scratch_own import OwnScratch
with workplace(Path(sys.argv[1]), "killed") as place:
    with OwnScratch(SecretStr(os.environ["URL"]), list, place=place).restore(Path(sys.argv[2]), lambda *_: None):
        print("restored", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def killed(good: Path, own: Own, tmp_path: Path) -> Path:
    """The state directory of a proof that was killed while it had its database."""
    command = [sys.executable, "-c", OWNER, str(tmp_path), str(good)]
    env = {**os.environ, "URL": own.url.get_secret_value()}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"restored\n"
        owner.kill()
    assert len(own.databases()) == 4
    return tmp_path


def test_what_a_killed_proof_left_is_removed_with_the_servers_url(good: Path, own: Own, killed: Path) -> None:
    for path in killed.rglob("*.json"):
        assert SECRET not in path.read_text()
    with own.scratch().restore(good, ignore):
        assert sweep(killed, own.url) == ()
        assert len(own.databases()) == 4  # of a living proof
        assert len(own.roles()) == 1
    assert list(killed.iterdir()) == []


def test_without_the_url_or_with_a_role_that_may_not_it_is_said_where_they_are(
    own: Own, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USCDR_SCRATCH", raising=False)
    (name,) = own.roles()
    guest = SecretStr(own.url.get_secret_value().replace("prover", "guest"))
    elsewhere = SecretStr("postgresql://prover@192.0.2.1:5432/postgres")
    for url in (None, guest, elsewhere):
        (said,) = sweep(killed, url)
        assert name in said
        assert f"127.0.0.1:{own.server.port}" in said
        assert "--scratch" in said
        assert SECRET not in said
        assert own.roles() == {name}
        assert [path.name for path in (killed / "scratch" / "killed").iterdir()] == [".elsewhere"]
    monkeypatch.setenv("USCDR_SCRATCH", own.url.get_secret_value())
    assert sweep(killed) == ()
    assert list(killed.iterdir()) == []


def test_a_removal_that_cannot_be_made_is_made_by_the_next(good: Path, own: Own, tmp_path: Path) -> None:
    """A living process, too, strikes out only what is gone."""
    with workplace(tmp_path, "ours") as place:
        scratch = OwnScratch(own.url, list, place=place)
        with pytest.raises(ProviderError), scratch.restore(good, ignore):
            own.run("ALTER ROLE prover PASSWORD 'another'")
        assert len(own.databases()) == 4
    own.run(f"ALTER ROLE prover PASSWORD '{SECRET}'")
    assert len(sweep(tmp_path)) == 1
    assert sweep(tmp_path, own.url) == ()
    assert own.roles() == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "host=x", "mysql://x", "postgres//x", "postgresql://[::1"])
def test_what_is_no_url_of_a_server_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInput, match="not the URL of a PostgreSQL server") as refused:
        scratch_url(text)
    assert not text or text not in refused.value.message
