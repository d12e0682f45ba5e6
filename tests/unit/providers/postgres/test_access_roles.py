"""Rights that stand in a word, and names to sign in with, on a real server: read, compared, and set again."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from uscdr.models.access import AccessAgain, AccessBack, KeyedAccess, Move, Unshown

TABLES = KeyedAccess(
    secret=SecretStr("a secret of the platform"),
    accounts="account", flags=("is_active", "is_staff"), roles=("role", "team_id"), logins=("email",),
    sessions=("token",), permissions=("account_groups",),
)  # fmt: skip
SCHEMA = """
CREATE TABLE team (id int PRIMARY KEY);
INSERT INTO team VALUES (1), (2);
CREATE TABLE account (
  id serial PRIMARY KEY, password text, email text NOT NULL UNIQUE, is_active bool, is_staff bool, role varchar(40),
  team_id int REFERENCES team DEFERRABLE INITIALLY DEFERRED
);
INSERT INTO account (password, email, is_active, is_staff, role, team_id)
  SELECT 'hash-' || g, 'person' || g || '@clinic.example', true, g < 4,
    CASE WHEN g < 4 THEN 'ADMIN' WHEN g < 8 THEN 'NURSE' ELSE 'STUDENT' END, 1
  FROM generate_series(1, 40) g;
