"""One frame of the live screen: where you are, the one thing under way, what is next, what was changed."""

from __future__ import annotations

from datetime import datetime

from uscdr.models.events import CheckFinished, Note, RunStarted
from uscdr.ui.board import Board, PhaseState, StepState
from uscdr.ui.checkwords import check_sentence
from uscdr.ui.sentences import label, note_sentence, progress_words, run_title
from uscdr.ui.style import Line, Span, Tone, bar, fitted, line
from uscdr.ui.text import cells, clip, clock, wrap
from uscdr.words import duration

WARN_SHARE = 0.75
"""Part of an objective or a budget after which its clock turns yellow."""
WIDE = 64
"""Columns from which phases have bars."""
NARROW = 50
"""Columns below which the clock takes two lines."""
INDENT = 9
"""Columns of the left-hand names."""
MOST_PHASES, MOST_CHANGES, MOST_NEWS = 6, 5, 4


def frame(board: Board, now: datetime, width: int, height: int) -> list[Line]:
    """The screen as at most `height` lines of at most `width` columns; the least needed goes first."""
    core = [*headline(board, now, width), (), *_phases(board, now, width), (), *_now(board, now, width)]
    changed, news = _changed(board), _later(board, width) if board.finished else _news(board)
    room = height - len(core)
    lines = core + _section(changed, room)
    lines += _section(news, height - len(lines))
    return [fitted(spans, width) for spans in lines[:height]]


def _section(lines: list[Line], room: int) -> list[Line]:
    if not lines or room < 2:  # noqa: PLR2004 - a blank and one line
        return []
    return [(), *lines[: room - 1]]


def tone_of(spent: float, allowed: float | None) -> Tone:
    """Green, yellow from three quarters on, red when over."""
    if not allowed:
        return "plain"
    if spent > allowed:
        return "bad"
    return "warn" if spent >= allowed * WARN_SHARE else "good"


def named(name: str, *parts: str | Span) -> Line:
    """A line with its name on the left."""
    return line(Span(f"{name:<{INDENT}}", "dim"), *parts)


def headline(board: Board, now: datetime, width: int) -> list[Line]:
    """What is being recovered, and the recovery clock; a warning when the budgets do not fit any more."""
    begun = board.begun
    if begun is None:
        return [line(Span(f"Run {board.run}", "title"))]
    pieces = wrap(run_title(begun), width)
    title = [line(Span(piece, "title")) for piece in pieces]
    return [*title, *_clock(board, begun, now, width)] if board.recovers else title


def _clock(board: Board, begun: RunStarted, now: datetime, width: int) -> list[Line]:
    spent, objective = board.elapsed(now), begun.rto_seconds
    tone, left = tone_of(spent, objective), objective - spent
    rest = f"{duration(left)} left" if left >= 0 else f"{duration(-left)} OVER"
    words = named("Clock", Span(f"{clock(spent)} of {duration(objective)}", tone))
    lines = [words, named("", Span(rest, tone))] if width < NARROW else [(*words, Span(", "), Span(rest, tone))]
    needed = board.still_needed(now)
    if not board.finished and needed > left >= 0:
        lines += wrapped("", f"AT RISK: the budgets still allow {duration(needed)}", "warn", width)
    return lines


def _phases(board: Board, now: datetime, width: int) -> list[Line]:
    phases = list(board.phases.values())
    if not phases:
        return [named("Phase", "no plan was made" if board.finished else "the plan is being made")]
    names = max(cells(phase.name) for phase in phases)
    counts = max(len(_count(phase)) for phase in phases)
    return [_phase(phase, now, (names, counts, width)) for phase in phases[:MOST_PHASES]]


def _count(phase: PhaseState) -> str:
    return f"{phase.ended}/{len(phase.steps)}"


def _phase(phase: PhaseState, now: datetime, columns: tuple[int, int, int]) -> Line:
    names, counts, width = columns
    spent = phase.elapsed(now)
    tone = tone_of(spent, phase.budget)
    name = Span(f"{phase.name:<{names}}  ", "strong" if _under_way(phase) else "plain")
    budget = f" of {duration(phase.budget)}" if phase.budget else ""
    times = Span(f"{duration(spent) if spent else '-'}{budget}", tone if spent else "dim")
    count = Span(f"{_count(phase):>{counts}} ", "good" if phase.finished else "plain")
    if width < WIDE:
        return (name, count, Span(" "), times)
    share = spent / phase.budget if phase.budget else phase.ended / max(1, len(phase.steps))
    gauge = bar(share, min(24, width - names - 42), tone)
    return (name, *gauge, Span("  "), count, Span(" "), times)


