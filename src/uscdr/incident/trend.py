"""The history of RTO and RPO over the incidents, drills and recoveries that this machine has journals of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from uscdr.incident.report_sections import ReportCell, ReportTable, tone_of
from uscdr.models.base import Fact
from uscdr.pages.drawing import Drawing
from uscdr.pages.rendering import rendered
from uscdr.report.model import UNKNOWN, ObjectiveReport, span
from uscdr.scenarios.config import SANDBOX
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.incident.report import IncidentReport
    from uscdr.pages.drawing import Mark
    from uscdr.report.model import RunReport

TrendKind = Literal["incident", "drill", "run"]
"""`drill`: on a sandbox. A run that belongs to an incident names it."""
_ROW, _TOP, _MOST = 40, 26, 200.0
"""Pixels of a row and above the first; percent of an objective at the right edge."""
KEY = (
    "The line in the middle is the objective; a bar that ends left of it met it. ● met, ✕ missed, ◇ no value. "
    "The values stand in words, too; a bar at the right edge may be longer."
)


class TrendPoint(Fact):
    """One incident or recovery with what it achieved."""

    at: datetime
    kind: TrendKind
    name: str
    scenario: str
    incident: str
    """The incident that the run belongs to; empty for none."""
    rto: ObjectiveReport
    rpo: ObjectiveReport


def trend(
    incidents: Sequence[IncidentReport], runs: Sequence[RunReport], owners: Mapping[str, str]
) -> tuple[TrendPoint, ...]:
    """The points, oldest first. Dry runs, and runs that recover nothing, are none. `owners`: run -> incident."""
    found = [_of_run(run, owners.get(run.run, "")) for run in runs if run.recovers and not run.dry_run]
    points = [*map(_of_incident, incidents), *(one for one in found if one is not None)]
    return tuple(sorted(points, key=lambda point: point.at))


def _of_run(run: RunReport, incident: str) -> TrendPoint | None:
    """None for a run of which not even the start is known."""
    if run.started_at is None:
        return None
    return TrendPoint(
        at=run.started_at, kind="drill" if run.target == SANDBOX else "run", name=run.run, scenario=run.scenario,
        incident=incident, rto=run.rto, rpo=run.rpo,
    )  # fmt: skip


def _of_incident(one: IncidentReport) -> TrendPoint:
    return TrendPoint(
        at=one.times.detected_at, kind="drill" if one.rehearsal else "incident", name=one.incident,
        scenario="incident", incident=one.incident, rto=one.rto, rpo=one.rpo,
    )  # fmt: skip


def trend_rows(points: Sequence[TrendPoint]) -> list[dict[str, object]]:
    """One row for each point, for a table of words."""
    return [
        {
            "when": moment(one.at), "kind": one.kind, "name": one.name, "scenario": one.scenario,
            "rto": _objective_words(one.rto), "rpo": _objective_words(one.rpo), "incident": one.incident,
        }
        for one in points
    ]  # fmt: skip


def _objective_words(one: ObjectiveReport) -> str:
    """`met: 41 min of 2 h`, `not known`, `does not apply`."""
    if one.achieved_seconds is None:
        return one.verdict
    return f"{one.verdict}: {one.achieved} of {span(one.target_seconds)}"


def trend_page(points: Sequence[TrendPoint], unread: Sequence[str], now: datetime) -> str:
    """The whole document; every value is escaped. `unread`: sentences about journals that are not in it."""
    pictures = [
        ("Service back (RTO)", _picture("RTO", points, lambda one: one.rto)),
        ("Data lost (RPO)", _picture("RPO", points, lambda one: one.rpo)),
    ]
    return rendered(
        "incident_trend", title="RTO and RPO over time", made_at=now, pictures=pictures, key=KEY,
        values=_values(points), unread=unread,
    )  # fmt: skip


def _values(points: Sequence[TrendPoint]) -> ReportTable:
    rows = tuple(
        (
            ReportCell(moment(one.at)), ReportCell(one.kind), ReportCell(one.name, "code"), ReportCell(one.scenario),
            ReportCell(_objective_words(one.rto), tone_of(one.rto.verdict)),
            ReportCell(_objective_words(one.rpo), tone_of(one.rpo.verdict)), ReportCell(one.incident or "-"),
        )
        for one in points
    )  # fmt: skip
    return ReportTable(("When (UTC)", "Kind", "Name", "Scenario", "RTO", "RPO", "Incident"), rows)


def _picture(name: str, points: Sequence[TrendPoint], which: Callable[[TrendPoint], ObjectiveReport]) -> Drawing:
    shown = [one for one in points if which(one).verdict != "does not apply"]
    words = "; ".join(f"{moment(one.at)}: {_objective_words(which(one))}" for one in shown) or "no values"
    made = Drawing(f"{name} of incidents, drills and runs against the objective", words, _TOP + _ROW * len(shown) + 8)
    made.text(50, 16, f"{name} objective", "middle", "small")
    for number, one in enumerate(shown):
        _point(made, one, which(one), float(_TOP + _ROW * number))
    return made


def _point(made: Drawing, point: TrendPoint, one: ObjectiveReport, y: float) -> None:
    words = f"{point.at:%Y-%m-%d} {point.kind} {point.scenario}: {_objective_words(one)}"
    made.line(50, y + 17, 50, y + 36, "goal")
    made.text(1, y + 13, words.replace(" incident incident:", " incident:"), "start", "small")
    marks: dict[str, tuple[Mark, str]] = {"met": ("dot", "good"), "missed": ("cross", "bad-line")}
    mark, kind = marks.get(one.verdict, ("diamond", "open"))
    if one.achieved_seconds is None:
        made.mark(50 if one.verdict == "missed" else 3, y + 26, mark, kind, words or UNKNOWN)
        return
    part = min(_MOST, 100 * one.achieved_seconds / one.target_seconds) if one.target_seconds else _MOST
    wide = 96 * part / _MOST
    made.bar(2, y + 20, wide, 12, "bad-bar" if one.verdict == "missed" else "bar", words)
    made.mark(2 + wide, y + 26, mark, kind, words)
