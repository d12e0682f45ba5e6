"""`recover infra` over places in memory: what is refused, with the reason and what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lost_place import Recovery, advice, alive, ended, lost, sent

from fake_places import HOST, Place
from fakes import FakeMachine, World
from rehearsal import Person
from uscdr.errors import ExitCode, NotFound
from uscdr.installation import install
from uscdr.kit.content import ConfigVars
from uscdr.models.postgres import TableColumn
from uscdr.models.schema import FieldMade, MigrationFile, Operation
from uscdr.store.store import ObjectLost

DONE, FAILED, CHECK, BAD, DECLINED = (
    ExitCode.DONE, ExitCode.FAILED, ExitCode.CHECK_FAILED, ExitCode.BAD_INPUT, ExitCode.DECLINED,
)  # fmt: skip
NEW = "usc-pis-recovery"


def summary(run: Recovery, step: str) -> str:
    """What the newest plan says of one step."""
    lines = run.events("plan.ready")[-1]["steps"]
    return str(next(line["summary"] for line in lines if line["id"] == step))


def test_an_old_place_out_of_reach_is_said_to_run_on_perhaps(quick: Path) -> None:
    run = alive(quick)
    run.places.forbidden = {"usc-pis"}
    run.places.old.hosts = []
    run.places.old.formation = {}
    assert ended(run.begin()) == (DONE, "")
    skipped = {event["step"]: event["reason"] for event in run.events("step.skipped")}
    assert "keeps writing and sending mail" in skipped["stop_old"]
    assert sent(run, "set_maintenance") == []


@pytest.mark.parametrize("person", [Person(types=False), Person(interactive=False)])
def test_without_a_confirmation_nothing_is_written(quick: Path, person: Person) -> None:
    run = alive(quick)
    run.person = person
    assert ended(run.begin())[0] is DECLINED
    assert run.places.writes == []


def test_a_phrase_of_another_plan_confirms_nothing(quick: Path) -> None:
    run = lost(quick)
    phrase = run.phrase().replace("52 rows", "53 rows")
    assert ended(run.begin(confirm=phrase))[0] is DECLINED
    assert run.places.writes == []


def test_without_the_key_nothing_is_created(quick: Path) -> None:
    for dry_run in (True, False):
        run = lost(quick / str(dry_run))
        assert run.kit is not None
        assert run.kit.variables is not None
        kept = {name: value for name, value in run.kit.variables.values.items() if name != "PGP_ENCRYPTION_KEY"}
        run.kit.variables = ConfigVars(values=kept)
        code, words = ended(run.begin(dry_run=dry_run))
        assert code is CHECK
        assert "PGP_ENCRYPTION_KEY is not available" in words
        assert run.places.writes == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_without_tools_and_room_on_this_machine_nothing_is_created(quick: Path, dry_run: bool) -> None:
    run = lost(quick)
    run.machine = FakeMachine(lacks="this machine needs pg_restore", free=1000)
    ending = run.begin(dry_run=dry_run)
    words = ended(ending)[1]
    assert "this machine needs pg_restore" in words
    assert "/here has 1.0 kB free" in words
    assert install("sandbox") in advice(ending)
    assert run.places.writes == []


def test_a_key_that_does_not_fit_is_found_before_anything_is_created(quick: Path) -> None:
    run = lost(quick)
    run.places.old.key = "another"
    code, words = ended(run.begin())
    assert code is CHECK
    assert "does not fit the backup" in words
    assert run.places.writes == []


def test_without_kit_and_without_the_old_place_nothing_can_be_built(quick: Path) -> None:
    run = lost(quick, kit=None)
    run.kit = None
    code, words = ended(run.begin())
    assert code in (CHECK, BAD)
    assert "--kit" in words + advice(run.begin())
    assert run.places.writes == []


@pytest.mark.parametrize(
    ("backup", "expected"), [("b001", "b001"), ("B001", "b001"), ("b099", None), ("r001", None), ("nonsense", None)]
)
def test_a_backup_is_the_named_one_or_none(quick: Path, backup: str, expected: str | None) -> None:
    run = alive(quick, backup=backup)
    code, words = ended(run.begin(dry_run=True))
    if expected:
        assert code is DONE
        assert summary(run, "choose").startswith(expected)
    else:
        assert code is BAD
        assert backup in words
        assert "b001" in words


def test_a_named_backup_may_be_the_one_in_the_kit(quick: Path) -> None:
    run = lost(quick, backup="b001")
    assert ended(run.begin(dry_run=True))[0] is DONE
    assert summary(run, "choose").startswith("kit:")


def test_a_ref_that_nobody_knows_ends_before_anything_is_created(quick: Path) -> None:
    run = lost(quick, ref="no-such-branch")
    code, words = ended(run.begin())
    assert code in (BAD, CHECK)
    assert "no-such-branch" in words
    assert run.places.writes == []


def test_a_name_that_is_taken_is_never_touched(quick: Path) -> None:
    run = lost(quick)
    run.places.apps[NEW] = Place(run.places, NEW)
    code, words = ended(run.begin())
    assert code is CHECK
    assert "already" in words
    assert "--app" in words
    assert run.places.writes == []


def test_a_name_of_another_account_is_told_as_such(quick: Path) -> None:
    run = alive(quick)
    run.places.apps[NEW] = Place(run.places, NEW, owner="stranger@example.com")
    run.places.hidden = {NEW}
    ending = run.begin()
    assert ended(ending)[0] is FAILED
    assert "--app NAME --new" in advice(ending)
    assert run.places.writes == []  # the old place still serves its users
    assert run.events("run.finished")[-1]["left"] == {}


def test_a_dangerous_migration_stops_the_run_before_the_build(quick: Path) -> None:
    run = lost(quick)
    run.places.old.deployed.append("patients.0008_drop_unlinked")
    code, words = ended(run.begin())
    assert code is CHECK
    assert "patients.0008_drop_unlinked" in words
    assert sent(run, "start_build") == []


def test_a_release_phase_that_would_fail_on_the_data_stops_the_run_before_the_build(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lost(quick)
    old = run.places.old
    first, *_ = old.live.applied
    name = FieldMade(name="id", columns=("id",))
    late = MigrationFile(
        name="notes.0001_initial", operations=(Operation(kind="create", model="note", fields=(name,)),)
    )
    old.deployed = [*old.live.applied, late.name]
    old.files = (MigrationFile(name=first), late)
    monkeypatch.setattr(World, "columns", (TableColumn(table="notes_note", name="id"),))
    code, words = ended(run.begin())
    assert (code, sent(run, "start_build")) == (CHECK, [])
    assert "notes.0001_initial: the table notes_note already exists" in words
    assert "migrate --fake notes 0001_initial" in words


def test_a_squashed_migration_whose_old_ones_the_data_have_is_not_applied_again(quick: Path) -> None:
    run, squashed = lost(quick), "patients.0008_squashed_all"
    run.places.old.replaced = {squashed: tuple(run.places.old.live.applied)}
    run.places.old.deployed = [squashed]
    assert ended(run.begin()) == (DONE, "")


def test_a_squashed_migration_named_by_hand_is_said_to_be_ahead_of_code_that_lacks_it(quick: Path) -> None:
    run = lost(quick)
    run.places.old.dumps[1].applied.append("patients.squashed_initial")
    code, words = ended(run.begin())
    assert code is CHECK, "a database ahead of its code is not recovered"
    assert "1 migration applied but unknown to the deployed code: patients.squashed_initial" in words
    assert "AHEAD of cccccccccccc by patients.squashed_initial" in json.dumps(run.events()), "the plan said so"


def test_a_hostname_that_another_app_holds_is_said_and_can_be_gone_on_from(quick: Path) -> None:
    run = alive(quick)
    stranger = Place(run.places, "stranger", owner="stranger@example.com")
    run.places.apps["stranger"], stranger.hosts = stranger, run.places.old.hosts
    stranger.formation = {}
    run.places.old.hosts = []
    ending = run.begin()
    assert ended(ending)[0] is FAILED
    assert HOST in ended(ending)[1]
    assert "help.heroku.com" in advice(ending)
    assert "usc-pis-recovery.example" in advice(ending)
    assert sent(run, "swap") == []
    stranger.hosts = []
    assert ended(run.resume()) == (DONE, "")
    assert len(sent(run, "add_domain")) == 1


def test_values_that_vanish_after_the_plan_stop_the_run_instead_of_being_left_out(quick: Path) -> None:
    run = alive(quick, kit=None)
    run.kit = None
    run.places.faults["set_config", 1] = "refused"
    assert ended(run.begin())[0] is FAILED
    del run.places.apps["usc-pis"]
    code, words = ended(run.resume())
    assert code is CHECK
    assert "SECRET_KEY" in words
    assert "are no longer available" in words
    assert sent(run, "start_build") == []


def test_in_place_a_database_that_is_still_there_is_never_loaded_over(quick: Path) -> None:
    run = alive(quick, app=None)
    code, words = ended(run.begin())
    assert code is CHECK
    assert "uscdr recover db" in words
    assert run.places.writes == []


def test_an_account_that_is_shut_out_ends_at_once(quick: Path) -> None:
    run = alive(quick)
    run.places.locked = True
    assert ended(run.begin())[0] is FAILED
    assert run.places.writes == []


@pytest.mark.parametrize("part", ["app.json", "config.json", "database.dump", "database.json"])
def test_a_damaged_kit_ends_before_anything_is_created(quick: Path, part: str) -> None:
    run = lost(quick)
    assert run.kit is not None

    def damaged(name: str) -> None:
        if name == part:
            raise NotFound(f"{name} is damaged.", provider="kit")

    run.kit.damaged = damaged
    code, words = ended(run.begin())
    assert code is not DONE
    assert run.places.writes == []
    assert words


def test_a_card_that_is_not_the_kits_is_said_before_anything_is_confirmed(quick: Path) -> None:
    run = lost(quick)
    assert run.kit is not None
    run.kit.doubts = (ObjectLost("card.json", "card.json does not belong to this kit: made 2020.", next_action=""),)
    run.begin(dry_run=True)
    said = [event["text"] for event in run.events("note")]
    assert [text for text in said if "does not belong to this kit" in text and "sealed manifest" in text], said
    plan = run.events("plan.ready")[-1]
    assert "the kit is 3 h" in json.dumps(plan)
