"""`recover infra` killed at every record, and with every write gone wrong: nothing twice, the same end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from lost_place import KINDS, Recovery, alive, end_state, lost, sent, without_database

from killed_everywhere import Some, looks, wrong_ends
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode

TOUCHING = ("step.succeeded", "step.accepted", "step.skipped")
"""Before one of these is written something happened that no record tells of yet."""
CASES: tuple[Callable[[Path], Recovery], ...] = (lost, alive, without_database)
ONCE = ("create_app", "create_addon", "load", "start_build", "add_domain", "swap", "schedule_backups", "capture")
"""Writes that a resumed run must not repeat."""
LOOKS = ("app", "config_vars", "addons", "addon", "domains", "builds", "build", "release", "dynos", "query", "look",
         "zone_read", "schedules", "account", "transfer")  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.__name__)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Recovery]:
    run = request.param(tmp_path_factory.mktemp("whole"))
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE, ending.error
    return request.param.__name__, run


def again(name: str, state: Path) -> Recovery:
    state.mkdir(parents=True, exist_ok=True)
    return next(case for case in CASES if case.__name__ == name)(state)


def judged(run: Recovery, ending: Outcome | None, calm: Recovery) -> list[str]:
    problems = []
    if ending is None or ending.code is not ExitCode.DONE:
        problems.append(f"ended with {ending}: {getattr(getattr(ending, 'error', None), 'message', '')}")
    counts, expected = ({kind: len(sent(one, kind)) for kind in ONCE} for one in (run, calm))
    problems += [f"{kind}: {counts[kind]} times" for kind in ONCE if counts[kind] != expected[kind]]
    end, wanted = end_state(run), end_state(calm)
    problems += [f"{key}: {end[key]} instead of {wanted[key]}" for key in wanted if end[key] != wanted[key]]
    confirmed = sum(1 for event in run.events("gate.answered") if event["confirmed"])
    if confirmed != 1:
        problems.append(f"confirmed {confirmed} times")
    return problems


def _moments(name: str, kind: str) -> tuple[str, ...]:
    """When to kill around a record. The old application that lives differs from the lost one by its writes only."""
    if kind in TOUCHING:
        return ("before",) if name == "alive" else ("before", "after")
    return () if name == "alive" else ("after",)


def test_every_record_boundary_leads_to_the_same_end(whole: tuple[str, Recovery], quick: Path, some: Some) -> None:
    name, calm = whole
    kinds = enumerate((event["kind"] for event in calm.events()[1:]), start=1)
    wrong = wrong_ends(
        some([(record, moment) for record, kind in kinds for moment in _moments(name, kind)]),
        make=lambda record: again(name, quick / record),
        begin=lambda run: run.begin(),
        end=lambda run: judged(run, run.resume(), calm),
    )
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_any_write_goes_wrong(whole: tuple[str, Recovery], quick: Path, some: Some, kind: str) -> None:
    name, calm = whole
    sent_by_name = Counter(one.partition(" ")[0] for one in calm.places.writes)
    wrong = []
    for write, number in some(looks(sent_by_name, sent_by_name), turn=KINDS.index(kind)):
        if (name, write, number, kind) == ("alive", "capture", 1, "refused"):
            continue  # the old place's last capture: the run goes on without it, see test_last_capture
        run = again(name, quick / f"{write}-{number}")
        run.places.faults[write, number] = kind
        ending = run.begin()
        if kind in ("refused", "down") and (ending is None or ending.code is not ExitCode.FAILED):
            wrong.append((write, number, [f"refused, and ended with {ending}"]))
        if kind.startswith("lost") and (ending is None or ending.code is not ExitCode.DONE):
            wrong.append((write, number, [f"lost, and ended with {ending}"]))
        if ending is None or ending.code is not ExitCode.DONE:
            ending = run.resume()
        problems = judged(run, ending, calm)
        if problems:
            wrong.append((write, number, problems))
    assert wrong == []


def test_any_look_goes_wrong(whole: tuple[str, Recovery], quick: Path, some: Some) -> None:
    name, calm = whole
    kind, wrong = {"lost": "down"}.get(name, "refused"), []
    for look, number in some(looks(calm.places.calls, LOOKS)):
        run = again(name, quick / f"{look}-{number}")
        run.places.faults[look, number] = kind
        ending = run.begin()
        if ending is not None and ending.code is not ExitCode.DONE:
            ending = run.resume()
        problems = judged(run, ending, calm)
        if problems:
            wrong.append((look, number, problems))
    assert wrong == []


@pytest.mark.parametrize("write", ["create_app", "create_addon", "start_build", "schedule_backups", "swap"])
def test_a_lost_answer_and_a_platform_gone_dark_is_an_unknown_outcome(quick: Path, write: str) -> None:
    run = lost(quick)
    run.places.faults[write, 1] = "lost_after_dark"
    ending = run.begin()
    assert ending is not None
    assert ending.code is ExitCode.UNKNOWN
    assert ending.error is not None
    assert "uscdr runs resume" in ending.error.next_action
    run.places.dark = False
    ending = run.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert len(sent(run, write)) == {"create_addon": 2}.get(write, 1)
    assert not run.places.wrongs
