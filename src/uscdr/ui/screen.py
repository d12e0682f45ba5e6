"""One frame of the live screen: phases, the running step, the next step, and the changes so far."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.ui.sentences import VERDICT_TONES, news_sentence, progress_words
from uscdr.ui.text import Line, Span, Tone, cells, clock, line, shortened, wrap
from uscdr.words import duration, plural

if TYPE_CHECKING:
    from uscdr.models.causes import SharedCause
    from uscdr.models.events import CheckFinished, Note, RunStarted
    from uscdr.ui.board import Board, CheckBoard, CheckRow, PhaseState, State, StepState

WARN_SHARE = 0.75
"""Share of an objective or a budget after which its clock turns yellow."""
WIDE = 64
"""The least width for progress bars of phases."""
NARROW = 50
"""Below this width the clock takes two lines."""
INDENT = 9
"""Columns for the names on the left."""
MOST_PHASES, MOST_CHANGES, MOST_NEWS = 6, 5, 4


def frame(board: Board, now: datetime, width: int, height: int) -> list[Line]:
    """The screen as at most `height` lines of at most `width` columns; drops the least important lines first."""
    if board.only_looks:
        return _check_frame(board, now, width, height)
    core = [
        *headline(board, now, width),
        *_reminders(board, now, width),
        (),
        *_phases(board, now, width),
        (),
        *_now(board, now, width),
    ]
    changed, news = _changed(board), _later(board, width) if board.finished else _news(board)
    room = height - len(core)
    lines = core + _section(changed, room)
    lines += _section(news, height - len(lines))
    return [_fitted(spans, width) for spans in lines[:height]]


def _section(lines: list[Line], room: int) -> list[Line]:
    if not lines or room < 2:  # noqa: PLR2004 - a blank and one line
        return []
    return [(), *lines[: room - 1]]


def _tone_of(spent: float, allowed: float | None) -> Tone:
    """Green, yellow from three quarters on, red above the limit."""
    if not allowed:
        return "plain"
    if spent > allowed:
        return "bad"
    return "warn" if spent >= allowed * WARN_SHARE else "good"


def _named(name: str, *parts: str | Span) -> Line:
    """A line with its name on the left."""
    return line(Span(f"{name:<{INDENT}}", "dim"), *parts)


def headline(board: Board, now: datetime, width: int) -> list[Line]:
    """The title, the recovery clock and the expected end; without one, a warning if the budgets exceed the time left.

    For a verification, the progress of the round.
    """
    if board.only_looks:
        return _round_lines(board.checks, now, width)
    title = [line(Span(piece, "title")) for piece in wrap(board.title, width)]
    return [*title, *_clock(board, board.begun, now, width)] if board.begun and board.recovers else title


def _clock(board: Board, begun: RunStarted, now: datetime, width: int) -> list[Line]:
    spent, objective = board.elapsed(now), begun.rto_seconds
    tone, left = _tone_of(spent, objective), objective - spent
    rest = f"{duration(left)} left" if left >= 0 else f"{duration(-left)} OVER"
    words = _named("Clock", Span(f"{clock(spent)} of {duration(objective)}", tone))
    lines = [words, _named("", Span(rest, tone))] if width < NARROW else [(*words, Span(", "), Span(rest, tone))]
    basis = begun.rto_basis()
    if sum(cells(span.text) for span in lines[-1]) + cells(basis) < width:
        lines[-1] = (*lines[-1], Span(f" {basis}", "dim"))
    else:
        lines += _wrapped("", basis, "dim", width)
    needed, expected = board.still_needed(now), _expected(board, now, width)
    if not board.finished and not expected and needed > left >= 0:
        lines += _wrapped("", f"AT RISK: the remaining budgets add up to {duration(needed)}", "warn", width)
    return [*lines, *expected]


def _expected(board: Board, now: datetime, width: int) -> list[Line]:
    """When the service is expected back, then the end of the run; nothing without a forecast."""
    back = board.expected(now, back=True)
    end = back or board.expected(now, back=False)
    if end is None:
        return []
    late = board.at_risk(now)
    lines = _wrapped(
        "Expected", f"{'service back' if back else 'done'} {end.short}", "warn" if late else "plain", width
    )
    return [*lines, *(_wrapped("", late, "warn", width) if late else [])]


def _reminders(board: Board, now: datetime, width: int) -> list[Line]:
    return [spans for text in board.reminders(now) for spans in _wrapped("Notice", text, "warn", width)]


def _phases(board: Board, now: datetime, width: int) -> list[Line]:
    phases = list(board.phases.values())
    if not phases:
        return [_named("Phase", "no plan" if board.finished else "making the plan")]
    names = max(cells(phase.name) for phase in phases)
    counts = max(len(_count(phase)) for phase in phases)
    return [_phase(phase, now, (names, counts, width)) for phase in phases[:MOST_PHASES]]


def _count(phase: PhaseState) -> str:
    return f"{phase.ended}/{len(phase.steps)}"


def _phase(phase: PhaseState, now: datetime, columns: tuple[int, int, int]) -> Line:
    names, counts, width = columns
    spent = phase.elapsed(now)
    tone = _tone_of(spent, phase.budget)
    name = Span(f"{phase.name:<{names}}  ", "strong" if _under_way(phase) else "plain")
    budget = f" of {duration(phase.budget)}" if phase.budget else ""
    times = Span(f"{duration(spent) if spent else '-'}{budget}", tone if spent else "dim")
    count = Span(f"{_count(phase):>{counts}} ", "good" if phase.finished else "plain")
    if width < WIDE:
        return (name, count, Span(" "), times)
    share = spent / phase.budget if phase.budget else phase.ended / max(1, len(phase.steps))
    gauge = _bar(share, min(24, width - names - 42), tone)
    return (name, *gauge, Span("  "), count, Span(" "), times)


def _under_way(phase: PhaseState) -> bool:
    return any(step.started for step in phase.steps) and not phase.finished


def _now(board: Board, now: datetime, width: int) -> list[Line]:
    if board.finished:
        end = board.finished
        tone: Tone = "good" if end.outcome == "done" else "bad"
        left = [_named("Left", f"{name}: {state}") for name, state in end.left.items()]
        return [*_wrapped("Ended", f"{end.outcome}: {end.summary}", tone, width), *left]
    lines = _under_way_lines(board, now, width)
    following = board.next_step
    last = "the end of the run" if board.planned else "show the plan"
    words = board.label(following) if following else last
    if following and following.destructive:
        return [*lines, *_wrapped("Next", f"{words} (DESTROYS)", "warn", width)]
    return [*lines, *_wrapped("Next", words, "plain", width)]


def _under_way_lines(board: Board, now: datetime, width: int) -> list[Line]:
    if board.waiting:
        return _wrapped("Now", f"waiting for the phrase: {board.waiting.phrase}", "warn", width)
    if board.question:
        return _wrapped("Now", f"waiting for an answer: {board.question}", "warn", width)
    step, doubted = board.current, board.doubted
    if step is None and doubted:
        return _wrapped("Now", f"checking the outcome of {board.label(doubted)}", "warn", width)
    if step is None:
        words = progress_words(board.progress.event, None) if board.progress else "between two steps"
        return _wrapped("Now", words, "dim", width)
    lines = _wrapped("Now", board.label(step), "strong", width)
    since = f"for {duration((now - step.started).total_seconds())}" if step.started else ""
    pace, late = board.pace(now)
    lines += _wrapped("", "; ".join(filter(None, (since, pace))), "warn" if late else "dim", width)
    if board.progress:
        lines += _wrapped("", progress_words(board.progress.event, board.progress.eta), "plain", width)
        share = board.progress.share
        if share is not None:
            lines.append(_named("", *_bar(share, min(40, width - INDENT - 1), "good")))
    return lines


def _wrapped(name: str, text: str, tone: Tone, width: int) -> list[Line]:
    """Named text on at most two lines; the second one is truncated."""
    first, *rest = wrap(text, width - INDENT)
    pieces = [first, shortened(" ".join(rest), width - INDENT)] if rest else [first]
    return [_named(name if index == 0 else "", Span(piece, tone)) for index, piece in enumerate(pieces)]


def _changed(board: Board) -> list[Line]:
    changed = board.changed
    if not changed:
        return [_named("Changed", Span("nothing" if board.finished else "nothing so far", "dim"))]
    # Destroyed and uncertain state always stays visible.
    grave = [step for step in changed if step.destructive or step.status != "done"]
    kept = [*grave, *(step for step in reversed(changed) if step not in grave)][:MOST_CHANGES]
    shown = [step for step in changed if step in kept]
    lines = [_change(step, "" if index else "Changed") for index, step in enumerate(shown)]
    more = len(changed) - len(shown)
    return [*lines, _named("", Span(f"and {more} more", "dim"))] if more else lines


def _change(step: StepState, name: str) -> Line:
    match step.status:
        case "done":
            fate, text = "DESTROYED", f"{step.title}: {step.summary}"
        case "running":
            fate, text = "DESTROYING", f"{step.title} (under way)"
        case _:
            fate, text = "MAY HAVE DESTROYED", f"{step.title} ({step.status})"
    if step.destructive:
        return _named(name, Span(f"{fate} ", "bad"), text)
    return _named(name, Span(text, "plain" if step.status in {"done", "running"} else "bad"))


def _news(board: Board) -> list[Line]:
    news = list(board.recent)[-MOST_NEWS:]
    return [(*_named(f"{at:%H:%M}Z"), *_spans(item)) for at, item in news]


def _later(board: Board, width: int) -> list[Line]:
    tasks = board.finished.follow_up if board.finished and not board.dry_run else ()
    return [spans for task in tasks for spans in _wrapped("Later", task, "plain", width)]


def _spans(item: Note | CheckFinished) -> Line:
    return news_sentence(item).spans


# One frame of a verification on the live screen: the totals so far, then one row per check, failures first.


ORDER: tuple[State, ...] = ("fail", "inconclusive", "cut off", "running", "not checked", "waiting", "pass")
"""The order of rows; rows that do not fit are counted."""
MARKS = "|/-\\"
"""Animated mark beside a running check."""
TURN = 0.5
"""Seconds per mark."""
STATE, SECONDS = 13, 9
"""Columns of a row's state and seconds."""
LONGEST_NAME = 30
ROOMY = 12
"""From this height on the screen has blank lines and shows the baseline."""
_WORDS: dict[State, str] = {"fail": "failed", "pass": "passed"}