CREATE TABLE token (key varchar(40) PRIMARY KEY, user_id int);
CREATE TABLE account_groups (id serial PRIMARY KEY, user_id int NOT NULL, group_id int NOT NULL);
INSERT INTO account_groups (user_id, group_id) SELECT g, 1 FROM generate_series(1, 40) g;
"""


def rows(clinic: Any, query: str) -> Any:
    with psycopg.connect(clinic.server.dsn(clinic.name), autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def pair(new_database: Callable[..., Any]) -> tuple[Any, Any]:
    """The live database and the backup, which are equal."""
    live, backup = new_database(), new_database()
    live.run(SCHEMA)
    backup.run(SCHEMA)
    return live, backup


def back_of(pair: tuple[Any, Any], tables: KeyedAccess = TABLES) -> AccessBack:
    live, backup = (one.adapter() for one in pair)
    return AccessBack.between(tables, live.access(tables), backup.access(tables))


def again(pair: tuple[Any, Any], tables: KeyedAccess = TABLES, known: Unshown | None = None) -> AccessAgain:
    """Withdraws in the backup what it gives back."""
    back = back_of(pair, tables)
    read = pair[0].adapter().unshown(tables, back)
    assert back.fitting(tables, read) == read
    assert read.keys() == back.prints_of(tables).keys()
    kept = read if known is None else known
    done: AccessAgain = pair[1].adapter(read_only=False).withdraw(tables, back, kept)
    return done


def test_a_role_that_was_taken_is_named_before_and_stands_again_after(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("UPDATE account SET role = 'STUDENT' WHERE id = 2; UPDATE account SET role = NULL WHERE id = 5")
    back = back_of(pair)
    assert back.moves == {"role": {"2": Move(then="ADMIN", now="STUDENT"), "5": Move(then="NURSE", now=None)}}
    assert back.amount == 2
    assert "role ADMIN -> STUDENT since the backup: 1 account (2)" in back.words
    assert "role NURSE -> nothing since the backup: 1 account (5)" in back.words
    assert again(pair) == AccessAgain(changed=2)
    assert rows(backup, "SELECT id, role FROM account WHERE id IN (1, 2, 5) ORDER BY id") == [
        (1, "ADMIN"), (2, "STUDENT"), (5, None),
    ]  # fmt: skip
    assert backup.adapter(read_only=False).withdraw(TABLES, back, {}) == AccessAgain(changed=0)


def test_equal_accounts_give_nothing_back(pair: tuple[Any, Any]) -> None:
    assert back_of(pair) == AccessBack(mark=TABLES.mark)
    assert again(pair) == AccessAgain(changed=0)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE account SET role = 'STUDENT'",
        "UPDATE account SET role = NULL",
        "UPDATE account SET role = 'ADMIN' WHERE id > 20",
        "UPDATE account SET role = 'x' || id",
    ],
)
def test_roles_that_one_statement_changed_come_back_and_that_is_said(pair: tuple[Any, Any], damage: str) -> None:
    pair[0].run(damage)
    back = back_of(pair)
    assert back.moves == {}
    assert back.amount == 0
    (doubt,) = back.doubts
    assert "of 40 accounts have another role now" in doubt
    assert "which looks like damage. The restore sets the earlier values again" in doubt


def test_the_few_that_are_more_than_students_lost_it_all_at_once(pair: tuple[Any, Any]) -> None:
    """Fewer than the number that is damage elsewhere: nobody is left with another role."""
    for one in pair:
        one.run("UPDATE account SET role = 'STUDENT' WHERE id > 3")
    pair[0].run("UPDATE account SET role = 'STUDENT'")
    back = back_of(pair)
    assert back.moves == {}
    (doubt,) = back.doubts
    assert (
        doubt == "3 of 40 accounts have another role now (ADMIN -> STUDENT), which looks like damage. "
        "The restore sets the earlier values again"
    )


def test_beside_a_role_that_got_another_name_a_withdrawn_one_stays_so(pair: tuple[Any, Any]) -> None:
    for one in pair:
        one.run("INSERT INTO account (email, role) SELECT 'n' || g, 'NURSE' FROM generate_series(1, 9) g")
        one.run("INSERT INTO account (email, role) SELECT 's' || g, 'STUDENT' FROM generate_series(1, 90) g")
    pair[0].run("UPDATE account SET role = 'CARE' WHERE role = 'NURSE'")
    pair[0].run("UPDATE account SET role = 'STUDENT' WHERE id = 1")
    back = back_of(pair)
    assert list(back.moves["role"]) == ["1"]
    assert any("13 of 139 accounts have another role now (NURSE -> CARE)" in doubt for doubt in back.doubts)


def test_a_column_that_is_gone_took_nothing_from_anybody(pair: tuple[Any, Any]) -> None:
    pair[0].run("ALTER TABLE account DROP COLUMN role, DROP COLUMN is_staff, DROP COLUMN password")
    back = back_of(pair)
    assert (back.moves, back.flags, back.passwords) == ({}, {}, ())
    assert {doubt.split(",")[0] for doubt in back.doubts} == {
        "uscdr cannot read account.is_staff", "uscdr cannot read account.role", "uscdr cannot read account.password",
    }  # fmt: skip


def test_a_column_that_the_backup_lacks_or_neither_has_is_said(pair: tuple[Any, Any]) -> None:
    pair[1].run("ALTER TABLE account DROP COLUMN role")
    back = back_of(pair, TABLES.model_copy(update={"roles": ("role", "rank")}))
    assert back.moves == {}
    assert back.doubts == (
        "scenarios.yaml lists account.rank under access:, but neither the database nor the backup has it",
        "uscdr cannot read account.role in the backup, so the restore may give back access through it",
    )


def test_a_reference_to_another_group_is_set_again(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("UPDATE account SET team_id = 2 WHERE id = 3")
    assert "team_id 1 -> 2 since the backup: 1 account (3)" in back_of(pair).words
    assert again(pair) == AccessAgain(changed=1)
    assert rows(backup, "SELECT id FROM account WHERE team_id = 2") == [(3,)]


def test_who_is_in_a_group_that_the_backup_lacks_is_shut_out_and_the_others_are_not(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("INSERT INTO team VALUES (9); UPDATE account SET team_id = 9, role = 'STUDENT' WHERE id = 3")
    live.run("UPDATE account SET team_id = 2 WHERE id = 4")
    assert again(pair).shut == ("3",)
    assert rows(backup, "SELECT id FROM account WHERE NOT is_active") == [(3,)]
    assert rows(backup, "SELECT role, team_id FROM account WHERE id IN (3, 4) ORDER BY id") == [
        ("STUDENT", 1), ("NURSE", 2),
    ]  # fmt: skip
    assert again(pair) == AccessAgain(changed=0, shut=("3",))


def test_a_value_that_is_no_short_word_is_never_shown_and_set_again_all_the_same(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("UPDATE account SET role = 'Juan Santos, ward 3' WHERE id = 2")
    live.run("UPDATE account SET email = 'new.owner@clinic.example' WHERE id = 6")
    back = back_of(pair)
    text = back.model_dump_json() + back.words + repr(live.adapter().access(TABLES))
    assert not any(secret in text for secret in ("Santos", "ward", "owner", "person6"))
    assert "role changed since the backup: 1 account (2)" in back.words
    assert "email changed since the backup: 1 account (6)" in back.words
    assert again(pair) == AccessAgain(changed=2)
    assert rows(backup, "SELECT role FROM account WHERE id = 2") == [("Juan Santos, ward 3",)]
    assert rows(backup, "SELECT id FROM account WHERE email = 'new.owner@clinic.example'") == [(6,)]


def test_whose_address_is_not_known_any_more_is_shut_out_unless_it_stands_already(pair: tuple[Any, Any]) -> None:
    """The run went on in another process: what was only in memory is gone."""
    live, backup = pair
    live.run("UPDATE account SET email = 'new' || id WHERE id IN (6, 7)")
    back = back_of(pair)
    backup.run("UPDATE account SET email = 'new7' WHERE id = 7")
    assert backup.adapter(read_only=False).withdraw(TABLES, back, {}) == AccessAgain(changed=1, shut=("6",))
    assert rows(backup, "SELECT id FROM account WHERE NOT is_active") == [(6,)]


def test_an_address_that_another_account_holds_again_shuts_out_alone(pair: tuple[Any, Any]) -> None:
    """Account 40 was deleted, and its address given to 39: both are back, and one address has one account."""
    live, backup = pair
    live.run("DELETE FROM account WHERE id = 40")
    live.run("UPDATE account SET email = 'person40@clinic.example' WHERE id = 39")
    live.run("UPDATE account SET role = 'STUDENT' WHERE id = 1")
    assert again(pair).shut == ("39",)
    assert rows(backup, "SELECT id FROM account WHERE NOT is_active ORDER BY id") == [(39,), (40,)]
    assert rows(backup, "SELECT role FROM account WHERE id = 1") == [("STUDENT",)]


def test_without_flags_no_password_opens_what_could_not_be_set(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    tables = TABLES.model_copy(update={"flags": ()})
    live.run("UPDATE account SET email = 'new' WHERE id = 6")
    back, restored = back_of(pair, tables), backup.adapter(read_only=False)
    assert restored.withdraw(tables, back, {}) == AccessAgain(changed=1, shut=("6",))
    ((password,),) = rows(backup, "SELECT password FROM account WHERE id = 6")
    assert password.startswith("!")
    assert restored.withdraw(tables, back, {}) == AccessAgain(changed=0, shut=("6",))


def test_words_that_differ_only_in_case_are_two_roles_whatever_the_collation(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    for one in pair:
        one.run("CREATE TYPE rank AS ENUM ('Admin', 'admin')")
        one.run("ALTER TABLE account ADD COLUMN rank rank DEFAULT 'Admin'")
    live.run("UPDATE account SET rank = 'admin' WHERE id = 2")
    tables = TABLES.model_copy(update={"roles": ("rank",)})
    assert "rank Admin -> admin since the backup: 1 account (2)" in back_of(pair, tables).words
    assert again(pair, tables) == AccessAgain(changed=1)
    assert rows(backup, "SELECT id FROM account WHERE rank = 'admin'") == [(2,)]


def test_a_group_that_was_left_and_joined_again_is_the_same_right(pair: tuple[Any, Any]) -> None:
    """The row has another number then; without it, who is in the group now would lose it by the restore."""
    live, backup = pair
    live.run("DELETE FROM account_groups WHERE user_id IN (2, 3)")
    live.run("INSERT INTO account_groups (user_id, group_id) VALUES (2, 1)")
    assert back_of(pair).counts == {"account_groups": 1}
    again(pair)
    assert rows(backup, "SELECT user_id FROM account_groups WHERE user_id IN (2, 3)") == [(2,)]


def test_who_has_what_is_journalled_and_a_list_of_addresses_can_confirm_none(pair: tuple[Any, Any]) -> None:
    live, _ = pair
    live.run("UPDATE account SET email = 'new.owner@clinic.example' WHERE id = 6")
    live.run("UPDATE account SET password = 'h' WHERE id = 9")
    back = back_of(pair)
    text = back.model_dump_json()
    for known in ("new.owner@clinic.example", "person6@clinic.example", "h"):
        assert sha256(known.encode()).hexdigest()[:8] not in text
    assert TABLES.secret.get_secret_value() not in text + repr(TABLES) + TABLES.model_dump_json()
    other = TABLES.model_copy(update={"secret": SecretStr("another")})
    assert other.mark != TABLES.mark == back.mark
    assert other.as_noted(back) is other
    assert back.fitting(other, live.adapter().unshown(TABLES, back)) == {}


def test_what_an_earlier_version_noted_is_read_without_a_secret(pair: tuple[Any, Any]) -> None:
    live, backup = pair
    live.run("UPDATE account SET email = 'new6' WHERE id = 6")
    earlier = TABLES.model_copy(update={"secret": SecretStr("")})
    back = AccessBack.model_validate_json(back_of(pair, earlier).model_dump_json(exclude={"mark"}))
    read = live.adapter().unshown(TABLES, back)
    assert TABLES.as_noted(back).mark == back.mark == ""
    assert back.fitting(TABLES.as_noted(back), read) == read != {}
    assert backup.adapter(read_only=False).withdraw(TABLES.as_noted(back), back, read).changed == 1
