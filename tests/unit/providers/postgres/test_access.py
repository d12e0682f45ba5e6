"""Who may get in, on a real server: read before a restore, compared, and withdrawn again after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.errors import LockHeld, ProviderError, WriteRefused
from uscdr.models.access import AccessAgain, AccessBack, KeyedAccess
from uscdr.providers.postgres import access
from uscdr.write_guard import WriteGuard

TABLES = KeyedAccess(
    secret=SecretStr("a secret of the platform"),
    accounts="account",
    flags=("is_active", "is_staff"),
    sessions=("token", "session"),
    permissions=("account_groups",),
)
SCHEMA = """
CREATE TABLE account (id serial PRIMARY KEY, password text, is_active bool, is_staff bool);
INSERT INTO account (password, is_active, is_staff) SELECT 'hash-' || g, true, g < 4 FROM generate_series(1, 30) g;
CREATE TABLE token (key varchar(40) PRIMARY KEY, user_id int);
INSERT INTO token SELECT 'secret-token-' || g, g FROM generate_series(1, 30) g;
CREATE TABLE session (session_key varchar(40) PRIMARY KEY, data text);
INSERT INTO session SELECT 'secret-session-' || g, 'x' FROM generate_series(1, 5) g;
CREATE TABLE account_groups (id serial PRIMARY KEY, user_id int, group_id int);
INSERT INTO account_groups (user_id, group_id) SELECT g, 1 FROM generate_series(1, 30) g;
"""
REVOKED = """
UPDATE account SET is_active = false WHERE id = 7;
UPDATE account SET is_staff = false WHERE id = 2;
UPDATE account SET password = 'new-hash' WHERE id = 9;
DELETE FROM account WHERE id = 30;
DELETE FROM token WHERE user_id = 7;
DELETE FROM session;
DELETE FROM account_groups WHERE user_id = 2;
"""


def value(clinic: Any, query: str) -> Any:
    with psycopg.connect(clinic.server.dsn(clinic.name), autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def pair(new_database: Callable[..., Any]) -> tuple[Any, Any]:
    """The live database after the revocations, and the backup."""
    live, backup = new_database(), new_database()
    live.run(SCHEMA + REVOKED)
    backup.run(SCHEMA)
    return live, backup


def test_what_comes_back_is_named_by_key_and_holds_no_secret(pair: tuple[Any, Any]) -> None:
    live, backup = (one.adapter() for one in pair)
    back = AccessBack.between(TABLES, live.access(TABLES), backup.access(TABLES))
    assert back.flags == {"is_active": ("7",), "is_staff": ("2",)}
    assert (back.deleted, back.passwords) == (("30",), ("9",))
    assert back.counts == {"token": 1, "session": 5, "account_groups": 1}
    assert back.doubts == ()
    text = back.model_dump_json() + back.words
    assert "secret" not in text
    assert "hash" not in text


def test_nothing_is_withdrawn_by_one_whose_run_was_taken_over(pair: tuple[Any, Any]) -> None:
    def taken() -> str:
        raise LockHeld("Run r-1 is no longer this process's.")

    leave = WriteGuard()
    restored = pair[1].adapter(read_only=False, leave=leave)
    before = restored.access(TABLES)
    with leave.of(taken), pytest.raises(LockHeld, match="no longer"):
        restored.withdraw(TABLES, AccessBack(passwords=("1",)), {})
    with leave.of(taken), pytest.raises(LockHeld, match="no longer"):
        restored.end_sessions()
    assert restored.access(TABLES) == before


def test_it_is_withdrawn_again_and_once_is_enough(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    hashes = live.adapter().unshown(TABLES, back)
    restored = backup.adapter(read_only=False)
    assert restored.withdraw(TABLES, back, hashes).changed > 0
    assert value(backup, "SELECT id FROM account WHERE NOT is_active ORDER BY id") == [(7,), (30,)]
    assert value(backup, "SELECT id FROM account WHERE is_staff ORDER BY id") == [(1,), (3,)]
    assert value(backup, "SELECT password FROM account WHERE id = 9") == [("new-hash",)]
    assert value(backup, "SELECT count(*) FROM token WHERE user_id = 7") == [(0,)]
    assert value(backup, "SELECT count(*) FROM token") == [(29,)]
    assert value(backup, "SELECT count(*) FROM session") == [(0,)]
    assert value(backup, "SELECT count(*) FROM account_groups WHERE user_id = 2") == [(0,)]
    assert restored.withdraw(TABLES, back, hashes).changed == 0


def test_a_password_whose_newer_hash_is_lost_opens_nothing(pair: tuple[Any, Any]) -> None:
    backup = pair[1]
    again = backup.adapter(read_only=False).withdraw(TABLES, AccessBack(passwords=("9",)), {})
    assert again.reset == ("9",)
    ((password,),) = value(backup, "SELECT password FROM account WHERE id = 9")
    assert password.startswith(access.UNUSABLE)
    assert len(password) == 41


def test_a_newer_password_that_stands_already_stays(pair: tuple[Any, Any]) -> None:
    """It was set, the process ended before it said so, and the next one does not know it any more."""
    live, backup = pair
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    restored = backup.adapter(read_only=False)
    restored.withdraw(TABLES, back, live.adapter().unshown(TABLES, back))
    assert restored.withdraw(TABLES, back, {}) == AccessAgain(changed=0)
    assert value(backup, "SELECT password FROM account WHERE id = 9") == [("new-hash",)]


def test_what_is_not_there_is_a_doubt_and_damage_is_not_withdrawn(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("DROP TABLE token; DELETE FROM account WHERE id > 12; DELETE FROM account_groups")
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    assert back.deleted == ()
    assert "account_groups" not in back.counts
    assert any("uscdr cannot read token, so the restore may give back access" in doubt for doubt in back.doubts)
    assert any("18 of 30 accounts are missing, which looks like damage" in doubt for doubt in back.doubts)


def test_tokens_that_went_with_their_accounts_are_damage_too(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    backup.run("ALTER TABLE token ADD FOREIGN KEY (user_id) REFERENCES account")
    live.run("TRUNCATE account; TRUNCATE token; TRUNCATE session")
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    assert back.counts == {"session": 5, "account_groups": 1}
    assert back.doubts[1:] == (
        "30 rows of token were deleted with them: after the restore their owners can sign in again",
    )


@pytest.mark.parametrize("damage", ["DROP TABLE account", "TRUNCATE account"])
def test_of_tokens_that_are_left_a_withdrawn_one_stays_so_without_accounts(pair: tuple[Any, Any], damage: str) -> None:
    live, backup = pair
    backup.run("ALTER TABLE token ADD FOREIGN KEY (user_id) REFERENCES account")
    live.run(damage)
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    assert back.counts["token"] == 1
    assert not any("sign in again" in doubt for doubt in back.doubts)


def test_while_accounts_are_left_every_token_that_is_gone_is_withdrawn(pair: tuple[Any, Any]) -> None:
    """Also those of accounts that the damage took: one of them may have been shut out before."""
    live, backup = pair
    backup.run("ALTER TABLE token ADD FOREIGN KEY (user_id) REFERENCES account")
    live.run("DELETE FROM account WHERE id > 12; DELETE FROM token WHERE user_id > 27")
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    assert back.counts == {"token": 4, "session": 5, "account_groups": 1}
    assert back.doubts == ("18 of 30 accounts are missing, which looks like damage",)
    backup.adapter(read_only=False).withdraw(TABLES, back, {})
    assert value(backup, "SELECT count(*) FROM token WHERE user_id IN (7, 28, 29, 30)") == [(0,)]
    assert value(backup, "SELECT count(*) FROM token") == [(26,)]


def test_passwords_that_changed_by_the_dozen_come_back_and_that_is_said(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("UPDATE account SET password = 'scrambled-' || id WHERE id < 20")
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    assert back.passwords == ()
    assert any("of 30 accounts have another password now, which looks like damage" in doubt for doubt in back.doubts)


def test_many_rights_that_were_taken_away_leave_those_of_others(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    many = "INSERT INTO account_groups (user_id, group_id) SELECT 1, g FROM generate_series(1, 40000) g"
    backup.run(many)
    live.run(many)
    live.run("DELETE FROM account_groups WHERE group_id BETWEEN 2 AND 6001")
    back = AccessBack.between(TABLES, live.adapter().access(TABLES), backup.adapter().access(TABLES))
    backup.adapter(read_only=False).withdraw(TABLES, back, {})
    assert value(backup, "SELECT count(*) FROM account_groups WHERE group_id > 6001") == [(33999,)]
    assert value(backup, "SELECT count(*) FROM account_groups WHERE group_id BETWEEN 2 AND 6001") == [(0,)]


def test_a_look_alone_withdraws_nothing(pair: tuple[Any, Any]) -> None:
    with pytest.raises(WriteRefused):
        pair[1].adapter().withdraw(TABLES, AccessBack(flags={"is_active": ("7",)}), {})
    assert value(pair[1], "SELECT count(*) FROM account WHERE is_active") == [(30,)]


def test_everything_or_nothing(pair: tuple[Any, Any]) -> None:
    """An account that a trigger protects: nothing else is withdrawn either, and the error says so."""
    backup = pair[1]
    backup.run(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER keep BEFORE DELETE ON session FOR EACH ROW EXECUTE FUNCTION no()"
    )
    back = AccessBack.between(TABLES, pair[0].adapter().access(TABLES), backup.adapter().access(TABLES))
    with pytest.raises(ProviderError):
        backup.adapter(read_only=False).withdraw(TABLES, back, {})
    assert value(backup, "SELECT count(*) FROM account WHERE is_active") == [(30,)]


def test_a_table_that_cannot_be_read_is_a_doubt_and_the_others_are_looked_at(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    with psycopg.connect(live.server.dsn(live.name)) as other:
        other.execute("LOCK TABLE token IN ACCESS EXCLUSIVE MODE")
        seen = live.adapter(lock_timeout=0.1).access(TABLES)
    assert seen.missing == ("token",)
    back = AccessBack.between(TABLES, seen, backup.adapter().access(TABLES))
    assert back.counts == {"session": 5, "account_groups": 1}
    assert back.doubts == ("uscdr cannot read token, so the restore may give back access through it",)
