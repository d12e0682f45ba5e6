"""Who was shut out since the backup is shut out after the restore, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import Data
from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.models.access import UNSHOWN


def clinic(state: Path) -> Rehearsal:
    """Account 7 was deactivated and 8 lost its rights since b001; session 3 was ended."""
    run = Rehearsal(state)
    run.world.dumps[1].accounts = {key: {"is_active", "is_staff"} for key in range(1, 41)}
    run.world.live.accounts = {key: {"is_active", "is_staff"} for key in range(1, 41)}
    run.world.live.accounts[7] = set()
    run.world.live.accounts[8] = {"is_active"}
    del run.world.live.tables["django_session"][3]
    return run


def plan(run: Rehearsal, step: str) -> str:
    lines = run.events("plan.ready")[-1]["steps"]
    return str(next(line["summary"] for line in lines if line["id"] == step))


def test_the_plan_lists_who_gets_in_again_before_the_phrase(quick: Path) -> None:
    run = clinic(quick)
    run.begin(dry_run=True)
    words = plan(run, "access")
    assert "1 account deactivated since the backup (7)" in words
    assert "2 accounts without is_staff now (7, 8)" in words
    assert "1 row of django_session deleted since the backup" in words
    assert "withdrawn again in this run" in words
    assert run.world.writes == []


def test_they_are_shut_out_again_before_anybody_can_sign_in(quick: Path) -> None:
    run = clinic(quick)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.accounts[7] == set()
    assert run.world.live.accounts[8] == {"is_active"}
    assert 3 not in run.world.live.tables["django_session"]
    assert len(run.world.live.accounts) == 40
    after = run.world.writes[run.world.writes.index("withdraw") :]
    assert "set_maintenance False" in after
    assert [one for one in after if one.startswith("scale")] != []
    asked = run.events("gate.asked")[0]["facts"]
    assert "1 account deactivated since the backup (7)" in asked["access given back"]


def test_left_as_the_backup_has_it_the_run_is_not_done(quick: Path) -> None:
    run = clinic(quick)
    run.request = run.request.__class__("db", give_access_back=True)
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert "1 account deactivated since the backup (7)" in ending.error.message
    assert run.world.live.accounts[7] == {"is_active", "is_staff"}
    assert not run.world.maintenance


def test_a_flag_that_most_accounts_lost_is_damage_and_comes_back(quick: Path) -> None:
    run = clinic(quick)
    for key in range(1, 41):
        run.world.live.accounts[key] = {"is_staff"}
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.accounts[9] == {"is_active", "is_staff"}
    words = "40 of 40 accounts lost is_active, which looks like damage"
    assert words in json.dumps(run.events("note"))
    (finished,) = run.events("run.finished")
    assert f"Check who can sign in now: {words}" in finished["follow_up"], "it is said again at the end"


@pytest.mark.parametrize("cut", range(1, 60, 4))
def test_a_run_that_is_killed_withdraws_after_all(quick: Path, cut: int) -> None:
    from fakes import Killed

    run = clinic(quick)

    def crash(seq: int, moment: str) -> None:
        if (seq, moment) == (cut, "after"):
            raise Killed

    run.crash = crash
    ending: Any = run.begin()
    run.crash = lambda seq, moment: None
    if ending is None and run.journal_path.exists():
        ending = run.resume()
    if ending is None or ending.code is not ExitCode.DONE:
        return  # it had not begun, and said so
    assert run.world.live.accounts[7] == set()
    assert 3 not in run.world.live.tables["django_session"]


def with_roles(state: Path) -> Rehearsal:
    """Account 5 was ADMIN when b001 was taken, and is STUDENT now; the others are what they were."""
    run = clinic(state)
    roles = {key: "ADMIN" if key in {5, 6} else "STUDENT" for key in range(1, 41)}
    run.world.dumps[1].roles = dict(roles)
    run.world.live.roles = roles | {5: "STUDENT"}
    return run


def test_a_role_that_was_taken_is_listed_before_the_phrase_and_taken_again(quick: Path) -> None:
    run = with_roles(quick)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    words = "role ADMIN -> STUDENT since the backup: 1 account (5)"
    assert words in run.events("gate.asked")[0]["facts"]["access given back"]
    assert (run.world.live.roles[5], run.world.live.roles[6]) == ("STUDENT", "ADMIN")
    ended = next(one for one in run.events("step.succeeded") if one["step"] == "withdraw")
    assert words in json.dumps(ended)


def test_the_plan_lists_the_roles_that_come_back(quick: Path) -> None:
    run = with_roles(quick)
    run.begin(dry_run=True)
    assert "role ADMIN -> STUDENT since the backup: 1 account (5)" in plan(run, "access")
    assert run.world.writes == []


def test_a_role_left_as_the_backup_has_it_is_no_success(quick: Path) -> None:
    run = with_roles(quick)
    run.request = run.request.__class__("db", give_access_back=True)
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert "role ADMIN -> STUDENT since the backup: 1 account (5)" in ending.error.message
    assert run.world.live.roles[5] == "ADMIN"


def test_roles_that_all_became_one_come_back_and_that_is_said(quick: Path) -> None:
    run = with_roles(quick)
    run.world.dumps[1].roles |= dict.fromkeys(range(7, 12), "NURSE")
    run.world.live.roles = dict.fromkeys(range(1, 41), "STUDENT")
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.roles == run.world.dumps[1].roles
    said = "7 of 40 accounts have another role now (ADMIN -> STUDENT, NURSE -> STUDENT), which looks like damage"
    assert said in json.dumps(run.events("note"))


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "kill_before", "kill_after"])
def test_a_withdrawal_whose_answer_is_lost_is_found_or_done_again(quick: Path, kind: str) -> None:
    run = with_roles(quick)
    run.world.faults["withdraw", 1] = kind
    ending: Any = run.begin()
    if ending is None or ending.code is not ExitCode.DONE:
        ending = run.resume()
    assert ending.code is ExitCode.DONE
    assert run.world.live.roles[5] == "STUDENT"
    assert run.world.live.accounts[7] == set()


def test_accounts_that_cannot_be_read_afterwards_are_no_proof_that_it_was_withdrawn(quick: Path) -> None:
    run = with_roles(quick)
    run.world.hidden = ("authentication_user",)
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is not ExitCode.DONE
    assert "uscdr cannot tell whether access was withdrawn: it cannot read the accounts." in ending.error.message
    assert ending.error.next_action is not None
    assert "uscdr runs resume" in ending.error.next_action
    assert run.world.maintenance
    run.world.hidden = ()
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.roles[5] == "STUDENT"


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_never_written_down_is_read_again_by_a_process_that_takes_over(quick: Path, *, kept: bool) -> None:
    """As long as the restore has not begun, and only what is still what it was."""
    run = with_roles(quick)
    run.world.live.roles[5] = UNSHOWN
    run.world.secrets = {("role", "5"): "Head of ward 3"}
    run.world.faults["restore", 1] = "kill_before"
    run.begin()
    assert "Head of ward" not in run.journal_path.read_text()
    if not kept:
        run.world.secrets = {("role", "5"): "Another"}
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.known == ({("role", "5"): "Head of ward 3"} if kept else {})
    assert "Head of ward" not in run.journal_path.read_text()


def test_digests_are_keyed_with_the_databases_password_and_another_one_can_tell_nothing(quick: Path) -> None:
    """Who goes on after the password was changed would find no account that fits, and call that done."""
    run = with_roles(quick)
    run.world.faults["withdraw", 1] = "kill_before"
    run.begin()
    run.world.database_url = "postgres://u:changed@h/d"
    ending = run.resume()
    assert ending is not None
    assert ending.error is not None
    assert "uscdr cannot withdraw access again. The restore gives back: " in ending.error.message
    assert "role ADMIN -> STUDENT" in ending.error.message
    assert "the database password of that time" in str(ending.error.why)
    assert run.world.maintenance
    assert run.world.live.roles[5] == "ADMIN"


def test_who_had_to_be_shut_out_for_it_is_named_at_the_end(quick: Path) -> None:
    run = with_roles(quick)
    run.world.refused = ("5",)
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert run.world.live.accounts[5] == set()
    (finished,) = run.events("run.finished")
    words = "Blocked, because a role or a login could not be set again: 1 account (5); set it by hand"
    assert words in finished["follow_up"]
    assert words in json.dumps(run.events("note"))


def test_a_role_that_came_back_after_it_was_taken_is_seen(quick: Path) -> None:
    run = with_roles(quick)
    run.world.again = lambda live: live.roles.update({5: "ADMIN"})
    ending = run.begin()
    assert ending is not None
    assert ending.error is not None
    assert "Access was withdrawn, but 1 account and 0 rows are back." in ending.error.message
    assert run.world.maintenance


def test_accounts_that_are_gone_after_the_restore_are_as_good_as_shut_out(quick: Path) -> None:
    run = with_roles(quick)

    def delete(live: Data) -> None:
        for key in (5, 7):
            live.accounts.pop(key, None)

    run.world.again = delete
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
