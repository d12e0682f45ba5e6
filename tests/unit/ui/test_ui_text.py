"""A clock, and text that fits into columns."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.models.events import StepProgress
from uscdr.ui.screen import _bar, _fitted
from uscdr.ui.sentences import progress_words
from uscdr.ui.text import CARRIED, Span, _bare, cells, clock, line, painted, shortened, wrap


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


CARRYING = ["--config", "my file.yaml", "--target=sandbox", "backup", "list"]


@pytest.fixture
def carrying() -> Iterator[None]:
    with CARRIED.of(CARRYING):
        yield


BOTH = "uscdr --config 'my file.yaml' --target sandbox"


@pytest.mark.usefixtures("carrying")
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("See: uscdr backup list", f"See: {BOTH} backup list"),
        ("Check, then: uscdr runs resume RUN. Then: uscdr verify all",
         f"Check, then: {BOTH} runs resume RUN. Then: {BOTH} verify all"),
        ("uscdr backup pull && uscdr backup prove", f"{BOTH} backup pull && {BOTH} backup prove"),
        ("Run: uscdr recover db --backup b1 --target other (or: uscdr verify)",
         f"Run: uscdr --config 'my file.yaml' recover db --backup b1 --target other (or: {BOTH} verify)"),
        ("uscdr --target sandbox recover db", "uscdr --config 'my file.yaml' --target sandbox recover db"),
        ("uscdr recover … --new. Pass --target with a name.", f"{BOTH} recover … --new. Pass --target with a name."),
        ("uscdr config check my.yaml; uscdr config init", "uscdr config check my.yaml; uscdr config init"),
        ("uscdr sandbox up; uscdr help dates; uscdr --help; uscdr recover --help",
         "uscdr sandbox up; uscdr help dates; uscdr --help; uscdr recover --help"),
        ("uscdr changed nothing, says uscdr 1.2", "uscdr changed nothing, says uscdr 1.2"),
    ],
)  # fmt: skip
def test_a_command_to_paste_carries_what_the_command_line_named(text: str, wanted: str) -> None:
    assert CARRIED.text(text) == wanted
    assert CARRIED.text(wanted) == wanted
    assert Span(text).text == wanted
    assert wrap(text, 200) == [wanted]


def test_in_json_the_quotes_of_a_path_are_spelt() -> None:
    with CARRIED.of(["--config", 'a"é.yaml', "verify"]):
        text = CARRIED.text(json.dumps({"next": "uscdr verify all", "more": "x --config"}), in_json=True)
    assert json.loads(text)["next"] == "uscdr --config 'a\"é.yaml' verify all"


@pytest.mark.parametrize(
    ("typed", "target", "meant", "wanted"),
    [
        ("backup list -- --target sandbox", "production", None, "uscdr verify"),
        ("runs show --target sandbox", "production", None, "uscdr --target production verify"),
        ("runs show", "production", "sandbox", "uscdr --target production verify"),
        ("runs show", "production", "production", "uscdr verify"),
        ("runs show", "sandbox", None, "uscdr --target sandbox verify"),
        ("runs show", "sandbox", "sandbox", "uscdr verify"),
    ],
)
def test_the_target_of_a_run_decides(typed: str, target: str, meant: str | None, wanted: str) -> None:
    with CARRIED.of(typed.split()):
        CARRIED.on(target, {"USCDR_TARGET": meant} if meant else {})
        assert CARRIED.text("uscdr verify") == wanted
    assert CARRIED.text("uscdr verify") == "uscdr verify"
