"""The outcome of a run in at most fifteen lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.runs import Tally
from uscdr.report.model import count
from uscdr.words import escape, first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.report.model import RunReport

MOST_LINES = 15
MOST_ITEMS = 3
"""The most entries of a list that are named; the others are counted."""
MOST_FOUND = 8
"""The most failed checks that get their own line."""


def summarise(report: RunReport, *, journal: str = "", report_path: str = "") -> str:
    """The summary as text without a trailing newline, with the given paths."""
    what = f"{report.scenario or 'run'} of {report.app} ({report.target})"
    lines = [f"{'DRY RUN' if report.dry_run else report.outcome.upper()}: {what}: {report.summary}"]
    if report.only_looks:
        lines += _round(report)
    elif report.recovers and not report.dry_run:
        lines += [f"RTO: {report.rto.words}", f"RPO: {report.rpo.words}"]
        lines += _rows(report) + _checks(report)
    tail = [f"{name}: {path}" for name, path in (("Journal", journal), ("Report", report_path)) if path]
    left = [f"{name}: {state}" for name, state in report.left.items()]
    lines += [f"State left: {first_of(left, MOST_ITEMS, '; ')}"] if left else []
    lines += [] if report.dry_run else _tasks(report.follow_up)
    return "\n".join(escape(text) for text in (*lines[: MOST_LINES - len(tail)], *tail))


def _rows(report: RunReport) -> list[str]:
    data = report.data
    known = (data.rows_before, data.rows_backup, data.rows_after, data.rows_lost)
    if all(number is None for number in known):
        return []
    lines = [f"Rows: {data.rows}, {data.lost} lost"]
    losses = [f"{table.table} {count(table.lost)}" for table in data.tables if table.lost and not table.volatile]
    return lines + ([f"Lost by table: {first_of(losses, MOST_ITEMS)}"] if losses else [])


def _checks(report: RunReport) -> list[str]:
    verdicts = [check.verdict for check in (*report.checks, *(report.round.checks if report.round else ()))]
    return [f"Checks: {Tally(verdicts).words}"] if verdicts else []


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
    found = [f"{check.verdict}: {check.check}: {check.evidence}" for check in grave]
    more = len(found) - MOST_FOUND
    return [*lines, *found[:MOST_FOUND], *([f"and {more} more in the report"] if more > 0 else [])]


def _tasks(tasks: Sequence[str]) -> list[str]:
    more = len(tasks) - MOST_ITEMS
    lines = [f"To do: {task}" for task in tasks[:MOST_ITEMS]]
    return lines + ([f"To do: {more} more in the report"] if more > 0 else [])
