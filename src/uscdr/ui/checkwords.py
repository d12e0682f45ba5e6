"""Checks as the words a person reads: in a verification each one, in later rounds of a watch only what changed."""

from __future__ import annotations

from datetime import UTC

from uscdr.models import events as ev
from uscdr.models.checklists import NO_BASELINE, VERDICTS
from uscdr.ui.board import Board
from uscdr.ui.checkboard import CheckBoard
from uscdr.ui.style import Sentence, Span, Tone, Weight, line
from uscdr.words import duration, moment

VERDICT_TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "warn", "not checked": "warn"}
MOST_NAMED = 3
"""Failing checks that a heartbeat names."""


def check_sentence(event: ev.CheckFinished) -> Sentence:
    """A verdict with its evidence."""
    weight: Weight = "quiet" if event.verdict == "pass" else "loud"
    return Sentence(line(verdict_span(event.verdict), f" {event.check}: {event.evidence}"), weight)


def verdict_span(verdict: str) -> Span:
    """A verdict's word in its colour."""
    return Span(verdict, VERDICT_TONES.get(verdict, "warn"))


def baseline_words(checks: CheckBoard) -> str:
    """What counts are compared with."""
    at = checks.baseline_at
    return f"compared with the baseline of {moment(at)}" if at else NO_BASELINE


def check_sentences(event: ev.ChecksStarted | ev.CheckFinished | ev.ChecksFinished, board: Board) -> list[Sentence]:
    """The sentences for one event of a round, after `board` has taken it in."""
    checks = board.checks
    match event:
        case ev.ChecksStarted(round=1):
            words = f"{len(event.checks)} checks for {event.items} lines of the checklists; {baseline_words(checks)}"
            return [Sentence(line(words), "quiet")]
        case ev.CheckFinished() if checks.round <= 1:
            return [_ended(event, board), *_why(event)]
        case ev.ChecksFinished() if event.round > 1 or event.next_at:
            changes = [sentence for change in event.changed for sentence in _change(change, checks)]
            return [*changes, Sentence(line(heartbeat(event, checks)), "quiet")]
        case _:
            return []


def _ended(event: ev.CheckFinished, board: Board) -> Sentence:
    told = check_sentence(event)
    if not board.only_looks:
        return told
    return Sentence((*told.spans, Span(f" ({duration(event.seconds)})", "dim")), told.weight)


def _why(event: ev.CheckFinished) -> list[Sentence]:
    if event.verdict == "pass" or not event.why:
        return []
    return [Sentence(line(Span("  why ", "dim"), event.why), "loud")]


def _change(change: str, checks: CheckBoard) -> list[Sentence]:
    """`change` is `name: pass -> fail`."""
    row = checks.rows.get(change.partition(": ")[0])
    if row is None or row.ended is None:
        return [Sentence(line(Span("changed", "strong"), f" {change}"), "loud")]
    head = Span("changed", VERDICT_TONES[row.ended.verdict])
    return [Sentence(line(head, f" {change}: {row.ended.evidence}"), "loud"), *_why(row.ended)]


def heartbeat(event: ev.ChecksFinished, checks: CheckBoard) -> str:
    """A round in one line: `round 3: 45 checks, 1 failing (tls), 2 inconclusive; next at 04:22Z`."""
    verdicts = checks.verdicts
    failing = [row.name for row in checks.rows.values() if row.ended and row.ended.verdict == "fail"]
    named = f" ({', '.join(failing[:MOST_NAMED])}{' …' if len(failing) > MOST_NAMED else ''})" if failing else ""
    words = [f"round {event.round}: {len(checks.rows)} checks, {len(failing)} failing{named}"]
    words += [f"{verdicts.count(one)} {one}" for one in VERDICTS[2:] if one in verdicts]
    following = f"next at {event.next_at.astimezone(UTC):%H:%M}Z" if event.next_at else "that was the last one"
    return f"{', '.join(words)}; {following}"
