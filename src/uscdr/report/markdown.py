"""The report as Markdown: the summary for the clinic's manager comes first, the evidence for the auditor last."""

from __future__ import annotations

from datetime import UTC
from itertools import groupby
from typing import TYPE_CHECKING

from uscdr.models.runs import LIST_TITLES, Tally
from uscdr.report.model import UNENDED, UNKNOWN, count, span
from uscdr.words import MINUTE, escape, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from uscdr.report.model import (
        CheckReport,
        Integrity,
        ItemReport,
        ObjectiveReport,
        PhaseReport,
        RoundReport,
        RunReport,
        StepReport,
        TableLoss,
    )


def to_markdown(report: RunReport) -> str:
    """The whole report, ending in a newline."""
    parts = _verification(report) if report.only_looks else _run(report)
    return "\n".join(text for part in parts for text in part).rstrip() + "\n"


def _run(report: RunReport) -> Iterator[list[str]]:
    """A recovery or another run of steps."""
    yield _summary(report)
    if report.recovers:
        yield from (_objectives(report), _data(report))
    yield from (_timeline(report), _steps(report), _evidence(report), _follow_up(report))
    yield _integrity(report.integrity)


def _summary(report: RunReport) -> list[str]:
    dry = " (dry run: nothing was changed)" if report.dry_run else ""
    told = [f"**Forecast:** {_say(report.forecast.words)}"] if report.forecast else []
    left = [f"**State left:** {_say(name)}: {_say(state)}" for name, state in report.left.items()]
    facts = [
        f"**Outcome:** {report.outcome}{dry}. {_say(report.summary)}",
        f"**Where:** {_say(report.app)} ({_say(report.target)})",
        f"**Who:** {_say(report.operator)}, uscdr {_say(report.version)}",
        f"**When:** {_at(report.started_at)} to {_at(report.ended_at)}",
        f"**Attempts:** {_attempts(report)}",
        *told,
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
        *grid(("Objective", "Target", "Achieved", "Verdict", "Basis"), (_objective(*row) for row in rows)),
        "",
    ]


def _objective(name: str, objective: ObjectiveReport) -> list[str]:
    verdict = f"**{objective.verdict}**"
    return [name, span(objective.target_seconds), objective.achieved, verdict, _say(objective.basis)]


