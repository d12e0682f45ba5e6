"""Seeded bad days: several faults and kills in one run, resumed until it ends; nothing twice, the right end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lost_place import KINDS, Recovery, alive, end_state, lost, sent, without_database

from fakes import Killed
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode

WRITES = (
    "create_app", "create_addon", "set_config", "load", "start_build", "run_one_off", "scale", "add_domain", "swap",
    "enable_certificates", "schedule_backups", "add_collaborator", "capture", "set_maintenance",
)  # fmt: skip
LOOKS = ("app", "config_vars", "addons", "addon", "domains", "builds", "release", "dynos", "look", "zone_read")
NEVER_TWICE = ("create_app", "load", "add_domain", "swap", "schedule_backups", "start_build")
ENOUGH, SEEDS = 25, 25


def a_day(seed: int, state: Path) -> Recovery:
    """One of the cases, with what goes wrong that day."""
    dice = random.Random(seed)
    run = dice.choice((lost, alive, without_database))(state)
    for _ in range(dice.randint(1, 4)):
        run.places.faults[dice.choice(WRITES), dice.randint(1, 3)] = dice.choice(KINDS)
    for _ in range(dice.randint(0, 3)):
        run.places.faults[dice.choice(LOOKS), dice.randint(1, 12)] = dice.choice(("refused", "down"))
    records = [dice.randint(2, 90) for _ in range(dice.randint(0, 3))]

    def crash(seq: int, moment: str) -> None:
        if records and seq >= records[0]:
            del records[0]
            raise Killed

    run.crash = crash
    return run


def carried_on(run: Recovery) -> Outcome | None:
    """Begun and resumed until it is done."""
    ending = run.begin()
    for _ in range(ENOUGH):
        if ending is not None and ending.code is ExitCode.DONE:
            break
        begun = run.journal_path.exists() and run.events("run.started")
        ending = run.resume() if begun else run.begin()
    return ending


@pytest.mark.parametrize("part", range(4))
def test_a_bad_day_ends_well(part: int, quick: Path) -> None:
    calm = {}
    for case in (lost, alive, without_database):
        run = case(quick / case.__name__)
        assert run.begin() is not None
        calm[run.request.app is None, "usc-pis" in run.places.apps] = end_state(run)
    named = alive(quick / "named", backup="b001")
    assert named.begin() is not None
    without_last = end_state(named)
    wrong = []
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        run = a_day(seed, quick / str(seed))
        ending = carried_on(run)
        end = end_state(run)
        expected = calm[run.request.app is None, "usc-pis" in run.places.apps]
        if any("could not capture the last writes" in one["text"] for one in run.events("note")):
            expected = {**expected, "live": without_last["live"], "applied": without_last["applied"]}
        problems = [f"{key}: {end[key]}" for key in expected if end[key] != expected[key]]
        problems += [f"{kind}: {len(sent(run, kind))}" for kind in NEVER_TWICE if len(sent(run, kind)) > 1]
        problems += [f"{one}: twice" for one in set(sent(run, "capture")) if sent(run, "capture").count(one) > 1]
        if ending is None or ending.code is not ExitCode.DONE or problems:
            wrong.append((seed, ending, problems))
    assert wrong == []
