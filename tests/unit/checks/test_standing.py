"""A dyno that is up is not yet one that stays up: how long it has been so, and what brought it down before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from fake_surroundings import NOW, Place, verdict, world
from uscdr.checks.uptime import DynoRestart, in_force
from uscdr.errors import ProviderError
from uscdr.models.heroku import Dyno, Release

S = timedelta(seconds=1)
RELEASE = Release(
    id="2", version=42, status="succeeded", current=True, created_at=NOW - 400 * S, updated_at=NOW - 300 * S
)


def line(ago: float, text: str, name: str = "worker.1", source: str = "heroku") -> str:
    return f"{(NOW - ago * S).isoformat()} {source}[{name}]: {text}"


def life(begun: float, ended: float, status: int = 1, name: str = "worker.1") -> list[str]:
    """A process that came up, and down by itself."""
    return [
        line(begun, "Starting process with command `celery`", name),
        line(begun - 1, "State changed from starting to up", name),
        line(ended, f"Process exited with status {status}", name),
        line(ended, "State changed from up to crashed", name),
        line(ended - 1, "State changed from crashed to starting", name),
    ]


def stopped(ago: float, name: str = "worker.1") -> list[str]:
    return [line(ago, "State changed from up to down", name), line(ago, "Stopping all processes with SIGTERM", name)]


def looked(log: Sequence[str], ago: float | None, state: str = "up", kind: str = "dynos") -> tuple[str, str]:
    place = Place(log=list(log), released=[RELEASE])
    at = None if ago is None else NOW - ago * S
    worker = Dyno(id="w", name="worker.1", type="worker", state=state, updated_at=at)
    place.running = [worker if one.name == "worker.1" else one for one in place.running]
    return verdict(world(place), kind)


def test_a_dyno_that_came_down_seconds_ago_is_no_dyno_that_runs() -> None:
    log = [*life(40, 34), *life(32, 26), line(24, "Starting process with command `celery`")]
    found, words = looked(log, 3)
    assert found == "fail"
    assert "worker.1 crashed 2 times, last at 2026-11-25 08:59 UTC (exit status 1), up for only 3 s" in words
    found, words = looked(log, 3, kind="log")
    assert (found, "2 crashed" in words, "up for only 3 s" in words) == ("fail", True, True)


def test_one_that_has_outlived_its_crash_is_told_and_passes() -> None:
    log = life(60, 54)
    for kind in ("dynos", "log"):
        assert looked(log, 11, kind=kind)[0] == "fail"
        assert looked(log, 40, kind=kind)[0] == "pass"
    assert "worker.1 crashed at" in looked(log, 40)[1]
    assert "1 crashed in the last" in looked(log, 40, kind="log")[1]


def test_hours_of_life_before_one_crash_are_not_asked_for_again() -> None:
    log = [*life(290, 289), line(288, "Starting process with command `celery`")]
    early = [line(299, "Starting process with command `celery`"), *life(250, 50)[2:]]
    assert looked(log, 280)[0] == "pass"
    assert looked(early, 45)[0] == "fail"
    (fall,) = DynoRestart.by_dyno(early, RELEASE)["worker.1"]
    assert fall.lived == 249


@pytest.mark.parametrize(
    "log",
    [
        life(340, 320),
        [*life(60, 54), *stopped(20)],
        [line(60, "Cycling"), line(60, "State changed from up to starting"), *stopped(59)[1:],
         line(58, "Process exited with status 143")],
        [line(30, "State changed from up to complete", "run.7"), *life(40, 39, 1, "run.7")],
        life(60, 54, name="gone.1"),
        [line(30, "State changed from up to crashed", source="app")],
    ],
    ids=["an earlier release", "stopped in order since", "cycling", "a one-off", "no dyno any more", "the app's word"],
)  # fmt: skip
def test_what_is_no_crash_of_what_runs_now(log: list[str]) -> None:
    for kind in ("dynos", "log"):
        found, words = looked(log, 5, kind=kind)
        assert (found, "crashed" in words) == ("pass", False), words


def test_a_young_dyno_is_told_and_no_finding() -> None:
    assert looked([], 3) == ("pass", "web 2, worker 1, beat 1 up (worker.1 up for only 3 s)")
    assert looked([], 31)[1] == looked([], None)[1] == "web 2, worker 1, beat 1 up"
    assert looked([], 3, "idle")[0] == "inconclusive"


def test_why_a_dyno_is_down_is_told_when_the_log_knows() -> None:
    boot = [line(70, "Starting process with command `gunicorn`"),
            line(10, "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch"),
            line(10, "Stopping process with SIGKILL"), line(9, "Process exited with status 137"),
            line(9, "State changed from starting to crashed")]  # fmt: skip
    found, words = looked(boot, 9, "crashed")
    assert (found, "worker.1 crashed at" in words, "(R10, exit status 137)" in words) == ("fail", True, True)
    assert looked([], 9, "crashed") == ("fail", "worker.1 crashed")


def test_a_log_that_cannot_be_read_says_so_and_hides_nothing_else() -> None:
    class Deaf(Place):
        def log_lines(self, app: str, *, lines: int) -> Any:
            raise ProviderError("The uscdr could not read log.", provider="heroku")

    found, words = verdict(world(Deaf(released=[RELEASE])), "dynos")
    assert (found, "unknown whether one crashed before" in words) == ("pass", True)


def test_the_release_in_force() -> None:
    failed = Release(id="3", version=43, status="failed")
    assert in_force([failed, RELEASE]) is RELEASE
    assert in_force([failed, RELEASE.model_copy(update={"current": False})]) is not None
    assert in_force([]) is in_force([failed]) is None
    assert DynoRestart.by_dyno(life(9000, 8000), None).keys() == {"worker.1"}
