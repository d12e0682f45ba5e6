"""The text of each event, the same on a terminal and in a log."""

from __future__ import annotations

from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING

from uscdr.models import events as ev
from uscdr.models.causes import SharedCause
from uscdr.models.runs import LIST_TITLES, VERDICTS, Tally
from uscdr.ui.text import Line, Sentence, Span, Tone, Weight, line, painted, wrap
from uscdr.words import amount, duration, escape, is_size, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from uscdr.models.base import Event
    from uscdr.models.events import CheckFinished, ChecklistResult, ChecksFinished
    from uscdr.ui.board import Board, CheckBoard
    from uscdr.ui.console import Output

# The text of checks: every check in a verification, only changes in later rounds of a watch.


VERDICT_TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "warn", "not checked": "warn"}
MOST_NAMED = 3
"""The most failing checks that a heartbeat names."""


def news_sentence(event: ev.CheckFinished | ev.Note) -> Sentence:
    """A verdict with its evidence, or a note; a warning says so."""
    match event:
        case ev.CheckFinished():
            weight: Weight = "quiet" if event.verdict == "pass" else "loud"
            return Sentence(line(_verdict_span(event.verdict), f" {event.check}: {event.evidence}"), weight)
        case ev.Note(level="warning"):
            return Sentence(line(Span("warning", "warn"), f" {event.text}"), "loud")
        case _:
            return Sentence(line(Span("note", "dim"), f" {event.text}"))


def _verdict_span(verdict: str) -> Span:
    """A verdict in its colour."""
    return Span(verdict, VERDICT_TONES.get(verdict, "warn"))


def _check_sentences(event: ev.ChecksStarted | ev.CheckFinished | ev.ChecksFinished, board: Board) -> list[Sentence]:
    """The sentences for one event of a round, after `board` has processed it."""
    checks = board.checks
    match event:
        case ev.ChecksStarted(round=1):
            lines = plural(event.items, "line")
            words = f"{plural(len(event.checks), 'check')} for {lines} of the checklists; {checks.baseline}"
            return [Sentence(line(words), "quiet")]
        case ev.CheckFinished() if checks.round <= 1:
            return [] if _told_before(event, checks) else [_ended(event, board), *_why(event)]
        case ev.ChecksFinished(round=1, next_at=None):
            return [_shared(cause) for cause in checks.causes]
        case ev.ChecksFinished() if event.round > 1 or event.next_at:
            changes = [sentence for change in event.changed for sentence in _change(change, checks)]
            return [*changes, Sentence(line(_heartbeat(event, checks)), "quiet")]
        case _:
            return []


def _told_before(event: ev.CheckFinished, checks: CheckBoard) -> bool:
    """Whether another check of the round has no answer for the same cause: the end of the round counts them."""
    same = [row for row in checks.rows.values() if row.ended and row.ended.cause == event.cause]
    return bool(event.cause) and event.verdict == "inconclusive" and len(same) > 1


def _shared(cause: SharedCause) -> Sentence:
    words = f" {cause.words}: {plural(len(cause.checks), 'check')}: {', '.join(cause.checks)}"
    return Sentence(line(Span("one cause", "warn"), words), "loud")


def _ended(event: ev.CheckFinished, board: Board) -> Sentence:
    told = news_sentence(event)
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


def _heartbeat(event: ev.ChecksFinished, checks: CheckBoard) -> str:
    """A round in one line: `round 3: 45 checks, 1 failing (tls), 2 inconclusive; next at 04:22Z`."""
    verdicts = checks.verdicts
    failing = [row.name for row in checks.rows.values() if row.ended and row.ended.verdict == "fail"]
    named = f" ({', '.join(failing[:MOST_NAMED])}{' …' if len(failing) > MOST_NAMED else ''})" if failing else ""
    words = [f"round {event.round}: {plural(len(checks.rows), 'check')}, {len(failing)} failing{named}"]
    words += [f"{verdicts.count(one)} {one}" for one in VERDICTS[2:] if one in verdicts]
    following = f"next at {event.next_at.astimezone(UTC):%H:%M}Z" if event.next_at else "that was the last round"
    return f"{', '.join(words)}; {following}"


