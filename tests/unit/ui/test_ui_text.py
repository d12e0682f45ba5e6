"""A clock, and text that fits into columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.models.events import StepProgress
from uscdr.ui.screen import _bar, _fitted
from uscdr.ui.sentences import progress_words
from uscdr.ui.text import Span, _bare, cells, clock, line, painted, shortened, wrap


def test_a_clock_is_never_negative() -> None:
    assert clock(2467.9) == "00:41:07"
    assert clock(-5) == "00:00:00"


@given(st.text(alphabet="ab 患e\u0301", max_size=60), st.integers(2, 30))
def test_clipped_and_wrapped_text_fits(text: str, width: int) -> None:
    assert cells(shortened(text, width)) <= width
    assert all(cells(piece) <= width for piece in wrap(text, width))
    assert "".join(wrap(text, width)).replace(" ", "") == text.replace(" ", "")


def test_lines_are_cut_with_a_mark_and_painted_only_on_request() -> None:
    spans = line(Span("done", "good"), " restored \x1b[31m everything")
    assert _bare(spans) == "done restored \\x1b[31m everything"
    assert _bare(_fitted(spans, 10)) == "done rest…"
    assert painted(spans, color=False) == _bare(spans)
    assert painted(spans, color=True).startswith("\x1b[32mdone\x1b[0m")
    assert "\x1b[31m" not in painted(spans, color=True)


@pytest.mark.parametrize(("share", "filled"), [(-1, 0), (0, 0), (0.5, 5), (1, 10), (7, 10)])
def test_bars_never_leave_their_width(share: float, filled: int) -> None:
    text = _bare(_bar(share, 10, "good"))
    assert len(text) == 10
    assert text.count("█") == filled


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (StepProgress(step="proof", done=0, note="counting rows", unit="bytes"), "counting rows"),
        (StepProgress(step="proof", done=512_000, note="downloading", unit="bytes"), "512.0 kB, downloading"),
        (StepProgress(step="proof", done=0, total=2000, unit="bytes"), "0 B of 2.0 kB, 0%"),
        (StepProgress(step="proof"), "in progress"),
    ],
)
def test_no_figure_stands_where_nothing_was_counted(progress: StepProgress, words: str) -> None:
    assert progress_words(progress, None) == words
