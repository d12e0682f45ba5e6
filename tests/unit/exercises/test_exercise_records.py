"""Records are kept as they are; one that was changed is refused with its path."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exercise_world import CONFIG, attested, drilled

from uscdr.exercises import basis
from uscdr.exercises.basis import Basis
from uscdr.exercises.records import keep, read, store_of
from uscdr.models.base import Fact
from uscdr.scenarios.config import Scenario

TRAINING = attested("staff-training", "2026-11-03", kind="training", attendees=("Ben", "Cora"))
DRILL = drilled("db", "2026-11-02")


def kept(state: Path) -> list[Path]:
    return [Path(keep(store_of(state), one)) for one in (TRAINING, DRILL)]


def test_what_is_kept_is_read_again_oldest_first(tmp_path: Path) -> None:
    kept(tmp_path)
    log = read(store_of(tmp_path))
    assert (log.records, log.refused) == ((DRILL, TRAINING), ())
    assert (log.drills, log.attested) == ((DRILL,), (TRAINING,))


def test_nothing_is_kept_yet(tmp_path: Path) -> None:
    assert read(store_of(tmp_path / "nowhere")).records == ()


def test_records_are_private_and_say_what_they_are(tmp_path: Path) -> None:
    for path in kept(tmp_path / "state"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert re.fullmatch(r"2026110[23]T040000Z-(drill-db|training-staff-training)-[0-9a-f]{8}\.json", path.name)


def test_two_of_the_same_second_are_both_kept(tmp_path: Path) -> None:
    for _ in range(2):
        keep(store_of(tmp_path), DRILL)
    assert len(read(store_of(tmp_path)).records) == 2


def edited(**changes: Any) -> Callable[[str], str]:
    def edit(text: str) -> str:
        whole = json.loads(text)
        whole["record"] |= changes
        return json.dumps(whole)

    return edit


@pytest.mark.parametrize(
    "damage",
    [
        edited(sound=False),
        edited(ended_at="2026-11-20T00:00:00Z"),
        edited(note="another"),
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: '{"sha256": "", "record": []}',
        lambda _: "[" * 100_000,
        lambda text: text.replace('"version": 1', '"version": 2'),
    ],
)
def test_a_record_that_was_changed_counts_for_nothing_and_is_named(
    damage: Callable[[str], str], tmp_path: Path
) -> None:
    _, path = kept(tmp_path)
    path.write_text(damage(path.read_text()))
    log = read(store_of(tmp_path))
    assert log.records == (TRAINING,)
    assert [str(path) in one.message for one in log.refused] == [True]


def test_a_link_is_no_record(tmp_path: Path) -> None:
    path, _ = kept(tmp_path)
    away = path.rename(tmp_path / "away.json")
    path.symlink_to(away)
    log = read(store_of(tmp_path))
    assert (log.records, len(log.refused)) == ((DRILL,), 1)


def with_step(**changes: Any) -> Scenario:
    scenario = CONFIG.scenarios["db"]
    first, *others = scenario.steps
    return scenario.model_copy(update={"steps": (first.model_copy(update=changes), *others)})


def changed(**sections: Any) -> Basis:
    return Basis.of(CONFIG.model_copy(update=sections), "db")


def updated(section: Fact, **fields: Any) -> Fact:
    return section.model_copy(update=fields)


def test_words_do_not_make_a_drill_stale() -> None:
    now = Basis.of(CONFIG, "db")
    titles = {**CONFIG.scenarios, "db": with_step(title="Another title")}
    people = tuple(one.model_copy(update={"name": "Ada", "how": "+63"}) for one in CONFIG.contacts)
    assert now == changed(scenarios=titles) == changed(contacts=people, document=None, exercises=(), links=())


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (changed(scenarios={**CONFIG.scenarios, "db": with_step(use="database.another")}), "the steps of db"),
        (changed(scenarios={**CONFIG.scenarios, "db": with_step(with_={"a": 1})}), "the steps of db"),
        (changed(recovery=updated(CONFIG.recovery, singletons=())), "the configuration"),
        (changed(app=updated(CONFIG.app, expected_tables=())), "the configuration"),
        (changed(invariants=CONFIG.invariants[1:]), "the configuration"),
        (changed(after_recovery=CONFIG.after_recovery[1:]), "the configuration"),
        (changed(checks={**CONFIG.checks, "homepage": updated(CONFIG.checks["homepage"], path="/a/")}), "the conf"),
    ],
)
def test_what_a_recovery_does_makes_it_stale(now: Basis, words: str) -> None:
    assert [one.startswith(words) for one in now.changes(DRILL)] == [True]


def test_a_higher_recovery_code_makes_every_drill_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Basis.of(CONFIG, "db")
    assert list(now.changes(DRILL)) == []
    later = Basis(now.steps, now.configuration, basis.RECOVERY_CODE + 1)
    assert [*later.changes(DRILL)] == [f"the recovery code has changed since (now {basis.RECOVERY_CODE + 1}, then 1)"]
