"""Migrations of the code against those applied: squashed, named by hand, ahead, pending, not known."""

from __future__ import annotations

import pytest

from uscdr.models.migrations import CodeMigrations, MigrationsVerdict
from uscdr.models.postgres import Migration

ONE, TWO, THREE = "patients.0001_initial", "patients.0002_more", "patients.0003_new"
SQUASHED, HAND = "patients.0001_squashed_0002_more", "patients.squashed_initial"


def rows(*names: str) -> tuple[Migration, ...]:
    return tuple(Migration(app=name.partition(".")[0], name=name.partition(".")[2]) for name in names)


def code(*names: str, **replaces: tuple[str, ...]) -> CodeMigrations:
    by_name = {"squashed": SQUASHED, "hand": HAND}
    return CodeMigrations(migrations=names, replaces={by_name[name]: old for name, old in replaces.items()})


CASES = {
    "same": (code(ONE, TWO), (ONE, TWO, "auth.0001_initial"), "same", (), (), ()),
    "pending": (code(ONE, TWO), (ONE,), "pending", (TWO,), (), ()),
    "ahead": (code(ONE, TWO), (ONE, TWO, THREE), "ahead", (), (THREE,), ()),
    "a file under a new name": (code(ONE, TWO), (ONE, THREE), "ahead", (TWO,), (THREE,), ()),
    "ahead by a name given by hand": (code(ONE), (ONE, "patients.by_hand"), "ahead", (), ("patients.by_hand",), ()),
    "a library's is not judged": (code(ONE), (ONE, "auth.by_hand", "auth.0009_x"), "same", (), (), ()),
    "named by hand, applied": (code(ONE, HAND), (ONE, HAND), "same", (), (), ()),
    "named by hand, pending": (code(ONE, HAND), (ONE,), "pending", (HAND,), (), ()),
    "squashed, old files there, none recorded but them": (
        code(ONE, TWO, SQUASHED, squashed=(ONE, TWO)), (ONE, TWO), "same", (), (), (SQUASHED,),
    ),
    "squashed, old files gone": (code(SQUASHED, squashed=(ONE, TWO)), (ONE, TWO), "same", (), (), (SQUASHED,)),
    "squashed, all recorded": (code(SQUASHED, squashed=(ONE, TWO)), (ONE, TWO, SQUASHED), "same", (), (), ()),
    "squashed, recorded alone": (code(ONE, TWO, HAND, hand=(ONE, TWO)), (HAND,), "same", (), (), ()),
    "squashed, nothing applied": (
        code(ONE, TWO, SQUASHED, squashed=(ONE, TWO)), (), "pending", (SQUASHED,), (), (),
    ),
    "squashed, half applied, files there": (
        code(ONE, TWO, SQUASHED, squashed=(ONE, TWO)), (ONE,), "pending", (TWO,), (), (),
    ),
    "squashed, half applied, files gone": (
        code(SQUASHED, squashed=(ONE, TWO)), (ONE,), "pending", (SQUASHED,), (), (),
    ),
    "squashed twice": (
        CodeMigrations(migrations=(HAND,), replaces={HAND: (SQUASHED,), SQUASHED: (ONE, TWO)}),
        (ONE, TWO), "same", (), (), (HAND,),
    ),
    "squashes that replace each other": (
        CodeMigrations(migrations=(HAND, SQUASHED), replaces={HAND: (SQUASHED,), SQUASHED: (HAND,)}),
        (ONE,), "ahead", (), (ONE,), (),
    ),
    "a squash that the code of before does not have": (code(ONE), (ONE, HAND), "ahead", (), (HAND,), ()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_is_told_from_the_others(case: str) -> None:
    known, applied, verdict, pending, ahead, renamed = CASES[case]
    found = MigrationsVerdict.compare(known, rows(*applied), against="main")
    assert (found.verdict, found.pending, found.ahead, found.renamed) == (verdict, pending, ahead, renamed)
    assert (found.known, found.against, found.applied) == (True, "main", len(applied))


@pytest.mark.parametrize(
    ("known", "applied"), [(None, rows(ONE)), (CodeMigrations(), rows(ONE)), (code(ONE), None), (None, None)]
)
def test_what_is_not_known_is_never_the_same(known: CodeMigrations | None, applied: tuple[Migration, ...]) -> None:
    found = MigrationsVerdict.compare(known, applied, why="no repository")
    assert (found.verdict, found.known, found.why, found.pending) == ("not checked", False, "no repository", ())


def test_where_only_numbered_files_were_looked_for_other_names_are_not_judged() -> None:
    old = CodeMigrations(migrations=(ONE,), replaces=None)
    assert MigrationsVerdict.compare(old, rows(ONE, HAND)).verdict == "same"
    assert MigrationsVerdict.compare(old, rows(ONE, HAND, THREE)).ahead == (THREE,)


def test_the_code_stands_for_what_it_replaces() -> None:
    assert code(SQUASHED, squashed=(ONE, TWO)).covered == {SQUASHED, ONE, TWO}
