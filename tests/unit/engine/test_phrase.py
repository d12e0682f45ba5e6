"""The phrase to type: short whatever the names are, different for different losses, and a mistake in it is located."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.phrase import AT_LEAST, LONGEST, UNKNOWN, could_be, cut_name, difference, short_phrase

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=3, max_size=63)


@given(NAMES, st.sampled_from(["b001 lose 22 rows", "b12345 DAMAGED lose at least 12345678", "swap back and 3 more"]))
def test_a_phrase_is_short_and_says_whole_what_is_done(name: str, doing: str) -> None:
    phrase = short_phrase(name, doing)
    assert len(phrase) <= max(LONGEST, len(doing) + 7)
    assert phrase.endswith(f" {doing}")


@given(NAMES)
def test_a_cut_name_shows_that_it_is_cut(name: str) -> None:
    kept = cut_name(name, 15)
    assert kept == name if len(name) <= 15 else len(kept) == 15 and ".." in kept and kept.endswith(name[-4:])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("usc-pis  b001 lose 22 rows ", ""),
        ("usc-pis b001 lose 23 rows", "word 4 must be “22”"),
        ("USC-PIS b001 lose 22 rows", "word 1 must be “usc-pis”"),
        ("usc-pis b001 lose 22", "word 5 must be “rows”"),
        ("usc-pis b001 lose 22 rows now", "“rows” must be the last word"),
        ("hunter2", "word 1 must be “usc-pis”"),
    ],
)
def test_where_a_phrase_differs_is_said_without_repeating_what_was_typed(typed: str, words: str) -> None:
    assert difference(typed, "usc-pis b001 lose 22 rows") == words


@pytest.mark.parametrize("number", ["22 rows", "1 row", "unknown rows", f"{AT_LEAST} 22"])
def test_what_is_not_known_yet_may_be_any_number_but_nothing_else_may_differ(number: str) -> None:
    known = f"usc-pis b001 lose {UNKNOWN}"
    assert could_be(f"usc-pis b001 lose {number}", known)
    assert not could_be(f"usc-pis b002 lose {number}", known)
    assert not could_be(f"usc-pis b001 lose {number} more", known)
    assert not could_be("usc-pis b001 lose 22 23 rows", known)


@pytest.mark.parametrize(
    ("typed", "same"), [("lose 1237", True), ("lose 1,237", True), ("lose 12,37", False), ("lose 1,238", False)]
)
def test_a_number_may_be_typed_as_the_screen_shows_it(typed: str, same: bool) -> None:
    assert (difference(f"usc-pis b001 {typed} rows", "usc-pis b001 lose 1237 rows") == "") is same
    assert could_be(f"usc-pis b001 {typed} rows", "usc-pis b001 lose 1237 rows") is same
