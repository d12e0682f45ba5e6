"""One frame of a verification on the live screen: the sum so far, then one row a check, what failed first."""

from __future__ import annotations

from datetime import UTC, datetime

from uscdr.ui.board import Board
from uscdr.ui.checkboard import CheckBoard, CheckRow, State
from uscdr.ui.checkwords import VERDICT_TONES, baseline_words
from uscdr.ui.screen import named, wrapped
from uscdr.ui.sentences import run_title
from uscdr.ui.style import Line, Span, Tone, fitted, line
from uscdr.ui.text import cells, clip, clock, wrap
from uscdr.words import duration

ORDER: tuple[State, ...] = ("fail", "inconclusive", "cut off", "running", "not checked", "waiting", "pass")
"""What stands above; where there is no room, the rest is counted."""
MARKS = "|/-\\"
"""Beside the word of what is under way: a mark that moves."""
TURN = 0.5
"""Seconds a mark stands."""
STATE, SECONDS = 13, 9
"""Columns of a row's state and of its seconds."""
LONGEST_NAME = 30
ROOMY = 12
"""Lines from which the screen has blank ones and says what counts are compared with."""
_WORDS: dict[State, str] = {"fail": "failed", "pass": "passed"}


def check_frame(board: Board, now: datetime, width: int, height: int) -> list[Line]:
    """The screen as at most `height` lines of at most `width` columns; passes give way first, failures last."""
    head, foot = _head(board, now, width), _foot(board, now, width)
    if height < ROOMY:
        head, foot = (
            _title(board, width)[:1] + round_lines(board.checks, now, width),
            [spans for spans in foot if spans],
        )
    rows = _table(board, now, width, max(1, height - len(head) - len(foot)))
    return [fitted(spans, width) for spans in (*head, *rows, *foot)][:height]


def round_lines(checks: CheckBoard, now: datetime, width: int) -> list[Line]:
    """How far the round is: how many ended, how they ended, for how long."""
    verdicts = checks.verdicts
    failed = verdicts.count("fail")
    parts = [
        Span(f"{len(verdicts)} of {len(checks.rows)} ended", "strong"),
        Span(f"{verdicts.count('pass')} passed"),
        Span(f"{failed} failed", "bad" if failed else "plain"),
        *(Span(f"{verdicts.count(one)} {one}", "warn") for one in ("inconclusive", "not checked") if one in verdicts),
        Span(clock(checks.elapsed(now)), "dim"),
    ]
    lines: list[Line] = [(parts[0],)]
    for part in parts[1:]:
        if sum(cells(span.text) for span in lines[-1]) + cells(part.text) + len(", ,") <= width:
            lines[-1] = (*lines[-1], Span(", "), part)
        else:
            lines[-1] = (*lines[-1], Span(","))
            lines.append((part,))
    return lines


def _title(board: Board, width: int) -> list[Line]:
    title = run_title(board.begun) if board.begun else f"Run {board.run}"
    title += f", round {board.checks.round}" if board.checks.round > 1 else ""
    return [line(Span(piece, "title")) for piece in wrap(title, width)]


def _head(board: Board, now: datetime, width: int) -> list[Line]:
    checks, title = board.checks, _title(board, width)
    if not checks.round:
        return [*title, line(Span("no round of checks was begun" if board.finished else "getting ready", "dim"))]
    tone: Tone = "dim" if checks.baseline_at else "warn"
    compared = [line(Span(piece, tone)) for piece in wrap(baseline_words(checks), width)]
    return [*title, *round_lines(checks, now, width), *compared, ()]


def _table(board: Board, now: datetime, width: int, room: int) -> list[Line]:
    checks = board.checks
    rows = sorted(checks.rows.values(), key=lambda row: ORDER.index(checks.state(row)))
    kept = [row for row in rows if not board.finished or checks.state(row) != "pass"]
    if len(kept) > room or len(kept) < len(rows):
        kept = kept[: room - 1]
    names = min(max((cells(row.name) for row in rows), default=0), LONGEST_NAME, max(8, width // 3))
    lines = [_row(row, checks, now, names) for row in kept]
    rest = [checks.state(row) for row in rows[len(kept) :]]
    return [*lines, _rest(rest, also=bool(kept))] if rest else lines


def _rest(states: list[State], *, also: bool) -> Line:
    """What has no row of its own, counted."""
    counts = [f"{states.count(state)} {_WORDS.get(state, state)}" for state in ORDER if state in states]
    tone: Tone = "bad" if "fail" in states else "good" if set(states) == {"pass"} else "dim"
    return line(Span(f"{'and ' if also else ''}{', '.join(counts)}", tone))


def _row(row: CheckRow, checks: CheckBoard, now: datetime, names: int) -> Line:
    state, seconds = checks.state(row), checks.seconds(row, now)
    tone = VERDICT_TONES.get(state, "dim" if state == "waiting" else "warn" if state == "cut off" else "strong")
    mark = f" {MARKS[int(now.timestamp() / TURN) % len(MARKS)]}" if state == "running" else ""
    name = clip(row.name, names)
    took = "-" if seconds is None else duration(seconds)
    told = row.ended.evidence if row.ended else f"before: {row.before}" if row.before not in ("", "pass") else ""
    return line(
        Span(f"{state + mark:<{STATE}}", tone),
        Span(name + " " * (names - cells(name)), "strong" if state == "fail" else "plain"),
        Span(f"{took:>{SECONDS}}  ", "dim"),
        told,
    )


def _foot(board: Board, now: datetime, width: int) -> list[Line]:
    end, checks = board.finished, board.checks
    if end:
        tone: Tone = "good" if end.outcome == "done" else "bad"
        left = [named("Left", f"{name}: {state}") for name, state in end.left.items()]
        return [(), *wrapped("Ended", f"{end.outcome}: {end.summary}", tone, width), *left]
    if checks.finished is None or checks.finished.next_at is None:
        return []
    following = checks.finished.next_at
    until = duration((following - now).total_seconds())
    return [(), line(f"next round at {following.astimezone(UTC):%H:%M}Z", Span(f", in {until}", "dim"))]
