"""How far a backup can be relied on: a ladder, and why a backup stands no higher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.backups.catalog import Judgement, _Evidence
from uscdr.backups.proofs import Grade

GOOD = _Evidence(age=3600, rpo=14400, size=1000, earlier=(900, 1000, 1100))


def test_the_ladder_is_that_of_the_design() -> None:
    assert [grade.value for grade in Grade] == [
        "none", "exists", "finished without warnings", "fresh", "plausible size", "decodes", "restores",
        "satisfies the invariants", "encrypted columns decrypt",
    ]  # fmt: skip
    assert Grade.INVARIANTS.reaches(Grade.RESTORES)
    assert not Grade.RESTORES.reaches(Grade.INVARIANTS)


@pytest.mark.parametrize(
    ("change", "grade", "why"),
    [
        ({}, Grade.PLAUSIBLE, "not proven by a restore"),
        ({"size": 499}, Grade.FRESH, "50% of the median of 3 earlier ones"),
        ({"size": 2001}, Grade.FRESH, "200% of the median"),
        ({"size": 500}, Grade.PLAUSIBLE, "not proven"),
        ({"earlier": ()}, Grade.FRESH, "no earlier backup"),
        ({"age": 14401}, Grade.FINISHED, "older than the RPO"),
        ({"warnings": 2}, Grade.EXISTS, "2 warnings"),
        ({"damaged_state": True, "shown": Judgement(Grade.DECRYPTS, "")}, Grade.EXISTS, "damaged state"),
        ({"unfit": "failed", "shown": Judgement(Grade.DECRYPTS, "")}, Grade.NONE, "failed"),
    ],
)
def test_each_rung_and_why_no_higher(change: dict[str, Any], grade: Grade, why: str) -> None:
    found = replace(GOOD, **change).judged()
    assert found.grade is grade
    assert why in found.why


def test_what_a_restore_showed_outranks_the_signs_and_keeps_them_as_remarks() -> None:
    old = replace(GOOD, age=10**6, warnings=1, shown=Judgement(Grade.DECRYPTS, ""))
    found = old.judged()
    assert (found.grade, found.why) == (Grade.DECRYPTS, "")
    assert found.remarks == ("finished with 1 warning", "older than the RPO")
    broken = replace(GOOD, shown=Judgement(Grade.EXISTS, "pg_restore cannot decode the dump.")).judged()
    assert (broken.grade, broken.why) == (Grade.EXISTS, "pg_restore cannot decode the dump.")


@given(
    age=st.floats(0, 10**7), size=st.integers(0, 10**12), warnings=st.integers(0, 5),
    earlier=st.lists(st.integers(0, 10**12), max_size=6),
)  # fmt: skip
def test_without_a_proof_nothing_is_better_than_plausible_and_less_always_has_a_reason(
    age: float, size: int, warnings: int, earlier: list[int]
) -> None:
    found = _Evidence(age=age, rpo=14400, size=size, warnings=warnings, earlier=tuple(earlier)).judged()
    assert not found.grade.reaches(Grade.DECODES)
    assert found.why
    if found.grade is Grade.PLAUSIBLE:
        assert (age <= 14400, warnings, bool(earlier)) == (True, 0, True)
