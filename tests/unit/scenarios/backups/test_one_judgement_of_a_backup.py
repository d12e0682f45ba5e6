"""One odd backup, the newest there is, beside a good older one: the same verdict and the same age from every place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from unscheduled_clinic import Clinic, UnscheduledWorld

from backup_world import Safe
from fakes import ADDON, APP, FakeBackups, FakePlatform
from kit_world import Workshop
from uscdr.backups import catalog
from uscdr.backups.proofs import Proofs
from uscdr.checks.context import CheckContext as Checked
from uscdr.checks.context import PlatformCache
from uscdr.checks.kinds.services import ScheduleCheck
from uscdr.cli import main
from uscdr.commands import backup_copies
from uscdr.engine.step import Intent, View
from uscdr.errors import BadInput, OutcomeUnknown
from uscdr.models.base import SECONDS
from uscdr.models.heroku import Attachment
from uscdr.models.transfers import DatabaseEnd, TransferKind, TransferState, Whose
from uscdr.scenarios import backup_inventory
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.scenarios.backup_inventory import Inventory, scope
from uscdr.scenarios.infra.material import choose_dump
from uscdr.scenarios.steps import restore as restoring
from uscdr.scenarios.steps.assess import BackupsLook
from uscdr.scenarios.steps.base import StepParams
from uscdr.scenarios.steps.choose import Choose
from uscdr.scenarios.steps.transfers import find

HOUR = 3600.0
OLD, YOUNG = 3 * HOUR, HOUR
AHEAD = timedelta(hours=2)
PART = re.compile(r"(\d+) (h|min|s)")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Odd(NamedTuple):
    """What is odd; why it is not chosen, empty when it is; its age in seconds; what is told of it."""

    changes: dict[str, Any]
    unfit: str = ""
    age: float = YOUNG
    remark: str = ""


def ahead() -> dict[str, Any]:
    return {"created_at": datetime.now(UTC) + AHEAD, "started_at": datetime.now(UTC) + AHEAD}


ODD: dict[str, Callable[[], Odd]] = {
    "0 bytes": lambda: Odd({"processed_bytes": 0}, "empty"),
    "expired": lambda: Odd({"expired": True}, "expired (the platform has deleted the file)"),
    "failed": lambda: Odd({"state": TransferState.FAILED}, "failed"),
    "canceled": lambda: Odd({"state": TransferState.CANCELED}, "canceled"),
    "unfinished": lambda: Odd(
        {"state": TransferState.RUNNING, "finished_at": None, "processed_bytes": 0}, "not finished (running)"
    ),
    "with warnings": lambda: Odd({"warnings": 2}, remark="finished with 2 warnings"),
    "dated in the future": lambda: Odd(ahead(), age=0.0, remark="dated in the future"),
    "no finished_at": lambda: Odd({"finished_at": None}),
    "of another database": lambda: Odd(
        {"databases": (DatabaseEnd(label="ANALYTICS", host="h", name="other"),)}, "of another database (ANALYTICS)"
    ),
    "of nobody knows which": lambda: Odd({"databases": (DatabaseEnd(label="CYAN"),)}, "of an unknown database (CYAN)"),
}


def stored(world: UnscheduledWorld, changes: dict[str, Any]) -> None:
    """`b001`, good, and `b002`, odd: asked for, begun and finished at three different times."""
    world.transfers.clear()
    for age, number in ((OLD, 1), (YOUNG, 2)):
        begun = datetime.now(UTC) - timedelta(seconds=age)
        world.store(TransferKind.MANUAL_BACKUP)
        facts = {
            "created_at": begun - timedelta(minutes=10), "started_at": begun,
            "finished_at": begun + timedelta(minutes=20),
        }  # fmt: skip
        world._replace(number, **{**facts, **(changes if number == 2 else {})})
    world.slowness = 10_000  # what runs goes on running


@dataclass
class Listening:
    """Port `Tell`; only warnings are kept."""

    told: list[str]

    def sending(self) -> None:
        pass

    def accepted(self, provider_id: str) -> None: ...
    def progress(self, note: str, *amounts: object, unit: str = "") -> None: ...
    def check(self, *verdict: str) -> None: ...
    def warn(self, text: str) -> None:
        self.told.append(text)


@dataclass
class Everywhere:
    """Each place that shows or chooses a backup: each says the name and age of the newest good one."""

    clinic: Clinic
    capsys: pytest.CaptureFixture[str]
    told: list[str] = field(default_factory=list)
    damaged: frozenset[str] = frozenset()
    """Of a damaged state, as journals of earlier runs tell."""

    @contextmanager
    def deps(self, backup: str | None = None) -> Iterator[Adapters]:
        self.clinic.request = Request("db", backup=backup)
        with self.clinic._opened(self.clinic.context(self.clinic.process(), "r-1", dry_run=True)) as deps:
            yield deps.but(memory=replace(deps.memory, damaged=self.damaged))

    def assessment(self) -> tuple[str, float]:
        """`recover db`, the list of backups."""
        with self.deps() as deps:
            look = BackupsLook("backups", deps, StepParams())
            seen = look.probe(View(thorough=False), Listening([]))
            good = [one for one in seen.backups if not one.unfit][-1]
            assert f"newest {good.name}" in look.plan(seen, View(thorough=False)).summary
            return good.name, good.age_seconds

    def choice(self) -> tuple[str, float]:
        """`recover db`, the backup that it restores."""
        with self.deps() as deps:
            seen = Choose("choose", deps, StepParams()).probe(View(thorough=False), self.tell)
            return seen.backup, seen.age_seconds

    def rebuild(self) -> tuple[str, float]:
        """`recover infra`."""
        with self.deps() as deps:
            seen = choose_dump(deps, View(thorough=False))
            return seen.backup, seen.age_seconds

    def recover_backups(self) -> tuple[str, float]:
        """The inventory of `recover backups`."""
        with self.deps() as deps:
            newest = Inventory.take(deps).newest
            assert newest is not None
            return newest.name, newest.age(datetime.now(UTC))

    def objective(self) -> tuple[str, float]:
        """The arithmetic of `backup status` and `recover backups`."""
        with self.deps() as deps:
            known = Inventory.take(deps)
            seen = known.rpo(deps, datetime.now(UTC))
            assert seen.newest_age is not None
            good = [one for one in backup_inventory._points(known.entries) if one.there]
            return good[-1].name, seen.newest_age

    def status(self) -> tuple[str, float]:
        """`backup status`; it names no backup."""
        assert main.run(["backup", "status", "--json"]) == 1
        return "", json.loads(self.capsys.readouterr().out)["newest_age"]

    def check(self) -> tuple[str, float]:
        """`uscdr verify`, the backup schedule."""
        evidence = self.checked()
        told = evidence.partition("the newest finished backup, ")[2]
        name, _, rest = told.partition(", is ")
        return name, sum(int(amount) * SECONDS[unit[0]] for amount, unit in PART.findall(rest.partition(" old")[0]))

    def checked(self) -> str:
        world, nothing = self.clinic.world, cast("Any", None)
        facts = PlatformCache(APP, FakePlatform(world), FakeBackups(world), nothing, database="DATABASE_URL")
        looked = Checked(
            app=APP, facts=facts, expected=nothing, website=nothing, token=nothing, account_email="", database=nothing,
            media=None, verifier=None, tls=nothing, queue=nothing, mail=nothing, code_migrations=nothing,
            now=lambda: datetime.now(UTC), sign_in=nothing, damaged=self.damaged,
        )  # fmt: skip
        spec = ScheduleCheck.model_validate({"kind": "schedule", "newest": "1s"})
        return spec.run("backups", looked).evidence

    def kit(self) -> tuple[str, float]:
        """`kit build`, the dump that it keeps."""
        shop = Workshop(self.clinic.state / "kit", world=self.clinic.world)
        built = shop.build(without=frozenset({"media", "source", "dns"}), damaged=self.damaged)
        facts = shop.read(built).dump()
        assert facts is not None
        return facts.backup, max(0.0, (datetime.now(UTC) - facts.taken_at).total_seconds())

    def pull(self) -> tuple[str, float]:
        """`backup pull newest`, and `backup prove newest`."""
        with self.deps() as deps:
            entries = Inventory.take(deps).entries
            transfer, entry = backup_copies._chosen(entries, "newest")
            assert catalog.find(entries, "newest") is entry
            return transfer.name, transfer.age(datetime.now(UTC))

    def listing(self) -> dict[str, dict[str, Any]]:
        """`backup list`, by name."""
        assert main.run(["backup", "list", "--json"]) == 0
        return {one["name"]: one for one in map(json.loads, self.capsys.readouterr().out.splitlines())}

    @property
    def tell(self) -> Listening:
        return Listening(self.told)


PLACES = ("assessment", "choice", "rebuild", "recover_backups", "objective", "status", "check", "kit", "pull")


@pytest.fixture
def everywhere(
    quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Everywhere]:
    for name in ("USCDR_AGE_IDENTITY", "USCDR_KIT_RECIPIENTS", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_SHARED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    clinic = Clinic(quick / "clinic", UnscheduledWorld())
    clinic.store.put_once("README", b"a store")
    with clinic._in_haste():
        yield Everywhere(clinic, capsys)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ODD)
def test_every_place_takes_the_same_backup_and_says_the_same_age(kind: str, place: str, everywhere: Everywhere) -> None:
    odd = ODD[kind]()
    stored(everywhere.clinic.world, odd.changes)
    name, age = getattr(everywhere, place)()
    wanted = ("b001", OLD) if odd.unfit else ("b002", odd.age)
    assert name == ("" if place == "status" else wanted[0])
    assert age == pytest.approx(wanted[1], abs=60)


@pytest.mark.parametrize("place", [place for place in PLACES if place != "status"])
def test_no_place_takes_a_capture_of_a_damaged_state(place: str, everywhere: Everywhere) -> None:
    stored(everywhere.clinic.world, {})
    everywhere.damaged = frozenset({everywhere.clinic.world.transfers[-1].id})
    assert getattr(everywhere, place)()[0] == "b001"


@pytest.mark.parametrize("kind", ODD)
def test_every_place_that_gives_a_reason_gives_the_same(kind: str, everywhere: Everywhere) -> None:
    odd = ODD[kind]()
    stored(everywhere.clinic.world, odd.changes)
    row = everywhere.listing()["b002"]
    with everywhere.deps() as deps:
        chosen = Choose("choose", deps, StepParams()).probe(View(thorough=False), everywhere.tell)
        entry = Inventory.take(deps).entries[-1]
        line = BackupsLook("backups", deps, StepParams()).probe(View(thorough=False), Listening([])).backups[-1]
    assert entry.unfit == line.unfit == odd.unfit
    assert chosen.passed_over == ((f"b002 ({odd.unfit})",) if odd.unfit else ())
    assert (row["grade"], row["why"]) == ("none", odd.unfit) if odd.unfit else row["grade"] != "none"
    assert row["age_seconds"] == pytest.approx(odd.age, abs=60)
    assert row["age_seconds"] == pytest.approx(line.age_seconds, abs=60)
    if odd.remark:
        assert any(odd.remark in one for one in everywhere.told)
        assert odd.remark in " ".join((row["why"], *row["remarks"]))
        assert odd.remark in everywhere.checked()


@pytest.mark.parametrize("kind", [kind for kind in ODD if ODD[kind]().unfit and kind != "of nobody knows which"])
def test_one_that_is_named_is_refused_for_the_same_reason(kind: str, everywhere: Everywhere) -> None:
    odd = ODD[kind]()
    stored(everywhere.clinic.world, odd.changes)
    with everywhere.deps(backup="b002") as deps:
        with pytest.raises(BadInput) as recover:
            Choose("choose", deps, StepParams()).probe(View(thorough=False), Listening([]))
        with pytest.raises(BadInput) as rebuild:
            choose_dump(deps, View(thorough=False))
        entries = Inventory.take(deps).entries
    with pytest.raises(BadInput) as kit:
        Workshop(everywhere.clinic.state / "kit", world=everywhere.clinic.world).build(backup="b002")
    with pytest.raises(BadInput) as pull:
        backup_copies._chosen(entries, "b002")
    for refused in (recover, rebuild, kit, pull):
        assert odd.unfit in f"{refused.value.message} {refused.value.why}"


def test_one_of_nobody_knows_which_database_can_be_named_and_that_is_told(everywhere: Everywhere) -> None:
    stored(everywhere.clinic.world, ODD["of nobody knows which"]().changes)
    with everywhere.deps(backup="b002") as deps:
        chosen = Choose("choose", deps, StepParams()).probe(View(thorough=False), everywhere.tell)
    assert chosen.backup == "b002"
    assert everywhere.told == ["b002: of an unknown database (CYAN)."]


def test_the_phrase_of_a_restore_of_one_from_the_future_can_be_typed(everywhere: Everywhere) -> None:
    stored(everywhere.clinic.world, ahead())
    with everywhere.deps() as deps:
        view = View(thorough=False)
        view.remember(Choose("choose", deps, StepParams()).probe(view, Listening([])))
        step = restoring.Restore("restore", deps, StepParams())
        blast = step.blast(step.probe(view, Listening([])), view)
    assert blast.phrase.endswith("lose …")
    assert blast.facts["backup taken"].endswith(", 0 s ago")


# of this database or another


ANALYTICS = {"databases": (DatabaseEnd(label="ANALYTICS", host="h", name="other"),)}


def test_a_transfer_of_another_database_blocks_nothing_and_one_of_ours_says_how_to_end_it(
    everywhere: Everywhere,
) -> None:
    world = everywhere.clinic.world
    stored(world, {})
    world.start(TransferKind.MANUAL_BACKUP)
    with everywhere.deps() as deps:
        ours = Inventory.take(deps).running
        world._replace(3, **ANALYTICS)
        theirs = Inventory.take(deps).running
    assert "b003 (manual backup, running since 20" in ours
    assert "heroku pg:backups:cancel b003 --app usc-pis" in ours
    assert theirs == ""


def test_a_failure_of_another_database_is_no_failure_of_ours(everywhere: Everywhere) -> None:
    world = everywhere.clinic.world
    stored(world, {})
    world.fail("connection lost")
    assert failed(everywhere) == ["b003"]
    assert "the newest backup, b003: failed" in everywhere.checked()
    world._replace(3, **ANALYTICS)
    assert failed(everywhere) == []
    assert "failed" not in everywhere.checked()


def failed(everywhere: Everywhere) -> list[str]:
    """What `recover backups` says of failures."""
    with everywhere.deps() as deps:
        return [one.name for one in Inventory.take(deps).failed]


def test_copies_and_proofs_of_another_database_are_named_as_such_and_count_for_nothing(
    everywhere: Everywhere, quick: Path
) -> None:
    world, safe = everywhere.clinic.world, Safe(quick)
    stored(world, {})
    copied = world.transfers[1].model_copy(update={"processed_bytes": 0, "whose": Whose.OURS})
    safe.prove(safe.pull(copied, addon="addon-9"))
    world.transfers.clear()
    with everywhere.deps() as deps:
        ours = Attachment(name="DATABASE", app_name=APP, addon_id="addon-1", addon_name=ADDON)
        for attachment, whose, counted in ((ours, Whose.OTHER, False), (None, Whose.OURS, True)):
            of = scope(deps, attachment)
            (entry,) = of.entries((), catalog.StoredCopies.of(safe.store).copies, Proofs(safe.store))
            assert (entry.whose, entry.proven) == (whose, counted)
            found = backup_inventory.made((entry,), Proofs(safe.store), of, datetime.now(UTC))
            assert bool(found) is counted
            assert entry.unfit == ("" if counted else "of another database")
        others, left = replace(scope(deps, ours), addon_id="addon-9"), Proofs(safe.store).since(LONG_AGO)
        assert not list(backup_inventory._forgotten((), left, scope(deps, ours)))
        assert list(backup_inventory._forgotten((), left, others))


def test_a_request_whose_answer_was_lost_is_not_found_in_a_transfer_of_another_database(everywhere: Everywhere) -> None:
    world, kinds = everywhere.clinic.world, (TransferKind.MANUAL_BACKUP,)
    stored(world, {})
    world.start(TransferKind.MANUAL_BACKUP)
    intent = Intent("", {"newest_transfer": 2}, None)
    with everywhere.deps() as deps:
        assert find(deps, deps.attachment(), kinds, intent, Listening([])).provider_id == "transfer-3"
        world._replace(3, **ANALYTICS)
        assert find(deps, deps.attachment(), kinds, intent, Listening([])).provider_id is None
        world._replace(3, databases=())
        with pytest.raises(OutcomeUnknown, match="b003 may be"):
            find(deps, deps.attachment(), kinds, intent, Listening([]))
