"""What the journals of this machine say of earlier runs, and what follows for the next one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes import Killed
from rehearsal import Person, Rehearsal
from uscdr.errors import BadInput, Declined, ExitCode
from uscdr.journal import runs
from uscdr.journal.reader import Journal
from uscdr.models.transfers import TransferState
from uscdr.scenarios.adapters import Request
from uscdr.wiring.past_runs import refuse_beside_unfinished, remember

KEY = "https://api.heroku.com usc-pis"


def summary(run: Rehearsal) -> runs.RunSummary:
    return runs.RunSummary.of(Journal.read(run.journal_path))


def killed_at(run: Rehearsal, kind: str, step: str, **how: bool) -> None:
    """Begin, and die right after this event is on disk."""

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and [e for e in run.events(kind) if e.get("step", step) == step]:
            raise Killed

    run.crash = crash
    assert run.begin(**how) is None  # type: ignore[arg-type]
    run.crash = lambda seq, moment: None


def test_ids_sort_by_time_also_within_one_second() -> None:
    second = datetime(2026, 11, 23, 3, 15, tzinfo=UTC)
    made = [runs.new_run_id("db", second.replace(microsecond=at)) for at in range(0, 1_000_000, 9_000)]
    assert made == sorted(set(made))
    assert runs.begun_at(made[-1]) == second


def test_a_finished_run_is_done_and_not_resumable(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin()
    assert summary(run).state == "done"
    assert summary(run).wrote
    assert not summary(run).resumable


def test_a_dry_run_is_never_anything_else(quick: Path) -> None:
    run = Rehearsal(quick)
    run.begin(dry_run=True)
    assert summary(run).state == "dry run"
    run.world.transfers = []
    failed = run.begin(dry_run=True)
    assert failed is not None
    assert failed.code is ExitCode.BAD_INPUT
    assert (summary(run).state, summary(run).resumable) == ("dry run", False)
    with pytest.raises(BadInput, match="no unfinished run"):
        runs.LocalRuns(quick).find(None)


def test_a_dry_run_killed_before_its_plan_is_no_run_to_resume(quick: Path) -> None:
    run = Rehearsal(quick)
    killed_at(run, "run.started", "", dry_run=True)
    assert not summary(run).resumable


def test_a_dry_run_does_not_hide_an_unfinished_run(quick: Path) -> None:
    run = Rehearsal(quick)
    killed_at(run, "step.started", "drain")
    unfinished = run.run
    rehearsed = Rehearsal(quick, run.world)
    rehearsed.begin(dry_run=True)
    with pytest.raises(Declined, match=unfinished):
        refuse_beside_unfinished(quick, KEY)
    assert runs.LocalRuns(quick).find(None).parent.name == unfinished


def test_a_new_run_beside_an_unfinished_one_needs_words(quick: Path) -> None:
    run = Rehearsal(quick)
    killed_at(run, "step.started", "drain")
    again = Rehearsal(quick, run.world)
    with pytest.raises(Declined, match="not finished"):
        again.begin()
    again.request = Request("db", anew=True)
    ending = again.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE


def test_the_formation_survives_a_run_that_was_killed_while_draining_and_set_aside(quick: Path) -> None:
    run = Rehearsal(quick, person=Person())
    run.world.faults["scale", 1] = "kill_after"
    assert run.begin() is None
    assert remember(quick, KEY).formation == {"web": 2, "worker": 3, "beat": 1, "cron": 0}
    again = Rehearsal(quick, run.world, request=Request("db", anew=True))
    again.begin()
    assert run.world.formation == {"web": 2, "worker": 3, "beat": 1, "cron": 0}


def test_a_capture_of_the_damaged_state_is_known_as_soon_as_it_was_accepted(quick: Path) -> None:
    run = Rehearsal(quick)
    killed_at(run, "step.accepted", "safety")
    damaged = remember(quick, KEY).damaged
    assert damaged == {run.world.transfers[-1].id}
    again = Rehearsal(quick, run.world, request=Request("db", anew=True))
    again.begin()
    chosen = next(e for e in again.events("step.succeeded") if e["step"] == "choose")
    assert chosen["result"]["backup"] == "b001"


def test_memory_is_of_one_target_only(quick: Path) -> None:
    Rehearsal(quick).begin()
    other = remember(quick, "https://api.heroku.com another")
    assert (dict(other.formation), other.damaged) == ({}, frozenset())
    refuse_beside_unfinished(quick, "https://api.heroku.com another")


def test_a_recovery_that_missed_an_objective_is_over_and_blocks_nothing(quick: Path) -> None:
    objectives = Rehearsal(quick).config.objectives.model_copy(update={"rpo": 60.0})
    run = Rehearsal(quick)
    run.config = run.config.model_copy(update={"objectives": objectives})
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "RPO" in ending.error.message
    assert summary(run).state == "objective missed"
    assert not summary(run).resumable
    refuse_beside_unfinished(quick, KEY)


def test_states_in_words(quick: Path) -> None:
    run = Rehearsal(quick, person=Person(types=False))
    run.begin()
    assert (summary(run).state, summary(run).step, summary(run).user) == ("declined", "access", "ada")
    run.person.types = True
    run.world.doom = [TransferState.FAILED]
    run.resume()
    assert (summary(run).state, summary(run).step) == ("failed", "restore")
    killed_at(Rehearsal(quick / "2"), "step.started", "drain")
    assert runs.LocalRuns(quick / "2").summaries()[0].state == "unfinished"


def test_a_damaged_journal_is_listed_and_looked_at(quick: Path) -> None:
    run = Rehearsal(quick)
    killed_at(run, "step.started", "drain")
    data = bytearray(run.journal_path.read_bytes())
    data[200] ^= 1
    run.journal_path.write_bytes(bytes(data))
    assert runs.LocalRuns(quick).summaries()[0].state == "damaged"
    assert remember(quick, KEY).formation == {}
    assert runs.LocalRuns(quick).find(None) == run.journal_path


def test_a_run_is_found_by_a_unique_beginning(tmp_path: Path) -> None:
    for name in ("20261123T031500Z-db-000001", "20261123T031500Z-db-000002", "20261124T031500Z-db-000003"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "journal.jsonl").touch()
    assert runs.LocalRuns(tmp_path).find("20261124").parent.name == "20261124T031500Z-db-000003"
    with pytest.raises(BadInput, match="2 runs"):
        runs.LocalRuns(tmp_path).find("20261123")
    with pytest.raises(BadInput, match="No run"):
        runs.LocalRuns(tmp_path).find("2027")


def test_run_ids_sort_by_time_and_do_not_repeat() -> None:
    begun = datetime(2026, 11, 29, tzinfo=UTC)
    ids = [runs.new_run_id("db", begun + timedelta(milliseconds=number)) for number in range(50)]
    assert ids == sorted(set(ids))
    assert all(one.endswith("Z", 0, 16) and "-db-" in one for one in ids)


def test_resume_passes_over_a_refused_run_and_what_a_finished_run_followed(quick: Path) -> None:
    run = Rehearsal(quick)
    killed_at(run, "step.succeeded", "drain")
    assert runs.LocalRuns(quick).find(None) == run.journal_path
    assert run.resume() is not None
    refused = run.begin(confirm="not the phrase")
    assert refused is not None
    assert refused.code is ExitCode.DECLINED
    with pytest.raises(BadInput, match="no unfinished run"):
        runs.LocalRuns(quick).find(None)


def test_a_run_is_elsewhere_once_another_took_it_up() -> None:
    begun, step = b'{"kind":"run.started"}\n', b'{"kind":"step.started"}\n'
    taken = b'{"event":{"kind":"run.resumed"}}\n'
    assert runs.is_elsewhere(begun, begun + step + taken)
    assert runs.is_elsewhere(begun + step, begun + taken)
    assert runs.is_elsewhere(b"", begun)
    assert not runs.is_elsewhere(begun, begun + step)  # an intent that was cut off before it acted
    assert not runs.is_elsewhere(begun + step, begun)  # what the team does not have yet
