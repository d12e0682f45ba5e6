"""The pictures of an incident's report: steps against their budgets, and notices against their clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from uscdr.incident.notice_clock import whom
from uscdr.incident.report_sections import notice_verdict
from uscdr.models.base import elapsed
from uscdr.pages.drawing import Drawing
from uscdr.report.model import span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uscdr.incident.report import IncidentReport, ReportedNotice, ReportedRecovery, ReportedStep
    from uscdr.report.model import PhaseReport

TOP, ROW, HEAD, LONGEST = 34, 34, 44, 54
"""Pixels above the first row, of a row, of a phase's row; letters of a label on a phone."""
_EDGE = 1.5
"""Percent that stay free at both sides, so that marks are whole."""


@dataclass(frozen=True)
class _TimeScale:
    """Times as percent of a picture's width."""

    begin: datetime
    end: datetime

    @classmethod
    def over(cls, times: Iterable[datetime]) -> _TimeScale:
        """From the first to the last of at least one time."""
        known = list(times)
        return cls(min(known), max(*known, min(known) + timedelta(seconds=1)))

    def at(self, time: datetime) -> float:
        """The place of a time."""
        whole = (self.end - self.begin).total_seconds()
        return _EDGE + (100 - 2 * _EDGE) * min(1.0, elapsed(self.begin, time) / whole)

    def axis(self, drawing: Drawing) -> None:
        """Times at the top and lines down through the picture."""
        days = self.begin.astimezone(UTC).date() != self.end.astimezone(UTC).date()
        form = "%m-%d %H:%M" if days else "%H:%M"
        for part, side in ((0.0, "start"), (0.25, ""), (0.5, "middle"), (0.75, ""), (1.0, "end")):
            when = self.begin + (self.end - self.begin) * part
            x = self.at(when)
            drawing.line(x, TOP - 12, x, drawing.height - 4, "rule")
            if side:
                drawing.text(x, TOP - 18, f"{when.astimezone(UTC):{form}}", side, "small")  # type: ignore[arg-type]


def steps_picture(recovery: ReportedRecovery) -> Drawing | None:
    """Each phase with its budget as a frame, and the bars of its steps below; None if no step began."""
    begun = [step for step in recovery.steps if step.started_at]
    phases = [one for one in recovery.phases if any(step.phase == one.name for step in begun)]
    if not phases:
        return None
    times = [at for step in begun for at in (step.started_at, step.ended_at) if at]
    times += [_first(begun, one) + timedelta(seconds=one.budget_seconds or 0.0) for one in phases]
    scale = _TimeScale.over(times)
    made = Drawing(
        f"Steps of the recovery of {recovery.scenario} against their budgets",
        "; ".join(map(_phase_words, phases)),
        TOP + HEAD * len(phases) + ROW * len(begun) + 8,
    )
    scale.axis(made)
    y = float(TOP)
    for phase in phases:
        _phase_row(made, scale, phase, _first(begun, phase), y)
        y += HEAD
        for step in (one for one in begun if one.phase == phase.name):
            _step_row(made, scale, step, y, over=phase.over)
            y += ROW
    return made


def _first(steps: Sequence[ReportedStep], phase: PhaseReport) -> datetime:
    return min(step.started_at for step in steps if step.phase == phase.name and step.started_at)


def _phase_words(phase: PhaseReport) -> str:
    if not phase.budget_seconds:
        return f"{phase.name}: {span(phase.seconds)}, no budget"
    verdict = "OVER its budget of" if phase.over else "of"
    return f"{phase.name}: {span(phase.seconds)} {verdict} {span(phase.budget_seconds)}"


def _phase_row(made: Drawing, scale: _TimeScale, phase: PhaseReport, first: datetime, y: float) -> None:
    words = _phase_words(phase)
    made.text(_EDGE, y + 16, words, "start", "bold")
    x = scale.at(first)
    made.bar(x, y + 22, _width(scale, first, phase.seconds or 0.0), 10, "bad-bar" if phase.over else "bar", words)
    if phase.budget_seconds:
        made.bar(x, y + 20, _width(scale, first, phase.budget_seconds), 14, "frame", f"budget of {words}")


def _width(scale: _TimeScale, first: datetime, seconds: float) -> float:
    return scale.at(first + timedelta(seconds=seconds)) - scale.at(first)


def _step_row(made: Drawing, scale: _TimeScale, step: ReportedStep, y: float, *, over: bool) -> None:
    if step.started_at is None:
        return
    bad = step.status in ("failed", "unknown")
    state = "" if step.status == "done" else f" ({step.status})"
    taken = f": {span(step.seconds)}{state}"
    words = step.title + taken
    made.text(_EDGE, y + 12, _short(step.title, LONGEST - len(taken)) + taken, "start", "small")
    kind = "bad-bar" if bad else "over-bar" if over else "step-bar"
    made.bar(scale.at(step.started_at), y + 17, _width(scale, step.started_at, step.seconds or 0.0), 9, kind, words)


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def notices_picture(report: IncidentReport) -> Drawing | None:
    """For each notice when it was due and when people were told, on one line of time; None without notices."""
    times = report.times
    facts = [("outage", times.outage_at), ("detected", times.detected_at), ("restored", times.restored_at)]
    marks = [(name, at) for name, at in facts if at]
    notices = [one for one in report.notices if one.due_at or one.sent_at]
    if not notices:
        return None
    ends = [at for one in notices for at in (one.due_at, one.sent_at) if at]
    scale = _TimeScale.over([*(at for _, at in marks), *ends])
    height = TOP + ROW * (len(notices) + len(marks)) + 8
    made = Drawing("Notices against their clock", "; ".join(map(_notice_words, notices)), height)
    scale.axis(made)
    y = float(TOP)
    for name, at in marks:
        made.line(scale.at(at), y + 20, scale.at(at), made.height - 4, "fact")
        made.mark(scale.at(at), y + 22, "dot", "ink", name)
        made.text(_EDGE, y + 12, f"{name.capitalize()} {at.astimezone(UTC):%H:%M}", "start", "bold")
        y += ROW
    for one in notices:
        _notice_row(made, scale, one, y)
        y += ROW
    return made


def _notice_words(one: ReportedNotice) -> str:
    due = [f"due {one.due_at.astimezone(UTC):%H:%M}"] if one.due_at else []
    sent = [f"told {one.sent_at.astimezone(UTC):%H:%M}"] if one.sent_at else []
    stage = "restored" if one.stage == "completion" else one.stage
    readers = whom(one.readers).removeprefix("the ").capitalize()
    return f"{readers}, {stage}: {notice_verdict(one)} ({', '.join(due + sent)})"


def _notice_row(made: Drawing, scale: _TimeScale, one: ReportedNotice, y: float) -> None:
    words, bad = _notice_words(one), one.verdict in ("late", "missed", "overdue")
    made.text(_EDGE, y + 12, words, "start", "small")
    if one.due_at and one.sent_at:
        made.line(scale.at(one.due_at), y + 22, scale.at(one.sent_at), y + 22, "bad-line" if bad else "good-line")
    if one.due_at:
        made.mark(scale.at(one.due_at), y + 22, "diamond", "hollow", words)
    if one.sent_at:
        made.mark(scale.at(one.sent_at), y + 22, "dot", "bad" if bad else "good", words)
    elif bad and one.due_at:
        made.mark(scale.at(one.due_at), y + 22, "cross", "bad-line", words)
