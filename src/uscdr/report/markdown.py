"""The report as Markdown: the summary for the clinic's manager comes first, the evidence for the auditor last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.report.checks import to_checks_markdown
from uscdr.report.words import at, bound, count, in_markdown, integrity_section, lost, span, stamp, table
from uscdr.words import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from uscdr.report.model import ObjectiveReport, PhaseReport, RunReport, StepReport, TableLoss


def to_markdown(report: RunReport) -> str:
    """The whole report, ending in a newline."""
    if report.only_looks:
        return to_checks_markdown(report)
    parts = (
        _summary(report),
        *((_objectives(report), _data(report)) if report.recovers else ()),
        _timeline(report),
        _steps(report),
        _evidence(report),
        _follow_up(report),
        integrity_section(report.integrity),
    )
    return "\n".join(text for part in parts for text in part).rstrip() + "\n"


def _summary(report: RunReport) -> list[str]:
    dry = " (dry run: nothing was changed)" if report.dry_run else ""
    left = [f"**State left:** {_say(name)}: {_say(state)}" for name, state in report.left.items()]
    facts = [
        f"**Outcome:** {report.outcome}{dry}. {_say(report.summary)}",
        f"**Where:** {_say(report.app)} ({_say(report.target)})",
        f"**Who:** {_say(report.operator)}, uscdr {_say(report.version)}",
        f"**When:** {at(report.started_at)} to {at(report.ended_at)}",
        f"**Attempts:** {_attempts(report)}",
        *left,
    ]
    what = f"{report.scenario or 'run'} recovery" if report.recovers else report.scenario
    title = f"# {_say(what.capitalize())}: {report.outcome}"
    return [title, "", *(f"- {fact}" for fact in facts), ""]


def _attempts(report: RunReport) -> str:
    silent = sum(not attempt.outcome for attempt in report.attempts)
    return f"{len(report.attempts)}{f' ({silent} ended without an outcome)' if silent else ''}"


def _objectives(report: RunReport) -> list[str]:
    rows = [("Service back (RTO)", report.rto), ("Data lost (RPO)", report.rpo)]
    return [
        "## Objectives",
        "",
        *table(("Objective", "Target", "Achieved", "Verdict", "Basis"), (_objective(*row) for row in rows)),
        "",
    ]


def _objective(name: str, objective: ObjectiveReport) -> list[str]:
    most = "at most " if objective.at_most else ""
    achieved = "-" if objective.achieved_seconds is None else most + span(objective.achieved_seconds)
    return [name, span(objective.target_seconds), achieved, f"**{objective.verdict}**", _say(objective.basis)]


def _data(report: RunReport) -> list[str]:
    data = report.data
    lines = ["## Data", ""]
    if data.backup:
        lines.append(f"- Backup: {_say(data.backup)}, finished {_say(data.backup_finished_at) or 'at an unknown time'}")
    if data.backup_sha256:
        lines.append(f"- SHA-256 of the backup: `{_say(data.backup_sha256)}`")
    if data.rows_backup is None and data.rows_after is None:
        return [*lines, "- This run counted no rows.", ""]
    before = "unreadable" if data.readable_before is False else bound(data.rows_before, at_least=data.before_at_least)
    lines.append(
        f"- Rows: {before} before, {count(data.rows_backup)} in the backup, {count(data.rows_after)} after, "
        f"**{lost(data)} lost**"
    )
    if data.tables_checked is not None:
        lines.append(f"- Tables that match the backup: {count(data.tables_matching)} of {count(data.tables_checked)}")
    if data.invariants is not None:
        lines.append(f"- Invariants that passed: {count(data.invariants_held)} of {count(data.invariants)}")
    return [*lines, "", *_losses(report)]


def _losses(report: RunReport) -> list[str]:
    if not report.data.tables:
        return []
    touched = [loss for loss in report.data.tables if loss.lost or loss.damaged or loss.changed or loss.lost is None]
    head = ("Table", "Before", "In the backup", "Lost", "Restored", "Lost keys", "Remark")
    whole = len(report.data.tables) - len(touched)
    lines = [*table(head, map(_loss, touched)), ""] if touched else []
    return [*lines, f"Tables without lost or restored rows: {whole}", ""] if whole else lines


def _loss(loss: TableLoss) -> list[str]:
    numbers = [count(number) for number in (loss.now, loss.backup, loss.lost, loss.damaged)]
    remarks = ["same keys, different content"] if loss.changed else []
    remarks += [_say(loss.unread)] if loss.unread else []
    remarks += ["not in the totals"] if loss.volatile else []
    return [_say(loss.table), *numbers, _ranges(loss.ranges), ", ".join(remarks) or "-"]


def _ranges(ranges: Sequence[str]) -> str:
    return _say(", ".join(ranges)) or "-"


def _timeline(report: RunReport) -> list[str]:
    moments = sorted(_moments(report), key=lambda moment: moment[0])
    return ["## Timeline", "", *table(("Time (UTC)", "Event"), ([stamp(when), what] for when, what in moments)), ""]


def _moments(report: RunReport) -> Iterable[tuple[datetime, str]]:
    for number, attempt in enumerate(report.attempts, start=1):
        yield (
            attempt.started_at,
            f"{'Begun' if number == 1 else 'Resumed'} by {_say(attempt.user)} on {_say(attempt.host)}",
        )
        if attempt.ended_at:
            yield attempt.ended_at, f"Attempt {number} ended: {_say(attempt.outcome)}, exit code {attempt.exit_code}"
    for gate in report.gates:
        answer = {True: f"confirmed ({_say(gate.by)})", False: f"declined ({_say(gate.by)})", None: "not answered"}
        yield gate.asked_at, f"Confirmation requested: {answer[gate.confirmed]}"
    for step in report.steps:
        if step.started_at and not _quick(step):
            yield step.started_at, f"{_say(step.title)}: begun"
        if step.ended_at:
            yield step.ended_at, f"{_say(step.title)}: {step.status}"
    for note in report.notes:
        yield note.at, f"{note.level.capitalize()}: {_say(note.text)}"


def _quick(step: StepReport) -> bool:
    # For a step that took less than a minute, the end is enough.
    return bool(step.started_at and step.ended_at) and (step.seconds or 0.0) < MINUTE


def _steps(report: RunReport) -> list[str]:
    phases = table(("Phase", "Budget", "Duration", "Verdict", "Steps finished"), map(_phase, report.phases))
    return [
        *(["## Steps and budgets", "", *phases] if report.recovers else ["## Steps"]),
        "",
        *table(("#", "Step", "Status", "Duration", "Result", "Provider's ids"), map(_step, report.steps)),
        "",
    ]


def _phase(phase: PhaseReport) -> list[str]:
    budget = span(phase.budget_seconds) if phase.budget_seconds else "-"
    verdict = "-" if not phase.budget_seconds or phase.seconds is None else "**over**" if phase.over else "within"
    return [_say(phase.name), budget, span(phase.seconds), verdict, f"{phase.finished} of {phase.steps}"]


def _step(step: StepReport) -> list[str]:
    words = [step.summary, *step.settled]
    words += [f"why: {step.why}"] if step.why else []
    words += [f"next: {step.next_action}"] if step.next_action else []
    words += ["was already done"] if step.adopted else []
    words += [f"{step.attempts} attempts"] if step.attempts > 1 else []
    taken = "-" if step.seconds is None else span(step.seconds)
    title = f"{'**DESTROYS** ' if step.destructive else ''}{_say(step.title)}"
    ids = _say(", ".join(step.provider_ids)) or "-"
    return [str(step.number or "-"), title, step.status, taken, _say("; ".join(filter(None, words))) or "-", ids]


def _evidence(report: RunReport) -> list[str]:
    lines = ["## Evidence", ""]
    if checks := (*report.checks, *(report.round.checks if report.round else ())):
        rows = ([f"**{check.verdict}**", _say(check.check), _say(check.evidence)] for check in checks)
        lines += [*table(("Verdict", "Check", "Evidence"), rows), ""]
    for gate in report.gates:
        facts = "; ".join(f"{name}: {value}" for name, value in gate.facts.items())
        lines.append(f"- Facts shown before the confirmation: {_say(facts)}. Phrase: {_say(gate.phrase)}")
    lines.append(f"- Digest of the plan: {_say(report.plan_digest) or 'no plan'}")
    return [*lines, ""]


def _follow_up(report: RunReport) -> list[str]:
    due = () if report.dry_run else report.follow_up
    tasks = [f"- [ ] {_say(task)}" for task in due] or ["This run has no follow-up tasks."]
    return ["## Follow-up", "", *tasks, ""]


def _say(text: str) -> str:
    return in_markdown(text)


# The report for machines.


def to_json(report: RunReport) -> str:
    """The report as indented JSON, times in ISO 8601, ending in a newline."""
    return report.model_dump_json(indent=2) + "\n"
