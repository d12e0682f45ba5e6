"""`recover backups` from end to end on the platform in memory: what is sent, kept, refused, and said."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from unscheduled_clinic import Clinic, UnscheduledWorld, ended

from fakes import FakeMachine
from rehearsal import Person
from uscdr.backups import proofs
from uscdr.backups.proofs import Grade
from uscdr.errors import ExitCode
from uscdr.models.heroku import Schedule
from uscdr.models.transfers import TransferKind, TransferState
from uscdr.scenarios.adapters import Request

SENT = ["schedule_backups DATABASE_URL", "capture"]


@pytest.fixture
def clinic(quick: Path) -> Clinic:
    return Clinic(quick / "clinic")


def test_scheduled_captured_copied_proven_judged(clinic: Clinic) -> None:
    clinic.world.fail("connection to storage lost")
    assert ended(clinic.begin()) == (ExitCode.DONE, "")
    assert clinic.world.writes == SENT
    (copy,), (proof,) = clinic.copies(), clinic.proofs()
    assert (copy.origin.name, copy.origin.app) == ("b003", "usc-pis")
    assert (proof.grade, proof.copy_id, proof.copy_opened) == (Grade.DECRYPTS, copy.id, True)
    assert proof.sha256 == copy.dump.plain_sha256
    checks = {event["check"]: event["verdict"] for event in clinic.events("check.finished")}
    assert set(checks.values()) == {"pass"}
    assert len(checks) == 5
    assert not list(clinic.state.rglob("*.dump"))


def test_a_dry_run_writes_neither_to_the_platform_nor_to_the_vault(clinic: Clinic) -> None:
    before = clinic.safe.names()
    phrase = clinic.phrase()
    assert phrase == "usc-pis capture after b001, drop none"
    assert (clinic.world.writes, clinic.safe.names()) == ([], before)
    plan = {step["id"]: step for step in clinic.events("plan.ready")[-1]["steps"]}
    assert [plan[name]["action"] for name in ("schedule", "trial", "pull", "prove_copy", "verdict")] == [
        "change", "change", "later", "later", "later",
    ]  # fmt: skip
    said = plan["commands"]["summary"]
    for command in ("monitor_backups --check-heroku", "setup_heroku_backups", "verify_backup", "create_backup"):
        assert command in said
    assert "exit 0 even when it prints FAILED" in said


@pytest.mark.parametrize("dry_run", [True, False])
def test_without_the_programs_for_its_proof_no_backup_is_made(clinic: Clinic, dry_run: bool) -> None:
    clinic.machine = FakeMachine(lacks="this machine needs pg_restore")
    code, words = ended(clinic.begin(dry_run=dry_run))
    assert code is ExitCode.FAILED
    assert "this machine needs pg_restore" in words
    assert clinic.world.writes == []


def test_the_phrase_is_needed_and_is_of_this_state(clinic: Clinic) -> None:
    phrase = clinic.phrase()
    clinic.person = Person(interactive=False)
    assert ended(clinic.begin())[0] is ExitCode.DECLINED
    clinic.world.store(TransferKind.SCHEDULED_BACKUP)
    assert ended(clinic.begin(confirm=phrase))[0] is ExitCode.DECLINED
    assert clinic.world.writes == []
    assert ended(clinic.begin(confirm=clinic.phrase()))[0] is ExitCode.DONE


def test_a_schedule_that_is_there_stays_whatever_its_hour(clinic: Clinic) -> None:
    clinic.world.schedules.append(Schedule(id="s", name="DATABASE_URL", hour=5, timezone="UTC"))
    assert ended(clinic.begin())[0] is ExitCode.DONE
    assert clinic.world.writes == ["capture"]
    (reason,) = [event["reason"] for event in clinic.events("step.skipped")]
    assert "daily at 05:00 UTC" in reason
    assert "does not change the schedule" in reason


def test_without_anybody_to_open_it_there_is_no_copy_and_no_success(clinic: Clinic) -> None:
    clinic.readers = False
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert clinic.world.writes == SENT
    assert clinic.copies() == ()
    (proof,) = clinic.proofs()
    assert (proof.source, proof.sound) == ("platform", True)
    (skipped,) = clinic.events("step.skipped")
    assert (skipped["step"], "nobody could open a copy" in skipped["reason"]) == ("pull", True)
    assert "newest proven copy off the platform: none" in said
    assert "Name a recipient for copies: --recipient age1…" in said


def test_what_another_copied_while_its_turn_was_waited_for_is_not_copied_again(clinic: Clinic) -> None:
    theirs: list[str] = []

    def another() -> None:
        newest = clinic.world.transfers[-1].model_copy(update={"processed_bytes": 0})
        theirs.append(clinic.safe.pull(newest, f"PGDMP /{newest.num}".encode()).id)

    clinic.on_turn = another
    clinic.begin()
    (result,) = [one["result"] for one in clinic.events("step.succeeded") if one["step"] == "pull"]
    assert (result["copy_id"], result["fetched"]) == (theirs[0], False)
    assert len(clinic.copies()) == 1


def test_without_the_private_key_the_platforms_bytes_are_proven_and_compared(clinic: Clinic) -> None:
    clinic.with_identity = False
    assert ended(clinic.begin())[0] is ExitCode.DONE
    (proof,) = clinic.proofs()
    assert (proof.source, proof.copy_opened, proof.copy_id) == ("platform", False, clinic.copies()[0].id)


def test_captures_too_far_apart_are_a_missed_objective_with_the_cron_line(quick: Path) -> None:
    clinic = Clinic(quick / "clinic", UnscheduledWorld(age=timedelta(hours=10)))
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert "the RPO of 4 h is missed: backups come often enough" in said
    assert "at most 10 h between two" in said
    assert "crontab -e`: 17 */3 * * *" in said
    assert "backup capture && uscdr --quiet --target production backup pull" in said
    for hours in (7, 4):
        clinic.world.store(TransferKind.MANUAL_BACKUP, age=timedelta(hours=hours))
    assert ended(clinic.resume())[0] is ExitCode.DONE
    assert clinic.world.writes == SENT


def test_a_proof_that_fails_names_the_older_proven_copy(clinic: Clinic) -> None:
    card = clinic.proven_before()
    clinic.world.live.tables["patients_patient"] = {}
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert "b002 is NOT proven." in said
    assert "patients are there" in said
    assert f"rely on b001, the newest proven backup, 2 h 30 min old (copy {card.id})" in said
    assert [one.grade for one in clinic.proofs() if one.backup == "b002"] == [Grade.RESTORES]
    verdicts = [event["verdict"] for event in clinic.events("check.finished")]
    assert verdicts[0] == "fail"
    assert ended(clinic.resume())[0] is ExitCode.CHECK_FAILED
    assert clinic.world.writes == SENT


def test_without_an_older_one_that_is_said(clinic: Clinic) -> None:
    clinic.world.live.tables = {}
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert "There is NO older proven backup" in said


def test_a_key_that_does_not_fit_is_no_proof_until_it_does(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = count()  # names of proofs go by the second: two within one are told apart by chance
    monkeypatch.setattr(proofs, "secrets", SimpleNamespace(token_hex=lambda size: f"{next(counted):0{2 * size}x}"))
    clinic.world.held_key = "another"
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert "PGP_ENCRYPTION_KEY does not decrypt" in said
    clinic.world.held_key = clinic.world.key
    assert ended(clinic.resume())[0] is ExitCode.DONE
    assert clinic.world.writes == SENT


def test_a_capture_that_fails_is_made_anew_after_a_new_run_of_the_step(clinic: Clinic) -> None:
    clinic.world.doom = [TransferState.FAILED]
    code, said = ended(clinic.begin())
    assert code is ExitCode.FAILED
    assert "b002 failed on Heroku" in said
    assert ended(clinic.resume())[0] is ExitCode.DONE
    assert clinic.world.writes == [*SENT, "capture"]
    assert [card.origin.name for card in clinic.copies()] == ["b003"]


def full(quick: Path, keep: int = 2) -> Clinic:
    """As many manual backups as the platform keeps."""
    clinic = Clinic(quick / "clinic", UnscheduledWorld(keep=keep))
    for _ in range(keep - 1):
        clinic.world.store(TransferKind.MANUAL_BACKUP)
    return clinic


def without_copies(clinic: Clinic) -> None:
    """The proofs stay."""
    for name in clinic.store.names("backups"):
        clinic.store.delete(name)


def test_the_newest_proven_backup_is_not_pushed_out_unasked(quick: Path) -> None:
    clinic = full(quick)
    clinic.proven_before()
    without_copies(clinic)
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert "would drop b001, the newest proven backup anywhere" in said
    assert "uscdr backup pull --backup b001" in said
    assert clinic.world.writes == []
    clinic.request = Request("backups", evict=True)
    assert "drop b001" in clinic.phrase()
    assert ended(clinic.begin())[0] is ExitCode.DONE
    assert "b001" not in [one.name for one in clinic.world.transfers]


def test_one_with_a_copy_may_go_and_is_named_in_the_phrase(quick: Path) -> None:
    clinic = full(quick)
    clinic.proven_before()
    assert "drop b001" in clinic.phrase()
    assert ended(clinic.begin())[0] is ExitCode.DONE


def test_when_the_vault_cannot_be_read_nothing_is_pushed_out(quick: Path) -> None:
    clinic = full(quick)
    clinic.world.store_is_dark = True
    code, said = ended(clinic.begin())
    assert code is ExitCode.CHECK_FAILED
    assert "whether that is the newest proven one is not known" in said
    assert clinic.world.writes == []


def test_another_backup_than_approved_is_not_pushed_out(quick: Path) -> None:
    clinic = full(quick)
    clinic.world.faults["schedule_backups", 1] = "kill_before"
    assert clinic.begin() is None
    clinic.world.transfers.pop(0)
    clinic.world.store(TransferKind.MANUAL_BACKUP)
    code, said = ended(clinic.resume())
    assert code is ExitCode.CHECK_FAILED
    assert "would drop b002, but the operator approved b001" in said
    assert clinic.world.writes == SENT[:1]


def test_a_vault_that_cannot_be_read_does_not_keep_backups_from_being_made(clinic: Clinic) -> None:
    clinic.world.store_is_dark = True
    code, said = ended(clinic.begin())
    assert (code, "The store does not answer." in said) == (ExitCode.FAILED, True)
    assert clinic.world.writes == SENT
    assert "CANNOT READ" in clinic.events("plan.ready")[-1]["steps"][1]["summary"]
    clinic.world.store_is_dark = False
    assert ended(clinic.resume())[0] is ExitCode.DONE
    assert clinic.world.writes == SENT


def test_nothing_is_begun_beside_a_running_transfer(clinic: Clinic) -> None:
    clinic.world.slowness = 1000
    clinic.world.start(TransferKind.MANUAL_BACKUP)
    code, said = ended(clinic.begin())
    assert (code, "heroku pg:backups:cancel b002 --app usc-pis" in said) == (ExitCode.CHECK_FAILED, True)
    assert clinic.world.writes == []


def test_a_copy_that_was_damaged_meanwhile_is_no_proof(clinic: Clinic) -> None:
    clinic.world.faults["config_vars", 1] = "kill_before"
    assert clinic.begin() is None
    path = Path(clinic.store.place) / clinic.copies()[0].dump.path
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    code, said = ended(clinic.resume())
    assert code is ExitCode.CHECK_FAILED
    assert "b002 is NOT proven." in said
    assert "damaged" in said
    assert clinic.proofs() == []


def test_what_a_server_quotes_in_its_log_stays_out_of_the_journal(clinic: Clinic) -> None:
    clinic.world.fail('ERROR: duplicate key "Canarina"', "DETAIL: Key (name)=(Canarina) exists.")
    assert ended(clinic.begin())[0] is ExitCode.DONE
    text = clinic.journal_path.read_text()
    assert "b002 FAILED: ERROR: duplicate key" in text
    assert "Canarina" not in text
    assert "PGP_ENCRYPTION_KEY" not in text
    assert "signed.example" not in text


@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
@pytest.mark.parametrize("write", [("create", 1), ("create", 2), ("put_once", 1), ("put_once", 2)])
def test_a_kill_at_any_write_to_the_vault_leaves_one_whole_copy_and_one_proof(
    quick: Path, write: tuple[str, int], moment: str
) -> None:
    """Dump, card, manifest, proof: in this order."""
    clinic = Clinic(quick / "clinic")
    clinic.world.store_faults[write] = moment
    assert clinic.begin() is None
    assert ended(clinic.resume()) == (ExitCode.DONE, "")
    assert (len(clinic.copies()), len(clinic.proofs())) == (1, 1)
    assert clinic.world.writes == SENT
    assert catalog_is_whole(clinic)


def catalog_is_whole(clinic: Clinic) -> bool:
    card = clinic.copies()[0]
    return (Path(clinic.store.place) / card.dump.path).stat().st_size == card.dump.size