def progress_words(progress: ev.StepProgress, eta: float | None) -> str:
    """Progress as `12.3 MB of 34.8 MB, 35 %, about 2 min left, note`."""
    words = []
    if progress.done is not None and progress.total:
        total = amount(progress.total, progress.unit)
        done = amount(progress.done, progress.unit if is_size(progress.unit) else "")
        words += [f"{done} of {total}", f"{progress.done / progress.total:.0%}"]
    elif progress.done:  # nothing yet, of nobody knows how much: no figure
        words.append(amount(progress.done, progress.unit))
    if eta is not None:
        words.append(f"about {duration(eta)} left")
    if progress.note:
        words.append(progress.note)
    return ", ".join(words) or "in progress"


def sentences(event: Event, board: Board) -> list[Sentence]:
    """The sentences for one event, after `board` has processed it. Progress events have none."""
    match event:
        case ev.RunStarted() | ev.RunResumed() | ev.PlanReady() | ev.RunFinished():
            return _run(event, board)
        case ev.ChecksStarted() | ev.CheckFinished() | ev.ChecksFinished():
            return _check_sentences(event, board)
        case ev.GateAsked() | ev.GateAnswered() | ev.Note():
            return _news(event)
        case ev.StepStarted() | ev.StepAccepted() | ev.StepSucceeded() | ev.StepSkipped():
            return [_step(event, board.label_of(event.step), _usual(event, board))]
        case ev.StepFailed() | ev.StepSettled():
            step = board.step(event.step)
            return _trouble(event, board.label_of(event.step), writes=bool(step and step.writes))
        case _:
            return []


def _run(event: ev.RunStarted | ev.RunResumed | ev.PlanReady | ev.RunFinished, board: Board) -> list[Sentence]:
    match event:
        case ev.RunStarted():
            who = f"{event.user} on {event.host}, uscdr {event.version}"
            head = Span(board.title, "title")
            first = Sentence(line(head, f": run {board.run} by {who}"))
            if not board.recovers:
                return [first]
            goal = (
                f"service back within {duration(event.rto_seconds)} {event.rto_basis()}, "
                f"at most {duration(event.rpo_seconds)} lost"
            )
            return [first, Sentence(line(f"objective: {goal}"))]
        case ev.RunResumed():
            return [
                Sentence(line(Span("resumed", "strong"), f" by {event.user} on {event.host}, uscdr {event.version}"))
            ]
        case ev.PlanReady():
            return [Sentence(line(_plan_words(event))), *_forecast_sentences(event)]
        case _:
            return _finish_sentences(event)


def _forecast_sentences(plan: ev.PlanReady) -> list[Sentence]:
    """The expected end, and a warning if the RTO will or may be missed."""
    told = plan.forecast
    if told is None or not told.steps:
        return []
    first = told.steps[0].id
    found = [Sentence(line(words)) for words in told.expected(told.made_at, first)]
    warning = told.warning(told.made_at, first)
    return [*found, *([Sentence(line(Span("warning", "warn"), f" {warning}"), "loud")] if warning else [])]


def _plan_words(plan: ev.PlanReady) -> str:
    """The plan in one line: the numbers of steps, of writes and of destructive steps, and the digest."""
    writing = [step for step in plan.steps if step.will_write]
    writes, destroys = len(writing), sum(step.destroys for step in writing)
    blocked = sum(step.action == "blocked" for step in plan.steps)
    words = [f"plan: {plural(len(plan.steps), 'step')}, {_do(writes, 'write')}, {_do(destroys, 'destroy')}"]
    if blocked:
        words.append(f"{blocked} BLOCKED")
    return f"{', '.join(words)} (digest {plan.digest[:12]})"


def _do(count: int, verb: str) -> str:
    return f"{count} {verb}{'s' if count == 1 else ''}"


