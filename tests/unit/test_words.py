"""One rule each for spans of time, sizes, moments and plurals; foreign text made harmless."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.words import amount, duration, escape, first_of, moment, plural, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-7200, "0 s"),
        (-0.3, "0 s"),
        (0, "0 s"),
        (0.04, "0 s"),
        (0.44, "0.4 s"),
        (0.97, "1 s"),
        (1.4, "1 s"),
        (42, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (303, "5 min 03 s"),
        (600, "10 min"),
        (3599.4, "59 min 59 s"),
        (3599.9, "1 h"),
        (3900, "1 h 05 min"),
        (12_059, "3 h 20 min"),
        (14_400, "4 h"),
        (93_900, "26 h 05 min"),
        (172_799.4, "47 h 59 min"),
        (172_799.6, "2 d"),
        (187_200, "2 d 04 h"),
        (273_600, "3 d 04 h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.floats(0, 1e8), st.floats(0, 1e8))
def test_a_longer_span_never_reads_shorter(one: float, other: float) -> None:
    def told(seconds: float) -> float:
        words = duration(seconds).split()
        units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
        return sum(float(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))

    assert told(min(one, other)) <= told(max(one, other))


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (812, "812 B"),
        (999_940, "999.9 kB"),
        (999_960, "1.0 MB"),
        (34_800_000, "34.8 MB"),
        (1.5e9, "1.5 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_size(count: float, words: str) -> None:
    assert size(count) == words


def test_amount_knows_bytes_from_items() -> None:
    assert amount(1_234_000, "bytes") == "1.2 MB"
    assert amount(1234, "files") == "1,234 files"
    assert amount(3, "") == "3"


def test_a_moment_is_told_in_utc_whatever_its_zone() -> None:
    manila = timezone(timedelta(hours=8), "PST")
    assert moment(datetime(2026, 11, 28, 3, 9, 59, tzinfo=UTC)) == "2026-11-28 03:09 UTC"
    assert moment(datetime(2026, 11, 28, 3, 9, tzinfo=manila)) == "2026-11-27 19:09 UTC"


def test_plural() -> None:
    assert [plural(number, "thing") for number in (0, 1, 2)] == ["0 things", "1 thing", "2 things"]
    assert plural(1234, "thing") == "1,234 things"


def test_a_plural_of_its_own() -> None:
    assert plural(1, "copy", "copies") == "1 copy"
    assert plural(2, "copy", "copies") == "2 copies"


def test_the_first_of_many_names() -> None:
    assert first_of([]) == ""
    assert first_of(["a", "b", "c"]) == "a, b, c"
    assert first_of(list("abcdefg")) == "a, b, c and 4 more"
    assert first_of(list("abc"), 2, "; ") == "a; b and 1 more"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("safe\u202egpj.exe", r"safe\u202egpj.exe"),
        ("nul\x00l", r"nul\x00l"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("a\rb\tc\nd", r"a\rb\tc\nd"),
        ("c1\x9b31m", r"c1\x9b31m"),
        ("line\u2028para\u2029", r"line\u2028para\u2029"),
        ("lone\ud800", r"lone\ud800"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("Åse Ñandú 患者 [bold]", "Åse Ñandú 患者 [bold]"),
    ],
)
def test_what_a_terminal_could_obey_is_spelt_out(text: str, seen: str) -> None:
    assert escape(text) == seen


@given(st.text())
def test_escaped_text_has_nothing_hidden_and_stays_as_it_is(text: str) -> None:
    once = escape(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in once)
    assert escape(once) == once


def test_newlines_are_kept_on_request() -> None:
    assert escape("a\nb\x1b", keep_newlines=True) == "a\nb\\x1b"
