"""`recover … --save-plan FILE`, and `--plan FILE`: carried out exactly as shown, or refused before a change."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_recover_and_resume import Shell, shell

from fakes import World
from uscdr.commands import saved_plan
from uscdr.models.transfers import TransferKind
from uscdr.scenarios.adapters import Request

__all__ = ["shell"]  # the fixture


def saved(shell: Shell, quick: Path) -> tuple[Path, str]:
    """The plan's file, and its phrase."""
    path = quick / "plan.json"
    code, _, err = shell.type("recover", "db", "--save-plan", str(path))
    assert code == 0, err
    assert f"recover db --plan {path}" in err
    return path, json.loads(path.read_text())["plan"]["phrase"]


def test_a_plan_is_saved_privately_and_carried_out(shell: Shell, quick: Path) -> None:
    path, phrase = saved(shell, quick)
    assert shell.run.world.writes == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, _, err = shell.type("recover", "db", "--plan", str(path), "--confirm", phrase)
    assert code == 0, err
    assert len(shell.run.world.restores) == 1
    assert shell.run.events("run.started")[0]["request"]["plan"] == json.loads(path.read_text())["plan"]["digest"]


def more_rows(world: World) -> None:
    table = world.live.tables["patients_patient"]
    table[max(table) + 1] = 1


def a_newer_backup(world: World) -> None:
    world.store(TransferKind.SCHEDULED_BACKUP, age=timedelta(minutes=5))


def a_backup_less(world: World) -> None:
    world.transfers[0] = world.transfers[0].model_copy(update={"expired": True})


def shut_already(world: World) -> None:
    world.maintenance = True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (more_rows, "the phrase was"),
        (a_newer_backup, "No backup was chosen"),
        (a_backup_less, ""),
        (shut_already, "was “change”, is now “noop”"),
    ],
)
def test_a_change_since_then_is_named_and_nothing_is_changed(
    change: Callable[[World], None], words: str, shell: Shell, quick: Path
) -> None:
    path, phrase = saved(shell, quick)
    change(shell.run.world)
    before = list(shell.run.world.writes)
    code, _, err = shell.type("recover", "db", "--plan", str(path), "--confirm", phrase)
    assert code in (1, 2, 4), err
    assert words in err
    assert shell.run.world.writes == before


def test_another_configuration_makes_it_out_of_date(shell: Shell, quick: Path) -> None:
    path, phrase = saved(shell, quick)
    from uscdr.scenarios.config_file import packaged

    (quick / "other.yaml").write_text(packaged().read_text() + "\n# another\n")
    command = ("--config", "other.yaml", "recover", "db", "--plan", str(path), "--confirm", phrase)
    code, _, err = shell.type(*command)
    assert (code, "another scenarios.yaml" in err) == (1, True)
    assert shell.run.world.writes == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("recover", "db", "--backup", "b001"), "leave out what sets backup"),
        (("recover", "app"), "The plan is of recover db"),
        (("recover", "infra", "--app", "another-one"), "The plan is of recover db"),
    ],
)
def test_a_plan_has_decided_scenario_and_options(
    words: tuple[str, ...], wanted: str, shell: Shell, quick: Path
) -> None:
    path, _ = saved(shell, quick)
    code, _, err = shell.type(*words, "--plan", str(path))
    assert (code, wanted in err) == (2, True), err


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["request"].update(backup="b002"),
        lambda content: content["plan"].update(phrase="x"),
        lambda content: content.update(more=1),
        lambda content: content["plan"].pop("steps"),
        lambda content: content["request"].update(backup=7),
    ],
)
def test_a_file_that_was_edited_is_bad_input(
    change: Callable[[dict[str, Any]], None], shell: Shell, quick: Path
) -> None:
    path, _ = saved(shell, quick)
    edit(path, change)
    assert shell.type("recover", "db", "--plan", str(path))[0] == 2
    assert shell.run.world.writes == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null"])
def test_a_file_that_is_no_plan_is_bad_input(content: bytes, shell: Shell, quick: Path) -> None:
    (quick / "odd").write_bytes(content)
    assert shell.type("recover", "db", "--plan", str(quick / "odd"))[0] == 2


def test_where_nothing_can_be_saved_nothing_is_planned(shell: Shell, quick: Path) -> None:
    there = quick / "there"
    there.write_text("mine")
    for path in (there, quick / "no" / "such"):
        assert shell.type("recover", "db", "--save-plan", str(path))[0] == 2
    assert there.read_text() == "mine"
    assert shell.run.world.calls == {}


def test_a_dry_run_says_whether_a_saved_plan_still_holds(shell: Shell, quick: Path) -> None:
    path, _ = saved(shell, quick)
    assert shell.type("recover", "db", "--plan", str(path), "--dry-run")[0] == 0
    more_rows(shell.run.world)
    assert shell.type("recover", "db", "--plan", str(path), "--dry-run")[0] == 1


def test_what_changes_nothing_may_be_given_beside_a_plan(shell: Shell, quick: Path) -> None:
    path, _ = saved(shell, quick)
    found = saved_plan.load(path).requested(Request("db", since="2026-11-29T00:00:00+00:00", anew=True))
    assert (found.backup, found.since, found.anew) == (None, "2026-11-29T00:00:00+00:00", True)