def _check_frame(board: Board, now: datetime, width: int, height: int) -> list[Line]:
    """The screen as at most `height` lines of at most `width` columns; drops passes first, failures last."""
    head, foot = _head(board, now, width), _foot(board, now, width)
    if height < ROOMY:
        head, foot = (
            _title(board, width)[:1] + _round_lines(board.checks, now, width),
            [spans for spans in foot if spans],
        )
    rows = _table(board, now, width, max(1, height - len(head) - len(foot)))
    return [_fitted(spans, width) for spans in (*head, *rows, *foot)][:height]


def _round_lines(checks: CheckBoard, now: datetime, width: int) -> list[Line]:
    """Progress of the round: number of ended checks, their verdicts, and the duration."""
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
    title = board.title
    title += f", round {board.checks.round}" if board.checks.round > 1 else ""
    return [line(Span(piece, "title")) for piece in wrap(title, width)]


def _head(board: Board, now: datetime, width: int) -> list[Line]:
    checks, title = board.checks, _title(board, width)
    if not checks.round:
        return [*title, line(Span("no round of checks started" if board.finished else "preparing", "dim"))]
    tone: Tone = "dim" if checks.baseline_at else "warn"
    compared = [line(Span(piece, tone)) for piece in wrap(checks.baseline, width)]
    return [*title, *_round_lines(checks, now, width), *compared, ()]


