"""Which changes of a role are somebody's decision, and which are damage."""

from __future__ import annotations

from collections import Counter

import pytest

from uscdr.models.access import Move, _told, _withdrawn


def pairs(*groups: tuple[int, str | None, str | None]) -> dict[str, Move]:
    """Accounts numbered from 1: so many of each move."""
    moves = [Move(then=then, now=now) for number, then, now in groups for _ in range(number)]
    return {str(key): move for key, move in enumerate(moves, 1)}


@pytest.mark.parametrize(
    ("groups", "taken", "damaged"),
    [
        (((40, "STUDENT", "STUDENT"),), 0, 0),
        (((1, "ADMIN", "STUDENT"), (39, "STUDENT", "STUDENT")), 1, 0),
        (((2, "ADMIN", "STUDENT"), (38, "STUDENT", "STUDENT")), 2, 0),
        (((3, "ADMIN", "STUDENT"), (37, "STUDENT", "STUDENT")), 0, 3),
        (((3, "ADMIN", "STUDENT"), (1, "ADMIN", "ADMIN"), (36, "STUDENT", "STUDENT")), 3, 0),
        (((2, "ADMIN", None), (1, "NURSE", None), (1, "STUDENT", None)), 0, 4),
        (((5, "STUDENT", "ADMIN"), (995, "STUDENT", "STUDENT"), (1, "ADMIN", "ADMIN")), 5, 0),
        (((30, "STAFF", "EMPLOYEE"), (1, "ADMIN", "STUDENT"), (2, "ADMIN", "ADMIN"), (400, "X", "X")), 1, 30),
        (((10, "NURSE", "STUDENT"), (90, "NURSE", "NURSE"), (400, "STUDENT", "STUDENT")), 10, 0),
    ],
)  # fmt: skip
def test_one_by_one_or_by_the_dozen(
    groups: tuple[tuple[int, str | None, str | None], ...], taken: int, damaged: int
) -> None:
    moves = pairs(*groups)
    changed = {key: move for key, move in moves.items() if move.then != move.now}
    one_by_one, by_damage = _withdrawn(changed, Counter(move.then for move in moves.values()))
    assert (len(one_by_one), len(by_damage)) == (taken, damaged)


def test_no_account_is_no_damage() -> None:
    assert _withdrawn({}, Counter()) == ({}, {})


def test_many_kinds_of_changes_are_told_shortly() -> None:
    moves = {str(key): Move(then=f"R{key}", now="NURSE") for key in range(1, 10)}
    moves["10"] = Move(then="R1", now="NURSE")
    moves["11"] = Move(then="#0123abcd", now="NURSE")
    lines = list(_told("role", moves))
    assert lines[0] == "role R1 -> NURSE since the backup: 2 accounts (1, 10)"
    assert lines[-1] == "role changed otherwise since the backup: 4 accounts"
    assert len(lines) == 7
    assert "#" not in " ".join(lines)
