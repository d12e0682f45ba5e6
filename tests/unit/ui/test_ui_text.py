"""Foreign text made harmless, quantities made readable."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.ui.style import Span, bar, bare, fitted, line, painted
from uscdr.ui.text import age, amount, cells, clip, clock, duration, escape, moment, size, wrap


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (42, "42 s"),
        (59.7, "1 min"),
        (303, "5 min 03 s"),
        (600, "10 min"),
        (3900, "1 h 05 min"),
        (7200, "2 h 00 min"),
        (273600, "3 d 04 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (812, "812 B"), (34_800_000, "34.8 MB"), (999_960, "1.0 MB"), (1.5e9, "1.5 GB"), (2e12, "2.0 TB")],
)
def test_size(count: float, words: str) -> None:
    assert size(count) == words


def test_amount_knows_bytes_from_items() -> None:
    assert amount(1_234_000, "bytes") == "1.2 MB"
    assert amount(1234, "files") == "1,234 files"
    assert amount(3, "") == "3"


def test_times_are_told_in_both_zones() -> None:
    manila = timezone(timedelta(hours=8), "PST")
    at = datetime(2026, 11, 23, 18, 31, tzinfo=UTC)
    assert moment(at, manila) == "2026-11-24 02:31 PST (2026-11-23 18:31 UTC)"
    assert moment(at - timedelta(hours=6), manila) == "2026-11-23 20:31 PST (12:31 UTC)"
    assert moment(at, UTC) == "2026-11-23 18:31 UTC"
    with pytest.raises(ValueError, match="zone"):
        moment(datetime(2026, 11, 23))  # noqa: DTZ001 - the naive time is what is refused
    assert age(at, at + timedelta(hours=3, minutes=10)) == "3 h 10 min ago"
    assert age(at, at - timedelta(minutes=2)) == "in 2 min"
    assert clock(2467.9) == "00:41:07"
    assert clock(-5) == "00:00:00"


@given(st.text(alphabet="ab 患e\u0301", max_size=60), st.integers(2, 30))
def test_clipped_and_wrapped_text_fits(text: str, width: int) -> None:
    assert cells(clip(text, width)) <= width
    assert all(cells(piece) <= width for piece in wrap(text, width))
    assert "".join(wrap(text, width)).replace(" ", "") == text.replace(" ", "")


def test_lines_are_cut_with_a_mark_and_painted_only_on_request() -> None:
    spans = line(Span("done", "good"), " restored \x1b[31m everything")
    assert bare(spans) == "done restored \\x1b[31m everything"
    assert bare(fitted(spans, 10)) == "done rest…"
    assert painted(spans, color=False) == bare(spans)
    assert painted(spans, color=True).startswith("\x1b[32mdone\x1b[0m")
    assert "\x1b[31m" not in painted(spans, color=True)


@pytest.mark.parametrize(("share", "filled"), [(-1, 0), (0, 0), (0.5, 5), (1, 10), (7, 10)])
def test_bars_never_leave_their_width(share: float, filled: int) -> None:
    text = bare(bar(share, 10, "good"))
    assert len(text) == 10
    assert text.count("█") == filled
