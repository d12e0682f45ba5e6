"""What `uscdr incident report` and `uscdr incident list --trend` do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from uscdr import clock
from uscdr.commands.housekeeping import look_around, state
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.errors import BadInput, ExitCode
from uscdr.files import publish
from uscdr.incident.ledger import IncidentJournal, incidents_here
from uscdr.incident.open_incidents import known_incidents, open_incidents
from uscdr.incident.report import ChainHead
from uscdr.incident.report_texts import incident_markdown, incident_page
from uscdr.incident.reporting import IncidentEvidence, incident_report
from uscdr.incident.state import ordered
from uscdr.journal.reader import Journal
from uscdr.journal.runs import LocalRuns
from uscdr.report.objectives import build
from uscdr.ui.console import json_text
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table
from uscdr.words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.incident.report import IncidentReport
    from uscdr.incident.state import Incident
    from uscdr.incident.trend import TrendPoint
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

Format = Literal["markdown", "json", "html"]
_ENDINGS: dict[str, Format] = {
    "": "markdown", ".txt": "markdown", ".md": "markdown", ".markdown": "markdown", ".json": "json", ".html": "html",
    ".htm": "html",
}  # fmt: skip
_WHERE = "Pass --output with a file in a directory that you may write to."


@dataclass(frozen=True)
class ReportOptions:
    """The options of `incident report`."""

    wanted: str | None = None
    form: str | None = None
    output: Path | None = None


def report(target: Target, output: Output, asked: ReportOptions) -> int:
    """Print the report, or write it to a file. Raises JournalError if one byte of its journals was changed."""
    form = _format_of(asked)
    desk = IncidentDesk(target, output)
    look_around(output)
    found = _wanted(desk, asked.wanted)
    made = incident_report(desk.require_whole(found), desk.target.config.incident.review, desk.now)
    if asked.output is None and output.json_lines:
        output.record(Schema.INCIDENT_REPORT, made.model_dump(mode="json"))
    elif asked.output is None:
        output.result(_text(made, form).rstrip("\n"))
    else:
        publish(asked.output, _text(made, form).encode(), _WHERE)
        draft = f" It is a draft: {plural(len(made.unfinished), 'thing is', 'things are')} open." if made.draft else ""
        output.say(f"uscdr wrote the report of {made.incident} to {asked.output}.{draft}")
    return int(ExitCode.DONE)


def _format_of(asked: ReportOptions) -> Format:
    """The format that is named, else that of the file's name, else Markdown. Raises BadInput."""
    match asked.form:
        case "markdown" | "json" | "html" as known:
            return known
        case str():
            known_forms = ", ".join(get_args(Format))
            raise BadInput(f"“{asked.form}” is not a format.", next_action=f"Pass one of: {known_forms}.")
    ending = ".md" if asked.output is None else asked.output.suffix.lower()
    if ending not in _ENDINGS:
        raise BadInput(
            f"uscdr makes no report in the format {ending}.",
            next_action="Name the file .md, .html or .json, or pass --format. For a PDF print the HTML report.",
        )
    return _ENDINGS[ending]


def _text(made: IncidentReport, form: Format) -> str:
    if form == "json":
        return json_text(Schema.INCIDENT_REPORT, made.model_dump(mode="json"), indent=2)
    if form == "html":
        return incident_page(made)
    return incident_markdown(made)


def _wanted(desk: IncidentDesk, wanted: str | None) -> Incident:
    """The incident that is named, else the open one of the target, else the newest one of it.

    Raises JournalError for a journal of which not even the target can be read: it may be the wanted one.
    """
    if wanted is None:
        desk.refresh()
        for path in incidents_here(state()):
            seen = IncidentJournal.salvage(path)
            if not seen.records and seen.damage is not None:
                raise seen.damage
        if not open_incidents(state(), desk.target.key):
            closed = [one for one in known_incidents(state()) if one.opened.key == desk.target.key]
            if closed:
                return desk.current(closed[-1].id)
    return desk.find(wanted)


def show_trend(output: Output, page: Path | None) -> None:
    """Print the history of RTO and RPO, and write it as a page. Journals that are damaged are named, not guessed."""
    look_around(output)
    points, unread = _history()
    for words in unread:
        output.warn(words)
    if output.json_lines:
        for one in points:
            output.record(Schema.TREND, one.model_dump(mode="json"))
    else:
        from uscdr.incident.trend import trend_rows

        draw_table(trend_rows(points), output, plain=True, empty="No incident, drill or recovery is known here.")
    if page is not None:
        from uscdr.incident.trend import trend_page

        publish(page, trend_page(points, unread, clock.system_time()).encode(), _WHERE)
        output.say(f"uscdr wrote the history to {page}.")


def _history() -> tuple[tuple[TrendPoint, ...], list[str]]:
    """The points of all intact journals, and a sentence for each of the others."""
    from uscdr.incident.trend import trend

    journals = {path.parent.name: Journal.salvage(path) for path in LocalRuns(state()).journals()}
    unread = [f"The journal of run {run} is damaged and not in the history. See: uscdr runs show {run}"
              for run, one in journals.items() if one.damage is not None]  # fmt: skip
    runs = {run: build(one.stamped, last_hash=one.last_hash) for run, one in journals.items() if one.damage is None}
    incidents, owners, now = [], dict[str, str](), clock.system_time()
    for path in incidents_here(state()):
        seen = IncidentJournal.salvage(path)
        if seen.damage is not None:
            unread.append(f"The journal of incident {seen.incident} is damaged and not in the history.")
            continue
        head = ChainHead(journal=path.name, events=len(seen.records), last_hash=seen.last_hash)
        records = ordered(seen.records)
        linked = [one.event.run for one in records if one.event.kind == "run.linked"]
        owners |= dict.fromkeys(linked, seen.incident)
        known = [runs[run] for run in dict.fromkeys(linked) if run in runs]
        incidents.append(incident_report(IncidentEvidence(records, known, (head,)), (), now))
    return trend(incidents, list(runs.values()), owners), unread