def _table(board: Board, now: datetime, width: int, room: int) -> list[Line]:
    checks = board.checks
    causes = checks.causes
    grouped = {name for cause in causes for name in cause.checks}
    own = [row for row in checks.rows.values() if row.name not in grouped]
    rows = sorted(own, key=lambda row: ORDER.index(checks.state(row)))
    head = [_caused(cause) for cause in causes][: max(0, room - 1)]
    room -= len(head)
    kept = [row for row in rows if not board.finished or checks.state(row) != "pass"]
    if len(kept) > room or len(kept) < len(rows):
        kept = kept[: room - 1]
    names = min(max((cells(row.name) for row in rows), default=0), LONGEST_NAME, max(8, width // 3))
    lines = [*head, *(_row(row, checks, now, names) for row in kept)]
    rest = [checks.state(row) for row in rows[len(kept) :]]
    return [*lines, _rest(rest, also=bool(lines))] if rest else lines


def _caused(cause: SharedCause) -> Line:
    """The row of all checks that have no answer for one cause."""
    return line(Span(f"{'one cause':<{STATE}}", "warn"), f"{plural(len(cause.checks), 'check')}: {cause.words}")


def _rest(states: list[State], *, also: bool) -> Line:
    """The numbers of checks without a row."""
    counts = [f"{states.count(state)} {_WORDS.get(state, state)}" for state in ORDER if state in states]
    tone: Tone = "bad" if "fail" in states else "good" if set(states) == {"pass"} else "dim"
    return line(Span(f"{'and ' if also else ''}{', '.join(counts)}", tone))


def _row(row: CheckRow, checks: CheckBoard, now: datetime, names: int) -> Line:
    state, seconds = checks.state(row), checks.seconds(row, now)
    tone = VERDICT_TONES.get(state, "dim" if state == "waiting" else "warn" if state == "cut off" else "strong")
    mark = f" {MARKS[int(now.timestamp() / TURN) % len(MARKS)]}" if state == "running" else ""
    name = shortened(row.name, names)
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
        left = [_named("Left", f"{name}: {state}") for name, state in end.left.items()]
        return [(), *_wrapped("Ended", f"{end.outcome}: {end.summary}", tone, width), *left]
    if checks.finished is None or checks.finished.next_at is None:
        return []
    following = checks.finished.next_at
    until = duration((following - now).total_seconds())
    return [(), line(f"next round at {following.astimezone(UTC):%H:%M}Z", Span(f", in {until}", "dim"))]


def _fitted(spans: Line, width: int) -> Line:
    """The line truncated to `width` columns, with an ellipsis at the cut."""
    kept: list[Span] = []
    room = width
    for span in spans:
        if room <= 0:
            break
        if cells(span.text) > room:
            kept.append(Span(shortened(span.text, room), span.tone))
            break
        kept.append(span)
        room -= cells(span.text)
    return tuple(kept)


def _bar(share: float, width: int, tone: Tone) -> Line:
    """A bar of `width` columns filled by `share` (0 to 1, clamped)."""
    filled = round(min(1.0, max(0.0, share)) * width)
    return (Span("█" * filled, tone), Span("░" * (width - filled), "dim"))