def _data(report: RunReport) -> list[str]:
    data = report.data
    lines = ["## Data", ""]
    if data.backup:
        lines.append(f"- Backup: {_say(data.backup)}, finished {_say(data.backup_finished_at) or 'at an unknown time'}")
    if data.backup_sha256:
        lines.append(f"- SHA-256 of the backup: `{_say(data.backup_sha256)}`")
    if data.rows_backup is None and data.rows_after is None:
        return [*lines, "- This run counted no rows.", ""]
    lines.append(f"- Rows: {data.rows}, **{data.losses}**")
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
    lines = [*grid(head, map(_loss, touched)), ""] if touched else []
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
    moments = sorted(_moments(report), key=lambda one: one[0])
    return ["## Timeline", "", *grid(("Time (UTC)", "Event"), ([_stamp(when), what] for when, what in moments)), ""]


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
    phases = grid(("Phase", "Budget", "Duration", "Verdict", "Steps finished"), map(_phase, report.phases))
    return [
        *(["## Steps and budgets", "", *phases] if report.recovers else ["## Steps"]),
        "",
        *grid(("#", "Step", "Status", "Duration", "Result", "Provider's ids"), map(_step, report.steps)),
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
        lines += [*grid(("Verdict", "Check", "Evidence"), rows), ""]
    for gate in report.gates:
        facts = "; ".join(f"{name}: {value}" for name, value in gate.facts.items())
        lines.append(f"- Facts shown before the confirmation: {_say(facts)}. Phrase: {_say(gate.phrase)}")
    lines.append(f"- Digest of the plan: {_say(report.plan_digest) or 'no plan'}")
    return [*lines, ""]


def _follow_up(report: RunReport) -> list[str]:
    due = () if report.dry_run else report.follow_up
    tasks = [f"- [ ] {_say(task)}" for task in due] or ["This run has no follow-up tasks."]
    return ["## Follow-up", "", *tasks, ""]


# A verification as Markdown: the result, failed checks, the three checklists, every check, the evidence.


def _verification(report: RunReport) -> Iterator[list[str]]:
    """The newest complete round of checks."""
    one = report.round
    yield _checks_summary(report)
    if one is not None:
        yield from (_failed(one), *_lists(one), _checks(one), _left_out(one))
    yield from (_rounds(report), _notes(report), _integrity(report.integrity), [f"Run: {_say(report.run)}"])


def _checks_summary(report: RunReport) -> list[str]:
    one = report.round
    facts = [
        f"**Result:** {_say(report.result)}",
        f"**Outcome of the run:** {report.outcome}. {_say(report.summary)}",
        f"**What:** {_say(report.scenario)} of {_say(report.app)} ({_say(report.target)})",
        f"**Who:** {_say(report.operator)}, uscdr {_say(report.version)}",
        f"**When:** {_at(report.started_at)} to {_at(report.ended_at)}",
    ]
    if one is not None:
        counts = Tally([check.verdict for check in one.checks]).words
        facts += [f"**Baseline:** {one.baseline}", f"**Checks:** {len(one.wanted)}: {counts}{_unended(one)}"]
    if len(report.rounds) > 1 and one is not None:
        facts.append(f"**Rounds:** {len(report.rounds)}; this is round {one.number}, of {_at(one.started_at)}")
    return [f"# Verification of {_say(report.app)}: {_verdict(report)}", "", *(f"- {fact}" for fact in facts), ""]


def _verdict(report: RunReport) -> str:
    if report.round is None or report.round.ended_at is None:
        return "no result"
    return "passed" if report.passed else "NOT PASSED"


def _unended(one: RoundReport) -> str:
    return f", {len(one.unended)} did not end" if one.unended else ""


def _failed(one: RoundReport) -> list[str]:
    rows = [
        [f"**{_say(check.verdict)}**", _say(check.check), _say(check.evidence), _say(check.why) or "-"]
        for check in one.not_passed
    ]
    rows += [["**inconclusive**", _say(name), UNENDED, "-"] for name in one.unended]
    head = ("Verdict", "Check", "Evidence", "Meaning and next step")
    return ["## Checks that did not pass", "", *grid(head, rows), ""] if rows else []


def _lists(one: RoundReport) -> list[list[str]]:
    return [
        [
            f"## {_say(LIST_TITLES.get(key, key))}",
            "",
            *grid(("Verdict", "Line", "Evidence"), (_line(one, i) for i in items)),
            "",
        ]
        for key, items in groupby(one.items, key=lambda item: item.list)
    ]


def _line(one: RoundReport, item: ItemReport) -> list[str]:
    evidence = "<br>".join(_say(text) for text in one.evidence(item)) or "-"
    return [f"**{_say(item.verdict)}**", _say(item.item), evidence]


def _checks(one: RoundReport) -> list[str]:
    rows = [_check(check) for check in one.checks]
    rows += [["**inconclusive**", _say(name), "-", UNENDED] for name in one.unended]
    return ["## Checks", "", *grid(("Verdict", "Check", "Seconds", "Evidence"), rows), ""]


def _check(check: CheckReport) -> list[str]:
    return [f"**{_say(check.verdict)}**", _say(check.check), f"{check.seconds:.1f}", _say(check.evidence)]


def _left_out(one: RoundReport) -> list[str]:
    names = one.skipped
    if not names and not one.skipped_manual:
        return []
    words = f"{', '.join(names) or 'none of the lines above'}"
    return ["## Skipped checks", "", f"The operator skipped manual checks (--skip-manual): {_say(words)}", ""]


def _rounds(report: RunReport) -> list[str]:
    """The changes that a watch saw, and the number of rounds without a change."""
    if len(report.rounds) < 2:  # noqa: PLR2004 - a round is compared with the one before
        return []
    changed = [one for one in report.rounds if one.changed]
    rows = [[_stamp(one.started_at), str(one.number), _say("; ".join(one.changed))] for one in changed]
    lines = ["## Rounds", "", *(grid(("Time (UTC)", "Round", "Change"), rows) if rows else ["Nothing changed."])]
    lines += ["", f"{len(report.rounds)} rounds in {span(_lasted(report))}, {len(rows)} of them with a change."]
    return [*lines, *_cut_off(report), ""]


def _cut_off(report: RunReport) -> list[str]:
    one = report.cut_off
    if one is None:
        return []
    found = [f"- **{_say(check.verdict)}** {_say(f'{check.check}: {check.evidence}')}" for check in one.not_passed]
    return ["", f"Round {one.number} stopped early: {one.progress}. The tables above do not include it.", "", *found]


def _lasted(report: RunReport) -> float:
    last = report.rounds[-1]
    return ((last.ended_at or last.started_at) - report.rounds[0].started_at).total_seconds()


def _notes(report: RunReport) -> list[str]:
    if not report.notes:
        return []
    rows = ([_stamp(note.at), note.level, _say(note.text)] for note in report.notes)
    return ["## Notes", "", *grid(("Time (UTC)", "Level", "Note"), rows), ""]


# Parts of both reports.


def _at(time: datetime | None) -> str:
    return UNKNOWN if time is None else moment(time)


def _stamp(time: datetime) -> str:
    """The time of an event in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def literal(text: str) -> str:
    """`text` as literal text in Markdown: no markup, no HTML, no table borders, no line breaks."""
    marked = "".join(f"\\{char}" if char in "\\`*_[]|~#" else char for char in escape(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_say = literal
"""Its short name in this module, whose lines are full of it."""


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; its cells are already Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _integrity(integrity: Integrity) -> list[str]:
    """The integrity of the report's journal."""
    whole = f"MISSING: {', '.join(map(str, integrity.missing))}" if integrity.missing else "none missing"
    last = f"`{_say(integrity.last_hash)}`" if integrity.last_hash else "not available"
    words = f"{integrity.events} events read, {whole}. SHA-256 of the journal's last line: {last}."
    return ["## Integrity", "", words, ""]
