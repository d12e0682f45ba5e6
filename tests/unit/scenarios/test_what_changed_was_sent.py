"""Nothing sent, nothing changed: each step that writes is counted by the guard, or says that it cannot be.

Whole recoveries run with the real engine. Whoever looks from outside compares what the providers and the vault hold
before and after each step with what the step's end says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from fake_media import Copies, MediaRun
from fakes import World
from rehearsal import Person, Rehearsal
from uscdr.engine.step import Effect
from uscdr.journal.reader import Journal
from uscdr.models.events import Stamped, StepFailed, StepStarted, StepSucceeded
from uscdr.models.runs import RunKind
from uscdr.models.transfers import TransferKind
from uscdr.models.trial import ScriptEnd
from uscdr.report.objectives import build
from uscdr.report.summary import summarise
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.registry import OPERATIONS, STEPS
from uscdr.scenarios.steps.backups_copy import PullTrial

sys.path += [str(Path(__file__).parent / room) for room in ("app", "infra", "backups")]
from broken_app import broken, lost_variable, unmigrated
from lost_place import Recovery, alive, lost
from unscheduled_clinic import Clinic

from backup_world import dump


def outside(run: Rehearsal) -> list[str]:
    """Every write that a provider took, and everything in the vault."""
    writes = run.places.writes if isinstance(run, Recovery) else run.world.writes
    return [*writes, *(run.safe.names() if isinstance(run, Clinic) else ())]


@dataclass(frozen=True)
class _End:
    """Of a step that writes: whether the outside changed meanwhile, and whether the step says that it may have."""

    step: str
    wrote: bool
    told: bool


class _Onlooker(list[Stamped]):
    """A viewer that looks at the outside when a step starts and when it ends."""

    def __init__(self, run: Rehearsal) -> None:
        super().__init__()
        self._run = run
        self._before: dict[str, list[str]] = {}
        self.ends: list[_End] = []

    @override
    def append(self, stamped: Stamped) -> None:
        super().append(stamped)
        event = stamped.event
        if isinstance(event, StepStarted) and event.effect != "read":
            self._before[event.step] = outside(self._run)
        elif isinstance(event, StepSucceeded | StepFailed) and event.step in self._before:
            wrote = outside(self._run) != self._before.pop(event.step)
            self.ends.append(_End(event.name, wrote, event.changed))


def of_media(state: Path) -> MediaRun:
    """Half of what is gone has a backup at the service, the other half is in the copies."""
    run = MediaRun(state / "state")
    keys = run.fill(6, backed_up=lambda n: n % 2 == 0)
    (state / "copies").mkdir(parents=True)
    run.copies = Copies(run.cloud, state / "copies", files=True)
    for key in keys[:4]:
        run.cloud.delete(key)
    return run


def of_copy(state: Path) -> Rehearsal:
    """A migration is pending on every backup."""
    run = Rehearsal(state, World(keep=20))
    older = run.world.store(TransferKind.SCHEDULED_BACKUP, age=timedelta(hours=9))
    run.world.dumps[older.num] = deepcopy(run.world.dumps[1])
    run.world.sql_ends["patients.0003_phone"] = ScriptEnd(name="patients.0003_phone", state="42701", words="there")
    return run


def of_access(state: Path) -> Rehearsal:
    """An account was deactivated since the backup."""
    run = Rehearsal(state)
    run.world.dumps[1].accounts = {key: {"is_active"} for key in range(1, 41)}
    run.world.live.accounts = {key: {"is_active"} for key in range(1, 41)}
    run.world.live.accounts[7] = set()
    return run


def of_migrations(state: Path) -> Rehearsal:
    """A pending migration fails on the data."""
    run = unmigrated(state)
    run.world.sql_ends["patients.0003_phone"] = ScriptEnd(name="patients.0003_phone", state="23505", words="no")
    return run


def of_sizes(state: Path) -> Recovery:
    """Its processes were larger than those that a new application gets."""
    run = lost(state)
    assert run.kit is not None
    assert run.kit.facts is not None
    sized = tuple(one.model_copy(update={"size": "Standard-2X"}) for one in run.kit.facts.formation)
    run.kit.facts = run.kit.facts.model_copy(update={"formation": sized})
    return run


def of_rollback(state: Path) -> Recovery:
    """The domain was switched, and goes back."""
    run = lost(state)
    run.begin()
    run.request = Request("dns")
    return run


def of_backups(state: Path) -> Clinic:
    run = Clinic(state)
    run.world.fail("connection to storage lost")
    return run


def full_vault(state: Path) -> Clinic:
    run = Clinic(state, request=Request("prune"))
    for _ in range(5):
        run.world.store(TransferKind.MANUAL_BACKUP)
    for number in range(1, 7):
        one = run.world.transfers[number - 1].model_copy(update={"processed_bytes": 0})
        run.safe.prove(run.safe.pull(one, dump(number)))
    return run


RUNS: dict[str, Callable[[Path], Rehearsal]] = {
    "db": Rehearsal,
    "app": broken,
    "app, a variable": lost_variable,
    "app, migrations": unmigrated,
    "app, a migration that fails": of_migrations,
    "db, an account": of_access,
    "db, a migration that fails on the copy": of_copy,
    "media": of_media,
    "infra": of_sizes,
    "dns": of_rollback,
    "infra beside the old one": alive,
    "backups": of_backups,
    "capture": lambda state: Clinic(state, request=Request("capture")),
    "schedule": lambda state: Clinic(state, request=Request("schedule")),
    "prune": full_vault,
}


BY_HAND = {"manual"}
"""A person does it: uscdr sends nothing, and says so in the question."""


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[_End]]:
    """By run, how its steps that write ended."""
    return {name: ended(make(tmp_path_factory.mktemp("run"))) for name, make in RUNS.items()}


def ended(run: Rehearsal) -> list[_End]:
    seen = _Onlooker(run)
    run.seen = seen
    asked = run.request.scenario in ("capture", "schedule")
    ending = run.begin(confirm=RunKind(run.request.scenario).command if asked else None)
    assert ending is not None
    return seen.ends


@pytest.mark.parametrize("name", RUNS)
def test_a_step_that_says_it_changed_nothing_wrote_nowhere(name: str, ends: dict[str, list[_End]]) -> None:
    assert [one.step for one in ends[name] if one.wrote and not one.told] == []
    assert any(one.wrote for one in ends[name])


def test_every_step_that_writes_was_watched(ends: dict[str, list[_End]]) -> None:
    every = {name for name, step in STEPS.items() if step.effect is not Effect.READ}
    every |= {step.name for step in OPERATIONS.values()}
    assert every - {one.step for run in ends.values() for one in run} == BY_HAND


def test_a_step_that_writes_past_the_guard_without_saying_so_is_found(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PullTrial, "counted", True)
    assert ("backups.pull", True, False) in [(one.step, one.wrote, one.told) for one in ended(of_backups(quick / "a"))]


@pytest.mark.parametrize("kind", ["refused", "conflict", "down"])
def test_a_restore_that_was_certainly_refused_changed_nothing(quick: Path, kind: str) -> None:
    run = Rehearsal(quick)
    run.world.faults["restore", 1] = kind
    run.begin()
    (failed,) = run.events("step.failed")
    assert (failed["step"], failed["changed"], failed["known"]) == ("restore", False, True)
    report = build(Journal.read(run.journal_path).records)
    assert "restore" not in [step.id for step in report.changed]
    assert "RPO" not in summarise(report)
    assert report.rpo.verdict == "not measured"


@pytest.mark.parametrize("kind", ["lost_before", "lost_after_dark"])
def test_a_restore_whose_answer_says_nothing_may_have_destroyed(quick: Path, kind: str) -> None:
    run = Rehearsal(quick, person=Person(answers={"look again": "stop"}))
    run.world.faults["restore", 1] = kind
    run.begin()
    (failed,) = run.events("step.failed")
    assert (failed["step"], failed["changed"], failed["known"]) == ("restore", True, False)
