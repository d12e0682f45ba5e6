"""Killed before and after every single record: the next process ends where an uninterrupted run would."""

from __future__ import annotations

from pathlib import Path

import pytest

from killed_everywhere import Some, killer, moments, wrong_ends
from rehearsal import Rehearsal
from uscdr.errors import ExitCode

FINAL = {"web": 2, "worker": 3, "beat": 1, "cron": 0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    run = Rehearsal(tmp_path_factory.mktemp("whole"))
    run.begin()
    return run


def test_every_record_boundary_leads_to_the_same_end(whole: Rehearsal, quick: Path, some: Some) -> None:
    wrong = wrong_ends(
        some(moments(whole)),
        make=lambda name: Rehearsal(quick / name),
        begin=lambda run: run.begin(),
        end=lambda run: judged(run, run.resume(), whole),
    )
    assert wrong == []


def test_a_torn_last_line_is_dropped_said_and_made_good(whole: Rehearsal, quick: Path) -> None:
    run = Rehearsal(quick)
    run.crash = killer(len(whole.events()) - 30, "after")
    assert run.begin() is None
    run.crash = lambda seq, when: None
    data = run.journal_path.read_bytes()
    run.journal_path.write_bytes(data[:-20])
    assert judged(run, run.resume(), whole) == []
    assert any("last line was incomplete" in note["text"] for note in run.events("note"))


def judged(run: Rehearsal, ending: object, whole: Rehearsal) -> list[str]:
    problems = []
    if ending is None or ending.code is not ExitCode.DONE:  # type: ignore[attr-defined]
        problems.append(f"ended with {ending}: {getattr(getattr(ending, 'error', None), 'message', '')}")
    end, expected = run.world.end_state(), whole.world.end_state()
    problems += [f"{key}: {end[key]}" for key in expected if end[key] != expected[key]]
    restores = [write for write in run.world.writes if write.startswith("restore")]
    if len(restores) != 1:
        problems.append(f"restores sent: {restores}")
    captures = [write for write in run.world.writes if write.startswith("capture")]
    if len(captures) != 2:
        problems.append(f"captures sent: {captures}")
    confirmed = sum(1 for event in run.events("gate.answered") if event["confirmed"])
    if confirmed != 1 or len(run.person.phrases) > 2:
        problems.append(f"asked {len(run.person.phrases)} times, confirmed {confirmed} times")
    return problems