def _finish_sentences(event: ev.RunFinished) -> list[Sentence]:
    """The outcome of the run, the state it left, and the follow-up tasks."""
    tone: Tone = "good" if event.outcome == "done" else "bad"
    head = Span({"done": "finished", "unknown": "OUTCOME UNKNOWN"}.get(event.outcome, event.outcome.upper()), tone)
    found = [Sentence(line(head, f": {event.summary} (exit code {event.exit_code})"), "loud")]
    found += [Sentence(line(Span("  left ", "dim"), f"{name}: {state}"), "loud") for name, state in event.left.items()]
    found += [Sentence(line(Span("  later ", "dim"), text)) for text in event.follow_up]
    return found


def _news(event: ev.GateAsked | ev.GateAnswered | ev.Note) -> list[Sentence]:
    match event:
        case ev.GateAsked():
            facts = "; ".join(f"{name}: {value}" for name, value in event.facts.items())
            # The prompt shows the facts on a terminal; a log needs them here.
            return [Sentence(line(Span("confirmation asked", "strong"), f": {facts}"), "quiet")]
        case ev.GateAnswered(confirmed=True):
            return [Sentence(line(Span("confirmed", "good"), f" ({event.by})"))]
        case ev.GateAnswered():
            return [Sentence(line(Span("declined", "bad"), f" ({event.by})"), "loud")]
        case _:
            return [news_sentence(event)]


def _usual(event: Event, board: Board) -> str:
    """How long a step that starts took in earlier runs; empty if nothing is known."""
    told = board.forecast.of(event.step) if board.forecast and isinstance(event, ev.StepStarted) else None
    return f"; {told.usual}" if told and told.usual else ""


def _step(
    event: ev.StepStarted | ev.StepAccepted | ev.StepSucceeded | ev.StepSkipped, name: str, usual: str
) -> Sentence:
    match event:
        case ev.StepStarted():
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            return Sentence(line(Span("start", "dim"), f" {name}{again}", Span(usual, "dim")), "quiet")
        case ev.StepAccepted():
            return Sentence(
                line(Span("accepted", "dim"), f" {name}: the provider's id is {event.provider_id}"), "quiet"
            )
        case ev.StepSucceeded():
            how = "was already done" if event.adopted else duration(event.seconds)
            return Sentence(line(Span("done", "good"), f" {name}: {event.summary} ", Span(f"({how})", "dim")))
        case _:
            return Sentence(line(Span("skip", "dim"), f" {name}: {event.reason}"))


def _trouble(event: ev.StepFailed | ev.StepSettled, name: str, *, writes: bool) -> list[Sentence]:
    if isinstance(event, ev.StepSettled):
        words = f" {name}: looked at {event.looked_at}; found {event.found}; decision: {event.decision}"
        return [Sentence(line(Span("settled", "strong"), words))]
    head = Span("FAILED" if event.known else "UNKNOWN", "bad") if event.begun else Span("not begun", "warn")
    untouched = " This step changed nothing." if writes and event.begun and not event.changed else ""
    found = [Sentence(line(head, f" {name}: {event.message}{untouched}"), "loud")]
    if event.why:
        found.append(Sentence(line(Span("  why ", "dim"), event.why), "loud"))
    if event.next_action and event.begun:  # of a step that was not begun, the end of the run tells what to do
        found.append(Sentence(line(Span("  next ", "dim"), Span(event.next_action, "strong")), "loud"))
    return found


# The result of a round of checks: the lines of the runbook's checklists with their verdicts, and the totals.


VERDICT = 14
"""Columns of the verdict."""
INDENT = 2
LEAST = 24
"""The least width for text, even on a narrower terminal."""


def show_result(finished: ChecksFinished, checks: Iterable[CheckFinished], output: Output) -> None:
    """Show the result on stdout; wrapped at the width of a terminal, not wrapped in a pipe."""
    width = output.out.width if output.out.is_tty else None
    color = output.color_on(output.out)
    lines = _result_lines(finished, checks, width)
    output.out.offer("".join(painted(spans, color=color) + "\n" for spans in lines))


