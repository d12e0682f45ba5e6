"""The outcome of a run in at most fifteen lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.base import elapsed
from uscdr.models.causes import SharedCause
from uscdr.models.runs import Tally
from uscdr.report.model import count
from uscdr.report.position import Position
from uscdr.words import duration, escape, first_of, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from uscdr.report.model import RunReport

MOST_LINES = 15
MOST_ITEMS = 3
"""The most entries of a list that are named; the others are counted."""
MOST_FOUND = 8
"""The most failed checks that get their own line."""


def summarise(
    report: RunReport, *, journal: str = "", report_path: str = "", now: datetime | None = None, state: str = ""
) -> str:
    """The summary as text without a trailing newline, with the given paths.

    `now` is the time, and `state` the state in words, of a run without an end.
    """
    what = f"{report.scenario or 'run'} of {report.app} ({report.target})"
    ended = f"{'DRY RUN' if report.dry_run else report.outcome.upper()}: {what}: {report.summary}"
    lines = [f"{what}: {state}" if report.outcome == "unfinished" and state else ended]
    if report.only_looks:
        lines += _round(report)
    elif not report.dry_run:
        lines += _work(report, now)
    tail = [f"{name}: {path}" for name, path in (("Journal", journal), ("Report", report_path)) if path]
    left = [f"{name}: {state}" for name, state in report.left.items()]
    lines += [f"State left: {first_of(left, MOST_ITEMS, '; ')}"] if left else []
    lines += [] if report.dry_run else _tasks(report.follow_up)
    return "\n".join(escape(text) for text in (*lines[: MOST_LINES - len(tail)], *tail))


def _work(report: RunReport, now: datetime | None) -> list[str]:
    """Where the run stands, its objectives, and what became of the data: only what the run got to."""
    over, untouched = report.outcome == "done", not report.changed
    lines = [] if over else [f"Run: {report.run} {Position(report).words}"]
    if not over and report.outcome != "unfinished" and untouched:
        return [*lines, "Changed: nothing"]
    if report.recovers:
        lines.append(f"RTO: {_recovery_time(report, now)}")
        lines += [f"RPO: {report.rpo.words}", *_rows(report)] if report.overwrites else _rows_to_lose(report)
        lines += _checks(report)
    return lines


def _recovery_time(report: RunReport, now: datetime | None) -> str:
    """The RTO; while service is not restored, the time that has passed."""
    end = report.ended_at or now
    if report.rto.verdict != "not known" or report.rto_from is None or end is None:
        return report.rto.words
    spent = duration(elapsed(report.rto_from, end))
    return f"{spent} of {duration(report.rto.target_seconds)} have passed ({report.rto.basis})"


def _rows_to_lose(report: RunReport) -> list[str]:
    data = report.data
    if data.rows_before is None or data.rows_backup is None:
        return []
    least = "at least " if data.before_at_least else ""
    lost = f", a restore loses {data.lost}" if data.rows_lost is not None else ""
    now = f"{least}{count(data.rows_before)} now, {count(data.rows_backup)} in the backup"
    return [f"Rows: {now}{lost}; none overwritten"]


def _rows(report: RunReport) -> list[str]:
    data = report.data
    known = (data.rows_before, data.rows_backup, data.rows_after, data.rows_lost)
    if all(number is None for number in known):
        return []
    lines = [f"Rows: {data.rows}, {data.losses}"]
    losses = [f"{table.table} {count(table.lost)}" for table in data.tables if table.lost and not table.volatile]
    return lines + ([f"Lost by table: {first_of(losses, MOST_ITEMS)}"] if losses else [])


def _checks(report: RunReport) -> list[str]:
    verdicts = [check.verdict for check in (*report.checks, *(report.round.checks if report.round else ()))]
    return [f"Checks of the whole run: {Tally(verdicts).words}"] if verdicts else []


def _round(report: RunReport) -> list[str]:
    """The totals of the newest round, and the checks that did not pass."""
    one, last = report.round, report.cut_off
    lines = [f"Result: {report.result}"]
    if one is None:
        return lines
    number = f"round {one.number} of {len(report.rounds)}, " if len(report.rounds) > 1 else ""
    lines.append(f"Checks: {number}{one.progress}; {one.baseline}")
    lines += [f"Stopped early: round {last.number}, {last.progress}"] if last else []
    grave = [*(last.not_passed if last else ()), *one.not_passed]
    causes = SharedCause.among(one.not_passed)
    grouped = {name for cause in causes for name in cause.checks}
    found = [f"one cause: {plural(len(cause.checks), 'check')}: {cause.words}" for cause in causes]
    found += [f"{check.verdict}: {check.check}: {check.evidence}" for check in grave if check.check not in grouped]
    more = len(found) - MOST_FOUND
    return [*lines, *found[:MOST_FOUND], *([f"and {more:,} more in the report"] if more > 0 else [])]


def _tasks(tasks: Sequence[str]) -> list[str]:
    more = len(tasks) - MOST_ITEMS
    lines = [f"To do: {task}" for task in tasks[:MOST_ITEMS]]
    return lines + ([f"To do: {more} more in the report"] if more > 0 else [])
