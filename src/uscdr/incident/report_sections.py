"""An incident's report as sections of lines and tables: the words of both its Markdown and its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from uscdr.incident.mapping import NOT_ADVICE, NOTHING
from uscdr.incident.notice_clock import STAGE_WORDS, whom
from uscdr.report.model import UNKNOWN, count, span
from uscdr.words import duration, moment, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from uscdr.incident.report import (
        IncidentReport,
        ReportedAction,
        ReportedAnswer,
        ReportedDecision,
        ReportedNotice,
        ReportedRecovery,
        ReportedStep,
    )
    from uscdr.report.model import ObjectiveReport, PhaseReport, TableLoss

Tone = Literal["", "good", "bad", "open", "code"]
Picture = Literal["", "steps", "notices"]
_TONES: dict[str, Tone] = {
    "met": "good", "in time": "good", "within": "good", "done": "good", "pass": "good", "confirmed": "good",
    "answered": "good", "missed": "bad", "late": "bad", "over": "bad", "failed": "bad", "fail": "bad",
    "overdue": "bad", "unknown": "bad", "not received": "bad", "not known": "open", "open": "open", "due": "open",
    "inconclusive": "open", "waived": "open", "unfinished": "open", "not checked": "open", "interrupted": "open",
    "declined": "open", "not answered": "open", "not measured": "open",
}  # fmt: skip
"""What a verdict means; its word always stands there, too."""


@dataclass(frozen=True)
class ReportCell:
    """A cell: its text, and how it is marked."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class ReportTable:
    """A table; every row has a cell for each column of `head`."""

    head: tuple[str, ...]
    rows: tuple[tuple[ReportCell, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class ReportSection:
    """A heading with lines, tables and perhaps a picture. `number` tells pictures of one kind apart, from 0."""

    title: str
    lines: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    picture: Picture = ""
    number: int = 0
    warns: bool = False
    """Whether it says that the report is a draft."""


def sections(report: IncidentReport) -> Iterator[ReportSection]:
    """Everything that the report holds, what matters first."""
    yield ReportSection("Summary", tables=(_table(("Fact", "Value"), _summary(report)),))
    yield ReportSection("Times and objectives", tables=(_times(report), _objectives(report)))
    if report.draft:
        yield _open(report)
    for number, recovery in enumerate(report.recoveries):
        yield _recovery(recovery, number)
    yield _communication(report)
    yield _listed("Decisions", _DECISIONS, map(_decision, report.decisions), "No question was asked of an operator.")
    yield _checks(report)
    yield _listed("Actions", _ACTIONS, map(_action, report.actions), "No action was recorded.")
    yield _listed("Review", _REVIEW, map(_answer, report.review), "No question of the review is configured.")
    lines = ([_stamp(one.at), one.text, one.by or "-"] for one in report.timeline)
    yield _listed("Timeline", ("Time (UTC)", "What", "Who"), lines, "")
    yield _mapped(report)
    yield _chains(report)


def _table(head: tuple[str, ...], rows: Iterable[Sequence[str | ReportCell]], caption: str = "") -> ReportTable:
    return ReportTable(head, tuple(tuple(map(_cell, row)) for row in rows), caption)


def tone_of(verdict: str) -> Tone:
    """How a verdict is marked; any other text is not."""
    return _TONES.get(verdict, "")


def _cell(text: str | ReportCell) -> ReportCell:
    return text if isinstance(text, ReportCell) else ReportCell(text, tone_of(text))


def _code(text: str) -> ReportCell:
    return ReportCell(text, "code")


def _listed(title: str, head: tuple[str, ...], rows: Iterable[Sequence[str | ReportCell]], none: str) -> ReportSection:
    table = _table(head, rows)
    return ReportSection(title, tables=(table,)) if table.rows else ReportSection(title, (none,))


def _stamp(at: datetime | None) -> str:
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _at(at: datetime | None, none: str = UNKNOWN) -> str:
    return none if at is None else moment(at)


def _open(report: IncidentReport) -> ReportSection:
    lines = report.unfinished or ("nothing is open; close it: uscdr incident close",)
    return ReportSection("This is a draft: what is open", tuple(f"- {line}" for line in lines), warns=True)


def _summary(report: IncidentReport) -> Iterator[Sequence[str | ReportCell]]:
    yield "What", report.what
    yield "Severity", report.severity
    if report.impact:
        yield "Impact", report.impact
    yield "Target", f"{report.app} ({report.target}){', a rehearsal on a sandbox' if report.rehearsal else ''}"
    yield "Opened by", f"{report.opened_by}, {moment(report.times.opened_at)}"
    yield "Closed by", f"{report.closed_by}, {_at(report.closed_at)}" if report.closed_at else "open"
    yield "Lead", report.lead or "nobody is named"
    yield "In short", report.summary or "nobody wrote a summary"
    yield "Incident", _code(report.incident)
    yield "Report", f"made {moment(report.made_at)} by uscdr {report.version}"


def _times(report: IncidentReport) -> ReportTable:
    times, none = report.times, "not yet" if report.draft else UNKNOWN
    until = " until service was restored" if times.restored_at else " so far"
    rows = (
        ("Outage began", _at(times.outage_at)),
        ("Detected", _at(times.detected_at)),
        ("Recovery started", _at(times.started_at, none)),
        ("Service restored", _at(times.restored_at, none)),
        ("Verified", _at(times.verified_at, none)),
        ("Down for", f"{duration(times.down_seconds)}{until}, {times.counts_from}"),
    )
    return _table(("Time", "Value"), rows, "When what happened (UTC)")


def _objectives(report: IncidentReport) -> ReportTable:
    rows = [_objective("Service back (RTO)", report.rto), _objective("Data lost (RPO)", report.rpo)]
    return _table(("Objective", "Target", "Achieved", "Verdict", "Basis"), rows, "Times against objectives")


def _objective(name: str, one: ObjectiveReport) -> list[str]:
    return [name, span(one.target_seconds), one.achieved, one.verdict, one.basis]


def _recovery(one: ReportedRecovery, number: int) -> ReportSection:
    lines = (
        f"- Run {one.run}: {one.outcome}, by {one.operator}, {_at(one.started_at)} to {_at(one.ended_at)}.",
        f"- Digest of its plan: {one.plan_digest or 'no plan'}.",
    )
    objectives = [_objective("Service back (RTO)", one.rto), _objective("Data lost (RPO)", one.rpo)]
    tables = (
        _table(("Objective", "Target", "Achieved", "Verdict", "Basis"), objectives, "Objectives of this run"),
        _table(("Forecast", "Value"), _forecast(one), "Forecast and what happened"),
        _table(("Data", "Value"), _data(one), "Data"),
        _table(("Phase", "Budget", "Duration", "Verdict", "Steps finished"), map(_phase, one.phases), "Phases"),
        _table(("Step", "Phase", "Status", "Began (UTC)", "Duration", "Result"), map(_step, one.steps), "Steps"),
    )
    return ReportSection(f"Recovery {number + 1}: {one.scenario}", lines, tables, "steps", number)


def _forecast(one: ReportedRecovery) -> Iterator[Sequence[str | ReportCell]]:
    told = one.forecast
    if told is None:
        yield "Forecast", f"none: {one.no_forecast or UNKNOWN}"
        return
    low, high = ("p50", "p90") if told.quantiles else ("least", "most")
    runs = plural(told.runs, "earlier run")
    yield "Service expected back, by the plan", told.expected or UNKNOWN
    yield "Service expected back, at the confirmation", told.shown or "no confirmed question showed one"
    yield "After the plan", f"{low} {span(told.low_seconds)}, {high} {span(told.high_seconds)} ({runs})"
    if told.took_seconds is None:
        yield "It was back", f"{UNKNOWN}: {told.why}"
        return
    waited = f", and {span(told.waited_seconds)} of waiting for answers" if told.waited_seconds else ""
    yield "It was back", f"{_at(told.back_at)}, {span(told.took_seconds)} after the plan{waited}"
    yield "Forecast against what happened", _AGAINST.get(told.verdict, ReportCell(f"{UNKNOWN}: {told.why}", "open"))


_AGAINST = {
    "within": ReportCell("within the forecast", "good"), "sooner": ReportCell("sooner than forecast", "good"),
    "later": ReportCell("later than forecast", "open"),
}  # fmt: skip


def _data(one: ReportedRecovery) -> Iterator[Sequence[str | ReportCell]]:
    data = one.data
    yield "Backup", f"{data.backup}, finished {data.backup_finished_at or UNKNOWN}" if data.backup else "none chosen"
    yield "SHA-256 of the backup", _code(data.backup_sha256) if data.backup_sha256 else UNKNOWN
    yield "Rows", data.rows
    yield "Rows lost", data.lost
    yield "Tables that match the backup", f"{count(data.tables_matching)} of {count(data.tables_checked)}"
    yield "Invariants that passed", f"{count(data.invariants_held)} of {count(data.invariants)}"
    for loss in data.tables:
        if loss.lost or loss.unread:
            yield f"Lost from {loss.table}", loss.unread or _loss(loss)


def _loss(loss: TableLoss) -> str:
    lost = "rows: not known" if loss.lost is None else plural(loss.lost, "row")
    keys = [f"keys {', '.join(loss.ranges)}"] if loss.ranges else []
    return ", ".join([lost, *keys, *(["not in the totals"] if loss.volatile else [])])


def _phase(one: PhaseReport) -> list[str]:
    verdict = "over" if one.over else "within"
    known = bool(one.budget_seconds) and one.seconds is not None
    budget = span(one.budget_seconds) if one.budget_seconds else "-"
    return [one.name, budget, span(one.seconds), verdict if known else "-", f"{one.finished} of {one.steps}"]


def _step(one: ReportedStep) -> list[str]:
    title = f"{f'{one.number}. ' if one.number else ''}{one.title}{' (destructive)' if one.destructive else ''}"
    ids = f" [{', '.join(one.provider_ids)}]" if one.provider_ids else ""
    began = _stamp(one.started_at) if one.started_at else "-"
    taken = "-" if one.seconds is None else span(one.seconds)
    return [title, one.phase, one.status, began, taken, (one.summary + ids).strip() or "-"]


def _communication(report: IncidentReport) -> ReportSection:
    if not report.notices:
        return ReportSection("Communication", ("No notice was due or sent.",))
    head = ("Notice", "To", "Due by", "Sent at", "Verdict", "Messages", "How")
    return ReportSection("Communication", tables=(_table(head, map(_notice, report.notices)),), picture="notices")


def _notice(one: ReportedNotice) -> list[str | ReportCell]:
    stage = STAGE_WORDS[one.stage]
    due = f" ({STAGE_WORDS[one.due_stage]} was due)" if one.due_stage not in (None, one.stage) else ""
    counts = ((one.sent, "sent"), (one.failed, "failed"), (one.refused, "refused"), (one.in_doubt, "in doubt"))
    said = ", ".join(f"{number} {state}" for number, state in counts if number)
    over = f" over {', '.join(one.channels)}" if one.channels else ""
    by = f", by {one.by}" if one.by else ""
    return [
        f"{one.notice}: {stage}{due}".removeprefix(": "), whom(one.readers), _at(one.due_at, "-"),
        _at(one.sent_at, "not sent"), ReportCell(notice_verdict(one), tone_of(one.verdict)), said or "-",
        f"{one.subject}{over}{by}" or "-",
    ]  # fmt: skip


def notice_verdict(one: ReportedNotice) -> str:
    """For example `in time`, `late by 4 min` or `missed: never sent`."""
    late = duration(one.late_seconds)
    words = {"late": f"late by {late}", "overdue": f"overdue for {late}", "due": "due, not sent yet",
             "missed": "missed: never sent", "no clock": "none was due"}  # fmt: skip
    return words.get(one.verdict, one.verdict)


_DECISIONS = ("Asked (UTC)", "Step", "Answer", "By", "Phrase", "Facts shown")


def _decision(one: ReportedDecision) -> list[str | ReportCell]:
    answer = {True: "confirmed", False: "declined", None: "not answered"}[one.confirmed]
    facts = "; ".join(f"{name}: {value}" for name, value in one.facts.items())
    return [_stamp(one.asked_at), one.step, answer, one.by or "-", _code(one.phrase), facts or "-"]


def _checks(report: IncidentReport) -> ReportSection:
    if not report.checks:
        return ReportSection("Checks", ("No check ran in this incident.",))
    head = ("Check", "Verdict", "Evidence", "At (UTC)")
    tables = tuple(
        _table(
            head,
            ([each.check, each.verdict, each.evidence, _stamp(each.at)] for each in one.checks),
            f"{one.scenario} (run {one.run}): {one.result}; ended {_at(one.ended_at)}",
        )
        for one in report.checks
    )
    return ReportSection("Checks", tables=tables)


_ACTIONS = ("Action", "Owner", "Due", "State", "Evidence", "From")


def _action(one: ReportedAction) -> list[str]:
    state = "overdue" if one.overdue else one.state
    title = f"{one.action}: {one.title}"
    return [title, one.owner or "nobody", _at(one.due, "-"), state, one.evidence or "-", one.origin or "-"]


_REVIEW = ("Question", "State", "Answer or reason", "By", "When (UTC)")


def _answer(one: ReportedAnswer) -> list[str]:
    return [one.question, one.state, one.text or "no answer", one.by or "-", _stamp(one.at) if one.at else "-"]


def _mapped(report: IncidentReport) -> ReportSection:
    tables = tuple(
        _table(
            ("Reference", "Asks for", "Evidence in this report"),
            ([f"{one.reference}: {one.title}", one.asks, "; ".join(one.evidence) or NOTHING] for one in group),
            source,
        )
        for source, group in groupby(report.mapped, key=lambda one: one.source)
    )
    return ReportSection("Evidence by regulation", (NOT_ADVICE,), tables)


def _chains(report: IncidentReport) -> ReportSection:
    lines: tuple[str, ...] = ("uscdr checked every line of these journals before it made this report.",)
    waiting = sum(one.waiting for one in report.chains)
    if waiting:
        lines += (f"{plural(waiting, 'entry', 'entries')} of this report wait on this machine to be shared.",)
    rows: list[list[str | ReportCell]] = [
        [one.journal, f"{one.events:,}", _code(one.last_hash)] for one in report.chains
    ]
    return ReportSection("Integrity", lines, (_table(("Journal", "Events", "SHA-256 of its last line"), rows),))