def _result_lines(finished: ChecksFinished, checks: Iterable[CheckFinished], width: int | None = None) -> list[Line]:
    """Each selected line of the checklists with its verdict, the reason if it did not pass, and the totals at the end.

    `checks` are those of the same round. Text is wrapped at `width` columns, if given. If a check belongs to several
    lines, its advice appears once.
    """
    ended, advised = {check.check: check for check in checks}, set[str]()
    causes = SharedCause.among(ended.values())
    grouped = {name for cause in causes for name in cause.checks}
    lines: list[Line] = [spans for cause in causes for spans in _cause(cause, width)]
    for key, items in groupby(finished.items, key=lambda item: item.list):
        lines.append(line(Span(LIST_TITLES.get(key, key), "title")))
        for item in items:
            lines += _item(item, ended, advised, grouped, width)
            advised.update(item.checks)
        lines.append(())
    lines += _others(finished, ended, grouped, width)
    verdicts = [item.verdict for item in finished.items]
    tone: Tone = "good" if set(verdicts) == {"pass"} else "bad"
    words = Tally(verdicts).of_lines(skipped_manual=finished.skipped_manual)
    return [*lines, *(line(Span(piece, tone)) for piece in (wrap(words, width) if width else [words]))]


def _cause(cause: SharedCause, width: int | None) -> list[Line]:
    """A cause of many failures, told once."""
    head = f"One cause of {plural(len(cause.checks), 'check')} without a pass: {cause.words}"
    lines = [line(Span(piece, "title")) for piece in _broken(head, width)]
    lines += _below(Span("seen", "dim"), cause.evidence, width)
    return [*lines, *_below(Span("checks", "dim"), ", ".join(cause.checks), width), ()]


def _item(
    item: ChecklistResult,
    ended: Mapping[str, CheckFinished],
    advised: set[str],
    grouped: Collection[str],
    width: int | None,
) -> list[Line]:
    names = f"{item.item} ({', '.join(item.checks) or 'no check ran'})"
    lines = _beside(_verdict_span(item.verdict), names, width)
    for name in item.checks:
        check = ended.get(name)
        if check is None:
            lines += _below(Span("inconclusive", "warn"), f"{name}: it did not end", width)
        elif check.verdict != "pass" and name not in grouped:
            lines += _reasons(check, width, advice=name not in advised)
    if item.skipped:
        lines += _below(Span("skipped", "warn"), ", ".join(item.skipped), width)
    return lines


def _reasons(check: CheckFinished, width: int | None, *, advice: bool = True) -> list[Line]:
    lines = _below(_verdict_span(check.verdict), f"{check.check}: {check.evidence}", width)
    return lines + (_below(Span("why", "dim"), check.why, width) if check.why and advice else [])


def _others(
    finished: ChecksFinished, ended: Mapping[str, CheckFinished], grouped: Collection[str], width: int | None
) -> list[Line]:
    """Checks that did not pass and belong to no line, so that every failure is shown."""
    named = {name for item in finished.items for name in item.checks} | set(grouped)
    found = [check for check in ended.values() if check.check not in named and check.verdict != "pass"]
    if not found:
        return []
    lines = [line(Span("Checks outside of the checklists", "title"))]
    return [*lines, *(spans for check in found for spans in _reasons(check, width)), ()]


def _beside(verdict: Span, text: str, width: int | None) -> list[Line]:
    pieces = _broken(text, None if width is None else width - INDENT - VERDICT)
    first = line(" " * INDENT, Span(f"{verdict.text:<{VERDICT}}", verdict.tone), pieces[0])
    return [first, *(line(" " * (INDENT + VERDICT), piece) for piece in pieces[1:])]


def _below(head: Span, text: str, width: int | None) -> list[Line]:
    indent = INDENT + VERDICT
    pieces = _broken(f"{head.text} {text}", None if width is None else width - indent - INDENT)
    rest = [line(" " * (indent + INDENT), piece) for piece in pieces[1:]]
    return [line(" " * indent, head, pieces[0].removeprefix(head.text)), *rest]


def _broken(text: str, room: int | None) -> list[str]:
    # Escape the text before measuring it: escaped text is longer.
    return wrap(escape(text), max(room, LEAST)) if room is not None else [text]
