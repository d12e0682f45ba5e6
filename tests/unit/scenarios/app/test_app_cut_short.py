"""`recover app` killed at every record, and with every write gone wrong: one rollback, one build, the same end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from broken_app import broken, running, sent, unmigrated

from killed_everywhere import Some, looks, moments, wrong_ends
from rehearsal import Rehearsal
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode

KINDS = ["refused", "down", "lost_before", "lost_after", "kill_before", "kill_after"]


def rolled_back(state: Path) -> Rehearsal:
    """Going back helps."""
    return broken(state)


def rebuilt(state: Path) -> Rehearsal:
    """Going back does not help, deploying does."""
    run = broken(state)
    run.world.bad_slugs = {"slug-41", "slug-40"}
    return run


def migrated(state: Path) -> Rehearsal:
    """Pages work again when the migration is applied."""
    run = unmigrated(state)
    run.world.bad_slugs, run.world.intact_web = set(), True
    return run


CASES: tuple[Callable[[Path], Rehearsal], ...] = (rolled_back, rebuilt, migrated)
COUNTS = {"rolled_back": (1, 0, 0), "rebuilt": (1, 1, 0), "migrated": (0, 0, 1)}
"""Rollbacks, builds, captures of a whole run."""
WRITES = {
    "rolled_back": ("set_maintenance", "rollback", "run_one_off"),
    "rebuilt": ("set_maintenance", "rollback", "run_one_off", "start_build"),
    "migrated": ("set_maintenance", "capture", "run_one_off"),
}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.__name__)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Rehearsal]:
    run = request.param(tmp_path_factory.mktemp("whole"))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    return request.param.__name__, run


def again(name: str, state: Path) -> Rehearsal:
    return next(case for case in CASES if case.__name__ == name)(state)


def judged(name: str, run: Rehearsal, ending: Outcome | None, whole: Rehearsal) -> list[str]:
    problems = []
    if ending is None or ending.code is not ExitCode.DONE:
        problems.append(f"ended with {ending}: {getattr(getattr(ending, 'error', None), 'message', '')}")
    counts = tuple(len(sent(run, kind)) for kind in ("rollback", "start_build", "capture"))
    if counts != COUNTS[name]:
        problems.append(f"rollbacks, builds, captures: {counts}")
    if running(run.world) != running(whole.world):
        problems.append(f"runs: {running(run.world)}")
    end, expected = run.world.end_state(), whole.world.end_state()
    problems += [f"{key}: {end[key]}" for key in expected if end[key] != expected[key]]
    confirmed = sum(1 for event in run.events("gate.answered") if event["confirmed"])
    if confirmed != 1:
        problems.append(f"confirmed {confirmed} times")
    return problems


def test_every_record_boundary_leads_to_the_same_end(whole: tuple[str, Rehearsal], quick: Path, some: Some) -> None:
    name, calm = whole
    wrong = wrong_ends(
        some(moments(calm)),
        make=lambda record: again(name, quick / record),
        begin=lambda run: run.begin(),
        end=lambda run: judged(name, run, run.resume(), calm),
    )
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_any_write_goes_wrong(whole: tuple[str, Rehearsal], quick: Path, kind: str) -> None:
    name, calm = whole
    assert {write.partition(" ")[0] for write in calm.world.writes} == set(WRITES[name])
    for write in WRITES[name]:
        for number in range(1, calm.world.calls[write] + 1):
            run = again(name, quick / f"{write}-{number}")
            run.world.faults[write, number] = kind
            ending = run.begin()
            if kind in ("refused", "down"):
                assert ending is not None
                assert ending.code is ExitCode.FAILED
            if kind.startswith("lost"):
                assert ending is not None
                # a migration that nobody saw begin may begin yet, and is never begun beside itself
                waits = (kind, write) == ("lost_before", "run_one_off") and ending.code is ExitCode.UNKNOWN
                assert waits or ending.code is ExitCode.DONE, (write, number, ending.error)
            if ending is None or ending.code is not ExitCode.DONE:
                ending = run.resume()
            assert judged(name, run, ending, calm) == [], f"{write} {number}"


LOOK_KINDS = ["refused", "down"]
LOOKS = ("app", "dynos", "releases", "release", "builds", "build", "config_vars", "query", "transfers", "transfer")


@pytest.mark.parametrize("kind", LOOK_KINDS)
def test_any_look_goes_wrong(whole: tuple[str, Rehearsal], quick: Path, some: Some, kind: str) -> None:
    name, calm = whole
    for look, number in some(looks(calm.world.calls, LOOKS), turn=LOOK_KINDS.index(kind)):
        run = again(name, quick / f"{look}-{number}")
        run.world.faults[look, number] = kind
        ending = run.begin()
        if ending is not None and ending.code is not ExitCode.DONE:
            ending = run.resume()
        problems = judged(name, run, ending, calm)
        assert [one for one in problems if not _captured_to_be_sure(name, one)] == [], f"{look} {number}"


def _captured_to_be_sure(name: str, problem: str) -> bool:
    """When it was not known whether migrations are pending, one capture more is right."""
    rollbacks, builds, _ = COUNTS[name]
    return problem == f"rollbacks, builds, captures: {(rollbacks, builds, 1)}"


@pytest.mark.parametrize("write", ["rollback", "start_build"])
def test_a_lost_answer_and_a_platform_gone_dark_is_an_unknown_outcome(quick: Path, write: str) -> None:
    run = rebuilt(quick)
    run.world.faults[write, 1] = "lost_after_dark"
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.UNKNOWN
    run.world.dark = False
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len(sent(run, write)) == 1
