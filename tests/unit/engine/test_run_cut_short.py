"""A run that cannot go on: the disk is full, the operator stops it, the scenario was changed."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from test_crash_everywhere import judged

from fakes import Killed
from rehearsal import Rehearsal
from uscdr.errors import ExitCode, JournalError
from uscdr.scenarios.adapters import Request
from uscdr.wiring.context import Process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    run = Rehearsal(tmp_path_factory.mktemp("whole"))
    run.begin()
    return run


def test_after_a_journal_that_fails_nothing_is_written_at_the_provider(whole: Rehearsal, quick: Path) -> None:
    for record in range(1, len(whole.events()), 3):
        run = Rehearsal(quick / f"{record}")
        at: list[int] = []
        run.crash = _full_disk(run, record, at)
        ending = run.begin()
        assert ending is not None
        assert isinstance(ending.error, JournalError)
        assert ending.code is ExitCode.FAILED
        assert len(run.world.writes) == at[0]
        run.crash = lambda seq, moment: None
        assert judged(run, run.resume(), whole) == []


def _full_disk(run: Rehearsal, record: int, at: list[int]) -> Callable[[int, str], None]:
    def crash(seq: int, moment: str) -> None:
        if moment == "before" and seq >= record:
            at.append(len(run.world.writes))
            raise JournalError("The disk is full.")

    return crash


def test_a_run_whose_lock_another_has_by_now_sends_nothing_more(quick: Path) -> None:
    """Its lock file was deleted, and who came next has the new one."""
    for sent in (0, 3):
        run, asked = Rehearsal(quick / f"{sent}"), list[bool]()
        with ExitStack() as stack:

            def asking(
                this: Process,
                run: Rehearsal = run,
                asked: list[bool] = asked,
                stack: ExitStack = stack,
                sent: int = sent,
            ) -> None:
                asked.append(True)
                if len(asked) == sent + 1:
                    (path,) = (run.state / "locks").glob("*.lock")
                    path.unlink()
                    fcntl.flock(stack.enter_context(path.open("w")), fcntl.LOCK_EX)
                this.guard()

            run.asks = asking
            ending = run.begin()
        assert ending is not None
        assert ending.code is ExitCode.LOCKED
        assert len(run.world.writes) == sent


@pytest.mark.parametrize("how", ["stop", "ctrl-c", "twice"])
def test_an_interrupted_run_says_so_and_goes_on(whole: Rehearsal, quick: Path, how: str) -> None:
    for record in range(2, len(whole.events()) - 1, 4):
        run = Rehearsal(quick / f"{record}")
        run.crash = _operator(run, record, how)
        ending = run.begin()
        assert ending is not None
        run.crash = lambda seq, moment: None
        if ending.code is not ExitCode.DONE:
            assert ending.code is ExitCode.INTERRUPTED
            assert how != "stop" or run.events()[-1]["outcome"] == "interrupted"
            run.stop.event.clear()
            ending = run.resume()
        assert judged(run, ending, whole) == [], record


def _operator(run: Rehearsal, record: int, how: str) -> Callable[[int, str], None]:
    done: list[int] = []

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and seq >= record and not done:
            done.append(seq)
            if how == "ctrl-c":
                raise KeyboardInterrupt
            run.stop.event.set()
        elif moment == "before" and done == [seq - 1] and how == "twice":
            done.append(seq)
            raise KeyboardInterrupt

    return crash


def test_a_changed_scenario_is_not_taken_up(quick: Path) -> None:
    run = Rehearsal(quick)
    run.world.faults["scale", 1] = "kill_after"
    assert run.begin() is None
    scenario = run.config.scenarios["db"]
    shorter = scenario.model_copy(update={"steps": scenario.steps[:-1]})
    run.config = run.config.model_copy(update={"scenarios": {"db": shorter}})
    writes = list(run.world.writes)
    ending = run.resume()
    assert ending is not None
    assert ending.error is not None
    assert (ending.code, "steps" in ending.error.message) == (ExitCode.DECLINED, True)
    assert run.world.writes == writes


def test_a_plan_that_is_blocked_ends_a_dry_run_with_1(quick: Path) -> None:
    run = Rehearsal(quick, request=Request("db", backup="b001"))
    run.world.keep = 1
    run.world.transfers[0] = run.world.transfers[0].model_copy(update={"num_keep": 1})
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.error is not None
    assert (ending.code, "Heroku would drop b001" in ending.error.message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.writes == []


def test_a_dry_run_writes_nothing_even_when_it_is_killed(quick: Path) -> None:
    for record in range(1, 4):
        run = Rehearsal(quick / f"{record}")
        run.crash = lambda seq, moment, record=record: _die(seq, moment, record)  # type: ignore[misc]
        run.begin(dry_run=True)
        assert run.world.writes == []


def _die(seq: int, moment: str, record: int) -> None:
    if (seq, moment) == (record, "before"):
        raise Killed
