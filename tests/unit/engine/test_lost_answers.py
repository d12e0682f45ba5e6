"""One call goes wrong in each way a call can: the run ends well, or honestly, and a second process mends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_crash_everywhere import FINAL, judged

from killed_everywhere import Some, looks
from rehearsal import Rehearsal
from uscdr.errors import ExitCode

WRITES = {
    "set_maintenance": 2,
    "scale": 4,
    "stop_dyno": 1,
    "end_sessions": 1,
    "capture": 2,
    "restore": 1,
    "run_one_off": 4,
}
WRITE_CALLS = [(name, number) for name, count in WRITES.items() for number in range(1, count + 1)]
NEVER_TWO = ("run_one_off", 2, "lost_before")
"""The migration: it may begin later, and two at once would get in each other's way."""
KINDS = ["refused", "down", "lost_before", "lost_after", "kill_before", "kill_after"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    run = Rehearsal(tmp_path_factory.mktemp("whole"))
    run.begin()
    return run


def test_the_table_names_every_write_of_a_whole_run(whole: Rehearsal) -> None:
    assert {name: whole.world.calls[name] for name in WRITES} == WRITES
    assert len(whole.world.writes) == len(WRITE_CALLS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "number"), WRITE_CALLS)
@pytest.mark.parametrize("lingering", [0, 2])
def test_one_write_goes_wrong(
    whole: Rehearsal, quick: Path, *, name: str, number: int, kind: str, lingering: int
) -> None:
    run = Rehearsal(quick)
    run.world.lingering = lingering
    run.world.faults[name, number] = kind
    first = run.begin()
    if (name, number, kind) == NEVER_TWO:
        assert first is not None
        assert first.code is ExitCode.UNKNOWN
        assert first.error is not None
        assert "When it lists no run.N: uscdr runs resume" in first.error.next_action
    elif kind.startswith("lost"):
        assert first is not None
        assert first.code is ExitCode.DONE, first.error
    if kind in ("refused", "down"):
        assert first is not None
        assert first.code is ExitCode.FAILED
    ending = first if first is not None and first.code is ExitCode.DONE else run.resume()
    assert judged(run, ending, whole) == []


@pytest.mark.parametrize(
    "name", ["app", "formation", "dynos", "transfers", "transfer", "database", "config_vars", "query"]
)
@pytest.mark.parametrize("kind", ["refused", "down"])
def test_any_look_goes_wrong(whole: Rehearsal, quick: Path, some: Some, name: str, kind: str) -> None:
    for _, number in some(looks(whole.world.calls, [name]), turn=kind == "down"):
        run = Rehearsal(quick / f"{number}")
        run.world.faults[name, number] = kind
        ending = run.begin()
        if ending is not None and ending.code is not ExitCode.DONE:
            ending = run.resume()
        assert judged(run, ending, whole) == [], f"{name} {number}"


def test_after_a_lost_scale_the_recorded_formation_comes_back_not_the_configured_one(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.one_offs, run.world.lingering = [], 0
    run.world.faults["scale", 1] = "lost_after"
    run.begin()
    assert run.world.formation == FINAL


@pytest.mark.parametrize(("name", "number"), [("capture", 1), ("restore", 1), ("capture", 2), ("set_maintenance", 1)])
def test_a_lost_answer_and_a_platform_gone_dark_is_an_unknown_outcome(
    whole: Rehearsal, quick: Path, name: str, number: int
) -> None:
    run = Rehearsal(quick)
    run.world.faults[name, number] = "lost_after_dark"
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.UNKNOWN
    assert run.events("step.failed")[-1]["known"] is False
    still_dark = run.resume()
    assert still_dark is not None
    assert still_dark.code is not ExitCode.DONE
    run.world.dark = False
    assert judged(run, run.resume(), whole) == []


def test_three_lost_answers_without_effect_are_enough(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.faults |= {("restore", number): "lost_before" for number in (1, 2, 3)}
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.UNKNOWN
    assert run.world.restores == []
