"""At the end of a recovery a dyno counts when it stays up; only what is missing of that is waited for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fake_deploys import FakeDeploys
from fakes import FakePlatform, World
from rehearsal import Rehearsal
from uscdr.engine import wait
from uscdr.engine.wait import Stop
from uscdr.errors import ExitCode, Interrupted
from uscdr.models.heroku import Dyno, Release
from uscdr.scenarios.steps.application import _watch

RELEASED = datetime.now(UTC) - timedelta(hours=1)


class Listener:
    """Somebody who listens to progress."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def progress(self, note: str, *_: object, **__: object) -> None:
        self.notes.append(note)


class Clinic(World):
    """Whose one dyno is as the test says, anew at each look."""

    def __init__(self, *lives: tuple[str, float]) -> None:
        super().__init__()
        self.one_offs, self.formation = [], {"worker": 1}
        self.releases = [Release(id="r", version=41, status="succeeded", current=True, updated_at=RELEASED)]
        self.lives = list(lives)
        self.began = time.time()

    def dynos(self) -> tuple[Dyno, ...]:
        state, age = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        since = datetime.fromtimestamp(self.began - age, UTC)
        return (Dyno(id="w", name="worker.1", type="worker", state=state, release_version=41, updated_at=since),)


def crash(ago: float, lived: float) -> tuple[str, ...]:
    def at(seconds: float) -> str:
        return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()

    return (
        f"{at(ago + lived)} heroku[worker.1]: Starting process with command `celery`",
        f"{at(ago)} heroku[worker.1]: Process exited with status 1",
        f"{at(ago)} heroku[worker.1]: State changed from up to crashed",
    )


def looked(clinic: World, steady: float = 0.3, stop: Stop | None = None) -> tuple[Any, list[str], float]:
    target = SimpleNamespace(heroku=SimpleNamespace(steady=steady))
    deps: Any = SimpleNamespace(
        app="usc-pis", platform=FakePlatform(clinic), deploys=FakeDeploys(clinic), stop=stop or Stop(), services=target
    )
    tell, begun = Listener(), time.monotonic()
    return _watch(deps, tell), tell.notes, time.monotonic() - begun  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "FIRST_INTERVAL", 0.02)


def test_what_has_been_up_for_long_is_not_waited_for() -> None:
    seen, notes, took = looked(Clinic(("up", 100.0)), steady=30.0)
    assert (seen.fallen, seen.remarks, notes) == ((), (), [])
    assert seen.words == "v41 runs on worker=1, up for 1 min 40 s or longer"
    assert took < 20


def test_only_what_is_missing_is_waited_for_and_said() -> None:
    seen, notes, took = looked(Clinic(("up", 29.0)), steady=30.0)
    assert seen.fallen == ()
    assert 0.1 < took < 20
    assert "waiting until worker.1 has been up for 30 s (up, 29 s)" in notes


def test_a_dyno_that_comes_down_while_it_is_watched_is_a_finding_with_its_reason() -> None:
    clinic = Clinic(("up", 0.0), ("up", 0.0), ("crashed", 0.0))
    clinic.log = crash(0, 6)
    seen, _, took = looked(clinic, steady=30.0)
    (words,) = seen.fallen
    assert words.startswith("worker.1 crashed at")
    assert "(exit status 1)" in words
    assert took < 20


def test_a_dyno_that_came_down_must_outlive_that() -> None:
    clinic = Clinic(("up", 1.0))
    clinic.log = crash(1.5, 6)
    seen, _, took = looked(clinic)
    assert "worker.1 crashed at" in seen.fallen[0]
    assert "up for only 1 s" in seen.fallen[0]
    assert took < 8, "it could not outlive that in the time there is: told at once"
    clinic = Clinic(("up", 13.0))
    clinic.log = crash(14, 6)
    seen, notes, _ = looked(clinic)
    assert (seen.fallen, len(seen.remarks), notes) == ((), 1, [])
    assert "(exit status 1), up for 13 s" in seen.remarks[0]


def test_one_that_never_comes_up_is_a_finding_at_the_end_of_the_wait() -> None:
    seen, notes, _ = looked(Clinic(("starting", 0.0)), steady=0.1)
    assert seen.fallen == ("worker.1 starting",)
    assert any("worker.1 has been up" in note for note in notes)


def test_a_clock_that_is_behind_or_a_platform_that_does_not_tell_costs_the_whole_wait_and_no_more() -> None:
    for clinic in (Clinic(("up", -3600.0)), World()):
        clinic.one_offs, clinic.up_since = [], None
        seen, _, took = looked(clinic)
        assert (seen.fallen, 0.25 < took < 20) == ((), True)


def test_a_log_that_cannot_be_read_is_said() -> None:
    clinic = Clinic(("up", 100.0))
    clinic.faults[("log_lines", 1)] = "refused"
    seen, *_ = looked(clinic)
    assert (seen.fallen, seen.remarks) == (
        (),
        ("uscdr could not read whether a dyno crashed before: log_lines: forbidden.",),
    )


def test_a_dyno_that_is_missing_is_no_dyno_that_stays() -> None:
    clinic = Clinic(("up", 100.0))
    clinic.formation = {"worker": 2}
    seen, *_ = looked(clinic, steady=0.1)
    assert seen.fallen == ("waiting for v41: worker 1 of 2",)


def test_it_can_be_interrupted() -> None:
    stop = Stop()
    stop.event.set()
    with pytest.raises(Interrupted):
        looked(Clinic(("up", 0.0)), stop=stop)


def test_a_look_that_fails_once_is_repeated() -> None:
    clinic = Clinic(("up", 100.0))
    clinic.faults[("dynos", 1)] = "down"
    assert looked(clinic)[0].fallen == ()


@pytest.mark.parametrize("since", ["before its last orderly stop", "since"])
def test_a_recovery_whose_worker_came_down_is_not_done(quick: Path, since: str) -> None:
    run = Rehearsal(quick)
    run.world.up_since = datetime.now(UTC)
    run.world.log = crash(2, 250)
    if since != "since":
        run.world.up_since -= timedelta(hours=1)
        run.world.log += (f"{datetime.now(UTC).isoformat()} heroku[worker.1]: Stopping all processes with SIGTERM",)
    ending = run.begin()
    assert ending is not None
    checked = [one for one in run.events("check.") if one["check"] == "dynos stay up"]
    if since != "since":
        assert (ending.code, checked[-1]["verdict"]) == (ExitCode.DONE, "pass")
        return
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "worker.1 crashed at" in ending.error.message
    assert "(exit status 1)" in ending.error.message
    assert "heroku logs --num 1500 --app usc-pis" in ending.error.message
    assert checked[-1]["verdict"] == "fail"
