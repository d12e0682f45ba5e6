"""`uscdr backup` on a platform in memory: what a capture drops is said, a lost schedule is looked for, not repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typing_extensions import override

from backup_world import Safe, dump
from fake_provisioning import FakeProvisioning
from fakes import FakeBackups, FakeScratch
from given import GivenAdapters
from rehearsal import Person, Rehearsal
from uscdr.backups.proofs import Grade
from uscdr.cli import backup as commands
from uscdr.cli import main
from uscdr.engine.wait import Stop
from uscdr.errors import AnswerLost
from uscdr.events import Bus
from uscdr.models.heroku import Schedule
from uscdr.models.transfers import TransferKind
from uscdr.redaction import Redactor
from uscdr.settings import Operator
from uscdr.shared.lease import LeaseRequest, Waiting
from uscdr.shared.team import Team
from uscdr.store.directory import LocalStore
from uscdr.store.lease import WriterQueue
from uscdr.wiring.context import RunContext
from uscdr.wiring.stores import copies_access

Captured = pytest.CaptureFixture[str]
NAMES = ("USCDR_AGE_IDENTITY", "USCDR_KIT_RECIPIENTS", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_VAULT_PASSPHRASE_FILE")


class Clinic(Rehearsal):
    """A platform with backups, and a vault where the commands look for it."""

    def safe(self) -> Safe:
        safe = Safe(self.state)
        (self.state / "vault").mkdir(exist_ok=True)
        if not (self.state / "safe").exists():
            (self.state / "safe").symlink_to(self.state / "vault")
        return safe

    @override
    def adapters(self, context: RunContext, work: Path) -> GivenAdapters:
        """With the vault of the state directory, as wiring gives it to a run."""
        own = context.target
        here = self.process().on(own, context.request, context.run, dry_run=context.dry_run)
        return super().adapters(context, work).but(vault=copies_access(here, lambda: FakeScratch(self.world)))

    def pull(self, safe: Safe, number: int, grade: Grade = Grade.DECRYPTS) -> None:
        one = self.world.transfers[number - 1].model_copy(update={"processed_bytes": 0})
        safe.prove(safe.pull(one, dump(number)), grade=grade)


@pytest.fixture
def clinic(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    run = Clinic(quick)
    with run._in_haste():
        yield run


def full(clinic: Clinic) -> Safe:
    """As many manual backups as the platform keeps."""
    for _ in range(4):
        clinic.world.store(TransferKind.MANUAL_BACKUP)
    return clinic.safe()


def forget_copies(safe: Safe) -> None:
    """The proofs stay, the copies are gone."""
    store = LocalStore(safe.root / "vault")
    for name in store.names("backups"):
        store.delete(name)


def test_there_is_room_and_nothing_is_said(clinic: Clinic, capsys: Captured) -> None:
    clinic.safe()
    assert main.run(["backup", "capture"]) == 0
    assert "drops" not in capsys.readouterr().err
    assert clinic.world.writes == ["capture"]


def test_a_colleague_who_recovers_is_not_disturbed(
    clinic: Clinic, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.safe()
    shared = clinic.state / "shared"
    shared.mkdir()
    monkeypatch.setenv("USCDR_SHARED", str(shared))
    team = Team.open({"USCDR_SHARED": str(shared)})
    assert team is not None
    key = clinic.target().key
    wish = LeaseRequest(key, "r-1", Operator("bob", "laptop", 7), "uscdr recover db (run r-1)")
    patience = Waiting.of(Person(), Stop(), Bus("r-1", Redactor()), take_over=False)
    with team.claim(clinic.state / "of bob", wish, patience):
        assert main.run(["backup", "capture"]) == 6
        assert "bob on laptop" in capsys.readouterr().err
        assert clinic.world.writes == []
    assert main.run(["backup", "capture"]) == 0
    assert clinic.world.writes == ["capture"]
    assert [path.name.split("-")[1] for path in (shared / "runs").iterdir()] == ["capture"], "the team sees it"


def test_which_one_goes_is_said_before_anything_is_sent(clinic: Clinic, capsys: Captured) -> None:
    full(clinic)
    assert main.run(["backup", "capture"]) == 0
    assert "keeps 5 manual backups, and drops b001 for the new one" in capsys.readouterr().err


def test_the_newest_proven_one_goes_only_when_that_is_wished(clinic: Clinic, capsys: Captured) -> None:
    safe = full(clinic)
    clinic.pull(safe, 1)
    forget_copies(safe)
    assert main.run(["backup", "capture"]) == 1
    said = capsys.readouterr().err
    assert "newest proven backup anywhere" in said
    assert "uscdr backup pull --backup b001" in said
    assert clinic.world.writes == []
    assert main.run(["backup", "capture", "--evict"]) == 0
    assert "NEWEST PROVEN BACKUP ANYWHERE" in capsys.readouterr().err
    assert clinic.world.writes == ["capture"]


def test_with_a_copy_in_the_vault_it_is_only_said(clinic: Clinic, capsys: Captured) -> None:
    safe = full(clinic)
    clinic.pull(safe, 1)
    assert main.run(["backup", "capture"]) == 0
    assert "the last proven backup on the platform" in capsys.readouterr().err


def test_the_list_shows_platform_and_vault_together(clinic: Clinic, capsys: Captured) -> None:
    safe = clinic.safe()
    clinic.world.store(TransferKind.SCHEDULED_BACKUP)
    clinic.pull(safe, 1)
    assert main.run(["backup", "list", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["name"], first["where"], first["grade"]) == ("b001", "both", "encrypted columns decrypt")
    assert (second["name"], second["where"], second["proven_at"]) == ("a002", "platform", None)
    clinic.world.dark = True
    assert main.run(["backup", "list"]) == 3
    shown = capsys.readouterr()
    assert "lists only the copies" in shown.err
    assert "b001" in shown.out
    assert "a002" not in shown.out


def test_status_is_missed_by_daily_backups_and_cannot_be_met_by_a_silent_platform(
    clinic: Clinic, capsys: Captured
) -> None:
    clinic.pull(clinic.safe(), 1)
    assert main.run(["backup", "status", "--json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["met"], found["proven"], found["worst"]) == (False, "b001", 86400.0)
    clinic.world.store(TransferKind.MANUAL_BACKUP)
    clinic.pull(Safe(clinic.state), 2)
    assert main.run(["backup", "status"]) == 0
    assert "RPO met" in capsys.readouterr().out
    clinic.world.dark = True
    assert main.run(["backup", "status"]) == 3


def unscheduled(monkeypatch: pytest.MonkeyPatch, *, lost: bool, arrives: bool) -> list[Schedule]:
    there: list[Schedule] = []

    def make(self: FakeProvisioning, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        made = Schedule(id="s", name=name, hour=hour, timezone=timezone)
        sent.append(made)
        if arrives:
            there.append(made)
        if lost:
            raise AnswerLost("No answer.", provider="fake")
        return made

    sent: list[Schedule] = []
    monkeypatch.setattr(FakeBackups, "schedules", lambda self, addon_id: tuple(there))
    monkeypatch.setattr(FakeProvisioning, "schedule_backups", make)
    return sent


def test_no_schedule_is_a_finding_and_nothing_is_made_unasked(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    sent = unscheduled(monkeypatch, lost=False, arrives=True)
    assert main.run(["backup", "schedule"]) == 1
    assert "Platform schedule: NONE" in capsys.readouterr().out
    assert sent == []


@pytest.mark.parametrize(("lost", "arrives", "code"), [(False, True, 0), (True, True, 0), (True, False, 5)])
def test_the_schedule_is_sent_once_and_looked_for(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, capsys: Captured, lost: bool, arrives: bool, code: int
) -> None:
    sent = unscheduled(monkeypatch, lost=lost, arrives=arrives)
    assert main.run(["backup", "schedule", "--apply"]) == code
    assert {(one.name, one.hour, one.timezone) for one in sent} == {("DATABASE_URL", 2, "Asia/Manila")}
    assert len(sent) == 1, "without an answer it is not sent again unasked"
    if arrives:
        assert main.run(["backup", "schedule", "--apply"]) == 0
        assert len(sent) == 1
    capsys.readouterr()


def test_pruning_shows_first_and_asks_for_the_phrase(clinic: Clinic, capsys: Captured) -> None:
    safe = clinic.safe()
    for _ in range(4):
        clinic.world.store(TransferKind.MANUAL_BACKUP)
    for number in range(1, 6):
        clinic.pull(safe, number)
    before, calls = safe.store.names("backups"), dict(clinic.world.calls)
    assert main.run(["backup", "prune"]) == 0
    phrase = next(
        line.removeprefix("phrase ") for line in capsys.readouterr().out.splitlines() if line.startswith("phrase ")
    )
    assert main.run(["backup", "prune", "--confirm", "yes"]) == 4
    assert phrase in capsys.readouterr().err
    assert safe.store.names("backups") == before
    assert main.run(["backup", "prune", "--confirm", phrase]) == 0
    assert len(safe.store.names("backups")) < len(before)
    assert main.run(["backup", "prune", "--confirm", phrase]) == 0
    assert dict(clinic.world.calls) == calls, "the platform is not asked"
    assert commands.app.registered_commands


def test_a_copy_that_came_while_pruning_waited_for_its_turn_changes_the_plan(
    clinic: Clinic, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe = clinic.safe()
    for _ in range(5):
        clinic.world.store(TransferKind.MANUAL_BACKUP)
    for number in range(1, 6):
        clinic.pull(safe, number)
    main.run(["backup", "prune"])
    phrase = next(line[7:] for line in capsys.readouterr().out.splitlines() if line.startswith("phrase "))

    @contextmanager
    def after_another(*_: object) -> Iterator[None]:
        clinic.pull(safe, 6)
        before.extend(safe.store.names("backups"))
        yield

    before: list[str] = []
    monkeypatch.setattr(WriterQueue, "turn", after_another)
    assert main.run(["backup", "prune", "--confirm", phrase]) == 4
    assert "has changed since the plan was shown" in capsys.readouterr().err
    assert list(safe.store.names("backups")) == before


def test_nobody_could_open_it_is_bad_input_before_anything_is_asked(clinic: Clinic, capsys: Captured) -> None:
    assert main.run(["backup", "pull"]) == 2
    assert "uscdr cannot encrypt the copy" in capsys.readouterr().err
    assert not clinic.world.calls
