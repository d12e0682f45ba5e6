"""Lists runs and reports one, from their journals. The list imports little, so it works on an overloaded machine."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import look_around, state
from uscdr.errors import BadInput
from uscdr.journal import runs
from uscdr.journal.reader import Journal
from uscdr.settings import Directories
from uscdr.ui.pasted import CARRIED
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import show_table
from uscdr.words import escape, moment, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from uscdr.report.model import RunReport
    from uscdr.report.position import Position
    from uscdr.ui.console import Output


def show_runs(output: Output) -> None:
    """Print every run on stdout, oldest first; with shared state, also those of other machines."""
    look_around(output)
    rows = [asdict(summary) for summary in runs.LocalRuns(Directories(os.environ).state).summaries()]
    if not output.json_lines:
        rows = [{**row, "started": _in_words(row["started"])} for row in rows]
    show_table(Schema.RUN, rows, output, plain=True, empty="No runs yet. To plan one: uscdr recover db --dry-run")


def _in_words(at: str) -> str:
    """A time of a journal; one that a damaged journal lost is empty."""
    return moment(datetime.fromisoformat(at)) if at else ""


def show_run(wanted: str | None, output: Output) -> None:
    """Print where a run stands on stdout, step by step. Raises the damage of its journal, after what is readable."""
    from uscdr.journal.lock import at_work
    from uscdr.report.position import Position

    loaded = _load(wanted, output)
    journal = loaded.journal
    if journal.is_copy:
        output.say(f"Another machine owns this run. Last operator: {journal.operator}.{_last_line(journal)}")
    position = Position(loaded.report, at_work(state(), journal.run), of_others=journal.is_copy)
    _show(loaded, output, lambda: _standing(loaded, position), position.facts)


def _last_line(journal: Journal) -> str:
    """When the other machine wrote the last line that is known here."""
    last = next((one for one in reversed(journal.records)), None)
    return f" Its last line that is known here: {moment(datetime.fromisoformat(last['at']))}." if last else ""


def _standing(loaded: _LoadedReport, position: Position) -> str:
    """The summary, every step with its state, what the run waits for, and the next command."""
    from uscdr.report.summary import summarise

    journal = str(loaded.journal.path)
    text = [summarise(loaded.report, journal=journal, now=datetime.now(UTC), state=position.run_state)]
    text += position.lines
    if position.waits_for:
        text.append(f"Waits for {position.waits_for}")
    if position.command:
        text.append(f"Next: {position.command}")
    return "\n".join(escape(one, keep_newlines=True) for one in text)


def report_run(wanted: str | None, output: Output) -> None:
    """Print the report of a run on stdout, as Markdown. Raises as `show_run`."""
    from uscdr.report.markdown import to_markdown

    loaded = _load(wanted, output)
    _show(loaded, output, lambda: to_markdown(loaded.report))


def times_of_run(wanted: str | None, output: Output) -> None:
    """Print on stdout what the time of a run was spent on, by step. Raises as `show_run`."""
    from uscdr.report.times import RunTimes

    look_around(output)
    journal = Journal.salvage(journal_of(wanted))
    if journal.lines:
        times = RunTimes.of(journal.stamped)
        if output.json_lines:
            output.record(Schema.RUN_TIMES, times.as_object())
        else:
            output.result(times.to_markdown())
    if journal.damage is not None:
        raise journal.damage


def _show(
    loaded: _LoadedReport, output: Output, words: Callable[[], str], more: Mapping[str, object] | None = None
) -> None:
    if output.json_lines:
        schema = Schema.RUN_REPORT if more is None else Schema.RUN_POSITION
        output.record(schema, {**loaded.report.model_dump(mode="json"), **(more or {})})
    else:
        output.result(words())
    if loaded.journal.damage is not None:
        raise loaded.journal.damage


def journal_of(wanted: str | None) -> Path:
    """The journal of run `wanted`, or of the run that is at work now, or of the newest run."""
    from uscdr.journal.lock import works

    if wanted is not None:
        return runs.LocalRuns(state()).find(wanted)
    every = list(runs.LocalRuns(state()).journals())
    if not every:
        raise BadInput("This machine has no runs yet.", next_action="Start with: uscdr recover db --dry-run")
    now = works(state())
    return next((path for path in reversed(every) if path.parent.name in now), every[-1])


@dataclass(frozen=True)
class _LoadedReport:
    """A journal as a report; of a damaged one, only the lines before the damage."""

    report: RunReport
    journal: Journal


def _load(wanted: str | None, output: Output) -> _LoadedReport:
    """Read a run's journal; warn when only its beginning is readable. Raises JournalError when none of it is."""
    from uscdr.report.objectives import build

    look_around(output)
    journal = Journal.salvage(journal_of(wanted))
    if journal.damage is not None:
        if not journal.lines:
            raise journal.damage
        read = plural(len(journal.lines), "line")
        output.warn(f"The journal is damaged. This shows only what comes before the damage: {read}.")
    report = build(journal.stamped, last_hash=journal.last_hash)
    CARRIED.on(report.target, os.environ)
    return _LoadedReport(report, journal)
