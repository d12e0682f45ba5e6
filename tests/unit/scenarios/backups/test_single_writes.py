"""Runs of one step, killed at every record, with every call gone wrong: one capture, one schedule, what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from unscheduled_clinic import Clinic, ended

from backup_world import dump
from killed_everywhere import Some, looks, moments, wrong_ends
from rehearsal import Rehearsal
from uscdr.backups import catalog
from uscdr.engine.run import Outcome
from uscdr.errors import BadInput, Declined, ExitCode
from uscdr.journal import lock, runs
from uscdr.journal.reader import Journal
from uscdr.models.runs import OPERATIONS, RunKind
from uscdr.models.transfers import TransferKind
from uscdr.report.markdown import to_markdown
from uscdr.report.objectives import build
from uscdr.report.runbook import Runbook
from uscdr.report.summary import summarise
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.backup_copies import prunable
from uscdr.scenarios.registry import OPERATIONS as STEPS
from uscdr.scenarios.results.backups import BackupsScheduled
from uscdr.settings import Operator
from uscdr.store.directory import LocalStore
from uscdr.store.store import StoreRetains
from uscdr.wiring.past_runs import refuse_beside_unfinished, remember

SENT = {"capture": "capture", "schedule": "schedule_backups DATABASE_URL"}
LOOKS = {"capture": ("app", "database", "transfers", "transfer", "schedules"), "schedule": ("database", "schedules")}
KINDS = ("refused", "down", "lost_before", "lost_after", "kill_before", "kill_after")
BOTH = pytest.mark.parametrize("what", ["capture", "schedule"])


def clinic(state: Path, what: str) -> Clinic:
    return Clinic(state, request=Request(what))


def begin(run: Clinic) -> Outcome | None:
    return run.begin(confirm=RunKind(run.request.scenario).command)


def full_vault(state: Path) -> Clinic:
    """Six copies, of which retention lets some go."""
    run = clinic(state, "prune")
    for _ in range(5):
        run.world.store(TransferKind.MANUAL_BACKUP)
    for number in range(1, 7):
        one = run.world.transfers[number - 1].model_copy(update={"processed_bytes": 0})
        run.safe.prove(run.safe.pull(one, dump(number)))
    return run


def judged(run: Clinic, ending: Outcome | None) -> list[str]:
    what = run.request.scenario
    code, said = ended(ending)
    problems = [] if code is ExitCode.DONE else [f"ended with {code}: {said}"]
    if run.world.writes != [SENT[what]]:
        problems.append(f"sent: {run.world.writes}")
    made = len(run.world.schedules) if what == "schedule" else len(run.world.transfers) - 1
    return problems if made == 1 else [*problems, f"{made} made"]


@BOTH
def test_every_record_boundary_leads_to_the_same_end(quick: Path, some: Some, what: str) -> None:
    calm = clinic(quick / "calm", what)
    assert judged(calm, begin(calm)) == []
    wrong = wrong_ends(
        some(moments(calm)),
        make=lambda name: clinic(quick / name, what),
        begin=begin,
        end=lambda run: judged(run, run.resume(confirm=RunKind(what).command)),
    )
    assert wrong == []


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_its_write_goes_wrong(quick: Path, what: str, kind: str) -> None:
    run = clinic(quick / "clinic", what)
    run.world.faults[SENT[what].split()[0], 1] = kind
    ending = begin(run)
    if kind.startswith("lost"):
        assert ended(ending) == (ExitCode.DONE, "")
    if kind in ("refused", "down"):
        with pytest.raises(BadInput, match="no unfinished run"):  # it changed nothing
            runs.LocalRuns(run.state).find(None)
    elif ending is None or ended(ending)[0] is not ExitCode.DONE:
        assert runs.LocalRuns(run.state).find(None) == run.journal_path, "runs resume offers it"
    if ending is None or ended(ending)[0] is not ExitCode.DONE:
        ending = run.resume(confirm=RunKind(what).command)
    assert judged(run, ending) == []


@BOTH
@pytest.mark.parametrize("kind", ["refused", "down", "kill_before", "kill_after"])
def test_any_look_goes_wrong(quick: Path, some: Some, what: str, kind: str) -> None:
    calm = clinic(quick / "calm", what)
    begin(calm)
    assert [look for look in LOOKS[what] if not calm.world.calls[look]] == [], "never asked"
    for look, number in some(looks(calm.world.calls, LOOKS[what])):
        run = clinic(quick / f"{look}-{number}", what)
        run.world.faults[look, number] = kind
        ending = begin(run)
        if ending is None or ended(ending)[0] is not ExitCode.DONE:
            ending = run.resume(confirm=RunKind(what).command)
        assert judged(run, ending) == [], f"{look} {number}"


@BOTH
def test_a_lost_answer_and_a_platform_gone_dark_is_an_unknown_outcome(quick: Path, what: str) -> None:
    run = clinic(quick / "clinic", what)
    run.world.faults[SENT[what].split()[0], 1] = "lost_after_dark"
    code, said = ended(begin(run))
    assert (code, "uscdr does not know whether" in said) == (ExitCode.UNKNOWN, True)
    run.world.dark = False
    assert judged(run, run.resume(confirm=RunKind(what).command)) == []


@BOTH
def test_only_the_lock_of_the_target_is_waited_for_and_nothing_is_asked(quick: Path, what: str) -> None:
    run = clinic(quick / "clinic", what)
    key = run.target().key
    with lock.HeldLock.hold(run.state, key, Operator("bob", "laptop", 7), "uscdr recover db (run r)"):
        with pytest.raises(Exception, match="bob on laptop"):
            begin(run)
        assert run.world.writes == []
    run.person.interactive = False
    assert judged(run, begin(run)) == []
    assert run.person.questions == []


def approved(run: Clinic) -> tuple[str, set[str], set[str]]:
    """The phrase, what goes and what stays."""
    there = catalog.StoredCopies.of(run.store)
    planned = prunable(run.adapters(run.context(run.process(), "look", dry_run=True), run.state), there)
    assert planned.ids
    return planned.phrase, set(planned.ids), {card.id for card in there.copies} - set(planned.ids)


def left(run: Clinic) -> tuple[set[str], set[str]]:
    there = catalog.StoredCopies.of(run.store)
    return {card.id for card in there.copies}, set(there.unfinished)


@pytest.mark.parametrize("kind", ["kill_before", "kill_after"])
def test_a_removal_cut_off_at_any_object_is_gone_on_with(quick: Path, kind: str) -> None:
    calm = full_vault(quick / "calm")
    phrase, _, kept = approved(calm)
    assert ended(calm.begin(confirm=phrase)) == (ExitCode.DONE, "")
    assert left(calm) == (kept, set())
    removed = calm.world.calls["delete"]
    assert removed > 3
    for number in range(1, removed + 1):
        run = full_vault(quick / f"{number}")
        phrase, gone, kept = approved(run)
        run.world.store_faults["delete", number] = kind
        assert run.begin(confirm=phrase) is None
        assert left(run)[0] >= kept
        assert ended(run.resume(confirm=phrase)) == (ExitCode.DONE, ""), number
        assert left(run) == (kept, set()), number
        assert set(run.events("step.")[-1]["result"]["ids"]) == gone


def test_a_removal_that_goes_on_keeps_what_has_become_the_newest_proven_copy(quick: Path) -> None:
    run = full_vault(quick / "clinic")
    phrase, gone, kept = approved(run)
    run.world.store_faults["delete", 1] = "kill_before"
    assert run.begin(confirm=phrase) is None
    for name in run.store.names("backups"):
        if name.split("/")[1] in kept:
            run.store.delete(name)
    assert ended(run.resume(confirm=phrase))[0] is ExitCode.DONE
    assert len(left(run)[0] & gone) >= 1, "the newest proven one of those that are left"


def test_what_changed_while_the_turn_was_waited_for_is_not_removed_by_a_resumed_run_either(quick: Path) -> None:
    run = full_vault(quick / "clinic")
    phrase, gone, kept = approved(run)

    def another() -> None:
        run.on_turn = lambda: None
        one = run.world.store(TransferKind.MANUAL_BACKUP).model_copy(update={"processed_bytes": 0})
        run.safe.prove(run.safe.pull(one, dump(9)))

    run.on_turn = another
    assert ended(run.begin(confirm=phrase))[0] is ExitCode.DECLINED
    assert ended(run.resume(confirm=phrase))[0] is not ExitCode.DONE
    assert left(run)[0] > gone | kept


def test_the_phrase_of_another_state_removes_nothing(quick: Path) -> None:
    run = full_vault(quick / "clinic")
    _, gone, kept = approved(run)
    code, said = ended(run.begin(confirm="remove 1 of 2 copies"))
    assert (code, "uscdr backup prune --confirm 'remove" in said) == (ExitCode.DECLINED, True)
    assert left(run)[0] == gone | kept
    with pytest.raises(Exception, match="no unfinished run"):
        runs.LocalRuns(run.state).find(None)


@BOTH
def test_an_unfinished_one_is_in_no_recoverys_way(quick: Path, what: str) -> None:
    run = clinic(quick / "clinic", what)
    key = run.target().key
    run.request = Request("db")
    run.world.faults["scale", 1] = "kill_after"
    assert run.begin() is None
    recovery = run.journal_path
    remembered = remember(run.state, key)
    run.request = Request(what)
    run.world.faults[SENT[what].split()[0], 1] = "kill_after"
    assert begin(run) is None
    assert runs.LocalRuns(run.state).find(None) == recovery, "the recovery comes first"
    assert remember(run.state, key) == remembered
    with pytest.raises(Declined, match=recovery.parent.name):
        refuse_beside_unfinished(run.state, key)
    recovery.unlink()
    assert runs.LocalRuns(run.state).find(None) == run.journal_path
    refuse_beside_unfinished(run.state, key)


@pytest.fixture
def cut_off(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """A capture of long ago that was begun and never ended."""
    run = clinic(quick / "clinic", "capture")
    run.world.faults["capture", 1] = "kill_before"
    with monkeypatch.context() as long_ago:
        long_ago.setattr(runs, "new_run_id", lambda _: "20260101T000000Z-capture-000000")
        assert begin(run) is None
    return run


def test_a_recovery_that_ends_well_does_not_follow_an_unfinished_one(cut_off: Clinic) -> None:
    run, before = cut_off, cut_off.journal_path
    done = Rehearsal(run.state, request=Request("db"))
    assert ended(done.begin())[0] is ExitCode.DONE
    assert runs.LocalRuns(run.state).find(None) == before


def test_the_next_one_that_ends_well_follows_an_unfinished_one(cut_off: Clinic) -> None:
    run = cut_off
    assert runs.LocalRuns(run.state).find(None) == run.journal_path
    assert ended(begin(run))[0] is ExitCode.DONE
    with pytest.raises(Exception, match="no unfinished run"):
        runs.LocalRuns(run.state).find(None)


@BOTH
def test_it_is_held_against_no_objective_and_says_what_it_is(quick: Path, what: str) -> None:
    run = clinic(quick / "clinic", what)
    begin(run)
    journal = Journal.read(run.journal_path)
    report = build(journal.records, last_hash=journal.last_hash)
    assert (report.rto.verdict, report.rpo.verdict) == ("does not apply", "does not apply")
    assert (report.left, report.follow_up) == ({}, ())
    assert "RTO" not in summarise(report)
    assert to_markdown(report).startswith(f"# {what.capitalize()}: done")
    assert OPERATIONS.keys() == STEPS.keys()
    assert not {row["scenario"] for row in Runbook(run.config).rows()} & OPERATIONS.keys()


def test_a_schedule_in_a_journal_of_the_version_before_is_understood() -> None:
    found = BackupsScheduled.model_validate({"name": "DATABASE_URL", "hour": 2, "timezone": "Asia/Manila"})
    assert found == BackupsScheduled(schedules=("daily at 02:00 Asia/Manila",), created=True)


def test_a_removal_says_what_the_bucket_keeps_and_claims_nothing_that_its_retention_holds(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = full_vault(quick / "clinic")
    monkeypatch.setattr(type(run.store), "keeps_versions", lambda _store, _name: True)
    phrase, gone, kept = approved(run)
    held = min(gone)
    delete = type(run.store).delete

    def retained(store: LocalStore, name: str) -> None:
        if name.split("/")[1] == held:
            raise StoreRetains("It holds it.")
        delete(store, name)

    monkeypatch.setattr(type(run.store), "delete", retained)
    assert ended(run.begin(confirm=phrase)) == (ExitCode.DONE, "")
    assert left(run) == (kept | {held}, set())
    result = run.events("step.")[-1]["result"]
    assert (set(result["ids"]), result["held"], result["kept"]) == (gone - {held}, [held], len(kept) + 1)
    told = run.journal_path.read_text()
    assert "1 of them by the store's own retention" in told
    assert "no space is freed" in told