def _under_way(phase: PhaseState) -> bool:
    return any(step.started for step in phase.steps) and not phase.finished


def _now(board: Board, now: datetime, width: int) -> list[Line]:
    if board.finished:
        end = board.finished
        tone: Tone = "good" if end.outcome == "done" else "bad"
        left = [named("Left", f"{name}: {state}") for name, state in end.left.items()]
        return [*wrapped("Ended", f"{end.outcome}: {end.summary}", tone, width), *left]
    lines = _under_way_lines(board, now, width)
    following = board.next_step
    last = "the end of the run" if board.planned else "the plan, for you to read"
    words = label(following, board) if following else last
    if following and following.destructive:
        return [*lines, *wrapped("Next", f"{words} (DESTROYS)", "warn", width)]
    return [*lines, *wrapped("Next", words, "plain", width)]


def _under_way_lines(board: Board, now: datetime, width: int) -> list[Line]:
    if board.waiting:
        return wrapped("Now", f"waiting for your confirmation: {board.waiting.phrase}", "warn", width)
    step, doubted = board.current, board.doubted
    if step is None and doubted:
        return wrapped("Now", f"finding out what became of {label(doubted, board)}", "warn", width)
    if step is None:
        words = progress_words(board.progress.event, None) if board.progress else "between two steps"
        return wrapped("Now", words, "dim", width)
    lines = wrapped("Now", label(step, board), "strong", width)
    since = f"for {duration((now - step.started).total_seconds())}" if step.started else ""
    lines.append(named("", Span(since, "dim")))
    if board.progress:
        lines += wrapped("", progress_words(board.progress.event, board.progress.eta), "plain", width)
        share = board.progress.share
        if share is not None:
            lines.append(named("", *bar(share, min(40, width - INDENT - 1), "good")))
    return lines


def wrapped(name: str, text: str, tone: Tone, width: int) -> list[Line]:
    """Named text on at most two lines; the second one is cut."""
    first, *rest = wrap(text, width - INDENT)
    pieces = [first, clip(" ".join(rest), width - INDENT)] if rest else [first]
    return [named(name if index == 0 else "", Span(piece, tone)) for index, piece in enumerate(pieces)]


def _changed(board: Board) -> list[Line]:
    changed = board.changed
    if not changed:
        return [named("Changed", Span("nothing so far", "dim"))]
    # What was destroyed, or is in doubt, never gives way to what came later.
    grave = [step for step in changed if step.destructive or step.status != "done"]
    kept = [*grave, *(step for step in reversed(changed) if step not in grave)][:MOST_CHANGES]
    shown = [step for step in changed if step in kept]
    lines = [_change(step, "" if index else "Changed") for index, step in enumerate(shown)]
    more = len(changed) - len(shown)
    return [*lines, named("", Span(f"and {more} more", "dim"))] if more else lines


def _change(step: StepState, name: str) -> Line:
    match step.status:
        case "done":
            fate, text = "DESTROYED", f"{step.title}: {step.summary}"
        case "running":
            fate, text = "DESTROYING", f"{step.title} (under way)"
        case _:
            fate, text = "MAY HAVE DESTROYED", f"{step.title} ({step.status})"
    if step.destructive:
        return named(name, Span(f"{fate} ", "bad"), text)
    return named(name, Span(text, "plain" if step.status in {"done", "running"} else "bad"))


def _news(board: Board) -> list[Line]:
    news = list(board.recent)[-MOST_NEWS:]
    return [(*named(f"{at:%H:%M}Z"), *_spans(item)) for at, item in news]


def _later(board: Board, width: int) -> list[Line]:
    tasks = board.finished.follow_up if board.finished and not board.dry_run else ()
    return [spans for task in tasks for spans in wrapped("Later", task, "plain", width)]


def _spans(item: Note | CheckFinished) -> Line:
    return (check_sentence(item) if isinstance(item, CheckFinished) else note_sentence(item)).spans
