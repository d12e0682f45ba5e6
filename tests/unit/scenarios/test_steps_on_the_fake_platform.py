"""Single steps in situations that a whole run seldom meets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import Killed, World
from rehearsal import Person, Rehearsal
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode
from uscdr.models.heroku import OneOffResult
from uscdr.models.transfers import TransferKind, TransferState
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config import Scenario, StepEntry
from uscdr.scenarios.config_app import DangerousMigration
from uscdr.scenarios.steps.ledger import _ranges


def ended(ending: Outcome | None) -> tuple[ExitCode, str]:
    assert ending is not None
    return ending.code, ending.error.message if ending.error else ""


def tried(run: Rehearsal, backup: str | None = None) -> tuple[ExitCode, str]:
    run.request = Request("db", backup=backup)
    return ended(run.begin())


# choosing


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("b009", "no backup"),
        ("r003", "restore, not a backup"),
        ("b004", "failed"),
        ("b005", "expired"),
        ("b006", "empty"),
        ("", "no backup"),
        ("1", "no backup"),
        ("../b001", "no backup"),
        ("b002 ", "no backup"),
        ("c007", "copy, not a backup"),
    ],
)
def test_a_backup_that_cannot_be_restored_is_bad_input(quick: Path, name: str, says: str) -> None:
    run = Rehearsal(quick, menagerie())
    code, message = tried(run, name)
    assert (code, says in message) == (ExitCode.BAD_INPUT, True), message
    assert run.world.writes == []


def menagerie() -> World:
    """b001 good, a002 good, r003 a restore, b004 failed, b005 expired, b006 empty, c007 a copy."""
    world = World(keep=20)
    world.store(TransferKind.SCHEDULED_BACKUP, age=timedelta(hours=2))
    world.store(TransferKind.RESTORE, age=timedelta(hours=1))
    for changes in ({"state": TransferState.FAILED}, {"expired": True}, {"processed_bytes": 0}):
        stored = world.store(TransferKind.MANUAL_BACKUP, age=timedelta(minutes=30))
        world.transfers[-1] = stored.model_copy(update=changes)
    world.store(TransferKind.COPY)
    return world


def test_the_newest_good_backup_is_chosen_and_the_others_are_named(quick: Path) -> None:
    run = Rehearsal(quick, menagerie())
    run.world.live.tables["patients_patient"][99] = 1
    run.begin(dry_run=True)
    summary = next(line for line in run.events("plan.ready")[0]["steps"] if line["id"] == "choose")["summary"]
    assert summary.startswith("a002")
    for words in ("b006 (empty)", "b005 (expired", "b004 (failed)"):
        assert words in summary


def test_without_any_good_backup_nothing_is_touched(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.transfers = []
    assert tried(run)[0] is ExitCode.BAD_INPUT
    assert run.world.writes == []


def test_a_kept_damaged_state_is_passed_over_by_the_next_run(quick: Path) -> None:
    run = Rehearsal(quick)
    assert tried(run)[0] is ExitCode.DONE
    second = Rehearsal(quick, run.world)
    second.begin(dry_run=True)
    chosen = next(line for line in second.events("plan.ready")[0]["steps"] if line["id"] == "choose")
    assert chosen["summary"].startswith("b004")
    run.world.transfers = [t for t in run.world.transfers if t.name != "b004"]
    third = Rehearsal(quick, run.world)
    third.begin(dry_run=True)
    chosen = next(line for line in third.events("plan.ready")[0]["steps"] if line["id"] == "choose")
    assert chosen["summary"].startswith("b001")
    assert "b002 (taken from damaged data)" in chosen["summary"]


# capturing


def test_a_capture_that_would_push_out_the_wanted_backup_is_refused_beforehand(quick: Path) -> None:
    run = Rehearsal(quick, World(keep=1))
    code, message = tried(run, "b001")
    assert (code, "Heroku would drop b001" in message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.writes == []
    run.request = Request("db", backup="b001", safety_capture=False)
    assert ended(run.begin())[0] is ExitCode.DONE
    assert [write for write in run.world.writes if write == "capture"] == ["capture"]


def test_the_last_capture_may_push_out_the_restored_backup_even_across_a_crash(quick: Path) -> None:
    run = Rehearsal(quick, World(keep=2))
    run.request = Request("db", backup="b001")

    def crash(seq: int, moment: str) -> None:
        if moment == "before" and run.world.transfers[-1].name == "b004" and run.world.transfers[-1].ended:
            raise Killed

    run.crash = crash
    assert run.begin() is None
    run.crash = lambda seq, moment: None
    assert "b001" not in [transfer.name for transfer in run.world.transfers]
    assert ended(run.resume())[0] is ExitCode.DONE


def test_a_database_that_does_not_answer_is_not_captured_and_its_losses_are_not_guessed(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(types=False))
    run.world.reachable = False
    assert ended(run.begin())[0] is ExitCode.DECLINED
    assert "capture" not in run.world.writes
    assert run.events("gate.asked")[0]["facts"]["rows now"] == "unreadable"
    assert run.events("gate.asked")[0]["facts"]["rows lost"] == "not known"


# transfers


def test_a_transfer_that_vanishes_while_it_is_watched_is_no_success(quick: Path) -> None:
    run = Rehearsal(quick)

    def crash(seq: int, moment: str) -> None:
        run.world.transfers = [t for t in run.world.transfers if t.kind is not TransferKind.RESTORE]

    run.crash = crash
    code, message = ended(run.begin())
    assert code is ExitCode.UNKNOWN
    assert "does not know how" in message
    run.crash = lambda seq, moment: None
    run.person = Person(answers={"look again": "stop"})
    ending = run.resume()
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.UNKNOWN
    assert "is no longer listed" in ending.error.why
    assert "may happen twice" in run.person.questions[-1]
    assert run.world.writes.count("restore 1") == 1


def test_a_canceled_restore_is_a_failure_that_names_it(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.doom = [TransferState.COMPLETED, TransferState.CANCELED]
    code, message = ended(run.begin())
    assert (code, "canceled" in message) == (ExitCode.FAILED, True)
    assert run.world.maintenance


# migrations


def migrating(run: Rehearsal, *answers: OneOffResult) -> tuple[ExitCode, str]:
    run.world.one_off_results = list(answers)
    return ended(run.begin())


def answer(status: int | None, output: str = "") -> OneOffResult:
    return OneOffResult(name="run.9", exit_status=status, output=output)


@pytest.mark.parametrize(
    ("answers", "code", "says"),
    [
        ([answer(0, "")], ExitCode.UNKNOWN, "could not be read"),
        ([answer(0, "Traceback (most recent call last)")], ExitCode.UNKNOWN, "could not be read"),
        ([answer(None, "[ ]  patients.0003_phone")], ExitCode.UNKNOWN, "before"),
        ([answer(1, "boom")], ExitCode.FAILED, "exit status 1"),
        ([answer(0, "[ ]  patients.0003_phone"), answer(1)], ExitCode.FAILED, "exit status 1"),
        (
            [answer(0, "[ ]  patients.0003_phone"), answer(0), answer(0, "[ ]  patients.0003_phone")],
            ExitCode.CHECK_FAILED,
            "still pending after `migrate`",
        ),
        (
            [answer(0, "[X]  patients.0002_names\r\n[ ]  patients.0008_drop_unlinked\r\n")],
            ExitCode.CHECK_FAILED,
            "dangerous",
        ),
    ],
)
def test_migrations_end_known_or_not_at_all(
    quick: Path, answers: list[OneOffResult], code: ExitCode, says: str
) -> None:
    run = Rehearsal(quick)
    found, message = migrating(run, *answers)
    assert (found, says in message) == (code, True), message
    assert run.world.maintenance
    assert "patients" not in str(run.events("step.failed")[-1]["why"]) or code is ExitCode.CHECK_FAILED
    run.world.one_off_results = []
    assert ended(run.resume())[0] is ExitCode.DONE


def test_a_dangerous_migration_by_its_whole_name(quick: Path) -> None:
    run = Rehearsal(quick)
    rule = DangerousMigration(name="patients.0003_phone", why="It drops telephone numbers.")
    run.config = run.config.model_copy(
        update={"app": run.config.app.model_copy(update={"dangerous_migrations": (rule,)})}
    )
    code, message = ended(run.begin())
    assert (code, "patients.0003_phone" in message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.live.applied == ["patients.0001_initial", "patients.0002_names"]


# the end


def test_a_crashed_web_dyno_keeps_users_out(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.never_up = {"web"}
    code, message = ended(run.begin())
    assert (code, "crashed" in message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.maintenance


def test_an_application_that_answers_wrongly_is_no_success(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.intact_web = False
    assert ended(run.begin())[0] is ExitCode.CHECK_FAILED
    run.world.intact_web = True
    assert ended(run.resume())[0] is ExitCode.DONE


def test_data_that_differ_after_the_restore_keep_users_out(quick: Path) -> None:
    run = Rehearsal(quick)

    def meddle(seq: int, moment: str) -> None:
        if moment == "after" and run.events()[-1] | {"step": "restore"} == run.events()[-1]:
            run.world.live.tables.setdefault("patients_patient", {})[999] = 1

    run.crash = meddle
    code, message = ended(run.begin())
    assert (code, "patients_patient" in message) == (ExitCode.CHECK_FAILED, True), message
    assert run.world.maintenance


# a person's step


def with_manual(run: Rehearsal) -> None:
    entry = StepEntry.model_validate({"use": "manual", "with": {"instruction": "Call the clinic."}})
    scenario = Scenario(title="By hand", budget={"recover": "10m"}, steps=(entry,))  # type: ignore[dict-item]
    run.config = run.config.model_copy(update={"scenarios": {"db": scenario}})


@pytest.mark.parametrize(
    ("decision", "code", "answered"),
    [("adopt", ExitCode.DONE, "already done"), ("redo", ExitCode.DONE, "done"), ("abort", ExitCode.UNKNOWN, "")],
)
def test_an_instruction_cut_off_is_a_question(quick: Path, decision: str, code: ExitCode, answered: str) -> None:
    run = Rehearsal(quick, person=Person(answers={"adopt": decision}))
    with_manual(run)

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and run.events("step.started"):
            raise Killed

    run.crash = crash
    assert run.begin() is None
    run.crash = lambda seq, moment: None
    assert ended(run.resume())[0] is code
    assert run.person.questions[-1].startswith("“Follow an instruction” started at 20")
    given = [event["result"]["answer"] for event in run.events("step.succeeded")]
    assert [one.startswith(answered) for one in given] == ([True] if answered else [])


def test_an_instruction_cut_off_without_a_terminal_stays_unknown(quick: Path) -> None:
    run = Rehearsal(quick)
    with_manual(run)
    run.crash = lambda seq, moment: _die_once_started(run, moment)
    run.begin()
    run.crash = lambda seq, moment: None
    run.person.interactive = False
    assert ended(run.resume())[0] is ExitCode.UNKNOWN


def _die_once_started(run: Rehearsal, moment: str) -> None:
    if moment == "after" and run.events("step.started"):
        raise Killed


# key ranges


@given(st.sets(st.integers(-50, 200), max_size=60))
def test_ranges_say_exactly_which_keys(keys: set[int]) -> None:
    words = _ranges([str(key) for key in sorted(keys)])
    if len(words) > 12:
        assert words[-1].endswith("more ranges")
        return
    told: set[int] = set()
    for word in words:
        first, _, last = word[1:].partition("-")
        start = int(word[0] + first)
        told |= set(range(start, int(last or start) + 1))
    assert told == keys


@given(st.lists(st.text(max_size=8), min_size=1, max_size=20))
def test_other_keys_are_counted_never_shown(keys: list[str]) -> None:
    words = _ranges(keys)
    assert all(set(word) <= set("0123456789-andmoregsktbu tyh") or " key" in word for word in words)


@pytest.mark.parametrize("key", ["²", "--5", "-", "", "٣x", "5 "])
def test_what_only_looks_like_a_number_is_no_number(key: str) -> None:
    assert _ranges([key]) == ("1 key that is not a number",)


def test_many_ranges_are_cut() -> None:
    assert _ranges([str(key) for key in range(0, 100, 2)])[-1] == "and 38 more ranges"
    assert _ranges(["812", "813", "840"]) == ("812-813", "840")
    assert _ranges([]) == ()
